//! A contract whose operations show what reaches them, and a server of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::StatusCode;
use prometheus_client::registry::Registry;
use tidings::auth::Principal;
use tidings::base::audit::Trail;
use tidings::base::clock::SystemClock;
use tidings::base::random::SystemRandomness;
use tidings::base::secret::to_hex;
use tidings::base::stop::Stop;
use tidings::http::contract::{Access, BodyRule, Contract, Delivery, Refusal, Request, Response, Route, Trace, Verb};
use tidings::http::metrics::HttpMetrics;
use tidings::http::settings::{ListenAddress, ServerSettings};
use tidings::http::tls::TlsSlot;
use tidings::http::{Authenticate, BindError, Denial, Drained, Presented, Server, ServerParts, ServingSlot, Shown};
use tidings::model::id::ClientId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Client, soon};

/// The largest ordinary body.
pub(crate) const MAX_BODY: usize = 1024;
/// The largest body of `/large`.
pub(crate) const MAX_LARGE: usize = 64 * 1024;
/// What `/big` answers: more than the sockets' buffers hold.
pub(crate) const BIG: usize = 16 * 1024 * 1024;

/// What happened inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An operation was called.
    Called(&'static str),
    /// A waiting call was dropped before it had an answer.
    Abandoned,
    Written,
    Lost,
}

/// The contract.
pub(crate) struct Toy {
    mount: &'static str,
    events: UnboundedSender<Event>,
    /// Opened for those who wait in `/wait`.
    gate: watch::Receiver<bool>,
}

type Row = (Verb, &'static str, &'static str, Access, BodyRule);

const ROUTES: [Row; 13] = [
    (Verb::Get, "/echo", "echo", Access::Public, BodyRule::None),
    (Verb::Get, "/things/{id}", "echo", Access::Public, BodyRule::None),
    (Verb::Delete, "/things/{id}", "echo", Access::Public, BodyRule::None),
    (Verb::Post, "/bodies", "length", Access::Public, BodyRule::Ordinary),
    (Verb::Post, "/large", "length", Access::Public, BodyRule::Large),
    (Verb::Get, "/secret", "echo", Access::Scope("read"), BodyRule::None),
    (Verb::Post, "/secret", "length", Access::Scope("write"), BodyRule::Ordinary),
    (Verb::Get, "/panic", "panic", Access::Public, BodyRule::None),
    (Verb::Get, "/wait", "wait", Access::Public, BodyRule::None),
    (Verb::Get, "/big", "big", Access::Public, BodyRule::None),
    (Verb::Get, "/empty", "empty", Access::Public, BodyRule::None),
    (Verb::Delete, "/empty", "empty", Access::Public, BodyRule::None),
    (Verb::Get, "/overloaded", "overloaded", Access::Public, BodyRule::None),
];

#[async_trait]
impl Contract for Toy {
    fn name(&self) -> &'static str {
        if self.mount.is_empty() { "root" } else { "toy" }
    }

    fn mount(&self) -> &str {
        self.mount
    }

    fn routes(&self) -> Vec<Route<()>> {
        let route = |(method, path, label, access, body)| {
            let changes = method == Verb::Delete && label == "empty";
            let trace = if changes { Trace::Change("toy.empty") } else { Trace::None };
            Route { method, path, operation: (), label, access, body, trace }
        };
        ROUTES.map(route).to_vec()
    }

    fn max_body(&self) -> usize {
        MAX_LARGE
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        let label = ROUTES[route].2;
        self.tell(Event::Called(label));
        match label {
            "echo" => Response::json(StatusCode::OK, self.echo(&request)),
            "length" => Response::json(StatusCode::OK, request.body.len().to_string()),
            "panic" => {
                tokio::task::yield_now().await;
                panic!("a bug in {}", request.path)
            }
            "wait" => self.wait().await,
            "big" => Response::json(StatusCode::OK, vec![b'x'; BIG]).delivered_to(self.witness()),
            "empty" => Response::empty(StatusCode::NO_CONTENT).delivered_to(self.witness()),
            _ => Response::empty(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        assert!(!request_id.is_empty());
        let status = match refusal {
            Refusal::NoSuchPath => 404,
            Refusal::MethodNotAllowed { .. } => 405,
            Refusal::Unauthenticated { .. } => 401,
            Refusal::Forbidden { .. } | Refusal::NotAllowed { .. } => 403,
            Refusal::TooManyRequests { .. } => 429,
            Refusal::BodyTooLarge { .. } => 413,
            Refusal::BadRequest { .. } => 400,
            Refusal::BodyTimeout { .. } => 408,
            Refusal::Unavailable { .. } => 503,
            Refusal::Internal => 500,
        };
        Response::json(StatusCode::from_u16(status).unwrap(), format!("{} refuses: {refusal:?}", self.name()))
    }
}

impl Toy {
    fn tell(&self, event: Event) {
        // Nobody may be listening any more.
        let _ = self.events.send(event);
    }

    fn echo(&self, request: &Request) -> String {
        let id = request.param("id");
        // Whom nobody has asked for a credential may have shown a certificate all the same.
        let nobody =
            || request.certificate.map_or("nobody".to_owned(), |thumbprint| format!("nobody+{}", to_hex(&thumbprint)));
        let who = request.principal.as_ref().map_or_else(nobody, |p| p.subject.clone());
        format!("{} {} id={id} query={} who={who}", self.name(), request.path, request.query)
    }

    fn witness(&self) -> Arc<dyn Delivery> {
        Arc::new(Witness(self.events.clone()))
    }

    async fn wait(&self) -> Response {
        let mut abandoned = Abandoned(Some(self.events.clone()));
        let _ = self.gate.clone().wait_for(|open| *open).await;
        abandoned.0 = None;
        Response::json(StatusCode::OK, "waited").delivered_to(self.witness())
    }
}

struct Abandoned(Option<UnboundedSender<Event>>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(events) = self.0.take() {
            let _ = events.send(Event::Abandoned);
        }
    }
}

