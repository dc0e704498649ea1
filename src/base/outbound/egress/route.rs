//! The way out under one egress policy: whom it believes, who it is, its proxy, and its connections.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::entry::AllowEntry;
use super::own::OwnListeners;
use super::policy::EgressPolicy;
use crate::base::outbound::client::{Answer, Client, ClientParts, ClientSettings, OutboundRequest, check};
use crate::base::outbound::destination::Destination;
use crate::base::outbound::fault::{FaultClass, SendError};
use crate::base::outbound::house::Outbound;
use crate::base::outbound::identity::ClientIdentity;
use crate::base::outbound::names::Names;
use crate::base::outbound::policy::Policy;
use crate::base::outbound::proxy::ProxySettings;
use crate::base::outbound::timings::Timings;
use crate::base::outbound::trust::{Trust, TrustSettings, no_trust};

/// What one egress policy says.
#[derive(Clone, Debug)]
pub struct EgressSettings {
    /// Its name.
    pub name: String,
    /// What it allows; nothing, if it is empty.
    pub allow: Vec<AllowEntry>,
    /// Whose certificates are believed; `None`: as everywhere else.
    pub trust: Option<TrustSettings>,
    /// What is shown to a server that asks who we are.
    pub identity: Option<ClientIdentity>,
    /// Who connects for us.
    pub proxy: Option<ProxySettings>,
}

impl EgressSettings {
    /// A policy that allows nothing.
    #[must_use]
    pub const fn nothing(name: String) -> Self {
        Self { name, allow: Vec::new(), trust: None, identity: None, proxy: None }
    }

    /// The policy, without a way to go by it; never to `own`.
    #[must_use]
    pub fn policy(&self, own: Arc<OwnListeners>) -> EgressPolicy {
        EgressPolicy::new(self.name.clone(), self.allow.clone(), self.proxy.is_some(), own)
    }
}

/// Sends what a policy allows. Connections are kept for each scheme, host and port, and shared with no other policy.
pub struct Egress {
    policy: Arc<EgressPolicy>,
    route: Arc<Route>,
    /// One for each scheme and port: only ports that the policy names get here.
    clients: Mutex<HashMap<(bool, u16), Place>>,
}

/// Where a client is, once it has been made.
type Place = Arc<OnceCell<Client>>;

/// What the clients are made of.
struct Route {
    limits: ClientSettings,
    names: Arc<Names>,
    trust: Arc<Trust>,
    proxy: Option<ProxySettings>,
}

impl Egress {
    pub(in crate::base::outbound) fn new(
        settings: EgressSettings,
        limits: ClientSettings,
        house: &Outbound,
        own: Arc<OwnListeners>,
    ) -> Self {
        let policy = Arc::new(settings.policy(own));
        let EgressSettings { name: _, allow: _, trust, identity, proxy } = settings;
        let trust = match (trust, identity) {
            (None, None) => Arc::clone(&house.trust),
            (trust, identity) => Arc::new(house.trust.variant(trust, identity)),
        };
        let route = Arc::new(Route { limits, names: house.names(), trust, proxy });
        Self { policy, route, clients: Mutex::default() }
    }

    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Sends `request` and reads its answer, or the beginning of one whose body has no end. Dropped, the request is
    /// broken off.
    pub async fn send(&self, request: OutboundRequest) -> Result<Answer, SendError> {
        check(&*self.policy, &request.to)
            .map_err(|refusal| SendError::new(FaultClass::Refused, refusal.to_string()))?;
        let place = self.place(request.to.is_secure(), request.to.port());
        let client = place.get_or_try_init(|| self.client(request.to.is_secure(), request.to.port())).await?;
        client.exchange(request).await
    }

    /// Makes a connection as a request to `to` would, through the proxy if there is one, and closes it: nothing is sent.
    pub async fn reach(&self, to: &Destination) -> Result<Timings, SendError> {
        check(&*self.policy, to).map_err(|refusal| SendError::new(FaultClass::Refused, refusal.to_string()))?;
        // One that is kept would say nothing of the next one.
        let client = self.client(to.is_secure(), to.port()).await?;
        client.reach(to, self.route.limits.connect_timeout).await
    }

    fn place(&self, secure: bool, port: u16) -> Place {
        Arc::clone(self.clients.lock().entry((secure, port)).or_default())
    }

    /// Away from the runtime: whose certificates are believed may have to be read from files.
    async fn client(&self, secure: bool, port: u16) -> Result<Client, SendError> {
        let (route, policy) = (Arc::clone(&self.route), Arc::clone(&self.policy) as Arc<dyn Policy>);
        let made = tokio::task::spawn_blocking(move || route.client(secure, port, policy)).await;
        made.unwrap_or_else(|error| Err(SendError::new(FaultClass::Unreachable, error.to_string())))
    }
}

impl Route {
    fn client(&self, secure: bool, port: u16, policy: Arc<dyn Policy>) -> Result<Client, SendError> {
        let tls = if secure { self.trust.config() } else { no_trust() };
        let settings = ClientSettings { secure, port, ..self.limits };
        let (names, proxy) = (Arc::clone(&self.names), self.proxy.as_ref());
        Client::new(ClientParts { settings, policy, names, tls, proxy })
    }
}
