//! Endpoints that are held or disabled, and what they share.

use std::time::Duration;

use tidings::engine::{Conditions as _, TargetDown};
use tidings::model::condition::Condition;
use tidings::model::notification::EndpointKind;
use tidings::model::subscription::HoldReason;
use tidings::model::target::{Role, Target};

use crate::stage::{DAY, MINUTE, Stage, mail, pushed, signing, told, webhook};
use crate::support::{declared, just_before};

const HELD: Condition = Condition::EndpointHeld;
const DISABLED: Condition = Condition::EndpointDisabled;

#[tokio::test]
async fn an_open_circuit_is_told_once_a_probe_has_failed_too() {
    let mut stage = Stage::with(vec![pushed("hook", &[])]).await;
    stage.hold("hook", HoldReason::CircuitOpen, 0).await;
    assert_eq!(stage.look().await, []);
    stage.hold("hook", HoldReason::CircuitOpen, 1).await;
    assert_eq!(stage.look().await, [told(HELD, "started", "hook")]);
}

#[tokio::test]
async fn what_is_gone_or_has_no_secret_is_told_at_once() {
    let mut stage = Stage::with(vec![pushed("gone", &[]), pushed("unsigned", &[])]).await;
    stage.hold("gone", HoldReason::EndpointDisabled, 0).await;
    assert_eq!(stage.look().await, [told(DISABLED, "started", "gone")]);
    stage.hold("unsigned", HoldReason::SecretExpired, 0).await;
    assert_eq!(stage.look().await, [told(HELD, "started", "unsigned")]);
    // What was held is gone now: the one ends, the other begins.
    stage.hold("unsigned", HoldReason::EndpointDisabled, 0).await;
    assert_eq!(stage.look().await, [told(HELD, "ended", "unsigned"), told(DISABLED, "started", "unsigned")]);
}

#[tokio::test]
async fn the_contacts_of_a_subscription_are_told_of_it_and_of_no_other() {
    let contact = mail("owner@example.com", Role::Contact);
    let other = mail("other@example.com", Role::Contact);
    let subscriber = mail("reader@example.com", Role::Subscriber);
    let mut stage = Stage::with(vec![pushed("hook", &[contact, subscriber]), pushed("other", &[other])]).await;
    stage.hold("hook", HoldReason::EndpointDisabled, 0).await;
    assert_eq!(stage.look().await, [told(DISABLED, "started", "hook")]);
    assert_eq!(stage.waiting("hook", 1), 1, "the contact");
    assert_eq!((stage.waiting("hook", 2), stage.waiting("other", 1), stage.waiting("hook", 0)), (0, 0, 0));
    stage.appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!((stage.waiting("hook", 1), stage.waiting("hook", 2)), (1, 1), "events are not for contacts");
    stage.recover("hook").await;
    stage.look().await;
    assert_eq!(stage.waiting("hook", 1), 2);
}

#[tokio::test]
async fn an_endpoint_that_is_removed_is_not_held_any_more() {
    let mut stage = Stage::with(vec![pushed("hook", &[])]).await;
    stage.hold("hook", HoldReason::CircuitOpen, 1).await;
    assert_eq!(stage.look().await.len(), 1);
    let mut settings = (*stage.appliance.engine.settings()).clone();
    settings.declared.retain(|declared| declared.id.as_str() != "hook");
    stage.appliance.engine.replace_settings(settings, || {}).await.unwrap();
    stage.appliance.engine.unsubscribe(tidings::model::subscription::ContractName::Polling, "hook").await.unwrap();
    assert_eq!(stage.look().await, [told(HELD, "ended", "hook")]);
}

fn relay_down(stage: &Stage) -> TargetDown {
    let (target, fault) = ("smtp://relay:25".to_owned(), "the login was refused".to_owned());
    TargetDown { kind: EndpointKind::Email, target, since: stage.now(), fault }
}

#[tokio::test]
async fn a_relay_that_is_down_is_told_of_by_its_own_name() {
    let mut stage = Stage::with(Vec::new()).await;
    let down = relay_down(&stage);
    stage.down.target_down(&down);
    stage.down.target_down(&down);
    let told_of = stage.look_whole().await;
    assert_eq!(told_of.len(), 1);
    assert!(told_of[0]["detail"].as_str().unwrap().contains("the login was refused"), "{told_of:?}");
    assert_eq!(stage.look_after(DAY).await, [told(HELD, "continues", "relay")]);
    stage.down.target_up(&down);
    assert_eq!(stage.look().await, [told(HELD, "ended", "relay")]);
}

#[tokio::test]
async fn after_a_restart_a_relay_is_given_time_to_show_that_it_works() {
    let mut stage = Stage::with(Vec::new()).await;
    let down = relay_down(&stage);
    stage.down.target_down(&down);
    assert_eq!(stage.look().await.len(), 1);
    stage = stage.restart().await;
    assert_eq!(stage.look().await, []);
    // It is found to be down again, since now as far as deliveries know.
    stage.advance(MINUTE);
    let again = relay_down(&stage);
    stage.down.target_down(&again);
    assert_eq!(stage.look().await, []);
    stage.down.target_up(&again);
    assert_eq!(stage.look_after(MINUTE).await, [], "it is early");
    assert_eq!(stage.look_after(Duration::from_mins(3)).await, [told(HELD, "ended", "relay")]);
}

#[tokio::test]
async fn the_last_secret_of_a_webhook_is_told_of_before_it_ends() {
    let signed = |id: &str, secrets| {
        let endpoints = vec![Target::Webhook(webhook(secrets))];
        tidings::model::subscription::SubscriptionDraft { endpoints, ..declared(id, "crm", &["301"]) }
    };
    let start = tidings::base::clock::Timestamp::parse_rfc3339(crate::support::START).unwrap();
    let end = |days: u32| Some(start.plus(days * DAY));
    let mut stage = Stage::with(vec![
        signed("last", vec![signing(end(10)), signing(end(40))]),
        signed("rotated", vec![signing(end(10)), signing(None)]),
    ])
    .await;
    let secret = |status| told(Condition::SecretExpiring, status, "last");
    assert_eq!(stage.look_after(just_before(10 * DAY)).await, []);
    assert_eq!(stage.look_after(Duration::from_millis(1)).await, [secret("started")]);
    let mut told_of = Vec::new();
    for day in 11..=41 {
        told_of.extend(stage.look_after(DAY).await.into_iter().map(|(_, status, _)| (day, status)));
    }
    let expected = [(33, "continues"), (39, "continues"), (40, "ended")];
    assert_eq!(told_of, expected.map(|(day, status)| (day, status.to_owned())));
}
