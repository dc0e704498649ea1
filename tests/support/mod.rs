//! An appliance in the test's own process: the real store in a temporary folder, the real server on a free port of the
//! loopback address, tokens from the real token service; only the clock stands still until a test moves it, and the
//! randomness follows from a seed.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod client;
pub(crate) mod openapi;
pub(crate) mod panics;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tidings::api::events::{EventsContract, EventsSettings};
use tidings::api::management::{ManagementContract, ManagementSettings};
use tidings::api::metrics::ApiMetrics;
use tidings::api::polling::{PollingContract, PollingSettings, UnknownMembers};
use tidings::api::recipients::{RecipientsContract, RecipientsSettings};
use tidings::api::registrations::{RegistrationsContract, RegistrationsSettings};
use tidings::api::root::{RootContract, RootSettings};
use tidings::api::trigger::{TriggerContract, TriggerSettings};
use tidings::auth::issuers::TrustedIssuers;
use tidings::auth::{
    AuthMetrics, AuthSettings, Authenticator, Caretaker, CaretakerParts, ClientSettings, Gate, GateParts, SigningKeys,
    TokenRequest, TokenService, WebhookKeys, scope,
};
use tidings::base::audit::Trail;
use tidings::base::clock::{Clock, ManualClock, Timestamp};
use tidings::base::outbound::{Outbound, TrustSettings};
use tidings::base::random::SeededRandomness;
use tidings::base::seal::SealKey;
use tidings::base::secret::{ExposeSecret, SecretHash};
use tidings::base::stop::Stop;
use tidings::engine::{ClientLimits, ClientProfile, DeliverySettings, Engine, EngineSettings, ForeignClients};
use tidings::http::contract::Contract;
use tidings::http::metrics::HttpMetrics;
use tidings::http::settings::{ListenAddress, ServerSettings};
use tidings::http::{Doorkeeper, Server, ServerParts};
use tidings::model::affiliation::Affiliation;
use tidings::model::catalogue::{Catalogue, EventType};
use tidings::model::id::ClientId;
use tidings::model::notification::ByKind;
use tidings::model::owners::Owners;
use tidings::model::subscription::{ContractName, OnRemove, Origin, SubscriptionDraft};
use tidings::model::target::Target;
use tidings::store::redb::{Faults, Options, RedbStore};
use tidings::store::{Figures, Store, StoreMetrics, StoreSettings};

/// What the clock shows at first.
pub(crate) const START: &str = "2026-11-22T10:00:00.250Z";

/// `server.public_url`: not where it listens, so that a test sees where it is used.
pub(crate) const PUBLIC_URL: &str = "https://notify.example.com/base";

/// The first of `auth.token_paths`.
pub(crate) const TOKEN_PATH: &str = "/oauth2/token";

/// The secret of every client.
pub(crate) const SECRET: &str = "a secret of the tests";

/// What an appliance is started with; the default has the clients `crm` and `erp` with all scopes, of which `crm` owns
/// 1001, `watcher` with none, and an open catalogue.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) clients: Vec<(&'static str, &'static [&'static str], &'static [&'static str])>,
    pub(crate) closed: bool,
    pub(crate) event_types: Vec<EventType>,
    pub(crate) foreign: Vec<ForeignClients>,
    pub(crate) declared: Vec<SubscriptionDraft>,
    pub(crate) store: StoreSettings,
    pub(crate) faults: Option<Arc<dyn Faults>>,
    /// While it is set, every call of a contract panics.
    pub(crate) panics: Option<Arc<AtomicBool>>,
    pub(crate) unknown_members: UnknownMembers,
    pub(crate) management: ManagementSettings,
    pub(crate) max_body: usize,
    pub(crate) max_batch: usize,
    pub(crate) max_wait: Duration,
    pub(crate) limits: ClientLimits,
    pub(crate) delivery: DeliverySettings,
    /// The recipients contract, where it is enabled.
    pub(crate) recipients: Option<RecipientsSettings>,
    /// `[api.registrations]`, where it is enabled.
    pub(crate) registrations: Option<RegistrationsSettings>,
    /// What is said of clients besides.
    pub(crate) profiles: HashMap<ClientId, ClientProfile>,
    /// The trigger contract, where it is enabled.
    pub(crate) trigger: Option<TriggerSettings>,
    /// Changes the settings of credentials before the start.
    pub(crate) tune_auth: fn(&mut AuthSettings),
}

