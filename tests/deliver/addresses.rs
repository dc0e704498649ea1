//! Mail to addresses that do not exist.

use std::time::Duration;

use tidings::model::attempt::AttemptOutcome;
use tidings::model::notification::State;
use tidings::store::Store as _;

use crate::script::{Reply, delivered, no_such_address};
use crate::stage::{Stage, mail, pushed, setup};
use crate::support::until;

#[tokio::test]
async fn an_address_that_does_not_exist_is_left_alone_for_thirty_days() {
    let stage = Stage::start(setup(vec![pushed("m", &["x"], vec![mail("a@x"), mail("b@x")])])).await;
    stage.script.answer(|tried| Reply::Now(if tried.place == "a@x" { no_such_address() } else { delivered() }));
    stage.publish("x", &["one"]).await;
    stage.tried(2).await;
    let suppressed = stage.appliance.store.suppressions(None, 10).await.unwrap();
    assert_eq!((suppressed.len(), suppressed[0].address.as_str()), (1, "a@x"));
    stage.script.always(delivered());
    stage.advance(Duration::from_hours(30 * 24).saturating_sub(Duration::from_millis(1)));
    stage.publish("x", &["two"]).await;
    stage.tried(3).await;
    until("it has ended", || stage.appliance.store_figures().sums.email.get(State::Failed) == 2).await;
    let stories = stage.stories("m").await;
    let ends: Vec<_> = stories.iter().filter_map(|story| story.view.reason.as_deref()).collect();
    assert_eq!(ends.iter().filter(|reason| **reason == "suppressed").count(), 1, "{ends:?}");
    let story = stories.iter().find(|story| story.view.reason.as_deref() == Some("suppressed")).unwrap();
    let attempt = &story.push.attempts[0].attempt;
    assert_eq!((attempt.outcome, attempt.reason.as_str()), (AttemptOutcome::Rejected, "suppressed"));
    assert!(attempt.detail.contains("2026-11-22T10:00:00Z") && attempt.detail.contains("smtp-550"), "{attempt:?}");
    stage.advance(Duration::from_millis(1));
    stage.publish("x", &["three"]).await;
    stage.tried(5).await;
    assert_eq!(stage.script.count_at("a@x"), 2);
}
