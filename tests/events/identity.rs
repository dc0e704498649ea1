//! `id` and `source`: what is a repeat, and what only looks like one.

use std::time::Duration;

use super::{BATCH, EVENTS, STRUCTURED, post, problem};
use crate::support::client::Call;
use crate::support::{Appliance, just_before};

fn event(id: &str, more: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"301"{more}}}"#)
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_is_stored_once() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let body = event("1", r#","data":{"a":1},"subject":"s","time":"2018-01-23T04:56:22Z""#);
    let first = post(&appliance, STRUCTURED, &body).await.expect(202).json();
    appliance.clock.advance(Duration::from_hours(1));
    // What is not compared may differ.
    let again = event("1", r#","subject":"s","data":{"a":1},"time":"2019-01-01T00:00:00Z","extra":5"#);
    let mut second = post(&appliance, STRUCTURED, &again).await.expect(202).json();
    assert_eq!((&first["duplicate"], &second["duplicate"]), (&false.into(), &true.into()));
    second["duplicate"] = false.into();
    assert_eq!(first, second);
    assert_eq!(appliance.poll(&id).await.len(), 1);
    assert_eq!((appliance.store_figures().accepted, appliance.store_figures().duplicates), (1, 1));
}

#[tokio::test]
async fn the_same_identity_with_other_contents_is_409_and_stores_nothing() {
    let appliance = Appliance::plain().await;
    post(&appliance, STRUCTURED, &event("1", r#","data":{"a":1}"#)).await.expect(202);
    for other in [
        event("1", r#","data":{"a":2}"#),
        event("1", r#","data":{"a": 1}"#),
        event("1", ""),
        event("1", r#","data":{"a":1},"subject":"x""#),
        event("1", r#","data":{"a":1},"audience":"1001""#),
        event("1", r#","data":{"a":1}"#).replace("301", "302"),
    ] {
        let errors = problem(post(&appliance, STRUCTURED, &other).await, 409, "identity-conflict");
        assert!(errors[0].starts_with(": has the id and source"), "{errors:?}");
        let batch = format!("[{},{other}]", event("new", ""));
        let errors = problem(post(&appliance, BATCH, &batch).await, 409, "identity-conflict");
        assert!(errors[0].starts_with("/1: "), "{errors:?}");
    }
    assert_eq!(appliance.store_figures().accepted, 1);
}

#[tokio::test]
async fn another_source_another_client_or_no_id_is_another_event() {
    let appliance = Appliance::plain().await;
    post(&appliance, STRUCTURED, &event("1", "")).await.expect(202);
    post(&appliance, STRUCTURED, &event("1", "").replace("/s", "/t")).await.expect(202);
    appliance.send(Call::post_as(EVENTS, "erp", STRUCTURED, event("1", ""))).await.expect(202);
    for _ in 0..2 {
        let receipt = appliance.publish(r#"{"type":"301","source":"/s"}"#).await;
        assert_eq!(receipt["duplicate"], false);
    }
    assert_eq!(appliance.store_figures().accepted, 5);
}

#[tokio::test]
async fn without_a_source_the_client_is_the_source() {
    let appliance = Appliance::plain().await;
    appliance.publish(r#"{"type":"301","id":"1"}"#).await;
    assert_eq!(appliance.publish(r#"{"type":"301","id":"1"}"#).await["duplicate"], true);
    let spelt_out = r#"{"type":"301","id":"1","source":"urn:tidings:client:crm"}"#;
    assert_eq!(appliance.publish(spelt_out).await["duplicate"], true);
}

#[tokio::test]
async fn a_repeat_inside_one_batch_counts() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let body = format!("[{},{},{}]", event("1", ""), event("2", ""), event("1", ""));
    let receipts = post(&appliance, BATCH, &body).await.expect(202).json();
    assert_eq!((&receipts[0]["duplicate"], &receipts[2]["duplicate"]), (&false.into(), &true.into()));
    assert_eq!(receipts[0]["id"], receipts[2]["id"]);
    assert_eq!(appliance.poll(&id).await.len(), 2);
    let conflict = format!("[{},{}]", event("3", ""), event("3", ",\"data\":1"));
    let errors = problem(post(&appliance, BATCH, &conflict).await, 409, "identity-conflict");
    assert!(errors[0].starts_with("/1: "), "{errors:?}");
    assert_eq!(appliance.store_figures().accepted, 2);
}

#[tokio::test]
async fn an_identity_is_remembered_for_the_duplicate_window() {
    let appliance = Appliance::plain().await;
    appliance.publish(r#"{"type":"301","id":"1"}"#).await;
    appliance.clock.advance(just_before(Duration::from_hours(24)));
    assert_eq!(appliance.publish(r#"{"type":"301","id":"1"}"#).await["duplicate"], true);
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(appliance.publish(r#"{"type":"301","id":"1"}"#).await["duplicate"], false);
}

#[tokio::test]
async fn a_repeat_after_a_restart_is_a_repeat() {
    let appliance = Appliance::plain().await;
    let first = appliance.publish(r#"{"type":"301","id":"1"}"#).await;
    let appliance = appliance.restart(crate::support::Setup::default()).await;
    let second = appliance.publish(r#"{"type":"301","id":"1"}"#).await;
    assert_eq!((&second["duplicate"], &second["id"]), (&true.into(), &first["id"]));
}