impl Default for Setup {
    fn default() -> Self {
        const ALL: &[&str] = &[scope::ADMINISTRATOR, scope::CONSUMER, scope::PUBLISH];
        Self {
            clients: vec![("crm", ALL, &["1001"]), ("erp", ALL, &[]), ("watcher", &["other:scope"], &[])],
            closed: false,
            event_types: Vec::new(),
            foreign: Vec::new(),
            declared: Vec::new(),
            store: StoreSettings::default(),
            faults: None,
            panics: None,
            unknown_members: UnknownMembers::Ignore,
            management: ManagementSettings::default(),
            max_body: 256 << 10,
            max_batch: 8 << 20,
            max_wait: Duration::from_mins(1),
            limits: ClientLimits::default(),
            delivery: DeliverySettings::default(),
            recipients: None,
            registrations: None,
            profiles: HashMap::new(),
            trigger: None,
            tune_auth: |_| {},
        }
    }
}

/// A declared event type without further wishes.
pub(crate) fn event_type(id: &str) -> EventType {
    EventType {
        id: id.into(),
        name: id.to_owned(),
        category: String::new(),
        channels: None,
        contracts: None,
        ttl: ByKind::default(),
        audience_required: false,
        mandatory: Vec::new(),
        attributes: Vec::new(),
        urgent: false,
    }
}

/// A declared subscription with a queue.
pub(crate) fn declared(id: &str, client: &str, event_types: &[&str]) -> SubscriptionDraft {
    SubscriptionDraft {
        filter: None,
        expires_at: None,
        holders: Vec::new(),
        organisation: None,
        profile: None,
        id: id.into(),
        contract: ContractName::Polling,
        client_id: client.into(),
        event_types: event_types.iter().map(|&t| t.into()).collect(),
        created_by: "configuration".to_owned(),
        origin: Origin::Configuration,
        owners: None,
        on_remove: OnRemove::default(),
        endpoints: vec![Target::Poll],
    }
}

/// A running appliance. Dropped, it stops.
pub(crate) struct Appliance {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<RedbStore>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) address: SocketAddr,
    pub(crate) stop: Stop,
    tokens: TokenService,
    metrics: HttpMetrics,
    api_metrics: ApiMetrics,
    auth_metrics: AuthMetrics,
    pub(crate) caretaker: Arc<Caretaker>,
    folder: Option<TempDir>,
}

impl Appliance {
    /// Starts one with an empty store and provisions it.
    pub(crate) async fn start(setup: Setup) -> Self {
        let clock = ManualClock::new(Timestamp::parse_rfc3339(START).unwrap());
        Self::start_in(tempfile::tempdir().unwrap(), clock, setup).await
    }

    /// As [`Appliance::start`] with the defaults.
    pub(crate) async fn plain() -> Self {
        Self::start(Setup::default()).await
    }

    /// Stops it and starts one with other settings on the same data file.
    pub(crate) async fn restart(self, setup: Setup) -> Self {
        self.restart_after(setup, |_| {}).await
    }

    /// The same, and does something to the data file in between.
    pub(crate) async fn restart_after(mut self, setup: Setup, between: impl FnOnce(&Path)) -> Self {
        self.stop.stop();
        self.store.close().await;
        let (folder, clock) = (self.folder.take().unwrap(), self.clock.clone());
        drop(self);
        between(&folder.path().join("tidings.redb"));
        Self::start_in(folder, clock, setup).await
    }

