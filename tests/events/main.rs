//! Publishing through the front door (contracts/events.md): a real server, a real store.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod audience;
mod bounds;
mod errors;
mod forms;
mod identity;
mod lease;
mod limits;
mod pushed;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::Appliance;
use support::client::{Answer, Call};
use tidings::model::event::Event;
use tidings::model::id::LedgerId;
use tidings::store::Store as _;

const EVENTS: &str = "/v1/events";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// Posts `body` as `crm`.
async fn post(appliance: &Appliance, content_type: &str, body: &str) -> Answer {
    appliance.send(Call::post_as(EVENTS, "crm", content_type, body.to_owned())).await
}

/// What the ledger keeps of the event of this receipt.
async fn stored(appliance: &Appliance, receipt: &Value) -> Event {
    let id = LedgerId::parse(receipt["id"].as_str().unwrap()).unwrap();
    appliance.store.event(id).await.unwrap().unwrap()
}

/// The answer must be this problem; gives its errors as `pointer: detail`.
#[track_caller]
fn problem(answer: Answer, status: u16, name: &str) -> Vec<String> {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.header("x-request-id").is_some());
    let body = answer.json();
    assert_eq!(body["type"], format!("{}/problems/{name}", support::PUBLIC_URL));
    assert_eq!(body["status"], status);
    assert!(body["title"].as_str().is_some_and(|t| !t.is_empty()));
    assert!(body["detail"].as_str().is_some_and(|t| !t.is_empty()));
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|e| format!("{}: {}", e["pointer"].as_str().unwrap(), e["detail"].as_str().unwrap())).collect()
}

/// Nothing has been accepted.
#[track_caller]
fn nothing_stored(appliance: &Appliance) {
    assert_eq!(appliance.store.figures().accepted, 0);
}
