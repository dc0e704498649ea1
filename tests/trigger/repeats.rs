//! The upstream repeats what it has had no answer to, up to five times, three minutes apart.

use std::time::Duration;

use serde_json::json;
use tidings::store::Store as _;

use crate::stage::{ACME, added, command, customer, setup, with_key};
use crate::support::Appliance;
use crate::support::just_before;

#[tokio::test]
async fn the_same_command_five_times_sends_once_over_a_restart_too() {
    let appliance = Appliance::start(setup()).await;
    appliance.trigger(&json!({"customerId": "42", "product": {"id": 1, "name": "Movies"}})).await;
    appliance.clock.advance(Duration::from_mins(3));
    appliance.trigger(&json!({"product": {"name": "Movies", "id": 1}, "customerId": "42"})).await;
    let mut appliance = appliance.restart(setup()).await;
    for _ in 0..3 {
        appliance.clock.advance(Duration::from_mins(3));
        appliance.trigger(&json!(r#"{"product": {"name": "Movies", "id": 1}, "customerId": "42"}"#)).await;
        appliance = appliance.restart(setup()).await;
    }
    let notifications = appliance.notifications().await;
    assert_eq!((notifications.len(), appliance.store.figures().accepted), (1, 1));
    let story = appliance.story(&notifications[0]).await;
    assert_eq!((&story["repeated"]["times"], story["repeated"]["last"].is_string()), (&json!(4), true), "{story}");
}

#[tokio::test]
async fn a_window_has_both_sides_and_zero_is_none() {
    let window = Duration::from_mins(20);
    let appliance = Appliance::start(setup()).await;
    let parameters = json!({"customerId": "42"});
    appliance.trigger(&parameters).await;
    appliance.clock.advance(just_before(window));
    appliance.trigger(&parameters).await;
    assert_eq!(appliance.notifications().await.len(), 1);
    appliance.clock.advance(Duration::from_millis(2));
    appliance.trigger(&parameters).await;
    assert_eq!(appliance.notifications().await.len(), 2);
    let mut none = setup();
    none.trigger.as_mut().unwrap().repeat_window = Duration::ZERO;
    let appliance = Appliance::start(none).await;
    appliance.trigger(&parameters).await;
    appliance.trigger(&parameters).await;
    assert_eq!(appliance.notifications().await.len(), 2);
}

#[tokio::test]
async fn another_key_type_parameter_or_trace_is_another_command() {
    let mut setup = setup();
    let mut theirs = customer("c-2", "42");
    theirs.organisation = Some("acme".to_owned());
    setup.declared.push(theirs);
    let appliance = Appliance::start(setup).await;
    let body = added(&json!({"customerId": "42"}));
    let traced = |trace: &str| command(body.clone()).header("x-b3-traceid", trace);
    appliance.send(traced("463ac35c9f6413ad48485a3953bb6124")).await.expect(200);
    // A repeat without a trace is one, and one with the same.
    appliance.send(command(body.clone())).await.expect(200);
    appliance.send(traced("463ac35c9f6413ad48485a3953bb6124")).await.expect(200);
    assert_eq!(appliance.notifications().await.len(), 1);
    appliance.send(with_key(ACME, body.clone())).await.expect(200);
    assert_eq!(appliance.notifications().await.len(), 2);
    appliance.send(command(body.replace("Added", "Updated"))).await.expect(200);
    appliance.send(command(body.replace("42\"", "42\",\"n\":1"))).await.expect(200);
    assert_eq!(appliance.notifications().await.len(), 4);
    appliance.send(traced("563ac35c9f6413ad48485a3953bb6124")).await.expect(200);
    assert_eq!(appliance.notifications().await.len(), 5);
}
