//! The application as a library: started in the test's own process, on port 0, with the machine's clock.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "support/openapi.rs"]
mod openapi;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tidings::app::{self, Parts, Running, StartError};
use tidings::base::clock::{ManualClock, Timestamp};
use tidings::config::{self, Settings, Sources};
use tidings::http::settings::ListenAddress;
use tidings::store::redb::OpenError;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

fn settings(folder: &Path, more: &str) -> Settings {
    let text = format!(
        r#"
data_dir = "{}/data"
server.listen = ["127.0.0.1:0"]
admin.listen = ["127.0.0.1:0", "unix:{0}/admin.sock"]
clients = [
    {{ id = "crm", secret = {{ value = "s" }}, scopes = ["events:publish", "notification:consent:consumer"] }},
    {{ id = "ops", secret = {{ value = "s" }}, scopes = ["notifications:operate"] }},
]
subscriptions = [{{ id = "crm-accounts", client_id = "crm", event_types = ["301"], poll = {{}} }}]
{more}
"#,
        folder.display()
    );
    let file = folder.join("tidings.toml");
    std::fs::write(&file, text).unwrap();
    config::load(&Sources::new(file)).unwrap().settings
}

async fn start(folder: &TempDir) -> Running {
    app::start(settings(folder.path(), ""), Parts::system()).await.unwrap()
}

fn tcp(addresses: &[ListenAddress]) -> String {
    let tcp = addresses.iter().find(|a| matches!(a, ListenAddress::Tcp(_)));
    tcp.unwrap().to_string()
}

async fn send(address: &str, request: &str) -> String {
    exchange(TcpStream::connect(address).await.unwrap(), request).await
}

/// Asks, and holds the answer against the documents.
async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let answer = ask(stream, request).await;
    openapi::check_wire(request, &answer);
    answer
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: &str, path: &str, headers: &str) -> String {
    send(address, &format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n")).await
}

async fn token(running: &Running) -> String {
    token_of("crm", running).await
}

async fn token_of(client: &str, running: &Running) -> String {
    let body = format!("grant_type=client_credentials&client_id={client}&client_secret=s");
    let request = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    );
    let answer = send(&tcp(running.addresses()), &request).await;
    answer.split("\"access_token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

async fn poll(running: &Running, token: &str) -> String {
    let headers = format!("Host: x\r\nAuthorization: Bearer {token}\r\n");
    get(&tcp(running.addresses()), "/notification/v1/subscriptions/crm-accounts/notifications", &headers).await
}

#[tokio::test]
async fn two_appliances_run_in_one_process_and_know_nothing_of_each_other() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (one, two) = (start(&folders[0]).await, start(&folders[1]).await);
    let addresses = [&one, &two].map(|running| tcp(running.addresses()));
    let all: HashSet<_> =
        [one.addresses(), one.admin_addresses(), two.addresses(), two.admin_addresses()].concat().into_iter().collect();
    assert_eq!(all.len(), 6);
    assert_eq!([one.public_url(), two.public_url()], addresses.each_ref().map(|a| format!("http://{a}")));
    let token_of_one = token(&one).await;
    assert!(poll(&one, &token_of_one).await.starts_with("HTTP/1.1 200"));
    assert!(poll(&two, &token_of_one).await.starts_with("HTTP/1.1 401"));
    assert_eq!(one.stop().await, [""; 0]);
    assert!(TcpStream::connect(&addresses[0]).await.is_err());
    let token_of_two = token(&two).await;
    assert!(poll(&two, &token_of_two).await.starts_with("HTTP/1.1 200"));
    assert_eq!(two.stop().await, [""; 0]);
}

#[tokio::test]
async fn what_is_stopped_can_be_started_again() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        assert_eq!(start(&folder).await.stop().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_data_file_has_one_appliance_and_a_failed_start_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder).await;
    let second = settings(folder.path(), "").data_dir;
    let mut other = settings(tempfile::tempdir().unwrap().path(), "");
    other.data_dir = second;
    other.admin.listen.truncate(1);
    let error = app::start(other, Parts::system()).await.err().unwrap();
    assert!(matches!(error, StartError::DataFile(OpenError::InUse { .. })), "{error}");
    let token = token(&running).await;
    assert!(poll(&running, &token).await.starts_with("HTTP/1.1 200"));
    assert_eq!(running.stop().await, [""; 0]);
}

#[tokio::test]
async fn a_start_that_cannot_listen_closes_what_it_has_opened() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(folder.path(), "");
    settings.server.listen = vec![ListenAddress::Tcp(taken.local_addr().unwrap())];
    let error = app::start(settings, Parts::system()).await.err().unwrap();
    assert!(matches!(error, StartError::Listen(_)), "{error}");
    assert!(!folder.path().join("admin.sock").exists());
    assert_eq!(start(&folder).await.stop().await, [""; 0]);
}

