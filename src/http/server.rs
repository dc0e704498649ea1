//! A server from binding to the end of its drain.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::accept::Acceptor;
use super::contract::Contract;
use super::credential::Authenticate;
use super::desk::Desk;
use super::listener::{BindError, Listener};
use super::metrics::HttpMetrics;
use super::registry::Registry;
use super::serving::{Serving, ServingSlot};
use super::settings::{ListenAddress, ServerSettings};
use super::tls::TlsSlot;
use crate::base::audit::Trail;
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::base::stop::Stop;

/// How long connections that are dropped may take to be gone.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What a server is made of besides its settings.
pub struct ServerParts {
    /// The contracts; one of them is mounted at the root (`""`) and answers for what is in no other.
    pub contracts: Vec<Arc<dyn Contract>>,
    /// Who knows the tokens.
    pub authenticator: Arc<dyn Authenticate>,
    /// Where requests and connections are counted.
    pub metrics: HttpMetrics,
    /// Where refused credentials and changes are written down.
    pub audit: Trail,
    /// The wall clock, for the `Date` of refusals.
    pub clock: Arc<dyn Clock>,
    /// For the part of the requests' ids that tells this run from others.
    pub random: Arc<dyn Random>,
    /// Ends it.
    pub stop: Stop,
    /// How long requests in progress may take after the stop; 30 s is a good value.
    pub drain_limit: Duration,
}

/// Bound addresses, before there is a server on them: what has to know the port that was given for port 0 can be made
/// in between. Nobody is answered meanwhile; who connects waits.
pub struct Sockets(Vec<Listener>);

impl Sockets {
    /// Binds all addresses. Has to be called within a tokio runtime.
    pub fn bind(settings: &ServerSettings) -> Result<Self, BindError> {
        settings
            .listen
            .iter()
            .map(|address| Listener::bind(address, settings.socket_mode))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The addresses, in their order; port 0 has become the port that was given.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.0.iter().map(Listener::address).collect()
    }
}

/// A bound server.
pub struct Server {
    listeners: Vec<Listener>,
    tls: Option<TlsSlot>,
    desk: Arc<Desk>,
    registry: Arc<Registry>,
    stop: Stop,
    drain_limit: Duration,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were not done within the limit and were dropped.
    pub dropped: usize,
}

impl Server {
    /// Binds all addresses; connections are taken once it runs. Has to be called within a tokio runtime.
    pub fn bind(settings: &ServerSettings, parts: ServerParts) -> Result<Self, BindError> {
        Self::on(Sockets::bind(settings)?, settings, parts)
    }

    /// The same on sockets that are bound already; the addresses in `settings` are not looked at.
    pub fn on(sockets: Sockets, settings: &ServerSettings, parts: ServerParts) -> Result<Self, BindError> {
        let serving = Serving::new(parts.contracts, parts.authenticator, settings, &parts.metrics)?;
        let Sockets(listeners) = sockets;
        let desk = Desk {
            serving: ServingSlot::new(serving, parts.metrics.clone()),
            trail: parts.audit,
            clock: parts.clock,
            metrics: parts.metrics.clone(),
            run: run_name(&*parts.random),
            turned_away: AtomicU64::new(0),
        };
        Ok(Self {
            listeners,
            tls: settings.tls.clone().map(TlsSlot::new),
            desk: Arc::new(desk),
            registry: Arc::new(Registry::new(settings.max_connections, parts.metrics)),
            stop: parts.stop,
            drain_limit: parts.drain_limit,
        })
    }

    /// Where it listens, in the order of the settings; port 0 has become the port that was given.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<ListenAddress> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// Where its listeners look for what they present, to replace it while it runs; `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<TlsSlot> {
        self.tls.clone()
    }

    /// Where it looks for what it serves, to replace that while it runs.
    #[must_use]
    pub fn serving(&self) -> ServingSlot {
        self.desk.serving.clone()
    }

    /// Serves until the stop, and then until the requests in progress are answered or the drain's limit is over.
    ///
    /// Dropping the future closes everything at once.
    pub async fn run(self) -> Drained {
        let end = CloseAll(Arc::clone(&self.registry));
        let mut acceptors = JoinSet::new();
        for listener in self.listeners {
            let (desk, registry, stop) = (Arc::clone(&self.desk), Arc::clone(&self.registry), self.stop.clone());
            let tls = self.tls.clone().filter(|_| listener.is_tcp());
            acceptors.spawn(Acceptor { listener, tls, desk, registry, stop }.run());
        }
        while let Some(outcome) = acceptors.join_next().await {
            if let Err(error) = outcome {
                tracing::error!(%error, "a listener has failed");
            }
        }
        self.stop.stopped().await;
        self.registry.drain();
        let in_time = timeout(self.drain_limit, self.registry.emptied()).await;
        let dropped = if in_time.is_ok() { 0 } else { end.0.close_all() };
        // Only a call that blocks its thread can still be there after this.
        let _ = timeout(LAST_MOMENT, self.registry.emptied()).await;
        Drained { dropped }
    }
}

/// Closes what is open when the server's future goes, however that comes about.
struct CloseAll(Arc<Registry>);

impl Drop for CloseAll {
    fn drop(&mut self) {
        self.0.close_all();
    }
}

/// Eight hexadecimal digits.
fn run_name(random: &dyn Random) -> String {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    bytes.iter().fold(String::new(), |mut name, byte| {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}
