//! What goes on over every reload, and what a reload puts in place: all of that which can fail is built first.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use super::admin::{self, Gate, Late};
use super::channels;
use super::condition::Condition;
use super::contracts::{self, Foundation};
use super::log;
use super::watch::OfFiles;
use crate::api::admin::{AdminContract, AdminSettings};
use crate::api::metrics::ApiMetrics;
use crate::auth::issuers::TrustedIssuers;
use crate::auth::{Caretaker, GateParts, SigningKeys, WebhookKeys};
use crate::base::clock::Clock;
use crate::base::outbound::Outbound;
use crate::base::random::Random;
use crate::config::{Effective, Settings};
use crate::engine::{Channels, Engine};
use crate::http::contract::Contract;
use crate::http::metrics::HttpMetrics;
use crate::http::settings::{ListenAddress, ServerSettings};
use crate::http::tls::TlsSlot;
use crate::http::{Authenticate, BindError, Prepared, Server, ServingSlot};
use crate::store::Store;

/// What goes on over every reload.
pub(super) struct Works {
    pub(super) engine: Arc<Engine>,
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Arc<SigningKeys>,
    pub(super) webhook_keys: Arc<WebhookKeys>,
    pub(super) issuers: Arc<TrustedIssuers>,
    pub(super) caretaker: Arc<Caretaker>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) api_metrics: ApiMetrics,
    pub(super) http_metrics: HttpMetrics,
    pub(super) late: Late,
    pub(super) condition: Arc<Condition>,
    pub(super) registry: Arc<Registry>,
    pub(super) watched: OfFiles,
    /// The contracts' listeners, and the admin listener.
    pub(super) server: Listening,
    pub(super) admin: Listening,
    pub(super) current: Mutex<Current>,
}

/// What runs now, as far as the next reload has to know it.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) settings: Settings,
    pub(super) effective: Effective,
    pub(super) gate: GateParts,
    pub(super) outbound: Arc<Outbound>,
}

/// A server that runs, as a reload gets hold of it.
pub(super) struct Listening {
    name: &'static str,
    slot: ServingSlot,
    tls: Option<TlsSlot>,
    /// Its addresses; port 0 has become the port that was given.
    bound: Vec<ListenAddress>,
}

/// What can be put in place without any way to fail.
pub(super) struct Next {
    pub(super) current: Current,
    contracts: Prepared,
    admin: Prepared,
    authenticator: Arc<dyn Authenticate>,
    channels: Channels,
}

impl Listening {
    pub(super) fn of(name: &'static str, server: &Server) -> Self {
        Self { name, slot: server.serving(), tls: server.tls(), bound: server.local_addresses() }
    }

    /// New connections are presented what `settings` have. That there is TLS at all waits for a restart.
    fn present(&self, settings: &ServerSettings, metrics: &HttpMetrics) {
        if let (Some(slot), Some(tls)) = (&self.tls, &settings.tls) {
            metrics.presents(self.name, tls.validity().not_after);
            slot.replace(tls.clone());
        }
    }
}

impl Works {
    /// Builds all that `settings` come to; `effective` is what they say. Mounts that cannot be are found here.
    pub(super) fn build(&self, mut settings: Settings, effective: Effective) -> Result<Next, BindError> {
        let before = self.current.lock().clone();
        hold_back(&mut settings, &effective, &before.settings);
        contracts::settle_port(&mut settings, &self.server.bound);
        let gate = before.gate.under(&settings.auth.limits, &before.settings.auth.limits);
        let outbound =
            if settings.trust == before.settings.trust { before.outbound } else { Arc::new(self.outbound(&settings)) };
        let (contracts, authenticator) = contracts::build(&settings, self.foundation(gate.clone()));
        let contracts = self.server.slot.prepare(contracts, Arc::clone(&authenticator), &settings.server)?;
        let admin = self.admin_contracts(&settings);
        let admin = self.admin.slot.prepare(admin, Arc::new(Gate(self.late.clone())), &settings.admin)?;
        let channels = channels::build(&settings, &outbound, &self.webhook_keys);
        let current = Current { settings, effective, gate, outbound };
        Ok(Next { current, contracts, admin, authenticator, channels })
    }

