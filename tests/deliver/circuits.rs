//! Endpoints that fail, are gone, or cannot be sent to; targets that want a rest, or are down.

use std::time::Duration;

use tidings::engine::EndpointState;
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::model::target::{Ordering, Target};
use tidings::store::Store as _;

use crate::script::{Reply, delivered, down, gone, later, refused, rejected, unable, unavailable};
use crate::stage::{Stage, hook, mail, pushed, setup, webhook};
use crate::support::{Setup, until};

const MILLI: Duration = Duration::from_millis(1);

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:03}")).collect()
}

async fn publish(stage: &Stage, names: &[String]) {
    stage.publish("x", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// A stage whose endpoint `a` has just been shut by faults of five notifications; five more wait.
async fn shut() -> Stage {
    let stage = Stage::plain().await;
    stage.script.always(refused());
    publish(&stage, &numbered(10)).await;
    until("it is held", || stage.state("a") == EndpointState::Held).await;
    stage.settled().await;
    stage
}

/// Waits for the next probe, before which nothing is tried.
async fn probe(stage: &Stage) {
    let before = stage.script.count();
    stage.advance_to(stage.probe_at("a").minus(MILLI));
    stage.quiet().await;
    stage.advance(MILLI);
    stage.tried(before + 1).await;
}

#[tokio::test]
async fn faults_in_a_row_shut_an_endpoint_and_nothing_is_lost() {
    let stage = shut().await;
    let tried = stage.script.count();
    assert!((5..=10).contains(&tried), "{tried}");
    let held = stage.appliance.store_figures().sums.webhook.get(State::Held);
    assert_eq!(held, 10, "all of them are held");
    stage.quiet().await;
    let standing = stage.endpoint("a").standing;
    assert_eq!(standing.hold.as_ref().unwrap().reason, HoldReason::CircuitOpen);
    assert_eq!(standing.last_fault.as_deref(), Some("the script says connect-refused"));
    assert_eq!(stage.appliance.store.standing(stage.endpoint("a").number), standing, "it is kept");
    assert_eq!(stage.told.all(), [""; 0], "nobody is told before a probe has failed, too");
}

#[tokio::test]
async fn probes_come_with_pauses_that_double_and_cost_the_notifications_nothing() {
    let stage = shut().await;
    let mut last = stage.now();
    for pause in [5, 10, 20, 40, 80, 160, 300, 300].map(Duration::from_secs) {
        let after = stage.probe_at("a").since(last);
        assert!(after >= pause.mul_f64(0.9) && after <= pause.mul_f64(1.1), "{pause:?}: {after:?}");
        probe(&stage).await;
        last = stage.now();
    }
    assert_eq!(stage.endpoint("a").standing.hold.unwrap().probes, 8);
    assert_eq!(stage.told.all(), ["held http://a"], "once");
    for story in stage.stories("a").await {
        let real = story.push.attempts.iter().filter(|kept| !kept.attempt.probe).count();
        assert_eq!(story.push.tried as usize, real);
    }
}

#[tokio::test]
async fn a_probe_that_is_taken_brings_all_back_in_order_and_with_care() {
    let stage = shut().await;
    probe(&stage).await;
    stage.script.always(delivered());
    stage.script.forget();
    stage.advance_to(stage.probe_at("a"));
    // Ten a second, one at a time: all ten of them at once.
    stage.tried(10).await;
    assert_eq!(stage.script.most_at("http://a"), 1);
    let mut names = stage.script.names();
    names.remove(0);
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(stage.state("a"), EndpointState::Up);
    assert!(stage.endpoint("a").ramping);
    assert_eq!(stage.told.all(), ["held http://a", "recovered http://a"]);
    assert!(stage.ends("a").await.iter().all(|(state, _)| *state == State::Delivered));
    stage.advance(Duration::from_secs(70));
    assert!(!stage.endpoint("a").ramping);
}

#[tokio::test]
async fn the_ramp_doubles_what_may_be_sent_every_ten_seconds() {
    let stage = shut().await;
    stage.script.always(delivered());
    publish(&stage, &numbered(400)).await;
    stage.script.forget();
    stage.advance_to(stage.probe_at("a"));
    let begun = stage.now();
    while stage.script.count() < 410 {
        stage.advance(Duration::from_millis(100));
        assert!(stage.now().since(begun) < Duration::from_mins(1), "{}", stage.script.count());
        tokio::time::sleep(Duration::from_millis(2)).await;
        stage.settled().await;
    }
    let at: Vec<_> = stage.script.tried().iter().map(|tried| tried.at.since(begun)).collect();
    let until = |end: u64| at.iter().filter(|at| **at < Duration::from_secs(end)).count();
    // What a second gives may be there at once.
    assert!(until(1) <= 20 && until(10) <= 110 && until(20) <= 320, "{} {} {}", until(1), until(10), until(20));
    assert!(until(10) >= 50, "{}", until(10));
}

#[tokio::test]
async fn a_probe_that_is_refused_for_itself_shows_that_the_endpoint_is_there() {
    let stage = shut().await;
    stage.script.answer(|tried| Reply::Now(if tried.name == "000" { delivered() } else { rejected() }));
    stage.advance_to(stage.probe_at("a"));
    until("it is up", || stage.state("a") == EndpointState::Up).await;
}

#[tokio::test]
async fn one_notification_that_is_never_taken_does_not_shut_out_the_others() {
    let stage = Stage::plain().await;
    stage.script.answer(|tried| Reply::Now(if tried.name.starts_with("bad") { refused() } else { delivered() }));
    let bad: Vec<_> = (0..8).map(|n| format!("bad{n}")).collect();
    publish(&stage, &bad).await;
    until("it is held", || stage.state("a") == EndpointState::Held).await;
    stage.settled().await;
    for round in 0..4 {
        publish(&stage, &numbered(3).iter().map(|name| format!("{round}-{name}")).collect::<Vec<_>>()).await;
        // Whatever the bad ones do, the good ones are there within one probe's time.
        let hold = stage.endpoint("a").standing.hold;
        stage.advance_to(hold.and_then(|hold| hold.probe_at).unwrap_or(stage.now()));
        let all = |state: &[(State, Option<String>)]| {
            state.iter().filter(|(state, _)| *state == State::Delivered).count() == 3 * (round + 1)
        };
        let begun = std::time::Instant::now();
        while !all(&stage.ends("a").await) {
            assert!(begun.elapsed() < Duration::from_secs(10), "round {round}: {:?}", stage.ends("a").await);
            stage.advance(Duration::from_millis(100));
        }
        stage.settled().await;
    }
}

#[tokio::test]
async fn an_endpoint_that_waits_for_nothing_is_probed_with_the_next_that_comes() {
    let stage = Stage::start(Setup { ..setup(vec![hook("a", &["brief"], "http://a")]) }).await;
    stage.script.always(refused());
    let names = numbered(5);
    stage.publish("brief", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    until("it is held", || stage.state("a") == EndpointState::Held).await;
    stage.settled().await;
    stage.script.forget();
    stage.advance(Duration::from_mins(10));
    stage.quiet().await;
    stage.script.always(delivered());
    stage.publish("brief", &["new"]).await;
    stage.tried(1).await;
    assert_eq!(stage.state("a"), EndpointState::Up);
}

#[tokio::test]
async fn a_held_endpoint_is_held_after_a_restart_as_well() {
    let stage = shut().await;
    probe(&stage).await;
    let (standing, tried) = (stage.endpoint("a").standing, stage.script.count());
    let stage = stage.restart(setup(vec![hook("a", &["x", "brief"], "http://a")])).await;
    stage.quiet().await;
    assert_eq!((stage.state("a"), stage.endpoint("a").standing), (EndpointState::Held, standing));
    assert_eq!(stage.script.count(), tried);
    assert_eq!(stage.told.all(), ["held http://a", "held http://a"], "said again, since the same instant");
    stage.script.always(delivered());
    stage.advance_to(stage.probe_at("a"));
    stage.tried(tried + 10).await;
}

#[tokio::test]
async fn who_is_gone_is_left_alone_until_somebody_resumes_it() {
    let stage = Stage::plain().await;
    stage.script.always(gone());
    publish(&stage, &numbered(1)).await;
    stage.tried(1).await;
    assert_eq!((stage.state("a"), stage.told.all()), (EndpointState::Disabled, vec!["disabled http://a".to_owned()]));
    let story = stage.only("a").await;
    assert_eq!((story.view.state, story.view.reason.as_deref()), (State::Held, Some("endpoint-disabled")));
    assert_eq!(story.push.tried, 0, "it was not refused for what it is");
    stage.advance(Duration::from_hours(10));
    stage.quiet().await;
    let stage = stage.restart(setup(vec![hook("a", &["x"], "http://a")])).await;
    stage.quiet().await;
    stage.script.always(delivered());
    stage.appliance.engine.resume("a").await.unwrap();
    stage.tried(2).await;
    assert_eq!(stage.state("a"), EndpointState::Up);
    assert_eq!(stage.told.all().last().unwrap(), "recovered http://a");
}

#[tokio::test]
async fn resuming_ends_an_open_circuit_and_a_wish_for_quiet() {
    let stage = shut().await;
    stage.script.always(delivered());
    stage.appliance.engine.resume("a").await.unwrap();
    until("all is delivered", || stage.appliance.store_figures().sums.webhook.get(State::Delivered) == 10).await;
    stage.advance(Duration::from_secs(70));
    let tried = stage.script.count();
    stage.script.always(later(stage.now().plus(Duration::from_hours(5))));
    publish(&stage, &numbered(1)).await;
    stage.tried(tried + 1).await;
    publish(&stage, &numbered(1)).await;
    stage.quiet().await;
    stage.script.always(delivered());
    stage.appliance.engine.resume("a").await.unwrap();
    stage.tried(tried + 2).await;
}

#[tokio::test]
async fn who_has_no_valid_secret_is_looked_at_every_minute_and_no_try_is_noted() {
    let stage = Stage::plain().await;
    stage.script.always(unable());
    publish(&stage, &numbered(3)).await;
    until("it is held", || stage.state("a") == EndpointState::Held).await;
    stage.settled().await;
    assert_eq!(stage.endpoint("a").standing.hold.unwrap().reason, HoldReason::SecretExpired);
    assert_eq!(stage.told.all(), ["held http://a"]);
    stage.script.forget();
    for minute in 1..=5 {
        stage.advance(Duration::from_mins(1).saturating_sub(MILLI));
        stage.quiet().await;
        stage.advance(MILLI);
        stage.tried(minute).await;
    }
    for story in stage.stories("a").await {
        assert_eq!((story.push.attempts.len(), story.push.tried), (0, 0));
    }
    stage.script.always(delivered());
    stage.advance(Duration::from_mins(1));
    stage.tried(8).await;
    assert_eq!(stage.told.all(), ["held http://a", "recovered http://a"]);
}

/// Endpoints of one target, `http://t`, each for a type of its own.
async fn sharing(count: usize) -> Stage {
    let declared = (0..count).map(|n| hook(&format!("s{n}"), &["x"], &format!("http://t/{n}"))).collect();
    let stage = Stage::start(setup(declared)).await;
    stage.script.share(|_| "http://t".to_owned());
    stage.use_script();
    stage
}

#[tokio::test]
async fn a_target_that_is_tired_gets_a_rest_from_all_its_endpoints() {
    let stage = sharing(4).await;
    let until_then = stage.now().plus(Duration::from_secs(30));
    stage.script.always(unavailable(Some(until_then)));
    publish(&stage, &numbered(1)).await;
    until("they were tried", || stage.script.count() >= 1).await;
    stage.settled().await;
    assert_eq!(stage.endpoint("s0").shared.unwrap().rests_until, Some(until_then));
    let before = stage.script.count();
    publish(&stage, &numbered(5)).await;
    stage.advance_to(until_then.minus(MILLI));
    stage.quiet().await;
    stage.script.answer(|_| Reply::After(Duration::from_secs(1), delivered()));
    stage.advance(MILLI);
    // One at a time at first, and one more with each success.
    for wanted in [1, 2, 4] {
        until(&format!("{wanted} at a time"), || stage.script.in_flight() == wanted).await;
        stage.quiet().await;
        stage.advance(Duration::from_secs(1));
    }
    assert!(stage.script.count() > before);
}

#[tokio::test]
async fn a_relay_that_is_down_holds_all_mail_and_costs_no_tries() {
    let addresses = ["a@x", "b@x", "c@x"];
    let stage = Stage::start(setup(vec![pushed("m", &["x"], addresses.map(mail).to_vec())])).await;
    stage.script.share(|_| "relay".to_owned());
    stage.use_script();
    stage.script.always(down());
    publish(&stage, &numbered(2)).await;
    until("it is down", || stage.endpoint("m").shared.unwrap().down.is_some()).await;
    stage.settled().await;
    let mut last = stage.now();
    for pause in [5, 10, 20].map(Duration::from_secs) {
        let until = stage.endpoint("m").shared.unwrap().rests_until.unwrap();
        assert!(until.since(last) >= pause.mul_f64(0.9) && until.since(last) <= pause.mul_f64(1.1));
        let before = stage.script.count();
        stage.advance_to(until.minus(MILLI));
        stage.quiet().await;
        stage.advance(MILLI);
        stage.tried(before + 1).await;
        last = stage.now();
    }
    assert_eq!(stage.told.all(), ["down relay"]);
    for story in stage.stories("m").await {
        assert_eq!((story.view.state, story.push.tried), (State::Queued, 0));
    }
    for endpoint in stage.endpoints("m") {
        assert_eq!((endpoint.state, endpoint.standing.failures), (EndpointState::Up, 0));
    }
    stage.script.always(delivered());
    stage.advance_to(stage.endpoint("m").shared.unwrap().rests_until.unwrap());
    until("all is delivered", || stage.appliance.store_figures().sums.email.get(State::Delivered) == 6).await;
    assert_eq!(stage.told.all(), ["down relay", "up relay"]);
}

#[tokio::test]
async fn who_is_paused_is_shown_so_whatever_else_it_is() {
    let stage = shut().await;
    stage.appliance.engine.pause("a").await.unwrap();
    assert_eq!(stage.state("a"), EndpointState::Paused);
    stage.advance(Duration::from_mins(10));
    stage.quiet().await;
    let text = stage.metrics();
    assert!(text.contains(r#"tidings_delivery_endpoints{kind="webhook",state="paused"} 1"#), "{text}");
    assert!(text.contains(r#"tidings_delivery_endpoints{kind="webhook",state="held"} 0"#), "{text}");
}

#[tokio::test]
async fn while_a_probe_is_under_way_that_is_shown() {
    let stage = shut().await;
    stage.script.answer(|_| Reply::Hang);
    stage.advance_to(stage.probe_at("a"));
    until("it is probed", || stage.state("a") == EndpointState::Probing).await;
    assert_eq!(stage.endpoint("a").in_flight, 1);
}

/// contracts/management.md, "Create": `errorStrategy` `ignore`.
#[tokio::test]
async fn an_endpoint_without_retries_has_one_try_for_each_and_what_is_held_has_it_later() {
    let mut target = webhook("http://a", Ordering::Relaxed);
    let Target::Webhook(once) = &mut target else { unreachable!() };
    once.retries = false;
    let stage = Stage::start(setup(vec![pushed("a", &["x"], vec![target])])).await;
    stage.script.always(refused());
    publish(&stage, &numbered(1)).await;
    stage.tried(1).await;
    let failed = (State::Failed, Some("not-retried".to_owned()));
    assert_eq!(stage.ends("a").await, std::slice::from_ref(&failed));
    stage.advance(Duration::from_hours(24));
    stage.quiet().await;

    // Four more open the circuit: what comes then is held, and has its try when the endpoint is there again.
    for name in numbered(4) {
        let before = stage.script.count();
        publish(&stage, &[name]).await;
        stage.tried(before + 1).await;
    }
    assert_eq!(stage.state("a"), EndpointState::Held);
    publish(&stage, &numbered(3)).await;
    stage.quiet().await;
    assert_eq!(stage.ends("a").await[5..], vec![(State::Held, Some("circuit-open".to_owned())); 3]);
    // A probe is the try of the one that it is made with.
    probe(&stage).await;
    assert_eq!(stage.ends("a").await.iter().filter(|end| **end == failed).count(), 6);
    stage.script.always(delivered());
    stage.advance_to(stage.probe_at("a"));
    until("all had their try", || stage.script.count() == 8).await;
    stage.settled().await;
    let ends = stage.ends("a").await;
    assert_eq!(ends.iter().filter(|(state, _)| *state == State::Delivered).count(), 2);
    let mut names: Vec<_> = stage.script.tried().iter().map(|tried| tried.id).collect();
    names.dedup();
    assert_eq!(names.len(), 8, "none was tried twice");
}

#[tokio::test]
async fn an_endpoint_without_retries_that_is_gone_has_had_its_try() {
    let mut target = webhook("http://a", Ordering::Relaxed);
    let Target::Webhook(once) = &mut target else { unreachable!() };
    once.retries = false;
    let stage = Stage::start(setup(vec![pushed("a", &["x"], vec![target])])).await;
    stage.script.always(gone());
    publish(&stage, &numbered(1)).await;
    stage.tried(1).await;
    publish(&stage, &numbered(1)).await;
    stage.quiet().await;
    let ends: Vec<_> = stage.ends("a").await.into_iter().map(|(state, _)| state).collect();
    assert_eq!(ends, [State::Failed, State::Held]);
}