    async fn start_in(folder: TempDir, clock: ManualClock, setup: Setup) -> Self {
        let random = Arc::new(SeededRandomness::new(7));
        let options = Options {
            path: folder.path().join("tidings.redb"),
            settings: setup.store.clone(),
            seal: Arc::new(SealKey::from_bytes([7; 32])),
            clock: Arc::new(clock.clone()),
            random: random.clone(),
            metrics: StoreMetrics::new(),
            progress: Arc::new(|_| {}),
            faults: setup.faults.clone(),
        };
        let store = Arc::new(RedbStore::open(options).unwrap());
        let stop = Stop::new();
        let settings = engine_settings(&setup);
        let engine =
            Arc::new(Engine::new(store.clone(), Arc::new(clock.clone()), random.clone(), settings, stop.clone()));
        engine.provision().await.unwrap();

        let auth = auth_settings(&setup);
        let keys = Arc::new(SigningKeys::load(&*store).await.unwrap());
        let webhook_keys = Arc::new(WebhookKeys::load(&*store, &*random).await.unwrap());
        let (metrics, api_metrics, auth_metrics) = (HttpMetrics::new(), ApiMetrics::new(), AuthMetrics::new());
        let gate = GateParts::load(&auth, store.clone(), auth_metrics.clone()).await.unwrap();
        let parts = CaretakerParts {
            gate: gate.clone(),
            keys: keys.clone(),
            webhook_keys: webhook_keys.clone(),
            token_lifetime: auth.token_lifetime,
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            random: random.clone(),
        };
        let outbound = Arc::new(Outbound::new(TrustSettings { system: false, certificates: Vec::new() }));
        let caretaker = Arc::new(Caretaker::begin(parts).await.unwrap());
        let token_service = || TokenService::new(&auth, keys.clone(), gate.clone(), random.clone());
        let polling = PollingContract::new(polling_settings(&setup), engine.clone(), &api_metrics);
        let unknown_members = setup.unknown_members;
        let management =
            ManagementSettings { public_url: PUBLIC_URL.to_owned(), unknown_members, ..setup.management.clone() };
        let management = ManagementContract::new(management, engine.clone(), Arc::new(clock.clone()), &api_metrics);
        let token_paths = vec![TOKEN_PATH.to_owned()];
        let registrations = setup.registrations.clone().map(|settings| {
            let settings = RegistrationsSettings { public_url: PUBLIC_URL.to_owned(), ..settings };
            Arc::new(RegistrationsContract::new(settings, engine.clone(), &api_metrics)) as Arc<dyn Contract>
        });
        let root = RootSettings { token_paths, public_url: PUBLIC_URL.to_owned(), certificates: false };
        let mut contracts: Vec<Arc<dyn Contract>> = vec![
            Arc::new(polling),
            Arc::new(EventsContract::new(events_settings(&setup), engine.clone())),
            Arc::new(RootContract::new(root, Arc::new(token_service()), webhook_keys, Arc::new(clock.clone()))),
        ];
        if let Some(recipients) = &setup.recipients {
            contracts.push(Arc::new(RecipientsContract::new(recipients.clone(), engine.clone())));
        }
        contracts.extend(registrations);
        contracts.push(Arc::new(management));
        if let Some(trigger) = &setup.trigger {
            contracts.push(Arc::new(TriggerContract::new(trigger.clone(), engine.clone(), &api_metrics)));
        }
        if let Some(panics) = &setup.panics {
            contracts = contracts.into_iter().map(|inner| panics::under(inner, panics)).collect();
        }
        let parts = ServerParts {
            contracts,
            authenticator: Arc::new(Doorkeeper::new(
                Authenticator::new(&auth, keys.clone(), gate.clients.clone()),
                Arc::new(TrustedIssuers::new(Vec::new(), outbound, Arc::new(clock.clone()))),
                Gate::new(gate.clone()),
                Arc::new(clock.clone()),
            )),
            metrics: metrics.clone(),
            audit: Trail::off(),
            clock: Arc::new(clock.clone()),
            random: random.clone(),
            stop: stop.clone(),
            drain_limit: Duration::from_secs(5),
        };
        let server = Server::bind(&server_settings(&setup), parts).unwrap();
        let ListenAddress::Tcp(address) = server.local_addresses()[0] else { panic!("a TCP address was asked for") };
        tokio::spawn(server.run());
        Self {
            tokens: token_service(),
            metrics,
            api_metrics,
            auth_metrics,
            caretaker,
            clock,
            store,
            engine,
            address,
            stop,
            folder: Some(folder),
        }
    }

    /// The store's figures.
    pub(crate) fn store_figures(&self) -> Figures {
        self.store.figures()
    }

