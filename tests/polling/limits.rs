//! `[limits]` of each client: subscriptions (409) and polls that wait (429).

use std::sync::Arc;

use tidings::engine::ClientLimits;
use tidings::model::subscription::ContractName;

use crate::support::client::{Call, notifications, subscription};
use crate::support::{Appliance, Setup, declared, until};

#[tokio::test]
async fn one_subscription_more_than_the_limit_is_refused_and_what_is_deleted_makes_room() {
    let setup = Setup {
        limits: ClientLimits { subscriptions: 2, ..ClientLimits::default() },
        declared: vec![declared("by-file", "crm", &["301"])],
        ..Setup::default()
    };
    let appliance = Appliance::start(setup).await;
    let first = appliance.subscribe("crm", &["301"]).await;
    appliance.subscribe("crm", &["301"]).await;
    let body = r#"{"event_type_ids": ["301"], "client_id": "crm"}"#;
    let refused = appliance.send(Call::post("/notification/v1/subscriptions", "erp", body)).await.expect(409).json();
    assert_eq!(refused["code"], "NOT000009");
    assert!(refused["description"].as_str().unwrap().contains("2 subscriptions"), "{refused}");
    appliance.subscribe("erp", &["301"]).await;
    appliance.send(Call::delete(&subscription(&first), "crm")).await.expect(204);
    appliance.subscribe("crm", &["301"]).await;
}

#[tokio::test]
async fn many_at_one_moment_do_not_pass_the_limit() {
    let setup = Setup { limits: ClientLimits { subscriptions: 5, ..ClientLimits::default() }, ..Setup::default() };
    let appliance = Arc::new(Appliance::start(setup).await);
    let body = r#"{"event_type_ids": ["301"], "client_id": "crm"}"#;
    let calls = (0..20).map(|_| {
        let appliance = appliance.clone();
        tokio::spawn(
            async move { appliance.send(Call::post("/notification/v1/subscriptions", "erp", body)).await.status },
        )
    });
    let mut made = 0;
    for call in calls.collect::<Vec<_>>() {
        made += usize::from(call.await.unwrap() == 201);
    }
    assert_eq!(made, 5);
}

#[tokio::test]
async fn one_waiting_poll_more_than_the_limit_is_refused_until_one_ends() {
    let setup = Setup { limits: ClientLimits { waiting_polls: 1, ..ClientLimits::default() }, ..Setup::default() };
    let appliance = Arc::new(Appliance::start(setup).await);
    let id = appliance.subscribe("crm", &["301"]).await;
    let call = Call::get(&notifications(&id), "crm").header("prefer", "wait=60");
    let first = {
        let (appliance, call) = (appliance.clone(), call.clone());
        tokio::spawn(async move { appliance.send(call).await })
    };
    let view = || appliance.engine.subscription(ContractName::Polling, &"crm".into(), &id).unwrap();
    until("the poll has arrived", || view().queue.last_polled.is_some()).await;
    let refused = appliance.send(call).await.expect(429);
    assert_eq!(refused.json()["code"], "NOT000010");
    assert!(refused.header("retry-after").is_some());
    appliance.send(Call::get(&notifications(&id), "crm")).await.expect(200);
    appliance.publish(r#"{"type":"301"}"#).await;
    first.await.unwrap().expect(200);
    let next = Call::get(&notifications(&id), "crm").header("prefer", "wait=60");
    appliance.publish(r#"{"type":"301"}"#).await;
    appliance.send(next).await.expect(200);
}
