//! Subscriptions, settings and channels that change while things are sent.

use std::time::Duration;

use tidings::engine::{Channels, EndpointState};
use tidings::model::notification::State;
use tidings::model::subscription::SubscriptionDraft;
use tidings::store::{Store as _, SubscriptionChange};

use crate::script::{Reply, delivered, refused, unable};
use crate::stage::{Stage, hook, mail, pushed, setup};
use crate::support::until;

async fn change(stage: &Stage, change: SubscriptionChange) {
    stage.appliance.store.change_subscriptions(vec![change]).await.unwrap();
}

async fn update(stage: &Stage, draft: SubscriptionDraft) {
    change(stage, SubscriptionChange::Update(draft)).await;
}

#[tokio::test]
async fn a_new_endpoint_is_sent_to_at_once_and_one_that_is_gone_is_not() {
    let stage = Stage::plain().await;
    change(&stage, SubscriptionChange::Create(hook("b", &["x"], "http://b"))).await;
    stage.publish("x", &["one"]).await;
    stage.tried(2).await;
    stage.script.answer(|_| Reply::After(Duration::from_secs(1), delivered()));
    stage.publish("x", &["two"]).await;
    until("they are sent", || stage.script.in_flight() == 2).await;
    change(&stage, SubscriptionChange::Remove("a".into())).await;
    stage.publish("x", &["three"]).await;
    until("it is sent", || stage.script.in_flight() == 3).await;
    stage.advance(Duration::from_secs(1));
    stage.settled().await;
    assert_eq!((stage.script.count_at("http://a"), stage.script.count_at("http://b")), (2, 3));
    assert!(stage.endpoints("a").is_empty());
    until("only one is shown", || {
        stage.metrics().contains(r#"tidings_delivery_endpoints{kind="webhook",state="up"} 1"#)
    })
    .await;
}

#[tokio::test]
async fn what_is_in_flight_goes_on_when_a_url_changes_and_the_rest_goes_to_the_new_one() {
    let stage = Stage::plain().await;
    stage.script.answer(|_| Reply::After(Duration::from_secs(1), delivered()));
    stage.publish("x", &["one"]).await;
    until("it is sent", || stage.script.in_flight() == 1).await;
    update(&stage, hook("a", &["x"], "http://new")).await;
    stage.publish("x", &["two"]).await;
    until("the next is sent", || stage.script.count_at("http://new") == 1).await;
    stage.advance(Duration::from_secs(1));
    stage.settled().await;
    assert!(stage.ends("a").await.iter().all(|(state, _)| *state == State::Delivered));
    assert_eq!(stage.script.count(), 2);
}

#[tokio::test]
async fn an_endpoint_that_is_held_is_tried_at_once_when_it_changes() {
    let stage = Stage::plain().await;
    stage.script.always(unable());
    stage.publish("x", &["one"]).await;
    until("it is held", || stage.state("a") == EndpointState::Held).await;
    stage.settled().await;
    stage.script.always(delivered());
    update(&stage, hook("a", &["x"], "http://new")).await;
    until("it is delivered", || stage.appliance.store_figures().sums.webhook.get(State::Delivered) == 1).await;
}

#[tokio::test]
async fn without_a_channel_what_is_for_it_waits_and_then_is_sent() {
    let stage = Stage::start(setup(vec![pushed("m", &["x"], vec![mail("a@x")]), hook("a", &["x"], "http://a")])).await;
    stage.appliance.engine.use_channels(Channels { webhooks: Some(stage.script.clone()), email: None });
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    stage.quiet().await;
    assert_eq!((stage.script.count_at("a@x"), stage.ends("m").await[0].0), (0, State::Queued));
    stage.use_script();
    stage.tried(2).await;
    assert_eq!(stage.script.count_at("a@x"), 1);
}

#[tokio::test]
async fn a_new_schedule_holds_for_what_fails_from_then_on() {
    let stage = Stage::plain().await;
    stage.script.always(refused());
    let mut settings = (*stage.appliance.engine.settings()).clone();
    settings.delivery.webhooks.schedule = vec![Duration::from_hours(1)];
    stage.appliance.engine.replace_settings(settings, || stage.use_script()).await.unwrap();
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    assert!(stage.due("a").await.since(stage.now()) >= Duration::from_mins(54));
}

#[tokio::test]
async fn a_notification_that_is_cancelled_is_not_tried_again() {
    let stage = Stage::plain().await;
    stage.script.always(refused());
    stage.publish("x", &["one"]).await;
    stage.tried(1).await;
    let story = stage.only("a").await;
    stage.appliance.engine.cancel(story.view.id, "test", false).await.unwrap();
    stage.advance(Duration::from_hours(1));
    stage.quiet().await;
}

#[tokio::test]
async fn attempts_are_counted_and_timed() {
    let stage = Stage::plain().await;
    stage
        .script
        .answer(|tried| Reply::After(Duration::from_secs(1), if tried.attempt == 1 { refused() } else { delivered() }));
    stage.publish("x", &["one"]).await;
    until("it is sent", || stage.script.in_flight() == 1).await;
    assert!(stage.metrics().contains(r#"tidings_delivery_in_flight{kind="webhook"} 1"#));
    stage.advance(Duration::from_secs(1));
    stage.tried(1).await;
    stage.advance_to(stage.due("a").await);
    until("it is sent", || stage.script.in_flight() == 1).await;
    stage.advance(Duration::from_secs(1));
    stage.tried(2).await;
    let text = stage.metrics();
    for line in [
        r#"tidings_delivery_attempts_total{kind="webhook",outcome="fault",reason="connect-refused"} 1"#,
        r#"tidings_delivery_attempts_total{kind="webhook",outcome="delivered",reason="status-200"} 1"#,
        r#"tidings_delivery_attempt_duration_seconds_sum{kind="webhook"} 2.0"#,
        r#"tidings_delivery_first_attempt_delay_seconds_count{kind="webhook"} 1"#,
        r#"tidings_delivery_delay_seconds_count{kind="webhook"} 1"#,
        r#"tidings_delivery_in_flight{kind="webhook"} 0"#,
        "tidings_delivery_overdue_seconds 0.0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    stage.appliance.engine.use_channels(Channels::default());
    stage.publish("x", &["late"]).await;
    stage.advance(Duration::from_secs(7));
    assert!(stage.metrics().contains("tidings_delivery_overdue_seconds 7.0"), "{}", stage.metrics());
}