    /// The metrics of the server, the contracts and credentials in the text format.
    pub(crate) fn metrics(&self) -> String {
        let mut registry = Registry::default();
        self.metrics.register(&mut registry);
        self.api_metrics.register(&mut registry);
        self.auth_metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    /// A token of `client` with all its scopes, good for an hour from now.
    pub(crate) fn token(&self, client: &str) -> String {
        self.token_from(client, None)
    }

    /// The same for a client that asks from this address.
    pub(crate) fn token_from(&self, client: &str, address: Option<IpAddr>) -> String {
        let mut request = TokenRequest::with_secret(client, SECRET);
        request.client.origin.address = address;
        self.tokens.issue(&request, self.clock.now()).unwrap().access_token.expose_secret().to_owned()
    }
}

/// A millisecond less than `duration`: the last moment before a limit.
pub(crate) fn just_before(duration: Duration) -> Duration {
    duration.saturating_sub(Duration::from_millis(1))
}

/// Waits until `condition` holds; fails after ten seconds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let holds = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), holds).await.is_ok(), "not in time: {what}");
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// A disk that fails while it is told to.
#[derive(Debug, Default)]
pub(crate) struct BadDisk(AtomicBool);

impl BadDisk {
    pub(crate) fn fail(&self, fail: bool) {
        self.0.store(fail, Ordering::Release);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) { Err(io::Error::other("the disk has burnt")) } else { Ok(()) }
    }
}

impl Faults for BadDisk {
    fn write(&self, _: u64, _: usize) -> io::Result<()> {
        self.check()
    }
    fn flush(&self) -> io::Result<()> {
        self.check()
    }
    fn extend(&self, _: u64) -> io::Result<()> {
        self.check()
    }
}

fn owners(names: &[&str]) -> Owners {
    Owners::new(names.iter().map(|&n| n.to_owned()))
}

/// What the engine of an appliance is told.
pub(crate) fn engine_settings(setup: &Setup) -> EngineSettings {
    let hours = Duration::from_hours;
    let ttl = ByKind { poll: hours(6), webhook: hours(96), email: hours(96) };
    EngineSettings {
        profiles: setup.profiles.clone(),
        catalogue: Catalogue::new(setup.closed, ttl, false, setup.event_types.clone()),
        owners: setup.clients.iter().map(|(id, _, own)| (ClientId::new(id), owners(own))).collect::<HashMap<_, _>>(),
        foreign: setup.foreign.clone(),
        declared: setup.declared.clone(),
        limits: setup.limits,
        delivery: setup.delivery.clone(),
    }
}

fn auth_settings(setup: &Setup) -> AuthSettings {
    let client = |(id, scopes, own): &(&str, &[&str], &[&str])| ClientSettings {
        secrets: vec![SecretHash::of(SECRET.as_bytes()).into()],
        scopes: scopes.iter().map(|&s| s.to_owned()).collect(),
        affiliation: Affiliation {
            parties: own.iter().map(|&owner| owner.to_owned()).collect(),
            ..Affiliation::default()
        },
        ..ClientSettings::new(id)
    };
    let mut settings = AuthSettings::new(PUBLIC_URL, setup.clients.iter().map(client).collect());
    // Each call of a test gets a token of its own, and the clock stands still.
    settings.limits.token_rate = None;
    (setup.tune_auth)(&mut settings);
    settings
}

fn polling_settings(setup: &Setup) -> PollingSettings {
    PollingSettings {
        mount: "/notification/v1".to_owned(),
        page_size: 100,
        max_wait: setup.max_wait,
        unknown_members: setup.unknown_members,
        public_url: PUBLIC_URL.to_owned(),
        token_path: TOKEN_PATH.to_owned(),
    }
}

fn events_settings(setup: &Setup) -> EventsSettings {
    EventsSettings {
        mount: "/v1".to_owned(),
        max_batch: setup.max_batch,
        max_event: setup.max_body,
        max_handouts: 10,
        max_wait: setup.max_wait,
        public_url: PUBLIC_URL.to_owned(),
        token_path: TOKEN_PATH.to_owned(),
    }
}

fn server_settings(setup: &Setup) -> ServerSettings {
    ServerSettings {
        listen: vec![ListenAddress::parse("127.0.0.1:0").unwrap()],
        tls: None,
        trusted_proxies: tidings::http::TrustedProxies::default(),
        socket_mode: 0o660,
        max_body: setup.max_body,
        max_connections: 64,
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(30),
    }
}
