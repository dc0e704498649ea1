//! `serve`: the whole way of an event, restarts, and every way to stop.

use std::io::Write as _;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::Value;

use crate::program::{SECRET, Serving, Site, there};
use crate::wire::{self, get, post};

const POLL: &str = "/notification/v1/subscriptions/crm-accounts/notifications";
const EVENT: &str = r#"{"type":"301","data":{"user":{"id":"42"}}}"#;

fn token_request() -> String {
    let basic = format!("Basic {}", STANDARD.encode(format!("crm:{SECRET}")));
    post("/oauth2/token", &basic, "application/x-www-form-urlencoded", "grant_type=client_credentials")
}

fn token(serving: &Serving) -> String {
    serving.send(&token_request()).json(200)["access_token"].as_str().unwrap().to_owned()
}

fn publish(serving: &Serving, token: &str, event: &str) -> Value {
    serving.send(&post("/v1/events", &format!("Bearer {token}"), "application/json", event)).json(202)
}

fn poll(serving: &Serving, token: &str) -> Vec<Value> {
    serving.send(&get(POLL, token, "")).json(200)["results"].as_array().unwrap().clone()
}

#[test]
fn an_event_goes_from_its_producer_to_its_poller_once() {
    let site = Site::new();
    let mut serving = site.serve();
    // The port is in the lines that are printed: they must lead where the appliance listens.
    let sample = serving.sample();
    let address = sample.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let answer = wire::send_tcp(&address, &token_request()).json(200);
    let token = answer["access_token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let receipt = wire::send_tcp(&address, &post("/v1/events", &bearer, "application/json", EVENT)).json(202);
    assert_eq!(receipt["matched"], 1);
    let page = wire::send_tcp(&address, &get(POLL, token, "")).json(200);
    assert_eq!(page["results"][0]["id"], receipt["id"]);
    assert_eq!(page["results"][0]["user"]["id"], "42");
    let page = wire::send_tcp(&address, &get(POLL, token, "")).json(200);
    assert_eq!(page["results"], serde_json::json!([]));
}

#[test]
fn the_printed_lines_name_the_sample_s_client_type_and_subscription() {
    let site = Site::new();
    let mut serving = site.serve();
    let sample = serving.sample();
    let lines: Vec<_> = sample.lines().filter(|line| line.contains("curl")).collect();
    assert_eq!(lines.len(), 3, "{sample}");
    assert!(
        lines[0].starts_with(
            "TOKEN=$(curl -s -u crm:s3cret-of-the-tests -d grant_type=client_credentials http://127.0.0.1:"
        )
    );
    assert!(lines[1].contains(r#"-d '{"type":"301","data":{"#) && lines[1].ends_with("/v1/events"));
    assert!(lines[2].ends_with(POLL));
}

#[test]
fn what_was_answered_outlives_kill_9() {
    let site = Site::with_lasting_url();
    let serving = site.serve();
    let bearer = token(&serving);
    let ids: Vec<_> = (0..5).map(|_| publish(&serving, &bearer, EVENT)["id"].clone()).collect();
    let first = serving.send(&get(&format!("{POLL}?size=2"), &bearer, "")).json(200);
    assert_eq!(first["results"].as_array().unwrap().len(), 2);
    serving.kill_9();
    assert!(there(&site.path("api.sock")), "the socket is left behind, so that its replacement is tested");

    let serving = site.serve();
    // The signing key was kept too: the token is still good.
    let left: Vec<_> = poll(&serving, &bearer).iter().map(|result| result["id"].clone()).collect();
    assert_eq!(left, ids[2..]);
    assert!(poll(&serving, &bearer).is_empty());
}

#[test]
fn sigterm_answers_who_waits_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let site = Site::new();
        let serving = site.serve();
        let bearer = token(&serving);
        let mut waiting = wire::connect(&serving.api).unwrap();
        waiting.write_all(get(POLL, &bearer, "Prefer: wait=60\r\n").as_bytes()).unwrap();
        let mut begun = wire::connect(&serving.api).unwrap();
        let request = post("/v1/events", &format!("Bearer {bearer}"), "application/json", EVENT);
        let (sent, rest) = request.split_at(request.len() - 1);
        begun.write_all(sent.as_bytes()).unwrap();
        serving.until_in_flight(2);
        serving.signal(signal);
        serving.until_stopping();
        begun.write_all(rest.as_bytes()).unwrap();
        assert_eq!(wire::receive(&mut begun).unwrap().json(202)["matched"], 1);
        assert_eq!(wire::receive(&mut waiting).unwrap().status, 200);
        let (api, admin) = (site.path("api.sock"), site.path("admin.sock"));
        assert_eq!(serving.end(), Some(0));
        assert!(!there(&api) && !there(&admin), "its sockets are gone");
    }
}

#[test]
fn a_hangup_ends_nothing() {
    let site = Site::new();
    let serving = site.serve();
    for _ in 0..2 {
        serving.signal(Signal::HUP);
        serving.until_logged("the configuration was reloaded");
        let bearer = token(&serving);
        publish(&serving, &bearer, EVENT);
        assert_eq!(poll(&serving, &bearer).len(), 1);
    }
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once_and_loses_nothing() {
    let site = Site::with_lasting_url();
    let serving = site.serve();
    let bearer = token(&serving);
    let receipt = publish(&serving, &bearer, EVENT);
    // A request that never comes to its end holds the drain.
    let mut begun = wire::connect(&serving.api).unwrap();
    let request = post("/v1/events", &format!("Bearer {bearer}"), "application/json", EVENT);
    begun.write_all(&request.as_bytes()[..request.len() - 1]).unwrap();
    serving.until_in_flight(1);
    serving.signal(Signal::TERM);
    serving.until_stopping();
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(1));
    let serving = site.serve();
    let results = poll(&serving, &bearer);
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["id"], receipt["id"]);
}

