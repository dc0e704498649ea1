//! Who is told, where and when.

use std::time::Duration;

use serde_json::json;
use tidings::base::clock::Timestamp;
use tidings::model::notification::EndpointKind;
use tidings::model::profile::Hours;
use tidings::model::subscription::SubscriptionDraft;
use tidings::model::target::Target;
use tidings::store::Store as _;

use crate::stage::{ACME, added, command, customer, setup, webhook, with_key};
use crate::support::{Appliance, Setup};

fn with(draft: SubscriptionDraft) -> Setup {
    Setup { declared: vec![draft], ..setup() }
}

#[tokio::test]
async fn the_first_channel_that_has_an_address_is_used_alone() {
    use EndpointKind::{Email, Poll, Webhook};
    for (channels, targets, expected) in [
        (vec![Email, Webhook], vec![webhook()], Some("webhook")),
        (vec![Webhook, Email], vec![webhook()], Some("webhook")),
        (vec![Poll, Webhook], vec![webhook(), Target::Poll], Some("poll")),
        (vec![Email], vec![webhook()], None),
        (Vec::new(), vec![webhook()], None),
    ] {
        let mut draft = customer("c-1", "42");
        draft.endpoints = targets;
        draft.profile.as_mut().unwrap().channels = channels.clone();
        let appliance = Appliance::start(with(draft)).await;
        let status = appliance.send(command(added(&json!({"customerId": "42"})))).await.status;
        let kinds: Vec<_> = appliance.notifications().await.iter().map(|n| n["kind"].clone()).collect();
        match expected {
            Some(kind) => assert_eq!((status, kinds), (200, vec![json!(kind)]), "{channels:?}"),
            None => assert_eq!((status, kinds.len()), (404, 0), "{channels:?}"),
        }
    }
}

#[tokio::test]
async fn the_first_key_that_a_customer_carries_finds_it() {
    let mut setup = setup();
    let mut second = customer("c-2", "unused");
    second.profile.as_mut().unwrap().keys = [("msisdn".to_owned(), "+3361234".to_owned())].into();
    setup.declared.push(second);
    let appliance = Appliance::start(setup).await;
    appliance.trigger(&json!({"msisdn": "+3361234", "customerId": "42"})).await;
    appliance.trigger(&json!({"msisdn": "+3361234", "customerId": "nobody"})).await;
    let told: Vec<_> = appliance.notifications().await.iter().map(|n| n["subscription"].clone()).collect();
    assert_eq!(told, [json!("customer/c-1"), json!("customer/c-2")]);
}

#[tokio::test]
async fn a_key_finds_only_customers_of_its_own_organisation() {
    let appliance = Appliance::start(setup()).await;
    let body = added(&json!({"customerId": "42"}));
    appliance.send(with_key(ACME, body.clone())).await.expect(404);
    let mut theirs = customer("c-1", "42");
    theirs.organisation = Some("acme".to_owned());
    let appliance = Appliance::start(with(theirs)).await;
    appliance.send(command(body.clone())).await.expect(404);
    appliance.send(with_key(ACME, body)).await.expect(200);
}

#[tokio::test]
async fn outside_the_hours_it_is_held_until_they_begin_unless_it_is_urgent() {
    let mut draft = customer("c-1", "42");
    let profile = draft.profile.as_mut().unwrap();
    // It is 10:00 in UTC, 05:00 in Toronto: the hours begin in three hours there.
    profile.time_zone = Some("America/Toronto".to_owned());
    profile.hours = Some(Hours { from: 8 * 60, to: 20 * 60 });
    let appliance = Appliance::start(with(draft)).await;
    appliance.trigger(&json!({"customerId": "42"})).await;
    let held = appliance.notifications().await;
    assert_eq!(held[0]["state"], "held", "{held:?}");
    let deadline = |held: &serde_json::Value| Timestamp::parse_rfc3339(held["deadline"].as_str().unwrap()).unwrap();
    let begin = Timestamp::parse_rfc3339("2026-11-22T13:00:00Z").unwrap();
    assert_eq!(deadline(&held[0]), begin.plus(Duration::from_hours(96)), "time held does not count");
    let body = json!({"type": "powerFailure", "parameters": {"customerId": "42"}}).to_string();
    appliance.send(command(body)).await.expect(200);
    assert_eq!(appliance.notifications().await[1]["state"], "queued");
    appliance.clock.advance(Duration::from_mins(179));
    assert_eq!(appliance.notifications().await[0]["state"], "held");
    appliance.clock.advance(Duration::from_mins(1));
    appliance.store.sweep().await.unwrap();
    assert_eq!(appliance.notifications().await[0]["state"], "queued");
}

#[tokio::test]
async fn hours_go_over_midnight_and_without_a_zone_by_the_site_s() {
    let mut draft = customer("c-1", "42");
    draft.profile.as_mut().unwrap().hours = Some(Hours { from: 22 * 60, to: 6 * 60 });
    let mut setup = with(draft);
    setup.delivery.time_zone = jiff::tz::TimeZone::get("Pacific/Auckland").unwrap();
    // It is 23:00 there.
    let appliance = Appliance::start(setup.clone()).await;
    appliance.trigger(&json!({"customerId": "42"})).await;
    assert_eq!(appliance.notifications().await[0]["state"], "queued");
    setup.delivery.time_zone = jiff::tz::TimeZone::UTC;
    let appliance = appliance.restart(setup).await;
    appliance.trigger(&json!({"customerId": "42", "n": 2})).await;
    assert_eq!(appliance.notifications().await[1]["state"], "held");
}