struct Witness(UnboundedSender<Event>);

impl Delivery for Witness {
    fn written(&self) {
        let _ = self.0.send(Event::Written);
    }

    fn lost(&self) {
        let _ = self.0.send(Event::Lost);
    }
}

/// Knows `reader` (scope `read`) and `idler` (no scope).
struct Table;

#[async_trait]
impl Authenticate for Table {
    async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, Denial> {
        let Shown::Bearer(token) = presented.credential else {
            return Err(Denial::Invalid("the credential is no token".to_owned()));
        };
        let scopes: &[&str] = match token {
            "reader" => &["read"],
            "idler" => &[],
            _ => return Err(Denial::Invalid("the token is unknown".to_owned())),
        };
        let scopes = scopes.iter().map(|&s| s.to_owned()).collect::<BTreeSet<_>>();
        let shown = presented.certificate.map(|thumbprint| thumbprint.map(|byte| format!("{byte:02x}")).concat());
        let subject = shown.map_or_else(|| token.to_owned(), |thumbprint| format!("{token}+{thumbprint}"));
        Ok(Principal::new(ClientId::new("tester"), subject, scopes))
    }
}

/// Settings that no test comes up against unless it wants to.
pub(crate) fn settings() -> ServerSettings {
    ServerSettings {
        listen: vec![ListenAddress::parse("127.0.0.1:0").unwrap()],
        tls: None,
        trusted_proxies: tidings::http::TrustedProxies::default(),
        socket_mode: 0o660,
        max_body: MAX_BODY,
        max_connections: 64,
        header_timeout: Duration::from_secs(30),
        body_timeout: Duration::from_secs(30),
    }
}

/// A server that runs in this test.
pub(crate) struct Running {
    pub(crate) addresses: Vec<ListenAddress>,
    pub(crate) stop: Stop,
    pub(crate) gate: watch::Sender<bool>,
    pub(crate) tls: Option<TlsSlot>,
    serving: ServingSlot,
    sender: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
    metrics: Registry,
    run: JoinHandle<Drained>,
}

fn toys(
    mounts: &[&'static str],
    events: &UnboundedSender<Event>,
    gate: &watch::Sender<bool>,
) -> Vec<Arc<dyn Contract>> {
    let toy = |mount| Arc::new(Toy { mount, events: events.clone(), gate: gate.subscribe() }) as Arc<dyn Contract>;
    std::iter::once("").chain(mounts.iter().copied()).map(toy).collect()
}

impl Running {
    /// A server with the toy at the root and at each of the mounts.
    pub(crate) fn start(settings: &ServerSettings) -> Self {
        Self::start_with(settings, &["/toy"], Duration::from_secs(30)).unwrap()
    }

    pub(crate) fn start_with(
        settings: &ServerSettings,
        mounts: &[&'static str],
        drain_limit: Duration,
    ) -> Result<Self, BindError> {
        Self::start_audited(settings, mounts, drain_limit, Trail::off())
    }

    pub(crate) fn start_audited(
        settings: &ServerSettings,
        mounts: &[&'static str],
        drain_limit: Duration,
        audit: Trail,
    ) -> Result<Self, BindError> {
        let (sender, events) = unbounded_channel();
        let gate = watch::Sender::new(false);
        let contracts = toys(mounts, &sender, &gate);
        let (metrics, stop) = (HttpMetrics::new(), Stop::new());
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let server = Server::bind(
            settings,
            ServerParts {
                contracts,
                authenticator: Arc::new(Table),
                metrics,
                audit,
                clock: Arc::new(SystemClock),
                random: Arc::new(SystemRandomness::default()),
                stop: stop.clone(),
                drain_limit,
            },
        )?;
        let (addresses, tls, serving) = (server.local_addresses(), server.tls(), server.serving());
        let run = tokio::spawn(server.run());
        Ok(Self { addresses, stop, gate, tls, serving, sender, events, metrics: registry, run })
    }

    /// Puts the toy at the root and at each of `mounts` in the place of what is served.
    pub(crate) fn serve_instead(&self, settings: &ServerSettings, mounts: &[&'static str]) -> Result<(), BindError> {
        let prepared = self.serving.prepare(toys(mounts, &self.sender, &self.gate), Arc::new(Table), settings)?;
        self.serving.replace(prepared);
        Ok(())
    }

    /// A new connection to its first address.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&self.addresses[0]).await
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Event {
        soon(self.events.recv()).await.expect("the server still runs")
    }

    /// The metrics as text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics).unwrap();
        text
    }

    /// Waits until the metrics have this line.
    pub(crate) async fn shows(&self, line: &str) {
        let shown = async {
            while !self.metrics().contains(line) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(shown).await;
    }

    /// Stops it, and gives the events that nobody has looked at.
    pub(crate) async fn end(mut self) -> (Drained, Vec<Event>) {
        self.stop.stop();
        let drained = soon(&mut self.run).await.unwrap();
        let mut events = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            events.push(event);
        }
        (drained, events)
    }
}
