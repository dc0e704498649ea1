//! The start: what is begun, in which order, and what stands in its way.
//!
//! The data folder, then the admin listener (health answers while the store is opened or repaired), the store key, the
//! store, the signing keys, the declared subscriptions, the workers (the keys of trusted issuers are not waited for), and
//! last the contracts. What has been begun is ended again if a later part cannot be.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use super::admin::{Gate, Late};
use super::board::Board;
use super::channels;
use super::condition::Condition;
use super::configured::{Configured, Files};
use super::contracts::{self, Foundation};
use super::data_dir::DataDir;
use super::error::StartError;
use super::figures::FigureCollector;
use super::file_watch;
use super::reload::{Reloader, Reloads};
use super::report;
use super::running::{Running, Served};
use super::sample::{self, Places};
use super::stopping::{Stopping, Supervisor, join};
use super::watch::OfFiles;
use super::works::{Current, Listening, Works, admin_contracts};
use crate::api::metrics::ApiMetrics;
use crate::auth::issuers::TrustedIssuers;
use crate::auth::{AuthMetrics, Caretaker, CaretakerParts, GateParts, SigningKeys, WebhookKeys};
use crate::base::audit::{Actor, Entry, Keeper, Opening, Outcome, Trail};
use crate::base::clock::{Clock, SystemClock};
use crate::base::outbound::Outbound;
use crate::base::random::{Random, SystemRandomness};
use crate::base::stop::Stop;
use crate::config::{Effective, Settings};
use crate::engine::{ConditionWatch, Delivery, DeliveryMetrics, DownTargets, Engine, Provisioned};
use crate::http::contract::Contract;
use crate::http::metrics::HttpMetrics;
use crate::http::settings::{ListenAddress, ServerSettings};
use crate::http::{Authenticate, BindError, Server, ServerParts, Sockets};
use crate::model::id::SubscriptionId;
use crate::store::redb::{Opening as StoreOpening, Options, RedbStore};
use crate::store::{Store, StoreMetrics};

/// What the appliance does not make itself.
#[derive(Clone)]
pub struct Parts {
    /// Rules deadlines, schedules and ids.
    pub clock: Arc<dyn Clock>,
    /// Keys, nonces and ids come from it.
    pub random: Arc<dyn Random>,
}

impl Parts {
    /// The machine's clock and its randomness.
    #[must_use]
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandomness::default()) }
    }
}

/// How long requests in progress may take after the stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// The same for health and metrics, which are answered at once.
const ADMIN_DRAIN_LIMIT: Duration = Duration::from_secs(1);
/// How long a step of stopping may take beyond what it is known to need.
const MARGIN: Duration = Duration::from_secs(5);
/// How long the store may take to finish a commit and close its file.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// Starts an appliance with a configuration, which may be [`Settings`] alone.
///
/// Dropped before it is done, it leaves what was begun to the runtime's end, which loses nothing.
pub async fn start(configured: impl Into<Configured>, parts: Parts) -> Result<Running, StartError> {
    let Configured { settings, effective, files, instead_of } = configured.into();
    let (supervisor, ended) = Supervisor::new();
    let trail = Trail::new(Arc::clone(&parts.clock));
    let outbound = Arc::new(Outbound::new(settings.trust.clone()));
    outbound.listens_on(settings.server.listen.iter().chain(&settings.admin.listen).filter_map(ListenAddress::tcp));
    let issuers = TrustedIssuers::new(settings.issuers.clone(), Arc::clone(&outbound), Arc::clone(&parts.clock));
    let bad: Option<Vec<_>> = instead_of.map(|bad| bad.problems.iter().map(report::problem).collect());
    let digest = files.as_ref().map(|_| effective.digest()).unwrap_or_default();
    let board = Arc::new(Board::new(digest, parts.clock.now(), bad.as_deref()));
    let mut start = Start {
        condition: Arc::new(Condition::new(parts.clock.now(), trail.clone(), Arc::clone(&board))),
        watched: OfFiles::new(&settings),
        board,
        effective,
        files,
        registry: Arc::default(),
        late: Late::default(),
        http_metrics: HttpMetrics::new(),
        api_metrics: ApiMetrics::new(),
        auth_metrics: AuthMetrics::new(),
        store_metrics: StoreMetrics::new(),
        delivery_metrics: DeliveryMetrics::new(),
        stop: Stop::new(),
        trail,
        keeper: KeeperPlace::default(),
        served: Vec::new(),
        stopping: Stopping::default(),
        outbound,
        issuers: Arc::new(issuers),
        settings,
        parts,
        supervisor,
    };
    match start.begin().await {
        Ok(Begun { addresses, admin_addresses, reloader }) => {
            let sample = start.sample(&addresses);
            let Start { settings, stopping, trail, served, .. } = start;
            let public_url = settings.public_url;
            let reloads = Reloads(reloader);
            Ok(Running { addresses, admin_addresses, public_url, sample, served, trail, reloads, ended, stopping })
        }
        Err(error) => {
            let failed = Entry::new("appliance.fail", Outcome::Failed).by(Actor::Appliance);
            start.trail.record(failed.because(&error.to_string())).await;
            for failure in start.stopping.run().await {
                tracing::error!("giving up the start: {failure}");
            }
            Err(error)
        }
    }
}

