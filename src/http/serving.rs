//! What a server serves at the moment, and how that is replaced while it runs.
//!
//! A request takes it once, at its head, and goes by it to its end: its contract, who knows its token, whose word on its
//! caller is believed. A connection takes its limits in time when it begins. So a replacement breaks nothing off, and all
//! of it that can fail has failed before ([`ServingSlot::prepare`]).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::connection::Limits;
use super::contract::Contract;
use super::credential::Authenticate;
use super::forwarded::TrustedProxies;
use super::listener::BindError;
use super::metrics::HttpMetrics;
use super::routing::Routing;
use super::settings::ServerSettings;

/// How many of the largest bodies one connection may hold at once. HTTP/1.1 has never more than one.
const BODIES: usize = 4;

/// What is served at one time.
pub(super) struct Serving {
    pub(super) routing: Routing,
    pub(super) authenticator: Arc<dyn Authenticate>,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) limits: Limits,
    /// How long a request's body may take.
    pub(super) body_time: Duration,
    /// The room for bodies of each connection, in bytes.
    pub(super) bodies: usize,
}

impl Serving {
    pub(super) fn new(
        contracts: Vec<Arc<dyn Contract>>,
        authenticator: Arc<dyn Authenticate>,
        settings: &ServerSettings,
        metrics: &HttpMetrics,
    ) -> Result<Self, BindError> {
        let largest = contracts.iter().map(|contract| contract.max_body()).fold(settings.max_body, usize::max);
        Ok(Self {
            routing: Routing::new(contracts, settings.max_body, metrics)?,
            authenticator,
            trusted_proxies: settings.trusted_proxies.clone(),
            limits: Limits { header: settings.header_timeout, stall: settings.body_timeout },
            body_time: settings.body_timeout,
            bodies: BODIES * largest,
        })
    }
}

/// Holds what a running server serves, where it looks for every new request. Clones share it.
#[derive(Clone)]
pub struct ServingSlot(Arc<Slot>);

struct Slot {
    current: ArcSwap<Serving>,
    metrics: HttpMetrics,
}

/// What can be put in the place of what is served, without any way to fail.
pub struct Prepared(Serving);

impl ServingSlot {
    pub(super) fn new(serving: Serving, metrics: HttpMetrics) -> Self {
        Self(Arc::new(Slot { current: ArcSwap::from_pointee(serving), metrics }))
    }

    /// Builds what these contracts come to; errors are mounts and routes that cannot be. Of `settings` the addresses, the
    /// modes of sockets, the number of connections and TLS are not looked at.
    pub fn prepare(
        &self,
        contracts: Vec<Arc<dyn Contract>>,
        authenticator: Arc<dyn Authenticate>,
        settings: &ServerSettings,
    ) -> Result<Prepared, BindError> {
        Serving::new(contracts, authenticator, settings, &self.0.metrics).map(Prepared)
    }

    /// Requests whose heads come from now on are answered by `prepared`; those that are there go on as they are.
    pub fn replace(&self, prepared: Prepared) {
        self.0.current.store(Arc::new(prepared.0));
    }

    pub(super) fn now(&self) -> Arc<Serving> {
        self.0.current.load_full()
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.current.load().limits
    }
}