#[test]
fn the_log_has_no_secret_at_any_level_and_no_line_of_a_caller_s() {
    let site = Site::new();
    let serving = site.serve();
    let bearer = token(&serving);
    publish(&serving, &bearer, EVENT);
    let forged =
        post("/v1/events", &format!("Bearer {bearer}"), "application/json", r#"{"type":"3\n<0>forged","dat":1}"#);
    assert_eq!(serving.send(&forged).status, 400);
    poll(&serving, &bearer);
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(0));
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert!(log.contains("ready: the contracts listen on"), "{log}");
    for secret in [SECRET, &bearer, &STANDARD.encode(format!("crm:{SECRET}"))] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(!log.lines().any(|line| line.starts_with("<0>")), "{log}");
}

#[test]
fn nobody_has_to_read_what_it_prints() {
    let site = Site::new();
    let mut command = site.command(&["serve"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let deadline = std::time::Instant::now() + crate::program::PATIENCE;
    let request = "GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    while wire::try_send(&site.path("admin.sock"), request).is_none_or(|answer| answer.status != 200) {
        assert!(
            child.try_wait().unwrap().is_none() && std::time::Instant::now() < deadline,
            "it does not become ready"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn it_goes_on_where_what_it_prints_cannot_be_written() {
    let site = Site::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let serving = site.serve_to(full.into());
    let bearer = token(&serving);
    publish(&serving, &bearer, EVENT);
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn the_log_has_the_form_that_is_asked_for() {
    let ready = "ready: the contracts listen on";
    let log = |format: &str| {
        let site = Site::new();
        let serving = site.serve_with("TIDINGS__LOG__FORMAT", format);
        serving.signal(Signal::TERM);
        assert_eq!(serving.end(), Some(0));
        std::fs::read_to_string(site.path("log")).unwrap()
    };
    let journald = log("journald");
    assert!(journald.lines().any(|line| line.starts_with("<6>") && line.contains(ready)), "{journald}");
    assert!(journald.lines().any(|line| line.starts_with("<4>")), "{journald}");
    let json = log("json");
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"].as_str().is_some_and(|m| m.starts_with(ready))), "{json}");
}