/// Where the audit trail's keeper is: the step that closes the trail is set up before there is one.
type KeeperPlace = Arc<Mutex<Option<Keeper>>>;

/// What has been begun.
struct Begun {
    /// Where the contracts listen, and the admin listener.
    addresses: Vec<ListenAddress>,
    admin_addresses: Vec<ListenAddress>,
    reloader: Arc<Reloader>,
}

/// A start on its way.
struct Start {
    settings: Settings,
    effective: Effective,
    files: Option<Files>,
    board: Arc<Board>,
    watched: OfFiles,
    registry: Arc<Registry>,
    parts: Parts,
    condition: Arc<Condition>,
    late: Late,
    http_metrics: HttpMetrics,
    api_metrics: ApiMetrics,
    auth_metrics: AuthMetrics,
    store_metrics: StoreMetrics,
    delivery_metrics: DeliveryMetrics,
    supervisor: Supervisor,
    /// Ends the contracts and the workers; the admin listener has one of its own and answers to the last.
    stop: Stop,
    trail: Trail,
    keeper: KeeperPlace,
    served: Vec<Served>,
    stopping: Stopping,
    outbound: Arc<Outbound>,
    issuers: Arc<TrustedIssuers>,
}

impl Start {
    /// Begins one part after the other.
    async fn begin(&mut self) -> Result<Begun, StartError> {
        let path = self.settings.data_dir.clone();
        let folder = blocking(move || DataDir::prepare(&path)).await?;
        self.close_trail_last();
        let (admin, admin_addresses) = self.serve_admin()?;
        let store = self.open_store(folder.clone()).await?;
        self.open_trail(folder).await?;
        let webhook_keys = Arc::new(WebhookKeys::load(&*store, &*self.parts.random).await?);
        let credentials = self.look_after_credentials(&store, &webhook_keys).await?;
        let engine = self.run_engine(Arc::clone(&store)).await?;
        self.late.engine_came(&engine);
        self.fetch_keys();
        let (server, addresses) = self.serve_contracts(&credentials, &engine)?;
        // Last, so that it is known where webhooks must never go.
        let listen = addresses.iter().chain(&admin_addresses);
        self.outbound.listens_on(listen.filter_map(ListenAddress::tcp));
        let down = self.watch(&engine);
        self.deliver(&engine, &webhook_keys, down);
        let works = self.works(engine, store, credentials, [server, admin]);
        let reloader = self.make_reloadable(works).await;
        self.condition.serving();
        let shown =
            |addresses: &[ListenAddress]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            "ready: the contracts listen on {}, the admin listener on {}",
            shown(&addresses),
            shown(&admin_addresses)
        );
        Ok(Begun { addresses, admin_addresses, reloader })
    }

    /// What goes on over every reload.
    fn works(
        &self,
        engine: Arc<Engine>,
        store: Arc<dyn Store>,
        credentials: Credentials,
        [server, admin]: [Listening; 2],
    ) -> Works {
        let Credentials { keys, webhook_keys, gate, caretaker } = credentials;
        let (settings, effective) = (self.settings.clone(), self.effective.clone());
        let current = Current { settings, effective, gate, outbound: Arc::clone(&self.outbound) };
        Works {
            engine,
            store,
            keys,
            webhook_keys,
            issuers: Arc::clone(&self.issuers),
            caretaker,
            clock: Arc::clone(&self.parts.clock),
            random: Arc::clone(&self.parts.random),
            api_metrics: self.api_metrics.clone(),
            http_metrics: self.http_metrics.clone(),
            late: self.late.clone(),
            condition: Arc::clone(&self.condition),
            registry: Arc::clone(&self.registry),
            watched: self.watched.clone(),
            server,
            admin,
            current: Mutex::new(current),
        }
    }

    /// From now on the configuration can be reloaded, and what runs is the last good one.
    async fn make_reloadable(&mut self, works: Works) -> Arc<Reloader> {
        let reloader = Arc::new(Reloader {
            works,
            files: self.files.clone(),
            board: Arc::clone(&self.board),
            trail: self.trail.clone(),
            one_at_a_time: tokio::sync::Mutex::default(),
        });
        reloader.keep_last_good().await;
        self.late.reloader_came(Arc::new(Arc::clone(&reloader)));
        // What else stops is to be refused as stopping first.
        let stop = Stop::new();
        let watching = file_watch::run(Arc::clone(&reloader), stop.clone());
        let watching = self.supervisor.spawn("watching the configuration", stop.clone(), watching);
        self.stopping.push("stop watching the configuration", MARGIN, async move {
            stop.stop();
            join(watching).await
        });
        reloader
    }

    /// The audit trail is closed when all is over that it could tell of.
    fn close_trail_last(&mut self) {
        let place = Arc::clone(&self.keeper);
        self.stopping.push("close the audit trail", CLOSE_LIMIT, async move {
            let Some(keeper) = place.lock().take() else { return Ok(()) };
            tokio::task::spawn_blocking(|| keeper.close()).await.map_err(|error| error.to_string())?
        });
    }

    /// Begins the run in the audit trail. Only who has the data file may.
    async fn open_trail(&mut self, folder: DataDir) -> Result<(), StartError> {
        let (trail, output) = (self.trail.clone(), self.settings.audit.clone());
        let keeper = blocking(move || {
            let opening = Opening { output: &output, data_dir: folder.path(), version: env!("CARGO_PKG_VERSION") };
            Ok(trail.open(&opening)?)
        });
        *self.keeper.lock() = Some(keeper.await?);
        Ok(())
    }

    fn serve_admin(&mut self) -> Result<(Listening, Vec<ListenAddress>), StartError> {
        let sockets = Sockets::bind(&self.settings.admin)?;
        let addresses = sockets.addresses();
        self.outbound.listens_on(addresses.iter().filter_map(ListenAddress::tcp));
        self.registry = Arc::new(self.register());
        let (condition, registry) = (Arc::clone(&self.condition), Arc::clone(&self.registry));
        let stop = Stop::new();
        let serving = Serving {
            contracts: admin_contracts(&self.settings, &addresses, condition, registry, &self.late),
            authenticator: Arc::new(Gate(self.late.clone())),
            stop: stop.clone(),
            drain_limit: ADMIN_DRAIN_LIMIT,
        };
        self.served.extend(serving.contracts.iter().map(|contract| Served::by(&**contract, true)));
        let server = self.server("admin", sockets, &self.settings.admin, serving)?;
        let listening = Listening::of("admin", &server);
        let task = self.supervisor.spawn("the admin listener", stop.clone(), server.run());
        self.stopping.push("close the admin listener", ADMIN_DRAIN_LIMIT + MARGIN, async move {
            stop.stop();
            join(task).await.map(drop)
        });
        Ok((listening, addresses))
    }

    fn register(&self) -> Registry {
        let mut registry = Registry::default();
        self.http_metrics.register(&mut registry);
        self.api_metrics.register(&mut registry);
        self.auth_metrics.register(&mut registry);
        self.store_metrics.register(&mut registry);
        self.delivery_metrics.register(&mut registry);
        self.trail.register(&mut registry);
        TrustedIssuers::register(&self.issuers, &mut registry);
        registry.register_collector(Box::new(FigureCollector::new(Arc::clone(&self.condition))));
        registry
    }

    fn server(
        &self,
        name: &'static str,
        sockets: Sockets,
        settings: &ServerSettings,
        serving: Serving,
    ) -> Result<Server, BindError> {
        if let Some(tls) = &settings.tls {
            self.http_metrics.presents(name, tls.validity().not_after);
        }
        let Serving { contracts, authenticator, stop, drain_limit } = serving;
        let parts = ServerParts {
            contracts,
            authenticator,
            metrics: self.http_metrics.clone(),
            audit: self.trail.clone(),
            clock: Arc::clone(&self.parts.clock),
            random: Arc::clone(&self.parts.random),
            stop,
            drain_limit,
        };
        Server::on(sockets, settings, parts)
    }

    async fn open_store(&mut self, folder: DataDir) -> Result<Arc<dyn Store>, StartError> {
        let Parts { clock, random } = self.parts.clone();
        let (settings, metrics) = (self.settings.store.clone(), self.store_metrics.clone());
        let condition = Arc::clone(&self.condition);
        let progress = Arc::new(move |opening: StoreOpening| condition.opening(opening.to_string()));
        let store = blocking(move || {
            let path = folder.data_file();
            let seal = Arc::new(folder.seal_key(&*random)?);
            Ok(RedbStore::open(Options { path, settings, seal, clock, random, metrics, progress, faults: None })?)
        });
        let store: Arc<dyn Store> = Arc::new(store.await?);
        self.condition.opened(Arc::clone(&store));
        let closing = Arc::clone(&store);
        self.stopping.push("close the store", CLOSE_LIMIT, async move {
            closing.close().await;
            Ok(())
        });
        Ok(store)
    }

    /// The keys that sign, and what the parts of authentication share; with their caretaker at work.
    async fn look_after_credentials(
        &mut self,
        store: &Arc<dyn Store>,
        webhook_keys: &Arc<WebhookKeys>,
    ) -> Result<Credentials, StartError> {
        let settings = &self.settings.auth;
        let keys = Arc::new(SigningKeys::load(&**store).await?);
        let gate = GateParts::load(settings, Arc::clone(store), self.auth_metrics.clone()).await?;
        let parts = CaretakerParts {
            gate: gate.clone(),
            keys: Arc::clone(&keys),
            webhook_keys: Arc::clone(webhook_keys),
            token_lifetime: settings.token_lifetime,
            store: Arc::clone(store),
            clock: Arc::clone(&self.parts.clock),
            random: Arc::clone(&self.parts.random),
        };
        let caretaker = Arc::new(Caretaker::begin(parts).await?);
        self.late.caretaker_came(&caretaker);
        let stop = self.stop.clone();
        let work = Arc::clone(&caretaker).run(stop.clone());
        let work = self.supervisor.spawn("the caretaker of credentials", stop.clone(), work);
        self.stopping.push("write when credentials were last used", CLOSE_LIMIT, async move {
            stop.stop();
            join(work).await
        });
        Ok(Credentials { keys, webhook_keys: Arc::clone(webhook_keys), gate, caretaker })
    }

    async fn run_engine(&mut self, store: Arc<dyn Store>) -> Result<Arc<Engine>, StartError> {
        let Parts { clock, random } = self.parts.clone();
        let engine = Arc::new(Engine::new(store, clock, random, self.settings.engine.clone(), self.stop.clone()));
        let provisioned = engine.provision().await?;
        tracing::info!(
            created = provisioned.created.len(),
            updated = provisioned.updated.len(),
            drained = provisioned.drained.len(),
            released = provisioned.released.len(),
            "the declared subscriptions are as the files say"
        );
        self.trail.record_all(changes_of(&provisioned)).await;
        if !provisioned.held.is_empty() {
            tracing::warn!(
                held = provisioned.held.len(),
                "subscriptions whose clients the files no longer know are held: see tidings subscriptions --held"
            );
        }
        let stop = self.stop.clone();
        let sweeps = self.supervisor.spawn("the sweep", stop.clone(), Arc::clone(&engine).run_sweeps());
        self.stopping.push("stop the workers", CLOSE_LIMIT, async move {
            stop.stop();
            join(sweeps).await
        });
        Ok(engine)
    }

    /// Begins to tell of conditions that need a person; answers where deliveries say which targets are down.
    fn watch(&mut self, engine: &Arc<Engine>) -> Arc<DownTargets> {
        let down = Arc::default();
        let watch = ConditionWatch::new(Arc::clone(engine), self.watched.parts(&down, &self.late, &self.board));
        let stop = self.stop.clone();
        let work = self.supervisor.spawn("the watch for conditions", stop.clone(), watch.run());
        self.stopping.push("end the watch for conditions", CLOSE_LIMIT, async move {
            stop.stop();
            join(work).await
        });
        down
    }

    /// Begins to send what is for webhooks and addresses.
    fn deliver(&mut self, engine: &Arc<Engine>, webhook_keys: &Arc<WebhookKeys>, conditions: Arc<DownTargets>) {
        engine.use_channels(channels::build(&self.settings, &self.outbound, webhook_keys));
        let (stop, delivery) = (self.stop.clone(), Delivery { conditions, metrics: self.delivery_metrics.clone() });
        let work = self.supervisor.spawn("deliveries", stop.clone(), Arc::clone(engine).run_delivery(delivery));
        self.stopping.push("end deliveries", CLOSE_LIMIT, async move {
            stop.stop();
            join(work).await
        });
    }

    /// The keys of trusted issuers, in the background: an issuer that is down does not hold up the start.
    fn fetch_keys(&mut self) {
        let stop = self.stop.clone();
        let fetching =
            self.supervisor.spawn("fetching issuers' keys", stop.clone(), Arc::clone(&self.issuers).run(stop.clone()));
        self.stopping.push("stop fetching issuers' keys", MARGIN, async move {
            stop.stop();
            join(fetching).await
        });
    }

    fn serve_contracts(
        &mut self,
        credentials: &Credentials,
        engine: &Arc<Engine>,
    ) -> Result<(Listening, Vec<ListenAddress>), StartError> {
        let Credentials { keys, webhook_keys, gate, caretaker: _ } = credentials;
        let sockets = Sockets::bind(&self.settings.server)?;
        let addresses = sockets.addresses();
        self.outbound.listens_on(addresses.iter().filter_map(ListenAddress::tcp));
        contracts::settle_port(&mut self.settings, &addresses);
        let Parts { clock, random } = self.parts.clone();
        let foundation = Foundation {
            engine: Arc::clone(engine),
            keys: Arc::clone(keys),
            webhook_keys: Arc::clone(webhook_keys),
            gate: gate.clone(),
            issuers: Arc::clone(&self.issuers),
            clock,
            random,
            metrics: self.api_metrics.clone(),
        };
        let (contracts, authenticator) = contracts::build(&self.settings, foundation);
        self.late.authenticator_came(&authenticator);
        let serving = Serving { contracts, authenticator, stop: self.stop.clone(), drain_limit: DRAIN_LIMIT };
        self.served.extend(serving.contracts.iter().map(|contract| Served::by(&**contract, false)));
        let server = self.server("server", sockets, &self.settings.server, serving)?;
        let listening = Listening::of("server", &server);
        let task = self.supervisor.spawn("the contracts' listener", self.stop.clone(), server.run());
        self.stopping.push("drain HTTP", DRAIN_LIMIT + MARGIN, async move {
            let drained = join(task).await?;
            if drained.dropped > 0 {
                tracing::warn!(connections = drained.dropped, "dropped what was not done within {DRAIN_LIMIT:?}");
            }
            Ok(())
        });
        let (condition, stop) = (Arc::clone(&self.condition), self.stop.clone());
        self.stopping.push("refuse new work", MARGIN, async move {
            condition.stopping();
            stop.stop();
            Ok(())
        });
        Ok((listening, addresses))
    }

    /// The lines that show how to try a sample configuration, where it is one and has both contracts.
    fn sample(&self, addresses: &[ListenAddress]) -> Option<String> {
        let Settings { public_url, sample, polling, events, root, .. } = &self.settings;
        let token_path = root.token_paths.first()?;
        let places = Places { public_url, token_path, polling: polling.as_ref()?, events: events.as_ref()?, addresses };
        Some(sample::lines(sample.as_ref()?, &places))
    }
}

