//! A running appliance and an external issuer: from the configuration's text to the answers of the contracts.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::app::{self, Parts, Running};
use tidings::base::clock::ManualClock;
use tidings::base::random::SystemRandomness;
use tidings::config::{self, Sources};
use tidings::http::settings::ListenAddress;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{ISSUER, NOW, at, claims, header, with};
use crate::signer::{Signer, encoded, key_set};
use crate::upstream::{Reply, Upstream};

/// A running appliance whose one issuer is this test.
struct Site {
    folder: TempDir,
    clock: ManualClock,
    signer: Signer,
    running: Running,
}

/// What a request came to.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.head, self.body))
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        self
    }
}

/// Keys from a file, as it stands in TOML.
fn of_file(path: &Path) -> String {
    format!("{{ file = \"{}\" }}", path.display())
}

/// An entry for this test's issuer; `jwks` and `more` as they stand in TOML.
fn entry(jwks: &str, more: &str) -> String {
    format!(
        r#"
[[auth.issuers]]
issuer = "{ISSUER}"
jwks = {jwks}
client_ids = ["partner-*"]
scopes = ["notification:consent:*", "events:publish"]
claims = {{ parties = "partyId" }}
{more}
"#
    )
}

async fn start(folder: &TempDir, clock: &ManualClock, issuers: &str) -> Running {
    let text = format!(
        "data_dir = \"{0}/data\"\nserver.listen = [\"127.0.0.1:0\"]\nadmin.listen = [\"127.0.0.1:0\"]\n\
         clients = [{{ id = \"crm\", secret = {{ value = \"s\" }}, scopes = [\"events:publish\"] }}]\n{issuers}",
        folder.path().display()
    );
    let file = folder.path().join("tidings.toml");
    std::fs::write(&file, text).unwrap();
    let settings = config::load(&Sources::new(file)).unwrap_or_else(|problems| panic!("{problems}")).settings;
    let parts = Parts { clock: Arc::new(clock.clone()), random: Arc::new(SystemRandomness::default()) };
    app::start(settings, parts).await.unwrap()
}

impl Site {
    async fn new(more: &str) -> Self {
        let (folder, clock, signer) = (tempfile::tempdir().unwrap(), ManualClock::new(at(NOW)), Signer::new("ES256"));
        let keys = folder.path().join("issuer.jwks");
        std::fs::write(&keys, key_set(&[signer.jwk("k")]).to_string()).unwrap();
        let running = start(&folder, &clock, &entry(&of_file(&keys), more)).await;
        Self { folder, clock, signer, running }
    }

    async fn restart(mut self, issuers: &str) -> Self {
        assert_eq!(self.running.stop().await, [""; 0]);
        self.running = start(&self.folder, &self.clock, issuers).await;
        self
    }

    fn jwks(&self) -> String {
        of_file(&self.folder.path().join("issuer.jwks"))
    }

    /// A token of the issuer for `client`, which owns `party`.
    fn token(&self, client: &str, party: &str) -> String {
        let claims = with(with(claims(), "client_id", json!(client)), "partyId", json!([party]));
        let scope = "notification:consent:consumer notification:consent:administrator events:publish";
        self.signer.sign(&header("ES256"), &with(claims, "scope", json!(scope)))
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        send(&self.running, method, path, token, body).await
    }

    async fn subscribe(&self, token: &str, client: &str) -> Answer {
        let body = json!({ "event_type_ids": ["301"], "client_id": client });
        self.send("POST", "/notification/v1/subscriptions", token, &body).await
    }

    async fn publish(&self, token: &str, audience: &str) -> Answer {
        let body = json!({ "type": "301", "audience": audience, "data": {} });
        self.send("POST", "/v1/events", token, &body).await
    }

    async fn poll(&self, token: &str, id: &str) -> Answer {
        let path = format!("/notification/v1/subscriptions/{id}/notifications");
        self.send("GET", &path, token, &Value::Null).await
    }
}

