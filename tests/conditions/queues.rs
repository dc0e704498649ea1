//! What becomes of notifications: nobody polls, they expire, there are too many.

use std::time::Duration;

use tidings::model::condition::Condition;
use tidings::store::{Store as _, StoreSettings};

use crate::stage::{DAY, HOUR, MINUTE, Stage, told};
use crate::support::{Setup, declared, just_before};

const IDLE: Condition = Condition::PollerIdle;
const EXPIRED: Condition = Condition::NotificationsExpired;
const FULL: Condition = Condition::QueueFull;

const EVENT: &str = r#"{"type":"301"}"#;

async fn polled() -> Stage {
    Stage::with(vec![declared("accounts", "crm", &["301"])]).await
}

#[tokio::test]
async fn a_queue_that_nobody_polls_is_told_of_after_an_hour() {
    let mut stage = polled().await;
    assert_eq!(stage.look_after(DAY).await, [], "nothing waits");
    stage.appliance.publish(EVENT).await;
    assert_eq!(stage.look().await, []);
    assert_eq!(stage.look_after(just_before(HOUR)).await, []);
    stage.advance(MINUTE);
    let told_of = stage.look_whole().await;
    assert_eq!(told_of.len(), 1);
    let detail = told_of[0]["detail"].as_str().unwrap();
    assert!(detail.contains("It was never polled, and 1 notification wait"), "{detail}");
    stage = stage.restart().await;
    assert_eq!(stage.look().await, []);
    stage.appliance.poll("accounts").await;
    assert_eq!(stage.look_after(MINUTE).await, [told(IDLE, "ended", "accounts")]);
    // A poller that comes in time is not idle, and neither is one that finds nothing.
    for _ in 0..5 {
        stage.appliance.publish(EVENT).await;
        assert_eq!(stage.look_after(Duration::from_mins(50)).await, []);
        stage.appliance.poll("accounts").await;
    }
}

#[tokio::test]
async fn what_expires_meanwhile_does_not_end_it_and_a_pause_does() {
    let mut stage = polled().await;
    stage.appliance.publish(EVENT).await;
    stage.look().await;
    assert_eq!(stage.look_after(HOUR).await, [told(IDLE, "started", "accounts")]);
    assert_eq!(stage.look_after(6 * HOUR).await, [told(EXPIRED, "started", "accounts")]);
    stage.appliance.engine.pause("accounts").await.unwrap();
    assert_eq!(stage.look().await, [told(IDLE, "ended", "accounts")]);
}

#[tokio::test]
async fn what_has_expired_is_gathered_and_told_once_a_day() {
    let mut stage = polled().await;
    for _ in 0..3 {
        stage.appliance.publish(EVENT).await;
    }
    // Polls find nothing else wrong.
    stage.advance(6 * HOUR);
    stage.appliance.poll("accounts").await;
    let told_of = stage.look_whole().await;
    assert_eq!((told_of.len(), &told_of[0]["count"]), (1, &3.into()), "{told_of:?}");
    assert!(told_of[0]["whatToDo"].as_str().unwrap().contains("--state expired"), "{told_of:?}");
    for hours in [1, 8] {
        stage.appliance.publish(EVENT).await;
        assert_eq!(stage.look_after(hours * HOUR).await, []);
        stage.appliance.poll("accounts").await;
    }
    stage = stage.restart().await;
    assert_eq!(stage.look_after(14 * HOUR).await, []);
    let told_of = {
        stage.advance(HOUR);
        stage.look_whole().await
    };
    assert_eq!((&told_of[0]["status"], &told_of[0]["count"]), (&"continues".into(), &1.into()));
    assert_eq!(told_of[0]["inAll"], 4);
    assert_eq!(stage.look_after(just_before(DAY)).await, []);
    assert_eq!(stage.look_after(MINUTE).await, [told(EXPIRED, "ended", "accounts")]);
    assert_eq!(stage.look_after(DAY).await, []);
}

#[tokio::test]
async fn what_expired_while_the_appliance_was_down_is_told() {
    let mut stage = polled().await;
    stage.appliance.publish(EVENT).await;
    stage.look().await;
    stage.advance(6 * HOUR);
    stage = stage.restart().await;
    assert_eq!(stage.look().await, [told(EXPIRED, "started", "accounts")]);
    stage = stage.restart().await;
    assert_eq!(stage.look().await, []);
}

#[tokio::test]
async fn a_full_queue_is_told_of_until_nothing_was_refused_for_an_hour() {
    let store = StoreSettings { queue_depth: 2, ..StoreSettings::default() };
    let setup = Setup { store, declared: vec![declared("accounts", "crm", &["301"])], ..Setup::default() };
    let mut stage = Stage::of(setup).await;
    for _ in 0..2 {
        stage.appliance.publish(EVENT).await;
    }
    assert_eq!(stage.look().await, [], "it is full, and nothing was refused");
    stage.appliance.publish(EVENT).await;
    assert_eq!(stage.look().await, [told(FULL, "started", "accounts")]);
    assert_eq!(stage.look_after(Duration::from_mins(59)).await, []);
    stage.appliance.poll("accounts").await;
    assert_eq!(stage.look_after(MINUTE).await, [told(FULL, "ended", "accounts")]);
    assert_eq!(stage.look_after(2 * HOUR).await, []);
}

#[tokio::test]
async fn too_many_in_all_are_told_of_though_publishing_is_refused() {
    let store = StoreSettings { queue_total: 10, ..StoreSettings::default() };
    let setup = Setup { store, declared: vec![declared("accounts", "crm", &["301"])], ..Setup::default() };
    let mut stage = Stage::of(setup).await;
    stage.limit_total(10);
    for _ in 0..10 {
        stage.appliance.publish(EVENT).await;
    }
    assert_eq!(stage.look().await, [told(FULL, "started", "all-queues")]);
    stage.appliance.store.take(take(&stage, 1)).await.unwrap();
    assert_eq!(stage.look().await, [], "nine are still nearly all");
    stage.appliance.store.take(take(&stage, 1)).await.unwrap();
    assert_eq!(stage.look().await, [told(FULL, "ended", "all-queues")]);
}

fn take(stage: &Stage, max: usize) -> tidings::store::Take {
    tidings::store::Take {
        endpoint: stage.endpoint("accounts", 0),
        max,
        max_bytes: 1 << 20,
        client: "crm".into(),
        request_id: "r".to_owned(),
        key: None,
    }
}