#[tokio::test]
async fn the_admin_listener_answers_only_who_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder).await;
    let admin = tcp(running.admin_addresses());
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert!(get(&admin, path, &format!("Host: {admin}\r\n")).await.starts_with("HTTP/1.1 200"), "{path}");
        assert!(get(&admin, path, "Host: localhost\r\n").await.starts_with("HTTP/1.1 200"), "{path}");
        let foreign = get(&admin, path, "Host: evil.example\r\n").await;
        assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("application/problem+json"), "{foreign}");
        let page = get(&admin, path, &format!("Host: {admin}\r\nOrigin: http://evil.example\r\n")).await;
        assert!(page.starts_with("HTTP/1.1 403"), "{page}");
    }
    let unknown = get(&admin, "/v1/events", "Host: localhost\r\n").await;
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("/problems/not-found"), "{unknown}");
    let posted =
        send(&admin, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .await;
    assert!(posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET"), "{posted}");
    assert_eq!(running.stop().await, [""; 0]);
}

/// The routes of the operator half that answer without anything in the ledger; the others are asked for a refusal.
const PAUSE: &str = "/v1/subscriptions/crm-accounts/pause";

fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n")
}

#[track_caller]
fn is(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
}

#[tokio::test]
async fn the_operator_half_on_tcp_asks_for_a_token_of_its_scope() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder).await;
    let admin = tcp(running.admin_addresses());
    let (crm, ops) = (token(&running).await, token_of("ops", &running).await);
    let bearer = |token: &str| format!("Host: {admin}\r\nAuthorization: Bearer {token}\r\n");
    for (method, path) in [("GET", "/v1/subscriptions"), ("POST", PAUSE)] {
        let without = send(&admin, &request(method, path, &format!("Host: {admin}\r\n"))).await;
        is(&without, 401);
        assert!(without.contains("application/problem+json"), "{without}");
        is(&send(&admin, &request(method, path, &bearer(&crm))).await, 403);
        is(&send(&admin, &request(method, path, &bearer("x.y.z"))).await, 401);
        is(&send(&admin, &request(method, path, &bearer(&ops))).await, 200);
    }
    let unknown = send(&admin, &request("POST", "/v1/events", &bearer(&ops))).await;
    is(&unknown, 404);
    // The same routes are where the contracts are.
    is(&get(&tcp(running.addresses()), "/v1/subscriptions", &bearer(&ops)).await, 200);
    assert_eq!(running.stop().await, [""; 0]);
}

#[tokio::test]
async fn the_operator_half_on_tcp_refuses_what_a_browser_was_tricked_into() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder).await;
    let admin = tcp(running.admin_addresses());
    let ops = format!("Authorization: Bearer {}\r\n", token_of("ops", &running).await);
    for (method, path) in [("GET", "/v1/subscriptions"), ("GET", "/v1/subscriptions/crm-accounts"), ("POST", PAUSE)] {
        for foreign in [
            "Host: evil.example\r\n".to_owned(),
            format!("Host: {admin}\r\nOrigin: http://evil.example\r\n"),
            format!("Host: {admin}\r\nOrigin: null\r\n"),
        ] {
            let refused = send(&admin, &request(method, path, &(foreign + &ops))).await;
            is(&refused, 403);
            assert!(refused.contains("/problems/foreign-site"), "{refused}");
        }
    }
    let cross = format!("Host: {admin}\r\nSec-Fetch-Site: cross-site\r\n{ops}");
    is(&send(&admin, &request("POST", PAUSE, &cross)).await, 403);
    let shown = get(&admin, "/v1/subscriptions/crm-accounts", &format!("Host: {admin}\r\n{ops}")).await;
    assert!(shown.contains(r#""holds":[]"#), "nothing was changed: {shown}");
    is(&send(&admin, &request("POST", PAUSE, &format!("Host: {admin}\r\nOrigin: http://{admin}\r\n{ops}"))).await, 200);
    assert_eq!(running.stop().await, [""; 0]);
}

#[tokio::test]
async fn the_operator_half_on_the_unix_socket_asks_for_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder).await;
    let socket = folder.path().join("admin.sock");
    let ask = async |text: String| exchange(UnixStream::connect(&socket).await.unwrap(), &text).await;
    is(&ask(request("GET", "/v1/subscriptions", "Host: x\r\n")).await, 200);
    is(&ask(request("POST", PAUSE, "Host: x\r\n")).await, 200);
    // Who shows a token is who it says.
    is(&ask(request("GET", "/v1/subscriptions", "Host: x\r\nAuthorization: Bearer x\r\n")).await, 401);
    let crm = format!("Host: x\r\nAuthorization: Bearer {}\r\n", token(&running).await);
    is(&ask(request("GET", "/v1/subscriptions", &crm)).await, 403);
    // A browser that was led to the socket.
    let page = "Host: localhost:1\r\nOrigin: http://evil.example\r\n";
    is(&ask(request("POST", "/v1/subscriptions/crm-accounts/resume", page)).await, 403);
    assert!(
        ask(request("GET", "/v1/subscriptions/crm-accounts", "Host: x\r\n")).await.contains(r#""reason":"paused""#)
    );
    assert_eq!(running.stop().await, [""; 0]);
}

