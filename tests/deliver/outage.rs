//! A receiver that is away for 24 hours, while events come in and some of them expire.

use std::collections::HashSet;
use std::time::Duration;

use tidings::engine::EndpointState;
use tidings::model::notification::State;
use tidings::model::subscription::SubscriptionDraft;

use crate::script::{Reply, delivered, refused};
use crate::stage::{Stage, hook, setup, strict};
use crate::support::until;

const HOUR: Duration = Duration::from_hours(1);

/// Lets a day go by in which nothing is taken. Each hour a few events come, of which one is short-lived. Answers the
/// names of those that live on.
async fn a_day_without(stage: &Stage) -> Vec<String> {
    stage.script.always(refused());
    let begun = stage.now();
    let mut living = Vec::new();
    for hour in 0..24 {
        let names: Vec<_> = (0..10).map(|n| format!("{hour:02}-{n}")).collect();
        stage.publish("x", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        stage.publish("brief", &[&format!("{hour:02}-brief")]).await;
        living.extend(names);
        hold(stage).await;
        let end = begun.plus(HOUR * (hour + 1));
        while stage.probe_at("a") < end {
            let (probes, at) = (stage.script.count(), stage.probe_at("a"));
            stage.advance_to(at);
            until("it is probed", || stage.script.count() > probes && stage.probe_at("a") > at).await;
            stage.settled().await;
        }
        stage.advance_to(end);
    }
    living
}

/// Waits until the endpoint is held. In strict order it is after three tries of the first notification.
async fn hold(stage: &Stage) {
    // Read while it is under way, its story would not say yet when the next try is due.
    until("the first try is made", || stage.script.count() > 0).await;
    stage.settled().await;
    while stage.endpoint("a").standing.hold.is_none() {
        let before = stage.script.count();
        if let Some(due) = stage.stories("a").await[0].push.due {
            stage.advance_to(due);
        }
        let is_held = || stage.endpoint("a").standing.hold.is_some();
        until("it is tried", || stage.script.count() > before || is_held()).await;
        stage.settled().await;
    }
}

async fn outage(draft: SubscriptionDraft) -> (Stage, Vec<String>) {
    let stage = Stage::start(setup(vec![draft])).await;
    let living = a_day_without(&stage).await;
    assert_eq!(stage.state("a"), EndpointState::Held);
    // 24 hours of probes every five minutes, some tries before, and no more.
    assert!((250..400).contains(&stage.script.count()), "{}", stage.script.count());
    assert_eq!(stage.told.all(), ["held http://a"], "somebody is told once");
    stage.script.forget();
    stage.script.answer(|_| Reply::Now(delivered()));
    let begun = stage.probe_at("a");
    stage.advance_to(begun);
    while stage.appliance.store_figures().sums.webhook.get(State::Delivered) < living.len() as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        stage.settled().await;
        assert!(stage.now().since(begun) < HOUR, "{:?}", stage.script.names());
        stage.advance(Duration::from_millis(100));
    }
    stage.settled().await;
    // Ten a second at first, twice as many ten seconds later.
    let at: Vec<_> = stage.script.tried().iter().map(|tried| tried.at.since(begun)).collect();
    for (end, most) in [(1, 20), (5, 60), (10, 110), (20, 320)] {
        let count = at.iter().filter(|at| **at < Duration::from_secs(end)).count();
        assert!(count <= most, "{count} within {end} s");
    }
    let ends = stage.ends("a").await;
    assert_eq!(ends.iter().filter(|(state, _)| *state == State::Expired).count(), 24);
    assert!(ends.iter().all(|(state, _)| matches!(state, State::Expired | State::Delivered)));
    (stage, living)
}

#[tokio::test]
async fn in_strict_order_all_that_has_not_expired_arrives_once_and_in_order() {
    let (stage, living) = outage(strict("a", &["x", "brief"], "http://a")).await;
    assert_eq!(stage.script.names(), living);
    assert_eq!(stage.script.most_at("http://a"), 1);
}

#[tokio::test]
async fn in_relaxed_order_all_that_has_not_expired_arrives_once_and_in_order_behind_the_probe() {
    let (stage, living) = outage(hook("a", &["x", "brief"], "http://a")).await;
    let names = stage.script.names();
    let at_once: HashSet<_> = names.iter().collect();
    assert_eq!((names.len(), at_once.len()), (living.len(), living.len()));
    let behind: Vec<_> = living.into_iter().filter(|name| *name != names[0]).collect();
    // Two may be in flight from the second step of the ramp on, and more in each further one.
    let slack = stage.script.most_at("http://a");
    for (index, name) in names[1..].iter().enumerate() {
        let place = behind.iter().position(|other| other == name).unwrap();
        assert!(place.abs_diff(index) < slack.max(1), "{name} came as number {index}, not {place}");
    }
}
