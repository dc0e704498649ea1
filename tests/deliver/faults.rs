//! Faults of the program, the store and the process: an attempt more, and nothing that is lost or stuck.

use std::sync::Arc;
use std::time::Duration;

use tidings::model::attempt::AttemptOutcome;
use tidings::model::notification::State;
use tidings::store::Store as _;

use crate::script::{Reply, Script, delivered, refused};
use crate::stage::{Stage, hook, setup};
use crate::support::{BadDisk, Setup, until};

fn one_hook() -> Setup {
    setup(vec![hook("a", &["x"], "http://a")])
}

#[tokio::test]
async fn a_panic_in_a_channel_is_a_fault_and_tried_again() {
    let stage = Stage::plain().await;
    stage.script.answer(|tried| if tried.attempt == 1 { Reply::Panic } else { Reply::Now(delivered()) });
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    let story = stage.only("a").await;
    let attempt = &story.push.attempts[0].attempt;
    assert_eq!((attempt.outcome, attempt.reason.as_str()), (AttemptOutcome::Fault, "internal-error"));
    stage.advance_to(story.push.due.unwrap());
    stage.tried(2).await;
    assert_eq!(stage.only("a").await.view.state, State::Delivered);
}

#[tokio::test]
async fn a_settlement_is_kept_once_the_store_can_and_nothing_is_sent_twice() {
    let disk = Arc::new(BadDisk::default());
    let stage = Stage::start(Setup { faults: Some(disk.clone()), ..one_hook() }).await;
    stage.script.answer(|_| Reply::After(Duration::from_secs(1), delivered()));
    stage.publish("x", &["one", "two"]).await;
    until("they are sent", || stage.script.in_flight() == 2).await;
    disk.fail(true);
    stage.advance(Duration::from_secs(1));
    until("they have been taken", || stage.script.in_flight() == 0).await;
    until("the store fails", || stage.appliance.store.trouble().is_some()).await;
    assert_eq!(stage.in_flight(), 2, "they are not settled");
    disk.fail(false);
    until("the store can again", || {
        stage.advance(Duration::from_secs(1));
        stage.in_flight() == 0
    })
    .await;
    assert!(stage.ends("a").await.iter().all(|(state, _)| *state == State::Delivered));
    assert_eq!(stage.script.count(), 2);
}

#[tokio::test]
async fn what_was_in_flight_at_a_crash_is_tried_again() {
    let stage = Stage::plain().await;
    stage.script.answer(|_| Reply::Hang);
    stage.publish("x", &["a", "b", "c"]).await;
    until("they are sent", || stage.script.in_flight() == 3).await;
    stage.script.always(delivered());
    let stage = stage.crash(one_hook()).await;
    stage.tried(6).await;
    assert!(stage.ends("a").await.iter().all(|(state, _)| *state == State::Delivered));
    let ids = |tried: &[crate::script::Tried]| tried.iter().map(|tried| tried.id).collect::<Vec<_>>();
    let tried = stage.script.tried();
    assert_eq!(ids(&tried[..3]), ids(&tried[3..]), "under the same ids");
}

#[tokio::test]
async fn what_was_put_off_before_a_crash_is_due_when_it_was() {
    let stage = Stage::plain().await;
    stage.script.always(refused());
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    let due = stage.due("a").await;
    let stage = stage.crash(one_hook()).await;
    assert_eq!(stage.due("a").await, due);
    stage.advance_to(due.minus(Duration::from_millis(1)));
    stage.quiet().await;
    stage.advance(Duration::from_millis(1));
    stage.tried(2).await;
    assert_eq!(stage.only("a").await.push.tried, 2);
}

#[tokio::test]
async fn a_stop_lets_attempts_end_and_begins_none() {
    let stage = Stage::plain().await;
    stage.script.answer(|_| Reply::After(Duration::from_secs(1), delivered()));
    stage.publish("x", &["one"]).await;
    until("it is sent", || stage.script.in_flight() == 1).await;
    let (store, clock) = (stage.appliance.store.clone(), stage.appliance.clock.clone());
    stage.appliance.stop.stop();
    let ending = tokio::spawn(stage.stop());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!ending.is_finished(), "what is in flight may end");
    clock.advance(Duration::from_secs(1));
    let script: Arc<Script> = ending.await.unwrap();
    assert_eq!((script.count(), store.figures().sums.webhook.get(State::Delivered)), (1, 1));
}

#[tokio::test]
async fn what_was_taken_before_a_restart_is_not_sent_again() {
    let stage = Stage::plain().await;
    let names: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    stage.publish("x", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.tried(50).await;
    let stage = stage.restart(one_hook()).await;
    stage.quiet().await;
    assert!(stage.appliance.store_figures().sums.webhook.is_conserved());
}