/// What the audit trail says of what the files have changed.
pub(super) fn changes_of(provisioned: &Provisioned) -> Vec<Entry> {
    let Provisioned { created, updated, drained, failed, dropped, held, released, extended, emptied: _ } = provisioned;
    let changes = [
        ("subscription.create", created),
        ("subscription.update", updated),
        ("subscription.drain", drained),
        ("subscription.fail", failed),
        ("subscription.drop", dropped),
        ("subscription.hold", held),
        ("subscription.release", released),
        ("subscription.extend", extended),
    ];
    let line =
        |action, id: &SubscriptionId| Entry::new(action, Outcome::Ok).by(Actor::Configuration).about(id.as_str());
    changes.into_iter().flat_map(|(action, ids)| ids.iter().map(move |id| line(action, id))).collect()
}

/// The keys that sign, what lets callers in, and who looks after both.
struct Credentials {
    keys: Arc<SigningKeys>,
    webhook_keys: Arc<WebhookKeys>,
    gate: GateParts,
    caretaker: Arc<Caretaker>,
}

/// What one server serves, and until when.
struct Serving {
    contracts: Vec<Arc<dyn Contract>>,
    authenticator: Arc<dyn Authenticate>,
    stop: Stop,
    drain_limit: Duration,
}

/// Runs what blocks, where that does not hold up anybody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StartError::Inside(error.to_string()))?
}
