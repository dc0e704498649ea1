//! What the operator half shows of what is sent: the story of a notification, and how endpoints are doing. Each answer is
//! checked against the contract's document.

use std::time::Duration;

use serde_json::{Value, json};
use tidings::auth::scope;
use tidings::base::clock::Clock as _;
use tidings::model::attempt::{Attempt, AttemptOutcome, Phases};
use tidings::model::id::EndpointNumber;
use tidings::model::subscription::{HoldReason, SubscriptionDraft};
use tidings::model::target::{ContentMode, EmailTarget, Ordering, Role, Shape, Target, WebhookTarget};
use tidings::store::{Claim, EndpointHold, Settle, Settlement, Standing, Store as _};

use crate::support::client::Call;
use crate::support::{Appliance, Setup, declared};

const OPS: &str = "ops";

/// A subscription with a webhook, an address and a contact.
async fn appliance() -> Appliance {
    let webhook = Target::Webhook(WebhookTarget {
        url: "https://receiver.example/hook?key=s3cret".to_owned(),
        egress: "plant".to_owned(),
        ordering: Ordering::Strict,
        content_mode: ContentMode::Structured,
        secrets: Vec::new(),
        asymmetric: true,
        shape: Shape::CloudEvent,
        basic: None,
        retries: true,
    });
    let mail = |address: &str, role| {
        Target::Email(EmailTarget { address: address.to_owned(), role, template: None, locale: None })
    };
    let endpoints = vec![webhook, mail("jane@example.com", Role::Subscriber), mail("owner@example.com", Role::Contact)];
    let pushed = SubscriptionDraft { endpoints, ..declared("hook", "crm", &["301"]) };
    let mut setup = Setup { declared: vec![pushed, declared("polled", "crm", &["302"])], ..Setup::default() };
    setup.clients.push((OPS, &[scope::OPERATE], &[]));
    Appliance::start(setup).await
}

async fn get(appliance: &Appliance, path: &str) -> Value {
    appliance.send(Call::get(path, OPS)).await.expect(200).json()
}

fn webhook(appliance: &Appliance) -> EndpointNumber {
    appliance.store.subscriptions().get("hook").unwrap().endpoints[0].number
}

