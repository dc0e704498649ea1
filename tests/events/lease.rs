//! The safe poll (contracts/events.md, "Poll safely"), through the front door.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::model::notification::State;
use tidings::store::Store as _;

use crate::support::client::{Answer, Call, notifications};
use crate::support::{Appliance, Setup, just_before, until};
use crate::{nothing_stored, problem};

const LEASE: Duration = Duration::from_mins(1);

async fn safe_poll(appliance: &Appliance, id: &str, body: Value) -> Answer {
    appliance.send(Call::post(&format!("/v1/subscriptions/{id}/poll"), "crm", body.to_string())).await
}

/// The ids of what is leased at once, in order.
async fn lease(appliance: &Appliance, id: &str, mut body: Value) -> Vec<String> {
    body["returnImmediately"] = true.into();
    let page = safe_poll(appliance, id, body).await.expect(200).json();
    let order: Vec<String> = serde_json::from_value(page["order"].clone()).unwrap();
    assert_eq!(page["sets"].as_object().unwrap().len(), order.len());
    assert!(order.iter().all(|id| page["sets"][id]["specversion"] == "1.0"));
    order
}

async fn with_events(count: usize) -> (Appliance, String) {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    for n in 0..count {
        appliance.publish(&format!(r#"{{"type":"301","id":"e{n}","data":{{"n":{n}}}}}"#)).await;
    }
    (appliance, id)
}

fn state(appliance: &Appliance, state: State) -> u64 {
    let sums = appliance.store_figures().sums.poll;
    assert!(sums.is_conserved(), "{sums:?}");
    sums.get(state)
}

#[tokio::test]
async fn what_is_leased_is_shown_as_cloud_events_in_order() {
    let (appliance, id) = with_events(3).await;
    let answer = safe_poll(&appliance, &id, json!({"maxEvents": 2})).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let page = answer.json();
    assert_eq!(page["moreAvailable"], true);
    let order = page["order"].as_array().unwrap();
    let first = &page["sets"][order[0].as_str().unwrap()];
    assert_eq!(
        *first,
        json!({
            "specversion": "1.0", "id": "e0", "source": "urn:tidings:client:crm", "type": "301",
            "datacontenttype": "application/json", "data": {"n": 0},
        })
    );
    assert_eq!(page["sets"][order[1].as_str().unwrap()]["id"], "e1");
    assert_eq!((state(&appliance, State::Leased), state(&appliance, State::Queued)), (2, 1));
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_when_its_lease_ends() {
    let (appliance, id) = with_events(3).await;
    let first = lease(&appliance, &id, json!({"maxEvents": 2})).await;
    appliance.clock.advance(just_before(LEASE));
    let second = lease(&appliance, &id, json!({"ack": [first[0]]})).await;
    assert_eq!(second.len(), 1, "the third; the others are leased or consumed");
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(lease(&appliance, &id, json!({})).await, [first[1].clone()]);
    assert_eq!((state(&appliance, State::Consumed), state(&appliance, State::Leased)), (1, 2));
}

#[tokio::test]
async fn the_consuming_poll_takes_what_is_queued_and_skips_what_is_leased() {
    let (appliance, id) = with_events(3).await;
    let leased = lease(&appliance, &id, json!({"maxEvents": 1})).await;
    let taken: Vec<_> = appliance.poll(&id).await.iter().map(|e| e["id"].clone()).collect();
    assert_eq!(taken, ["e1", "e2"]);
    appliance.clock.advance(LEASE);
    let taken: Vec<_> = appliance.poll(&id).await.iter().map(|e| e["id"].clone()).collect();
    assert_eq!(taken, ["e0"], "once its lease has ended");
    assert!(lease(&appliance, &id, json!({"ack": leased})).await.is_empty());
    assert_eq!(state(&appliance, State::Consumed), 3);
}

#[tokio::test]
async fn a_reported_notification_is_failed_with_the_reason() {
    let (appliance, id) = with_events(1).await;
    let leased = lease(&appliance, &id, json!({})).await;
    let errors = json!({ &*leased[0]: {"err": "invalid_request", "description": "no such account"} });
    assert!(lease(&appliance, &id, json!({"setErrs": errors, "maxEvents": 0})).await.is_empty());
    assert_eq!(state(&appliance, State::Failed), 1);
    appliance.clock.advance(LEASE);
    assert!(lease(&appliance, &id, json!({})).await.is_empty());
}

#[tokio::test]
async fn the_tenth_lease_without_an_acknowledgement_is_the_last() {
    let (appliance, id) = with_events(1).await;
    for handout in 1..=10 {
        assert_eq!(lease(&appliance, &id, json!({"leaseSeconds": 1})).await.len(), 1, "{handout}");
        assert_eq!(state(&appliance, State::Failed), 0);
        appliance.clock.advance(Duration::from_secs(1));
    }
    assert!(lease(&appliance, &id, json!({})).await.is_empty());
    appliance.store.sweep().await.unwrap();
    assert_eq!(state(&appliance, State::Failed), 1);
}

#[tokio::test]
async fn an_acknowledgement_counts_while_the_lease_runs_even_past_the_deadline() {
    let (appliance, id) = with_events(2).await;
    appliance.clock.advance(just_before(Duration::from_hours(6)));
    let leased = lease(&appliance, &id, json!({"leaseSeconds": 10})).await;
    appliance.clock.advance(just_before(Duration::from_secs(10)));
    assert!(lease(&appliance, &id, json!({"ack": [leased[0]], "maxEvents": 0})).await.is_empty());
    assert_eq!((state(&appliance, State::Consumed), state(&appliance, State::Leased)), (1, 1));
    appliance.clock.advance(Duration::from_millis(1));
    assert!(lease(&appliance, &id, json!({"ack": [leased[1]]})).await.is_empty());
    assert_eq!((state(&appliance, State::Consumed), state(&appliance, State::Expired)), (1, 1));
}

#[tokio::test]
async fn leases_are_durable() {
    let (appliance, id) = with_events(2).await;
    let leased = lease(&appliance, &id, json!({"maxEvents": 1})).await;
    appliance.clock.advance(Duration::from_secs(30));
    let appliance = appliance.restart(Setup::default()).await;
    assert_eq!(lease(&appliance, &id, json!({"maxEvents": 5})).await.len(), 1, "the other one");
    appliance.clock.advance(just_before(Duration::from_secs(30)));
    assert!(lease(&appliance, &id, json!({})).await.is_empty());
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(lease(&appliance, &id, json!({})).await, leased);
}

#[tokio::test]
async fn an_empty_queue_is_waited_for_unless_it_is_to_return_immediately() {
    let appliance = Arc::new(Appliance::plain().await);
    let id = appliance.subscribe("crm", &["301"]).await;
    let poll = {
        let (appliance, id) = (appliance.clone(), id.clone());
        tokio::spawn(async move { safe_poll(&appliance, &id, json!({})).await })
    };
    let queue =
        || appliance.engine.subscription(tidings::model::subscription::ContractName::Polling, &"crm".into(), &id);
    until("the poll has arrived", || queue().unwrap().queue.last_polled.is_some()).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!(poll.await.unwrap().expect(200).json()["order"].as_array().unwrap().len(), 1);

    // The wait ends with the lease of another.
    let poll = {
        let (appliance, id) = (appliance.clone(), id.clone());
        let call = Call::post(&format!("/v1/subscriptions/{id}/poll"), "crm", "{}").header("prefer", "wait=60");
        tokio::spawn(async move { appliance.send(call).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    appliance.clock.advance(LEASE);
    let answer = poll.await.unwrap().expect(200);
    assert_eq!(answer.header("preference-applied"), Some("wait"));
    assert_eq!(answer.json()["order"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn it_waits_as_long_as_prefer_says() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    for wait in ["wait=0", "wait=1"] {
        let call = Call::post(&format!("/v1/subscriptions/{id}/poll"), "crm", "{}").header("prefer", wait);
        let page = appliance.send(call).await.expect(200).json();
        assert_eq!(page, json!({"sets": {}, "order": [], "moreAvailable": false}));
    }
}

#[tokio::test]
async fn refusals_are_problems() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let path = format!("/v1/subscriptions/{id}/poll");
    problem(appliance.send(Call::post(&path, "erp", "{}")).await, 404, "not-found");
    problem(appliance.send(Call::post("/v1/subscriptions/nobody/poll", "crm", "{}")).await, 404, "not-found");
    problem(appliance.send(Call::post(&path, "watcher", "{}")).await, 403, "forbidden");
    problem(appliance.send(Call::post(&path, "crm", "{}").without_token()).await, 401, "unauthenticated");
    problem(appliance.send(Call::post_as(&path, "crm", "text/plain", "{}")).await, 415, "unsupported-media-type");
    problem(appliance.send(Call::get(&path, "crm")).await, 405, "method-not-allowed");
    let errors =
        problem(appliance.send(Call::post(&path, "crm", r#"{"maxEvents":-1,"x":1}"#)).await, 400, "invalid-request");
    assert_eq!(errors.len(), 2, "{errors:?}");
    appliance.send(Call::get(&notifications(&id), "crm")).await.expect(200);
    nothing_stored(&appliance);
}
