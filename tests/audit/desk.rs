//! What becomes of calls that end in other ways than by a contract's answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::StatusCode;
use tidings::auth::{Caller, Credential, Principal};
use tidings::base::audit::{Keeper, Trail};
use tidings::base::clock::SystemClock;
use tidings::base::random::SeededRandomness;
use tidings::base::stop::Stop;
use tidings::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};
use tidings::http::metrics::HttpMetrics;
use tidings::http::settings::{ListenAddress, ServerSettings};
use tidings::http::{Authenticate, Denial, Presented, Server, ServerParts, Shown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::calls::Call;
use crate::trails::{Memory, lines, open_on, sound};

/// A contract whose operations are their paths.
struct Odd {
    waiting: mpsc::UnboundedSender<()>,
}

const PATHS: [(&str, &str, Access, Trace); 5] = [
    ("/waits/{a}/{b}", "wait", Access::Scope("odd"), Trace::Change("odd.wait")),
    ("/open-waits", "wait", Access::Public, Trace::Change("odd.wait")),
    ("/panics", "panic", Access::Scope("odd"), Trace::Change("odd.panic")),
    ("/bodies", "body", Access::Scope("odd"), Trace::Change("odd.body")),
    ("/forbids", "forbid", Access::Scope("odd"), Trace::None),
];

#[async_trait]
impl Contract for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn mount(&self) -> &'static str {
        ""
    }

    fn routes(&self) -> Vec<Route<()>> {
        let route = |(path, label, access, trace)| Route {
            method: Verb::Post,
            path,
            operation: (),
            label,
            access,
            body: BodyRule::Ordinary,
            trace,
        };
        PATHS.map(route).to_vec()
    }

    fn max_body(&self) -> usize {
        0
    }

    async fn call(&self, route: usize, _: Request) -> Response {
        match PATHS[route].1 {
            "wait" => {
                let _ = self.waiting.send(());
                std::future::pending().await
            }
            "panic" => panic!("a bug"),
            "forbid" => Response::empty(StatusCode::FORBIDDEN),
            _ => Response::empty(StatusCode::OK).about("made"),
        }
    }

    fn refuse(&self, refusal: &Refusal, _: &str) -> Response {
        Response::empty(match refusal {
            Refusal::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        })
    }
}

/// Takes every token for what it says it is.
struct Naive;

#[async_trait]
impl Authenticate for Naive {
    async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, Denial> {
        let Shown::Bearer(token) = presented.credential else { return Err(Denial::Invalid("no token".into())) };
        let credential = match token {
            "key" => Credential::ApiKey { public: "tdg_ab12cd34".into() },
            "peer" => Credential::Peer { uid: 1000 },
            "foreign" => Credential::ForeignToken { issuer: "https://login.example.com/".into() },
            "flood" => return Err(Denial::TooMany { detail: "too many".into(), retry_after: 1 }),
            "down" => return Err(Denial::Unavailable("the issuer is down".into())),
            "elsewhere" => return Err(Denial::NotAllowed("not from here".into())),
            _ => Credential::Token,
        };
        Ok(Principal::of(Caller {
            credential,
            ..Caller::new("crm".into(), "crm".into(), BTreeSet::from(["odd".to_owned()]))
        }))
    }
}

struct Odds {
    address: String,
    waiting: mpsc::UnboundedReceiver<()>,
    memory: Memory,
    keeper: Keeper,
    stop: Stop,
    _folder: tempfile::TempDir,
}

impl Odds {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (trail, memory) = (Trail::new(Arc::new(SystemClock)), Memory::default());
        let keeper = open_on(&trail, &memory, folder.path());
        let (waiting, waits) = mpsc::unbounded_channel();
        let settings = ServerSettings {
            tls: None,
            trusted_proxies: tidings::http::TrustedProxies::default(),
            socket_mode: 0o660,
            listen: vec![ListenAddress::parse("127.0.0.1:0").unwrap()],
            max_body: 1024,
            max_connections: 64,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
        };
        let stop = Stop::new();
        let parts = ServerParts {
            contracts: vec![Arc::new(Odd { waiting })],
            authenticator: Arc::new(Naive),
            metrics: HttpMetrics::new(),
            audit: trail,
            clock: Arc::new(SystemClock),
            random: Arc::new(SeededRandomness::new(1)),
            stop: stop.clone(),
            drain_limit: Duration::from_secs(10),
        };
        let server = Server::bind(&settings, parts).unwrap();
        let address = server.local_addresses()[0].to_string();
        tokio::spawn(server.run());
        Self { address, waiting: waits, memory, keeper, stop, _folder: folder }
    }

    /// What the trail says besides its first and last line.
    fn end(self) -> Vec<serde_json::Value> {
        self.stop.stop();
        self.keeper.close().unwrap();
        let text = self.memory.text();
        sound(&text, None);
        let lines = lines(&text);
        lines[1..lines.len() - 1].to_vec()
    }

    /// Sends `call`, and hangs up once it waits in the contract.
    async fn abandon(&mut self, call: Call) {
        let mut stream = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(call.text().as_bytes()).await.unwrap();
        self.waiting.recv().await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    }
}

#[tokio::test]
async fn a_change_whose_caller_hangs_up_is_unanswered() {
    let mut odds = Odds::start();
    odds.abandon(Call::new("POST", "/waits/x/y%2Fz").bearer("token")).await;
    odds.abandon(Call::new("POST", "/open-waits")).await;
    let lines = odds.end();
    let said = lines.iter().map(|line| (&line["action"], &line["outcome"], &line["object"], &line["principal"]["id"]));
    let (wait, unanswered) = ("odd.wait".into(), "unanswered".into());
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            (&wait, &unanswered, &"x/y/z".into(), &"crm".into()),
            (&wait, &unanswered, &serde_json::Value::Null, &serde_json::Value::Null),
        ]
    );
}

#[tokio::test]
async fn each_kind_of_end_and_of_caller_is_told_apart() {
    let odds = Odds::start();
    let call = |path: &str, token: &str| Call::new("POST", path).bearer(token);
    let big = "x".repeat(2000);
    for (call, status) in [
        (call("/bodies", "key"), 200),
        (call("/bodies", "peer"), 200),
        (call("/bodies", "foreign"), 200),
        (call("/panics", "token"), 500),
        (call("/bodies", "token").json(big), 413),
        (call("/forbids", "token"), 403),
        (call("/bodies", "flood"), 429),
        (call("/bodies", "down"), 503),
        (call("/bodies", "elsewhere"), 403),
    ] {
        call.send(&odds.address).await.expect(status);
    }
    let lines = odds.end();
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            let part = |name: &str| line.get(name).map_or(String::new(), |value| value.to_string().replace('"', ""));
            let principal = line["principal"].as_object().map_or(String::new(), |principal| {
                principal.values().map(|value| value.to_string().replace('"', "")).collect::<Vec<_>>().join(" ")
            });
            format!("{} {} {} {}|{principal}", part("action"), part("outcome"), part("status"), part("object"))
        })
        .collect();
    assert_eq!(
        said,
        [
            "odd.body ok 200 made|crm tdg_ab12cd34 api-key",
            "odd.body ok 200 made|peer 1000",
            "odd.body ok 200 made|crm https://login.example.com/ client",
            "odd.panic failed 500 |crm built-in client",
            "odd.body refused 413 |crm built-in client",
            "authorise refused 403 |crm built-in client",
            "authenticate refused 429 |",
            "authenticate failed 503 |",
            "authorise refused 403 |",
        ]
    );
}
