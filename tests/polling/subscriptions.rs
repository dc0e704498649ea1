//! Making, reading and ending subscriptions; those that the files declare.

use std::time::Duration;

use serde_json::json;
use tidings::api::polling::UnknownMembers;
use tidings::engine::ProvisionError;

use crate::support::client::{Call, notifications, subscription};
use crate::support::{Appliance, PUBLIC_URL, Setup, declared};

const SUBSCRIPTIONS: &str = "/notification/v1/subscriptions";

#[tokio::test]
async fn a_new_subscription_is_shown_as_the_contract_says() {
    let appliance = Appliance::plain().await;
    let body = r#"{"event_type_ids": ["301", "404"], "client_id": "crm"}"#;
    let made = appliance.send(Call::post(SUBSCRIPTIONS, "erp", body)).await.expect(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
    assert_eq!(made.header("location"), Some(format!("{PUBLIC_URL}{}", subscription(&id)).as_str()));
    let expected = json!({
        "id": id,
        "subscription": {
            "client_id": "crm",
            "event_type_ids": ["301", "404"],
            "subscribed_by": "erp",
            "subscription_date": "2026-11-22T10:00:00Z",
            "notification_url": format!("{PUBLIC_URL}{}", notifications(&id)),
            "notification_page_size": 100,
        },
        "subscription_status": {"number_of_remaining_notifications": 0},
    });
    assert_eq!(made.json(), expected);
    let read = appliance.send(Call::get(&subscription(&id), "crm")).await.expect(200);
    assert_eq!(read.json(), expected);
}

#[tokio::test]
async fn its_status_is_live() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let status = async || {
        let read = appliance.send(Call::get(&subscription(&id), "crm")).await.expect(200);
        read.json()["subscription_status"].clone()
    };
    for _ in 0..3 {
        appliance.publish(r#"{"type":"301"}"#).await;
    }
    assert_eq!(status().await, json!({"number_of_remaining_notifications": 3}));
    appliance.clock.advance(Duration::from_hours(3));
    appliance.send(Call::get(&format!("{}?size=1", notifications(&id)), "crm")).await.expect(200);
    assert_eq!(
        status().await,
        json!({"last_request_date": "2026-11-22T13:00:00Z", "number_of_remaining_notifications": 2})
    );
    appliance.clock.advance(Duration::from_hours(3));
    assert_eq!(status().await["number_of_remaining_notifications"], 0, "expired, though not swept");
}

#[tokio::test]
async fn the_same_client_may_subscribe_twice_and_each_gets_its_own() {
    let appliance = Appliance::plain().await;
    let (one, two) = (appliance.subscribe("crm", &["301"]).await, appliance.subscribe("crm", &["301"]).await);
    assert_ne!(one, two);
    let receipt = appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!(receipt["matched"], 2);
    assert_eq!((appliance.poll(&one).await.len(), appliance.poll(&two).await.len()), (1, 1));
}

#[tokio::test]
async fn a_deleted_subscription_is_gone_at_once() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    let gone = appliance.send(Call::delete(&subscription(&id), "erp")).await.expect(204);
    assert!(gone.body.is_empty());
    for call in [
        Call::get(&subscription(&id), "crm"),
        Call::get(&notifications(&id), "crm"),
        Call::delete(&subscription(&id), "crm"),
    ] {
        appliance.send(call).await.expect(404);
    }
    assert_eq!(appliance.publish(r#"{"type":"301"}"#).await["matched"], 0);
}

#[tokio::test]
async fn unknown_members_are_ignored_and_counted_or_refused() {
    let body = r#"{"event_type_ids":["301"],"client_id":"crm","colour":"red","size":{"a":[1]}}"#;
    let appliance = Appliance::plain().await;
    appliance.send(Call::post(SUBSCRIPTIONS, "crm", body)).await.expect(201);
    let counted = "tidings_api_ignored_members_total{contract=\"polling\"} 2\n";
    assert!(appliance.metrics().contains(counted), "{}", appliance.metrics());
    let strict = Setup { unknown_members: UnknownMembers::Refuse, ..Setup::default() };
    let appliance = Appliance::start(strict).await;
    let refused = appliance.send(Call::post(SUBSCRIPTIONS, "crm", body)).await.expect(400).json();
    let description = refused["description"].as_str().unwrap();
    assert!(description.contains("colour: ") && description.contains("size: "), "{description}");
}

#[tokio::test]
async fn a_declared_subscription_is_there_without_a_call() {
    let setup = Setup { declared: vec![declared("größe-1", "crm", &["301"])], ..Setup::default() };
    let appliance = Appliance::start(setup).await;
    let read = appliance.send(Call::get(&subscription("gr%C3%B6%C3%9Fe-1"), "crm")).await.expect(200).json();
    assert_eq!(read["id"], "größe-1");
    assert_eq!(read["subscription"]["subscribed_by"], "configuration");
    let url = read["subscription"]["notification_url"].as_str().unwrap();
    assert_eq!(url, format!("{PUBLIC_URL}{}", notifications("gr%C3%B6%C3%9Fe-1")));
    appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!(appliance.poll("gr%C3%B6%C3%9Fe-1").await.len(), 1);
}

#[tokio::test]
async fn what_the_files_say_at_a_start_is_what_holds() {
    let with = |declared| Setup { declared, ..Setup::default() };
    let appliance = Appliance::start(with(vec![declared("a", "crm", &["301"]), declared("b", "crm", &["301"])])).await;
    appliance.publish(r#"{"type":"301","id":"first"}"#).await;
    let appliance = appliance.restart(with(vec![declared("a", "crm", &["302"])])).await;
    assert_eq!(appliance.publish(r#"{"type":"301"}"#).await["matched"], 0);
    assert_eq!(appliance.publish(r#"{"type":"302","id":"second"}"#).await["matched"], 1);
    let ids = |page: Vec<serde_json::Value>| page.iter().map(|e| e["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(appliance.poll("a").await), ["first", "second"]);
    assert_eq!(ids(appliance.poll("b").await), ["first"], "what waited when it was taken out");
    assert_eq!(appliance.engine.provision().await.unwrap(), tidings::engine::Provisioned::default());
    appliance.send(Call::delete(&subscription("b"), "crm")).await.expect(204);
    let appliance = appliance.restart(with(vec![declared("a", "crm", &["302"]), declared("b", "crm", &["302"])])).await;
    assert_eq!(appliance.publish(r#"{"type":"302"}"#).await["matched"], 2);
}

#[tokio::test]
async fn an_id_that_an_api_gave_out_cannot_be_declared() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let settings = tidings::engine::EngineSettings {
        limits: tidings::engine::ClientLimits::default(),
        delivery: tidings::engine::DeliverySettings::default(),
        catalogue: appliance.engine.settings().catalogue.clone(),
        owners: std::collections::HashMap::new(),
        profiles: std::collections::HashMap::new(),
        foreign: Vec::new(),
        declared: vec![declared(&id, "crm", &["404"]), declared("other", "crm", &["404"])],
    };
    let engine = tidings::engine::Engine::new(
        appliance.store.clone(),
        std::sync::Arc::new(appliance.clock.clone()),
        std::sync::Arc::new(tidings::base::random::SeededRandomness::new(1)),
        settings,
        tidings::base::stop::Stop::new(),
    );
    let error = engine.provision().await.unwrap_err();
    assert!(error.to_string().contains(&id), "{error}");
    assert!(matches!(error, ProvisionError::MadeThroughApi(ids) if ids == [id.as_str().into()]));
    assert_eq!(appliance.publish(r#"{"type":"404"}"#).await["matched"], 0, "nothing was changed");
}
