//! `Idempotency-Key`: a lost answer is no lost notification.

use std::sync::Arc;
use std::time::Duration;

use crate::support::client::{Call, notifications};
use crate::support::{Appliance, Setup, declared, just_before};

async fn poll(appliance: &Appliance, id: &str, size: usize, key: &str) -> String {
    let call = Call::get(&format!("{}?size={size}", notifications(id)), "crm").header("idempotency-key", key);
    let text = appliance.send(call).await.expect(200).text();
    text.split_once("\"results\":").unwrap().1.to_owned()
}

async fn filled(count: usize) -> (Appliance, String) {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    for n in 0..count {
        appliance.publish(&format!(r#"{{"type":"301","id":"{n}","data":{{"n":{n}.0}}}}"#)).await;
    }
    (appliance, id)
}

#[tokio::test]
async fn the_same_key_gets_the_very_same_results() {
    let (appliance, id) = filled(4).await;
    let longest = "!~".repeat(32);
    let first = poll(&appliance, &id, 2, &longest).await;
    assert!(first.contains(r#""n":0.0"#) && first.contains(r#""n":1.0"#) && !first.contains(r#""n":2.0"#));
    assert_eq!(poll(&appliance, &id, 1000, &longest).await, first, "whatever the size says");
    let second = poll(&appliance, &id, 1, "another").await;
    assert!(second.contains(r#""n":2.0"#));
    assert_eq!(poll(&appliance, &id, 2, &longest).await, first);
    assert_eq!(appliance.poll(&id).await.len(), 1);
}

#[tokio::test]
async fn it_is_kept_for_ten_minutes_whatever_has_expired() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301","expirytime":"2026-11-22T10:05:00Z"}"#).await;
    let first = poll(&appliance, &id, 10, "k").await;
    assert!(first.len() > 10);
    appliance.publish(r#"{"type":"301"}"#).await;
    appliance.clock.advance(just_before(Duration::from_mins(10)));
    assert_eq!(poll(&appliance, &id, 10, "k").await, first);
    appliance.clock.advance(Duration::from_millis(1));
    let next = poll(&appliance, &id, 10, "k").await;
    assert!(next != first && next.len() > 10, "{next}");
}

#[tokio::test]
async fn an_empty_answer_is_not_kept() {
    let (appliance, id) = filled(0).await;
    assert_eq!(poll(&appliance, &id, 10, "k").await, "[]}");
    appliance.publish(r#"{"type":"301"}"#).await;
    assert!(poll(&appliance, &id, 10, "k").await.len() > 10);
}

#[tokio::test]
async fn it_outlives_a_restart() {
    let setup = || Setup { declared: vec![declared("q", "crm", &["301"])], ..Setup::default() };
    let appliance = Appliance::start(setup()).await;
    appliance.publish(r#"{"type":"301","id":"a"}"#).await;
    let first = poll(&appliance, "q", 10, "k").await;
    let appliance = appliance.restart(setup()).await;
    assert_eq!(poll(&appliance, "q", 10, "k").await, first);
    assert_eq!(poll(&appliance, "q", 10, "l").await, "[]}");
}

#[tokio::test]
async fn a_key_belongs_to_one_subscription() {
    let (appliance, one) = filled(0).await;
    let two = appliance.subscribe("crm", &["302"]).await;
    appliance.publish(r#"{"type":"301","id":"one"}"#).await;
    appliance.publish(r#"{"type":"302","id":"two"}"#).await;
    assert!(poll(&appliance, &one, 10, "k").await.contains("\"one\""));
    assert!(poll(&appliance, &two, 10, "k").await.contains("\"two\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_once_with_one_key_share_one_page() {
    let (appliance, id) = filled(9).await;
    let appliance = Arc::new(appliance);
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (appliance, id) = (appliance.clone(), id.clone());
        polls.spawn(async move { poll(&appliance, &id, 3, "k").await });
    }
    let pages = polls.join_all().await;
    assert!(pages.iter().all(|page| *page == pages[0]));
    assert_eq!(appliance.poll(&id).await.len(), 6);
}
