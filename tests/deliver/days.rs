//! Four days of one notification that nobody takes, by the default schedule.

use std::time::Duration;

use tidings::engine::DeliverySettings;
use tidings::model::notification::State;

use crate::script::{Reply, delivered, refused};
use crate::stage::{Stage, hook, setup};
use crate::support::Setup;

#[tokio::test]
async fn the_default_schedule_is_gone_through_in_three_days() {
    let declared = vec![hook("a", &["x"], "http://a"), hook("b", &["y"], "http://a")];
    let stage = Stage::start(Setup { delivery: DeliverySettings::default(), ..setup(declared) }).await;
    stage.script.answer(|tried| Reply::Now(if tried.name == "bad" { refused() } else { delivered() }));
    let begun = stage.now();
    stage.publish("x", &["bad"]).await;
    stage.tried(1).await;
    let schedule = DeliverySettings::default().webhooks.schedule;
    let mut count = 1;
    for pause in &schedule {
        let due = stage.due_of("a", "bad").await;
        let after = due.since(stage.now());
        assert!(after >= pause.mul_f64(0.9) && after <= pause.mul_f64(1.1), "{pause:?}: {after:?}");
        // Something else that is taken: it is the notification that is bad, not the endpoint.
        stage.publish("x", &["good"]).await;
        stage.tried(count + 1).await;
        stage.advance_to(due);
        stage.tried(count + 2).await;
        count += 2;
    }
    let lasted = stage.now().since(begun);
    assert!(lasted > Duration::from_hours(68) && lasted < Duration::from_hours(84), "{lasted:?}");
    let ends = stage.ends("a").await;
    assert_eq!(ends[0], (State::Failed, Some("retries-exhausted".to_owned())));
    assert!(ends[1..].iter().all(|(state, _)| *state == State::Delivered));
    assert_eq!(stage.state("a").as_str(), "up");
}