async fn ready(running: &Running) -> (bool, serde_json::Value) {
    let answer = get(&tcp(running.admin_addresses()), "/health/ready", "Host: localhost\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.starts_with("HTTP/1.1 200"), serde_json::from_str(body).unwrap())
}

async fn metric(running: &Running, name: &str) -> String {
    let answer = get(&tcp(running.admin_addresses()), "/metrics", "Host: localhost\r\n").await;
    let line = answer.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap().split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_clock_in_doubt_fails_readiness_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    clock.set_synchronised(None);
    let parts = Parts { clock: Arc::new(clock.clone()), ..Parts::system() };
    let running = app::start(settings(folder.path(), ""), parts).await.unwrap();
    assert!(ready(&running).await.0);
    assert_eq!(metric(&running, "tidings_clock_trusted").await, "1");
    clock.leap(48 * 3_600_000);
    let (is_ready, body) = ready(&running).await;
    let reason = body["reasons"][0].as_str().unwrap();
    assert!(
        !is_ready && reason.contains("it leapt forward by 48h") && reason.contains("tidings clock accept"),
        "{body}"
    );
    assert_eq!(metric(&running, "tidings_clock_trusted").await, "0");
    clock.leap(-48 * 3_600_000);
    assert!(ready(&running).await.0);
    assert_eq!(metric(&running, "tidings_clock_trusted").await, "1");
    assert_eq!(running.stop().await, [""; 0]);
}

#[tokio::test]
async fn the_operator_half_is_on_the_admin_listener_wherever_the_contract_is() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), "api.events = { enabled = false, mount = \"/mine\" }");
    let running = app::start(settings, Parts::system()).await.unwrap();
    let (admin, api) = (tcp(running.admin_addresses()), tcp(running.addresses()));
    let ops = token_of("ops", &running).await;
    let headers = |host: &str| format!("Host: {host}\r\nAuthorization: Bearer {ops}\r\n");
    // The documents that are looked into are those of the default mounts.
    let get = async |address: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{}\r\n", headers(address));
        ask(TcpStream::connect(address).await.unwrap(), &request).await
    };
    is(&get(&admin, "/mine/subscriptions").await, 200);
    is(&get(&admin, "/v1/subscriptions").await, 404);
    is(&get(&api, "/mine/subscriptions").await, 404);
    let document = get(&admin, "/mine/openapi.json").await;
    assert!(document.contains("\"url\": \"/mine\""), "{document}");
    assert_eq!(running.stop().await, [""; 0]);
}

#[tokio::test]
async fn without_room_readiness_fails_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let running =
        app::start(settings(folder.path(), "limits.disk_reserve = \"1024TiB\""), Parts::system()).await.unwrap();
    let (is_ready, body) = ready(&running).await;
    let reason = body["reasons"][0].as_str().unwrap();
    assert!(!is_ready && reason.starts_with("publishing is refused for want of room"), "{body}");
    assert_eq!(metric(&running, "tidings_store_room_low").await, "1");
    assert_ne!(metric(&running, "tidings_store_room_bytes").await, "0");
    assert_eq!(running.stop().await, [""; 0]);
}

/// Makes another key that signs.
const ROTATE: &str = "/v1/signing-keys/rotations";