    /// Puts `next` in place.
    pub(super) fn put(&self, next: Next) {
        let Next { current, contracts, admin, authenticator, channels } = next;
        let Settings { auth, issuers, server, admin: admin_settings, store, log, .. } = &current.settings;
        current.gate.clients.replace(&auth.clients);
        current.gate.api_keys.replace(&auth.api_keys);
        self.issuers.replace_over(issuers.clone(), Arc::clone(&current.outbound));
        self.caretaker.replaced(auth.token_lifetime);
        self.server.present(server, &self.http_metrics);
        self.admin.present(admin_settings, &self.http_metrics);
        self.store.replace_settings(store.clone());
        log::replace(*log);
        self.watched.replace(&current.settings);
        self.engine.use_channels(channels);
        self.late.authenticator_came(&authenticator);
        self.server.slot.replace(contracts);
        self.admin.slot.replace(admin);
        *self.current.lock() = current;
    }

    /// What goes out, by the trust of `settings`, and never to where the appliance itself listens.
    fn outbound(&self, settings: &Settings) -> Outbound {
        let outbound = Outbound::new(settings.trust.clone());
        outbound.listens_on(self.server.bound.iter().chain(&self.admin.bound).filter_map(ListenAddress::tcp));
        outbound
    }

    fn foundation(&self, gate: GateParts) -> Foundation {
        Foundation {
            engine: Arc::clone(&self.engine),
            keys: Arc::clone(&self.keys),
            webhook_keys: Arc::clone(&self.webhook_keys),
            gate,
            issuers: Arc::clone(&self.issuers),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            metrics: self.api_metrics.clone(),
        }
    }

    fn admin_contracts(&self, settings: &Settings) -> Vec<Arc<dyn Contract>> {
        let (condition, registry) = (Arc::clone(&self.condition), Arc::clone(&self.registry));
        admin_contracts(settings, &self.admin.bound, condition, registry, &self.late)
    }
}

/// What the admin listener serves at `bound`.
pub(super) fn admin_contracts(
    settings: &Settings,
    bound: &[ListenAddress],
    condition: Arc<Condition>,
    registry: Arc<Registry>,
    late: &Late,
) -> Vec<Arc<dyn Contract>> {
    let of_admin = AdminSettings {
        listen: bound.to_vec(),
        public_url: settings.public_url.clone(),
        token_path: settings.operator.token_path.clone(),
    };
    let root = AdminContract::new(&of_admin, condition, registry, late.configuration());
    admin::contracts(&of_admin, &settings.operator, root, late)
}

/// Leaves what waits for a restart as it is, and with it what follows from that.
fn hold_back(settings: &mut Settings, effective: &Effective, running: &Settings) {
    let moves = settings.server.listen != running.server.listen
        || settings.server.tls.is_some() != running.server.tls.is_some();
    if moves && !effective.says("server", "public_url") {
        contracts::set_public_url(settings, &running.public_url);
    }
    settings.data_dir.clone_from(&running.data_dir);
    settings.audit.clone_from(&running.audit);
    settings.log.format = running.log.format;
    settings.store.two_phase_commit = running.store.two_phase_commit;
    hold_back_server(&mut settings.server, &running.server);
    hold_back_server(&mut settings.admin, &running.admin);
}

fn hold_back_server(settings: &mut ServerSettings, running: &ServerSettings) {
    settings.listen.clone_from(&running.listen);
    settings.socket_mode = running.socket_mode;
    settings.max_connections = running.max_connections;
    if settings.tls.is_some() != running.tls.is_some() {
        settings.tls.clone_from(&running.tls);
    }
}
