//! Begin, days and end, each told once: over looks, restarts, and crashes between telling and noting it.

use tidings::model::condition::Condition;
use tidings::model::subscription::HoldReason;
use tidings::store::{KeptCondition, Store as _};

use crate::stage::{DAY, HOUR, MINUTE, Stage, pushed, told};
use crate::support::just_before;

const HELD: Condition = Condition::EndpointHeld;

async fn held() -> Stage {
    let stage = Stage::with(vec![pushed("hook", &[])]).await;
    stage.hold("hook", HoldReason::CircuitOpen, 1).await;
    stage
}

#[tokio::test]
async fn it_is_told_when_it_begins_daily_and_when_it_ends() {
    let mut stage = held().await;
    assert_eq!(stage.look().await, [told(HELD, "started", "hook")]);
    assert_eq!(stage.look().await, []);
    assert_eq!(stage.look_after(just_before(DAY)).await, []);
    assert_eq!(stage.look_after(MINUTE).await, [told(HELD, "continues", "hook")]);
    assert_eq!(stage.look_after(HOUR).await, []);
    // Nobody looked for three days: that is one telling.
    assert_eq!(stage.look_after(3 * DAY).await, [told(HELD, "continues", "hook")]);
    stage.recover("hook").await;
    assert_eq!(stage.look().await, [told(HELD, "ended", "hook")]);
    assert_eq!(stage.look_after(2 * DAY).await, []);
    stage.hold("hook", HoldReason::CircuitOpen, 1).await;
    assert_eq!(stage.look().await, [told(HELD, "started", "hook")], "another time is another one");
    assert_eq!(stage.events_of(HELD).await, 5);
}

#[tokio::test]
async fn restarts_tell_nothing_twice_and_forget_nothing() {
    let mut stage = held().await;
    assert_eq!(stage.look().await.len(), 1);
    stage = stage.restart().await;
    assert_eq!(stage.look().await, []);
    stage.advance(DAY);
    stage = stage.restart().await;
    assert_eq!(stage.look().await, [told(HELD, "continues", "hook")]);
    // It ends while the appliance is down.
    stage.recover("hook").await;
    stage = stage.restart().await;
    assert_eq!(stage.look().await, [told(HELD, "ended", "hook")]);
    stage = stage.restart().await;
    assert_eq!(stage.look().await, []);
}

/// What the store keeps of the condition.
async fn kept(stage: &Stage) -> KeptCondition {
    stage.appliance.store.conditions().await.unwrap().remove(0)
}

/// It crashed after the event was stored, and before it was noted: `earlier` is what is on disk.
async fn crash(stage: Stage, earlier: KeptCondition) -> Stage {
    stage.appliance.store.keep_condition(earlier).await.unwrap();
    stage.advance(MINUTE);
    // What it says has become another text meanwhile.
    stage.appliance.publish(r#"{"type":"301"}"#).await;
    stage.restart().await
}

#[tokio::test]
async fn a_crash_between_telling_and_noting_it_tells_nothing_twice() {
    let mut stage = held().await;
    assert_eq!(stage.look().await, [told(HELD, "started", "hook")]);
    let begun = KeptCondition { told: (0, stage.now()), ..kept(&stage).await };
    stage = crash(stage, begun).await;
    assert_eq!(stage.look().await, []);
    let first = kept(&stage).await;
    assert_eq!(first.told.0, 1);

    assert_eq!(stage.look_after(DAY).await, [told(HELD, "continues", "hook")]);
    stage = crash(stage, first).await;
    assert_eq!(stage.look().await, []);
    let second = kept(&stage).await;
    assert_eq!(second.told.0, 2);

    stage.recover("hook").await;
    assert_eq!(stage.look().await, [told(HELD, "ended", "hook")]);
    stage = crash(stage, second).await;
    assert_eq!(stage.look().await, []);
    assert_eq!(stage.appliance.store.conditions().await.unwrap(), []);
    assert_eq!(stage.events_of(HELD).await, 3);
}

#[tokio::test]
async fn one_that_was_noted_and_not_told_is_told() {
    let mut stage = held().await;
    let now = stage.now();
    let key = format!("subscription/hook/{}", stage.endpoint("hook", 0).0);
    let (name, detail) = (HELD.as_str().to_owned(), String::new());
    let begun = KeptCondition { name, subject: key, since: now, told: (0, now), detail };
    stage.appliance.store.keep_condition(begun).await.unwrap();
    stage = stage.restart().await;
    assert_eq!(stage.look().await, [told(HELD, "started", "hook")]);
}

#[tokio::test]
async fn the_event_says_what_is_the_matter_and_what_to_do() {
    let mut stage = held().await;
    stage.appliance.publish(r#"{"type":"301"}"#).await;
    let event = stage.look_whole().await.remove(0);
    let detail = event["detail"].as_str().unwrap();
    for part in ["https://receiver.example ", "subscription hook", "connect-refused", "1 notification waits"] {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
    assert!(event["whatToDo"].as_str().unwrap().contains("`tidings resume hook`"), "{event}");
    assert_eq!((&event["since"], &event["told"]), (&"2026-11-22T10:00:00.250Z".into(), &1.into()));
    assert_eq!((&event["kind"], &event["reason"]), (&"webhook".into(), &"circuit-open".into()));
    assert!(!event.to_string().contains("T0K3N") && !event.to_string().contains("s3cret"), "{event}");
    stage.recover("hook").await;
    let ended = stage.look_whole().await.remove(0);
    assert!(ended["detail"].as_str().unwrap().starts_with("It is not held any more. What it was: Since"), "{ended}");
}