#[tokio::test]
async fn credentials_are_looked_at_and_keys_replaced_on_the_admin_listener_only() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder).await;
    let (admin, api) = (tcp(running.admin_addresses()), tcp(running.addresses()));
    let (crm, ops) = (token(&running).await, token_of("ops", &running).await);
    let bearer = |host: &str, token: &str| format!("Host: {host}\r\nAuthorization: Bearer {token}\r\n");
    for (method, path) in [("GET", "/v1/credentials"), ("POST", ROTATE)] {
        is(&send(&admin, &request(method, path, &format!("Host: {admin}\r\n"))).await, 401);
        is(&send(&admin, &request(method, path, &bearer(&admin, &crm))).await, 403);
        is(&send(&api, &request(method, path, &bearer(&api, &ops))).await, 404);
        is(&send(&admin, &request(method, path, &bearer(&admin, &ops))).await, 200);
    }
    is(&send(&admin, &request("GET", "/v1/credentials?x=1", &bearer(&admin, &ops))).await, 400);
    let keys = get(&api, "/oauth2/jwks", &format!("Host: {api}\r\n")).await;
    assert_eq!(keys.matches("\"kid\"").count(), 2, "{keys}");
    let listed = get(&admin, "/v1/credentials", &bearer(&admin, &ops)).await;
    assert!(listed.contains(r#""id":"crm","enabled":true,"lastUsed":"20"#) && !listed.contains("sha256"), "{listed}");
    for _ in 0..7 {
        is(&send(&admin, &request("POST", ROTATE, &bearer(&admin, &ops))).await, 200);
    }
    let refused = send(&admin, &request("POST", ROTATE, &bearer(&admin, &ops))).await;
    is(&refused, 409);
    assert!(refused.contains("limit-reached") && refused.contains("rotate again after"), "{refused}");
    assert_eq!(running.stop().await, [""; 0]);
}

#[tokio::test]
async fn a_clock_in_doubt_is_shown_and_accepted_on_the_admin_listener_only() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").unwrap());
    clock.set_synchronised(Some(false));
    let parts = Parts { clock: Arc::new(clock.clone()), ..Parts::system() };
    let running = app::start(settings(folder.path(), ""), parts).await.unwrap();
    let (admin, api) = (tcp(running.admin_addresses()), tcp(running.addresses()));
    let (crm, ops) = (token(&running).await, token_of("ops", &running).await);
    let bearer = |host: &str, token: &str| format!("Host: {host}\r\nAuthorization: Bearer {token}\r\n");
    for (method, path) in [("GET", "/v1/clock"), ("POST", "/v1/clock/accept")] {
        is(&send(&admin, &request(method, path, &format!("Host: {admin}\r\n"))).await, 401);
        is(&send(&admin, &request(method, path, &bearer(&admin, &crm))).await, 403);
        is(&send(&api, &request(method, path, &bearer(&api, &ops))).await, 404);
        is(&send(&admin, &request(method, &format!("{path}?x=1"), &bearer(&admin, &ops))).await, 400);
    }
    let socket = folder.path().join("admin.sock");
    let ask = async |method: &str, path: &str| {
        let answer = exchange(UnixStream::connect(&socket).await.unwrap(), &request(method, path, "Host: x\r\n")).await;
        is(&answer, 200);
        answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
    };
    assert_eq!(ask("GET", "/v1/clock").await, r#"{"inDoubt":false}"#);
    assert_eq!(ask("POST", "/v1/clock/accept").await, r#"{"accepted":false}"#);
    clock.leap(48 * 3_600_000);
    let doubt = ask("GET", "/v1/clock").await;
    let expected =
        r#"{"inDoubt":true,"doubt":{"wall":"2026-11-24T10:00:00.000Z","ledger":"2026-11-22T10:00:00.000Z","since":"#;
    assert!(doubt.starts_with(expected) && doubt.contains(r#""cause":""#), "{doubt}");
    assert_eq!(ask("POST", "/v1/clock/accept").await, r#"{"accepted":true}"#);
    assert_eq!(ask("GET", "/v1/clock").await, r#"{"inDoubt":false}"#);
    assert_eq!(running.stop().await, [""; 0]);
}

/// What `promtool check metrics` asks for, as far as it can be told without it (tests/interop runs the real one).
#[tokio::test]
async fn every_metric_has_its_help_and_type_and_a_proper_name() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder).await;
    token(&running).await;
    let answer = get(&tcp(running.admin_addresses()), "/metrics", "Host: localhost\r\n").await;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut families = HashSet::new();
    let mut family = ("", "");
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# TYPE ") {
            family = comment.split_once(' ').unwrap();
            let (name, kind) = family;
            assert!(families.insert(name), "{name} twice");
            assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let histogram = ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end) == Some(family.0));
            assert!(name == family.0 || family.1 == "histogram" && histogram, "{line}");
        }
    }
    for name in [
        "tidings_events_accepted_total",
        "tidings_notifications",
        "tidings_conservation_holds",
        "tidings_http_requests_total",
        "tidings_store_commit_duration_seconds",
        "tidings_oldest_waiting_age_seconds",
        "tidings_start_time_seconds",
    ] {
        assert!(families.contains(name), "{name} in {families:?}");
    }
    assert_eq!(running.stop().await, [""; 0]);
}