async fn send(running: &Running, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let ListenAddress::Tcp(address) = &running.addresses()[0] else { panic!("a TCP address was asked for") };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

#[tokio::test]
async fn an_external_client_subscribes_and_polls_what_is_for_its_owners() {
    let site = Site::new("").await;
    let (a, b) = (site.token("partner-a", "1001"), site.token("partner-b", "1002"));
    let id = site.subscribe(&a, "partner-a").await.expect(201).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(site.publish(&b, "1001").await.expect(202).json()["matched"], 1);
    assert_eq!(site.publish(&b, "1002").await.expect(202).json()["matched"], 0);
    site.poll(&b, &id).await.expect(404);
    let page = site.poll(&a, &id).await.expect(200).json();
    assert_eq!(page["results"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_subscription_that_somebody_else_made_has_no_owners() {
    let site = Site::new("").await;
    let (a, b) = (site.token("partner-a", "1001"), site.token("partner-b", "1002"));
    site.subscribe(&b, "partner-a").await.expect(201);
    for audience in ["1001", "1002"] {
        assert_eq!(site.publish(&a, audience).await.expect(202).json()["matched"], 0, "{audience}");
    }
    let everybody = json!({ "type": "301", "data": {} });
    assert_eq!(site.send("POST", "/v1/events", &a, &everybody).await.expect(202).json()["matched"], 1);
}

#[tokio::test]
async fn owners_are_cut_to_what_the_entry_allows_now() {
    let mut site = Site::new("").await;
    let token = site.token("partner-a", "1001");
    site.subscribe(&token, "partner-a").await.expect(201);
    for (owners, matched) in [("owners = [\"20*\"]", 0), ("owners = [\"10*\"]", 1), ("owners = []", 0), ("", 1)] {
        let issuers = entry(&site.jwks(), owners);
        site = site.restart(&issuers).await;
        assert_eq!(site.publish(&token, "1001").await.expect(202).json()["matched"], matched, "{owners}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_the_contracts_of_its_entry_only() {
    let site = Site::new("contracts = [\"events\"]").await;
    let token = site.token("partner-a", "1001");
    site.publish(&token, "1001").await.expect(202);
    let refused = site.subscribe(&token, "partner-a").await.expect(403);
    assert!(refused.body.contains("polling"), "{}", refused.body);
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said() {
    let site = Site::new("").await;
    let good = site.token("partner-a", "1001");
    site.publish(&good, "1001").await.expect(202);
    let thief = Signer::new("ES256");
    let expired = with(claims(), "exp", json!(NOW - 60));
    for (token, reason) in [
        (thief.sign(&header("ES256"), &claims()), "signature is wrong"),
        (site.signer.sign(&header("ES256"), &expired), "has expired"),
        (site.signer.sign(&header("none"), &claims()), "algorithm"),
        (site.signer.sign(&with(header("ES256"), "kid", json!("x")), &claims()), "does not publish"),
        (site.signer.sign(&header("ES256"), &with(claims(), "client_id", json!("crm"))), "client_ids"),
        (site.signer.sign(&header("ES256"), &with(claims(), "cnf", json!({ "x5t#S256": encoded(&[1; 32]) }))), "cnf"),
        (site.signer.sign(&header("ES256"), &with(claims(), "iss", json!("https://other"))), "this server"),
    ] {
        let answer = site.publish(&token, "1001").await.expect(401);
        assert!(answer.body.contains(reason), "{reason}: {}", answer.body);
        assert!(answer.head.contains("www-authenticate: bearer error=\"invalid_token\""), "{}", answer.head);
    }
    let consumer = with(claims(), "scope", json!("notification:consent:consumer notifications:operate"));
    let answer = site.publish(&site.signer.sign(&header("ES256"), &consumer), "1001").await.expect(403);
    assert!(answer.head.contains("insufficient_scope"), "{}", answer.head);
}

#[tokio::test]
async fn a_start_does_not_wait_for_an_issuer_and_requests_wait_for_its_keys() {
    let (folder, clock, signer) = (tempfile::tempdir().unwrap(), ManualClock::new(at(NOW)), Signer::new("ES256"));
    let upstream = Upstream::start(Reply::Closed).await;
    let running = start(&folder, &clock, &entry(&format!("{:?}", upstream.url("jwks")), "")).await;
    let token = signer.sign(&header("ES256"), &claims());
    let body = json!({ "type": "301", "data": {} });
    let down = send(&running, "POST", "/v1/events", &token, &body).await.expect(503);
    assert!(down.head.contains("retry-after: "), "{}", down.head);
    upstream.reply(Reply::ok(key_set(&[signer.jwk("k")]).to_string()));
    clock.advance(tidings::auth::issuers::REFETCH);
    send(&running, "POST", "/v1/events", &token, &body).await.expect(202);
    let metrics = {
        let ListenAddress::Tcp(address) = &running.admin_addresses()[0] else { panic!("a TCP address was asked for") };
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    assert!(metrics.contains(&format!("tidings_issuer_jwks_age_seconds{{issuer=\"{ISSUER}\"}} ")), "{metrics}");
    assert!(metrics.contains(&format!("tidings_issuer_jwks_failures_total{{issuer=\"{ISSUER}\"}} ")), "{metrics}");
    assert_eq!(running.stop().await, [""; 0]);
}

#[tokio::test]
async fn without_its_entry_an_issuer_is_a_stranger() {
    let site = Site::new("").await;
    let token = site.token("partner-a", "1001");
    let id = site.subscribe(&token, "partner-a").await.expect(201).json()["id"].as_str().unwrap().to_owned();
    let site = site.restart("").await;
    site.poll(&token, &id).await.expect(401);
    let issuers = entry(&site.jwks(), "");
    let site = site.restart(&issuers).await;
    site.poll(&token, &id).await.expect(200);
}
