//! What all outbound connections share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::client::{Client, ClientParts, ClientSettings};
use super::egress::{Egress, EgressSettings, OwnListeners};
use super::fault::SendError;
use super::names::Names;
use super::policy::Policy;
use super::trust::{Trust, TrustSettings, no_trust};

/// What all outbound connections share: whose certificates are believed, how names become addresses, and where the
/// appliance itself listens.
pub struct Outbound {
    names: Arc<Names>,
    pub(super) trust: Arc<Trust>,
    own: Arc<OwnListeners>,
}

impl Outbound {
    /// What believes the authorities of `trust`, and this machine's files for names.
    #[must_use]
    pub fn new(trust: TrustSettings) -> Self {
        Self::with_names(trust, Names::of_system())
    }

    /// The same with other names.
    #[must_use]
    pub fn with_names(trust: TrustSettings, names: Names) -> Self {
        Self { names: Arc::new(names), trust: Arc::new(Trust::new(trust)), own: Arc::default() }
    }

    /// Says where the appliance itself listens: no egress policy allows that from now on.
    pub fn listens_on(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        self.own.add(addresses);
    }

    /// How names become addresses: also for what speaks another protocol than HTTP.
    #[must_use]
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }

    /// What TLS connections are begun with, for the same. The first call reads the system's store of authorities, which
    /// blocks for some milliseconds.
    #[must_use]
    pub fn tls(&self) -> ClientConfig {
        self.trust.config()
    }

    /// A client for what `policy` allows. The first one for TLS reads the system's store of authorities, which blocks
    /// for some milliseconds.
    pub fn client(&self, settings: ClientSettings, policy: Arc<dyn Policy>) -> Result<Client, SendError> {
        let tls = if settings.secure { self.tls() } else { no_trust() };
        Client::new(ClientParts { settings, policy, names: self.names(), tls, proxy: None })
    }

    /// What sends under a named policy, whose connections are made within `connect_timeout`; of those to one host
    /// `idle_connections` are kept when nobody uses them.
    #[must_use]
    pub fn egress(&self, settings: EgressSettings, connect_timeout: Duration, idle_connections: usize) -> Egress {
        let limits = ClientSettings { secure: false, port: 0, connect_timeout, idle_connections };
        Egress::new(settings, limits, self, Arc::clone(&self.own))
    }
}
