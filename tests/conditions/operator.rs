//! Mail to the operator, and that no news makes more news.

use tidings::model::condition::{Condition, OPERATOR_CLIENT, OPERATOR_SUBSCRIPTION};
use tidings::model::notification::State;
use tidings::model::subscription::{HoldReason, SubscriptionDraft};
use tidings::model::target::Role;
use tidings::store::Store as _;

use crate::stage::{DAY, HOUR, Stage, mail, pushed, told, watcher};
use crate::support::client::Call;
use crate::support::{Setup, event_type};

fn operator() -> SubscriptionDraft {
    SubscriptionDraft {
        filter: None,
        expires_at: None,
        holders: Vec::new(),
        organisation: None,
        profile: None,
        id: OPERATOR_SUBSCRIPTION.into(),
        client_id: OPERATOR_CLIENT.into(),
        endpoints: vec![mail("ops@example.com", Role::Subscriber), mail("night@example.com", Role::Subscriber)],
        ..watcher()
    }
}

#[tokio::test]
async fn what_is_told_waits_for_mail_as_any_notification() {
    let mut stage = Stage::with(vec![operator(), pushed("hook", &[])]).await;
    stage.hold("hook", HoldReason::CircuitOpen, 1).await;
    stage.look().await;
    stage.look_after(DAY).await;
    stage = stage.restart().await;
    stage.recover("hook").await;
    stage.look().await;
    assert_eq!((stage.waiting(OPERATOR_SUBSCRIPTION, 0), stage.waiting(OPERATOR_SUBSCRIPTION, 1)), (3, 3));
}

#[tokio::test]
async fn it_needs_no_word_of_the_catalogue() {
    let setup = Setup { closed: true, event_types: vec![event_type("301")], ..Setup::default() };
    let mut stage = Stage::of(Setup { declared: vec![operator(), pushed("hook", &[])], ..setup }).await;
    stage.hold("hook", HoldReason::CircuitOpen, 1).await;
    assert_eq!(stage.look().await, [told(Condition::EndpointHeld, "started", "hook")]);
}

/// An address of the operator's own that does not work: every day adds one telling, and what expires adds none.
#[tokio::test]
async fn news_that_cannot_be_delivered_make_no_further_news() {
    let mut stage = Stage::with(vec![operator()]).await;
    stage.hold(OPERATOR_SUBSCRIPTION, HoldReason::CircuitOpen, 1).await;
    let mut told_of = Vec::new();
    for _ in 0..30 * 24 {
        told_of.extend(stage.look_after(HOUR).await);
        while stage.appliance.store.sweep().await.unwrap().more {}
    }
    assert_eq!(told_of.len(), 30, "{told_of:?}");
    assert!(told_of.iter().all(|(condition, ..)| condition == "tidings.endpoint.held"), "{told_of:?}");
    let sums = stage.appliance.store.subscription_sums();
    let own = sums.iter().find(|sums| sums.id.as_str() == OPERATOR_SUBSCRIPTION).unwrap();
    assert!(own.sums.get(State::Expired) > 40, "{own:?}");
}

#[tokio::test]
async fn through_an_api_nobody_subscribes_to_it_or_publishes_it() {
    let stage = Stage::with(Vec::new()).await;
    let body = r#"{"event_type_ids": ["301", "tidings.endpoint.held"], "client_id": "crm"}"#;
    let refused = stage.appliance.send(Call::post("/notification/v1/subscriptions", "erp", body)).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("tidings.endpoint.held"), "{}", refused.text());
    let event = r#"{"type": "tidings.endpoint.held"}"#;
    stage.appliance.send(Call::post("/v1/events", "crm", event)).await.expect(403);
}