/// Publishes one event; answers the path of its notification for the webhook.
async fn notified(appliance: &Appliance) -> String {
    appliance.publish(r#"{"type":"301"}"#).await;
    let listed = get(appliance, "/v1/notifications?subscription=hook").await;
    let of_webhook = |one: &&Value| one["kind"] == "webhook";
    let found = listed["notifications"].as_array().unwrap().iter().find(of_webhook).unwrap();
    format!("/v1/notifications/{}", found["id"].as_str().unwrap())
}

/// An attempt fails, and there is to be another one in half an hour.
async fn fail(appliance: &Appliance) {
    let (endpoint, now) = (webhook(appliance), appliance.clock.now());
    let claimed = appliance.store.claim(Claim { endpoint, ordering: Ordering::Strict, max: 1, probe: false }).await;
    let phases =
        Phases { connect: Some(Duration::from_millis(14)), answer: Some(Duration::from_millis(100)), body: None };
    let attempt = Attempt {
        started: now,
        took: Duration::from_millis(120),
        phases,
        outcome: AttemptOutcome::Fault,
        reason: "status-503".to_owned(),
        status: Some(503),
        detail: "it answered 503 Service Unavailable".to_owned(),
        answer: "try later".to_owned(),
        probe: false,
    };
    let verdict = Settle::Retry { due: now.plus(Duration::from_mins(30)), counts: true };
    let notification = claimed.unwrap().remove(0).id;
    let settlement = Settlement { notification, endpoint, attempt, verdict, standing: None };
    appliance.store.settle(settlement).await.unwrap();
}

async fn hold(appliance: &Appliance) {
    let now = appliance.clock.now();
    let probe_at = Some(now.plus(Duration::from_mins(5)));
    let standing = Standing {
        hold: Some(EndpointHold { reason: HoldReason::CircuitOpen, since: now, probe_at, probes: 2 }),
        failures: 7,
        failing_since: Some(now),
        last_fault: Some("it answered 503 Service Unavailable".to_owned()),
        ..Standing::default()
    };
    appliance.store.stand(webhook(appliance), standing).await.unwrap();
}

#[tokio::test]
async fn the_story_says_where_it_goes_what_was_tried_and_what_comes_next() {
    let appliance = appliance().await;
    let path = notified(&appliance).await;
    let fresh = get(&appliance, &path).await;
    assert_eq!((&fresh["state"], &fresh["next"]["what"]), (&json!("queued"), &json!("attempt")));
    assert!(fresh["next"]["words"].as_str().unwrap().starts_with("it is sent as soon as its turn comes, and expires"));
    assert_eq!(fresh["endpoint"]["target"], "https://receiver.example/hook", "without its query");
    assert_eq!((&fresh["endpoint"]["policy"], &fresh["endpoint"]["ordering"]), (&json!("plant"), &json!("strict")));
    assert_eq!((&fresh["endpoint"]["state"], &fresh["attempts"]), (&json!("up"), &json!([])));

    let endpoint = webhook(&appliance);
    let claim = Claim { endpoint, ordering: Ordering::Strict, max: 1, probe: false };
    let claimed = appliance.store.claim(claim).await.unwrap();
    let sending = get(&appliance, &path).await;
    assert_eq!((&sending["state"], &sending["next"]["what"]), (&json!("leased"), &json!("outcome")));
    appliance.store.put_back(endpoint, &[claimed[0].id]);

    fail(&appliance).await;
    let tried = get(&appliance, &path).await;
    let attempt = json!({
        "number": 1, "at": "2026-11-22T10:00:00.250Z", "tookMillis": 120, "connectMillis": 14, "answerMillis": 100,
        "outcome": "fault", "reason": "status-503", "status": 503, "detail": "it answered 503 Service Unavailable",
        "answer": "try later", "probe": false,
    });
    assert_eq!(tried["attempts"], json!([attempt]));
    assert_eq!((&tried["next"]["what"], &tried["next"]["at"]), (&json!("attempt"), &json!("2026-11-22T10:30:00.250Z")));

    hold(&appliance).await;
    let held = get(&appliance, &path).await;
    assert_eq!((&held["state"], &held["reason"]), (&json!("held"), &json!("circuit-open")));
    assert_eq!((&held["next"]["what"], &held["next"]["at"]), (&json!("probe"), &json!("2026-11-22T10:05:00.250Z")));
    assert_eq!(held["endpoint"]["state"], "held");
    appliance.engine.pause("hook").await.unwrap();
    let paused = get(&appliance, &path).await;
    assert_eq!((&paused["next"]["what"], &paused["endpoint"]["state"]), (&json!("release"), &json!("paused")));
    assert!(!paused.to_string().contains("s3cret"));
}

#[tokio::test]
async fn endpoints_are_shown_with_how_they_stand_and_what_waits() {
    let appliance = appliance().await;
    notified(&appliance).await;
    notified(&appliance).await;
    let endpoints = async || get(&appliance, "/v1/subscriptions/hook").await["endpoints"].clone();
    let shown = endpoints().await;
    assert_eq!((&shown[0]["state"], &shown[0]["waiting"], &shown[0]["held"]), (&json!("up"), &json!(2), &json!(0)));
    assert_eq!((&shown[1]["target"], &shown[1]["role"]), (&json!("jane@example.com"), &json!("subscriber")));
    assert_eq!((&shown[2]["role"], &shown[2]["waiting"]), (&json!("contact"), &json!(0)));
    let held_ones = async || {
        let listed = get(&appliance, "/v1/subscriptions?held=true").await;
        listed["subscriptions"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(held_ones().await, [json!(null); 0]);

    fail(&appliance).await;
    hold(&appliance).await;
    assert_eq!(held_ones().await, [json!("hook")]);
    let shown = endpoints().await;
    let expected = json!({
        "kind": "webhook", "target": "https://receiver.example/hook", "policy": "plant", "ordering": "strict",
        "state": "held", "reason": "circuit-open", "since": "2026-11-22T10:00:00.250Z",
        "nextProbe": "2026-11-22T10:05:00.250Z", "failures": 7, "failingSince": "2026-11-22T10:00:00.250Z",
        "lastFault": "it answered 503 Service Unavailable", "ramping": false, "waiting": 0, "held": 2, "inFlight": 0,
    });
    assert_eq!(shown[0], expected);
    assert_eq!(shown[1]["waiting"], 2, "one endpoint's hold is its own");

    let resumed = appliance.send(Call::post("/v1/subscriptions/hook/resume", OPS, "{}")).await.expect(200).json();
    assert_eq!((&resumed["endpoints"][0]["state"], &resumed["endpoints"][0]["waiting"]), (&json!("up"), &json!(2)));
    let polled = get(&appliance, "/v1/subscriptions/polled").await["endpoints"].clone();
    let expected = json!([
        {"kind": "poll", "state": "up", "failures": 0, "ramping": false, "waiting": 0, "held": 0, "inFlight": 0},
    ]);
    assert_eq!(polled, expected);
}
