//! Who gets an event, and until when.

use std::time::Duration;

use tidings::model::notification::{EndpointKind, State};
use tidings::store::Store as _;

use crate::support::client::{Call, notifications};
use crate::support::{Appliance, Setup, event_type};

#[tokio::test]
async fn an_audience_reaches_only_clients_that_share_an_owner() {
    let setup = Setup::default();
    let appliance = Appliance::start(setup.clone()).await;
    let crm = appliance.subscribe("crm", &["301"]).await;
    let erp = appliance.subscribe("erp", &["301"]).await;
    let matched = async |audience: &str| {
        appliance.publish(&format!(r#"{{"type":"301","audience":"{audience}"}}"#)).await["matched"].clone()
    };
    assert_eq!(matched("1001").await, 1);
    assert_eq!(matched("7, 1001 ,8").await, 1);
    assert_eq!(matched("100").await, 0);
    assert_eq!(appliance.publish(r#"{"type":"301"}"#).await["matched"], 2);
    assert_eq!(appliance.publish(r#"{"type":"301","audience":null}"#).await["matched"], 2);
    assert_eq!(appliance.poll(&crm).await.len(), 4);
    let page = appliance.send(Call::get(&notifications(&erp), "erp")).await.expect(200).json();
    assert_eq!(page["results"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn owners_are_looked_up_when_an_event_is_matched() {
    let setup = Setup::default();
    let appliance = Appliance::start(setup.clone()).await;
    appliance.subscribe("crm", &["301"]).await;
    let event = r#"{"type":"301","audience":"2002"}"#;
    assert_eq!(appliance.publish(event).await["matched"], 0);
    let mut changed = setup;
    changed.clients[0].2 = &["2002"];
    let appliance = appliance.restart(changed).await;
    assert_eq!(appliance.publish(event).await["matched"], 1);
    assert_eq!(appliance.publish(r#"{"type":"301","audience":"1001"}"#).await["matched"], 0);
}

#[tokio::test]
async fn a_type_that_may_not_be_polled_reaches_no_queue() {
    let appliance = Appliance::plain().await;
    appliance.subscribe("crm", &["301"]).await;
    let mut pushed = event_type("301");
    pushed.channels = Some(vec![EndpointKind::Webhook]);
    let appliance = appliance.restart(Setup { event_types: vec![pushed], ..Setup::default() }).await;
    let receipt = appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!((&receipt["matched"], &receipt["notifications"]["poll"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn an_expirytime_ends_it_early_and_one_in_the_past_is_accepted_and_expired() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let past = appliance.publish(r#"{"type":"301","expirytime":"2026-11-22T09:59:59Z"}"#).await;
    assert_eq!((&past["matched"], &past["expires"]), (&1.into(), &"2026-11-22T09:59:59.000Z".into()));
    let soon = appliance.publish(r#"{"type":"301","expirytime":"2026-11-22T11:30:00+01:00"}"#).await;
    assert_eq!(soon["expires"], "2026-11-22T10:30:00.000Z");
    let late = appliance.publish(r#"{"type":"301","expirytime":"2030-01-01T00:00:00Z"}"#).await;
    assert_eq!(late["expires"], "2026-11-22T16:00:00.250Z");
    // What many write for "never", and the last instant of .NET.
    for never in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z"] {
        let event = format!(r#"{{"type":"302","expirytime":"{never}"}}"#);
        assert_eq!(appliance.publish(&event).await["matched"], 0);
    }
    appliance.clock.advance(Duration::from_mins(30));
    assert_eq!(appliance.poll(&id).await.len(), 1);
    while appliance.store.sweep().await.unwrap().more {}
    let sums = appliance.store.figures().sums.poll;
    assert_eq!((sums.get(State::Expired), sums.get(State::Consumed), sums.created), (2, 1, 3));
    assert!(sums.is_conserved());
}
