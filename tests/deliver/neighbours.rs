//! Nobody waits for another: dead, slow and busy targets beside quick ones.

use std::time::Duration;

use tidings::engine::{ChannelSettings, DeliverySettings};
use tidings::model::notification::State;
use tidings::store::Store as _;

use crate::script::{Reply, delivered};
use crate::stage::{Stage, hook, setup, short};
use crate::support::{Setup, until};

const SECOND: Duration = Duration::from_secs(1);

fn limits(in_flight: usize, in_flight_each: usize) -> DeliverySettings {
    let webhooks = ChannelSettings { in_flight, in_flight_each, ..short().webhooks };
    DeliverySettings { webhooks, ..short() }
}

fn delivered_in_all(stage: &Stage) -> u64 {
    stage.appliance.store_figures().sums.webhook.get(State::Delivered)
}

#[tokio::test]
async fn a_dead_and_a_very_slow_target_among_a_hundred_delay_nobody() {
    let declared = (0..100).map(|n| hook(&format!("s{n:02}"), &["x"], &format!("http://t{n:02}"))).collect();
    let stage = Stage::start(Setup { delivery: limits(64, 8), ..setup(declared) }).await;
    stage.script.answer(|tried| match tried.place.as_str() {
        "http://t13" => Reply::Hang,
        "http://t42" => Reply::After(10 * SECOND, delivered()),
        _ => Reply::Now(delivered()),
    });
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    let begun = stage.now();
    for burst in 1..=5 {
        stage.publish("x", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        // The clock stands still: what is delivered now is so without a delay.
        until("all others have theirs", || {
            stage
                .script
                .tried()
                .iter()
                .filter(|tried| !matches!(tried.place.as_str(), "http://t13" | "http://t42"))
                .count()
                == burst * 20 * 98
        })
        .await;
    }
    until("all of that is settled", || delivered_in_all(&stage) == 98 * 100).await;
    assert_eq!((stage.now(), stage.script.most_at("http://t13"), stage.script.most_at("http://t42")), (begun, 8, 8));
    stage.advance(10 * SECOND);
    until("the slow one goes on", || delivered_in_all(&stage) == 98 * 100 + 8).await;
    assert!(stage.endpoint("s42").shared.unwrap().slow && !stage.endpoint("s41").shared.unwrap().slow);
}

#[tokio::test]
async fn however_many_slow_targets_there_are_quick_ones_have_their_half() {
    let mut declared: Vec<_> = (0..30).map(|n| hook(&format!("s{n}"), &["x"], &format!("http://slow{n}"))).collect();
    declared.push(hook("quick", &["q"], "http://quick"));
    let stage = Stage::start(Setup { delivery: limits(8, 2), ..setup(declared) }).await;
    stage.publish("q", &["first"]).await;
    stage.tried(1).await;
    let slow = |place: &str| place.starts_with("http://slow");
    stage.script.answer(move |tried| if slow(&tried.place) { Reply::Hang } else { Reply::Now(delivered()) });
    stage.publish("x", &["a", "b", "c"]).await;
    until("the slow ones have their half", || stage.script.in_flight() == 4).await;
    let names: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    stage.publish("q", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    until("the quick one has all", || stage.script.count_at("http://quick") == 101).await;
    assert_eq!(stage.script.in_flight(), 4);
}

#[tokio::test]
async fn a_single_notification_does_not_wait_for_anothers_backlog() {
    let declared = vec![hook("busy", &["x"], "http://busy"), hook("calm", &["y"], "http://calm")];
    let stage = Stage::start(Setup { delivery: limits(4, 4), ..setup(declared) }).await;
    for id in ["busy", "calm"] {
        stage.appliance.engine.pause(id).await.unwrap();
    }
    let names: Vec<_> = (0..500).map(|n| n.to_string()).collect();
    stage.publish("x", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.publish("y", &["one"]).await;
    stage.appliance.engine.resume("busy").await.unwrap();
    stage.appliance.engine.resume("calm").await.unwrap();
    until("all is tried", || stage.script.count() == 501).await;
    let place = stage.script.names().iter().position(|name| name == "one").unwrap();
    assert!(place < 50, "it came after {place} of the other's");
}

#[tokio::test]
async fn there_are_never_more_in_flight_than_may_be() {
    let declared = (0..10).map(|n| hook(&format!("s{n}"), &["x"], &format!("http://t{n}"))).collect();
    let stage = Stage::start(Setup { delivery: limits(6, 2), ..setup(declared) }).await;
    stage.script.answer(|_| Reply::After(SECOND, delivered()));
    stage.publish("x", &["a", "b", "c", "d", "e"]).await;
    let mut most = 0;
    while delivered_in_all(&stage) < 50 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        most = most.max(stage.script.in_flight());
        stage.advance(Duration::from_millis(100));
    }
    // All of them are slow, so they have half of it; first attempts have a quarter.
    assert!((3..=4).contains(&most), "{most}");
    assert!((0..10).all(|n| stage.script.most_at(&format!("http://t{n}")) <= 2));
    let claimed = stage.appliance.store_figures().sums.webhook.get(State::Leased);
    assert_eq!(claimed, 0, "nothing is claimed that is not started");
}

#[tokio::test]
async fn nothing_is_claimed_that_cannot_be_started() {
    let stage = Stage::start(Setup { delivery: limits(64, 3), ..setup(vec![hook("a", &["x"], "http://a")]) }).await;
    stage.script.answer(|_| Reply::Hang);
    stage.publish("x", &["a", "b", "c", "d", "e"]).await;
    until("three are sent", || stage.script.in_flight() == 3).await;
    stage.quiet().await;
    let sums = stage.appliance.store_figures().sums.webhook;
    assert_eq!((sums.get(State::Leased), sums.get(State::Queued)), (3, 2));
    let overdue = stage.appliance.store.overdue().unwrap();
    assert_eq!(overdue, stage.now());
}

#[tokio::test]
async fn a_rate_is_kept_by_all_who_share_it() {
    let declared = (0..4).map(|n| hook(&format!("s{n}"), &["x"], &format!("http://t{n}"))).collect();
    let stage = Stage::start(setup(declared)).await;
    stage.script.limit("10/s");
    stage.use_script();
    let begun = stage.now();
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    stage.publish("x", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    while delivered_in_all(&stage) < 80 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        stage.advance(Duration::from_millis(50));
    }
    for tried in stage.script.tried() {
        let within = |other: &&crate::script::Tried| other.at >= tried.at && other.at.since(tried.at) < SECOND;
        let count = stage.script.tried().iter().filter(within).count();
        assert!(count <= 20, "{count} in a second");
    }
    let lasted = stage.now().since(begun);
    assert!(lasted >= 6 * SECOND && lasted < 30 * SECOND, "{lasted:?}");
    // All of them have had their turns.
    let half: Vec<_> = stage.script.tried().into_iter().take(40).collect();
    assert!((0..4).all(|n| half.iter().filter(|tried| tried.place == format!("http://t{n}")).count() >= 5));
}

#[tokio::test]
async fn a_new_target_does_not_wait_for_slow_ones() {
    let mut declared: Vec<_> = (0..8).map(|n| hook(&format!("s{n}"), &["x"], &format!("http://slow{n}"))).collect();
    declared.push(hook("new", &["n"], "http://new"));
    let stage = Stage::start(Setup { delivery: limits(8, 2), ..setup(declared) }).await;
    stage.script.answer(|tried| match tried.place.as_str() {
        "http://new" => Reply::Now(delivered()),
        _ => Reply::After(2 * SECOND, delivered()),
    });
    stage.publish("x", &["a"]).await;
    while delivered_in_all(&stage) < 8 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        stage.advance(Duration::from_millis(500));
    }
    stage.publish("x", &["b", "c", "d"]).await;
    until("the slow ones have their half", || stage.script.in_flight() == 4).await;
    stage.publish("n", &["one", "two"]).await;
    until("the new one has all", || stage.script.count_at("http://new") == 2).await;
}

#[tokio::test]
async fn an_endpoint_leaves_half_of_its_target_to_others() {
    let declared = vec![hook("stuck", &["x"], "http://t/stuck"), hook("quick", &["y"], "http://t/quick")];
    let stage = Stage::start(Setup { delivery: limits(64, 8), ..setup(declared) }).await;
    stage.script.share(|_| "http://t".to_owned());
    stage.use_script();
    stage.script.answer(|tried| match tried.place.as_str() {
        "http://t/stuck" => Reply::Hang,
        _ => Reply::Now(delivered()),
    });
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    stage.publish("x", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    until("one has its half", || stage.script.in_flight() == 4).await;
    stage.quiet().await;
    stage.publish("y", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    until("the other has all", || stage.script.count_at("http://t/quick") == 20).await;
}
