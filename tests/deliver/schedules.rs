//! When a notification is tried again, and when it is not.

use std::time::Duration;

use tidings::base::clock::Timestamp;
use tidings::model::attempt::AttemptOutcome;
use tidings::model::notification::State;
use tidings::store::Story;

use crate::script::{delivered, later, refused, rejected};
use crate::stage::Stage;
use crate::support::just_before;

const MILLI: Duration = Duration::from_millis(1);

fn ended(story: &Story) -> (State, Option<&str>) {
    (story.view.state, story.view.reason.as_deref())
}

/// Waits until just before the only notification is due: nothing happens. Then it is tried.
async fn try_when_due(stage: &Stage) {
    let (due, before) = (stage.due("a").await, stage.script.count());
    stage.advance_to(due.minus(MILLI));
    stage.quiet().await;
    stage.advance(MILLI);
    stage.tried(before + 1).await;
}

#[tokio::test]
async fn what_is_taken_is_delivered_and_its_attempt_is_kept() {
    let stage = Stage::plain().await;
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    let story = stage.only("a").await;
    assert_eq!(story.view.state, State::Delivered);
    let attempt = &story.push.attempts[0];
    assert_eq!((attempt.number, attempt.attempt.outcome), (1, AttemptOutcome::Delivered));
    assert_eq!((attempt.attempt.reason.as_str(), attempt.attempt.status), ("status-200", Some(200)));
    assert_eq!((attempt.attempt.started, attempt.attempt.probe), (stage.now(), false));
    let tried = &stage.script.tried()[0];
    assert_eq!((tried.id, tried.attempt), (story.view.id, 1));
}

#[tokio::test]
async fn what_fails_is_tried_by_the_schedule_with_its_jitter_and_then_no_more() {
    let stage = Stage::plain().await;
    stage.script.always(refused());
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    for (tried, pause) in (1..).zip([5, 300, 1800].map(Duration::from_secs)) {
        let story = stage.only("a").await;
        assert_eq!((story.view.state, story.push.tried), (State::Queued, tried));
        let after = story.push.due.unwrap().since(stage.now());
        assert!(after >= pause.mul_f64(0.9) && after <= pause.mul_f64(1.1), "{pause:?}: {after:?}");
        try_when_due(&stage).await;
    }
    let story = stage.only("a").await;
    assert_eq!(ended(&story), (State::Failed, Some("retries-exhausted")));
    assert_eq!(story.push.attempts.len(), 4);
    assert!(stage.script.tried().iter().map(|tried| tried.attempt).eq(1..=4));
    assert!(stage.script.tried().iter().all(|tried| tried.id == story.view.id), "its id is the same each time");
    stage.advance(Duration::from_hours(1));
    stage.quiet().await;
}

#[tokio::test]
async fn what_is_refused_for_itself_is_not_tried_again() {
    let stage = Stage::plain().await;
    stage.script.always(rejected());
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    let story = stage.only("a").await;
    assert_eq!(ended(&story), (State::Failed, Some("status-400")));
    assert_eq!(story.push.attempts[0].attempt.outcome, AttemptOutcome::Rejected);
}

#[tokio::test]
async fn who_asks_for_a_later_try_gets_it_then_and_nothing_before() {
    let stage = Stage::plain().await;
    let after = stage.now().plus(Duration::from_mins(7));
    stage.script.always(later(after));
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    assert_eq!(stage.due("a").await, after);
    assert_eq!(stage.endpoint("a").quiet_until, Some(after));
    // What comes meanwhile waits as well: the endpoint wants nothing.
    stage.publish("x", &["two"]).await;
    stage.script.always(delivered());
    stage.advance_to(after.minus(MILLI));
    stage.quiet().await;
    stage.advance(MILLI);
    stage.tried(3).await;
    assert_eq!(stage.script.names(), ["one", "two", "one"], "after a fault, what was never tried comes first");
}

#[tokio::test]
async fn who_asks_for_an_earlier_try_does_not_get_it() {
    let stage = Stage::plain().await;
    stage.script.always(later(stage.now().plus(Duration::from_secs(1))));
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    assert!(stage.due("a").await >= stage.now().plus(Duration::from_millis(4500)));
}

/// Publishes something that lives for ten seconds, whose first try fails and asks for another one at `again`.
async fn brief(again: impl Fn(Timestamp) -> Timestamp) -> (Stage, Timestamp) {
    let stage = Stage::plain().await;
    let deadline = stage.now().plus(Duration::from_secs(10));
    stage.script.always(later(again(deadline)));
    stage.publish("brief", &["one"]).await;
    stage.tried(1).await;
    assert_eq!(stage.only("a").await.view.deadline, deadline);
    stage.script.always(delivered());
    (stage, deadline)
}

#[tokio::test]
async fn a_millisecond_before_the_deadline_it_is_tried() {
    let (stage, deadline) = brief(|deadline| deadline.minus(MILLI)).await;
    stage.advance_to(deadline.minus(MILLI));
    stage.tried(2).await;
    assert_eq!(stage.only("a").await.view.state, State::Delivered);
}

#[tokio::test]
async fn at_the_deadline_and_after_it_it_is_not() {
    for late in [Duration::ZERO, MILLI, Duration::from_hours(1)] {
        let (stage, deadline) = brief(|deadline| deadline.plus(late)).await;
        stage.advance_to(deadline.minus(MILLI));
        assert_eq!(stage.only("a").await.view.state, State::Queued);
        stage.advance_to(deadline.plus(late));
        stage.quiet().await;
        stage.advance(Duration::from_hours(2));
        stage.quiet().await;
        assert_eq!(stage.only("a").await.view.state, State::Expired);
        assert_eq!(stage.only("a").await.push.attempts.len(), 1);
    }
}

#[tokio::test]
async fn a_first_try_knows_the_deadline_as_well() {
    for (length, tries) in [(just_before(Duration::from_secs(10)), 1), (Duration::from_secs(10), 0)] {
        let stage = Stage::plain().await;
        stage.appliance.engine.pause("a").await.unwrap();
        stage.publish("brief", &["one"]).await;
        stage.advance(length);
        stage.quiet().await;
        stage.appliance.engine.resume("a").await.unwrap();
        stage.tried(tries).await;
        stage.quiet().await;
    }
}

#[tokio::test]
async fn an_attempt_that_ends_after_the_deadline_ends_the_notification_as_what_it_is() {
    for (sent, state) in [(delivered(), State::Delivered), (refused(), State::Expired)] {
        let stage = Stage::plain().await;
        stage.script.answer(move |_| crate::script::Reply::After(Duration::from_secs(11), sent.clone()));
        stage.publish("brief", &["one"]).await;
        crate::support::until("it is sent", || stage.script.in_flight() == 1).await;
        stage.advance(Duration::from_secs(11));
        stage.tried(1).await;
        assert_eq!(stage.only("a").await.view.state, state);
    }
}
