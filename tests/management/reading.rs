//! Who may see and change what.

use serde_json::{Value, json};
use tidings::model::subscription::{ContractName, SubscriptionDraft};
use tidings::model::target::{Shape, Target, WebhookTarget};

use crate::stage::{REPLAYS, SUBSCRIPTIONS, Stage, example, hook, setup, subscription};
use crate::support::client::Call;
use crate::support::{Setup, declared};

const NOBODY_S: &str = "0198f0c2-1111-7000-8000-000000000000";

fn ids(listed: &Value) -> Vec<&str> {
    listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn one_shared_party_reads_and_all_of_them_change() {
    let stage = Stage::plain().await;
    let both = stage.subscribe("noc", &example()).await;
    stage.appliance.clock.advance(std::time::Duration::from_millis(1));
    let one = stage.subscribe("desk", &hook("Outage", "https://example.com/cb")).await;
    let (both_id, one_id) = (both["id"].as_str().unwrap(), one["id"].as_str().unwrap());
    for (client, visible) in [("noc", &[both_id, one_id][..]), ("desk", &[both_id, one_id]), ("rival", &[])] {
        assert_eq!(ids(&stage.get(SUBSCRIPTIONS, client).await.expect(200).json()), visible, "{client}");
    }
    let later = json!({"expiresOn": "2027-01-01"});
    assert_eq!(stage.get(&subscription(both_id), "desk").await.expect(200).json(), both);
    // desk has one of its two parties.
    stage.patch(both_id, "desk", &later).await.expect(404);
    stage.send(Call::delete(&subscription(both_id), "desk")).await.expect(404);
    stage.patch(one_id, "noc", &later).await.expect(200);
    stage.send(Call::delete(&subscription(one_id), "noc")).await.expect(204);
    stage.get(&subscription(one_id), "desk").await.expect(404);
    stage.patch(both_id, "noc", &later).await.expect(200);
}

#[tokio::test]
async fn another_s_and_nobody_s_look_alike() {
    let stage = Stage::plain().await;
    let made = stage.subscribe("noc", &example()).await;
    let polled = stage.appliance.engine.new_subscription_id();
    let elsewhere = SubscriptionDraft {
        endpoints: vec![Target::Poll],
        holders: vec!["2001".to_owned()],
        ..SubscriptionDraft::new(polled.clone(), ContractName::Polling, "rival".into(), vec!["Outage".into()])
    };
    stage.appliance.engine.make(elsewhere).await.unwrap();
    let not_found = json!({"statusCode": 404, "message": "There is no such subscription."});
    for id in [made["id"].as_str().unwrap(), polled.as_str(), NOBODY_S, "x", "a%20b"] {
        for call in [Call::get(&subscription(id), "rival"), Call::delete(&subscription(id), "rival")] {
            assert_eq!(stage.send(call).await.expect(404).json(), not_found, "{id}");
        }
        let changed = stage.patch(id, "rival", &json!({"expiresOn": "2027-01-01"})).await;
        assert_eq!(changed.expect(404).json(), not_found);
    }
}

#[tokio::test]
async fn who_is_of_no_party_may_do_nothing() {
    let stage = Stage::plain().await;
    let body = example().to_string();
    for call in [
        Call::get(SUBSCRIPTIONS, "nobody"),
        Call::post(SUBSCRIPTIONS, "nobody", body.clone()),
        Call::get(&subscription(NOBODY_S), "nobody"),
        Call::delete(&subscription(NOBODY_S), "nobody"),
        Call::post(REPLAYS, "nobody", r#"{"limit":1,"dryRun":true}"#),
        Call::new(hyper::Method::POST, &format!("/notifications/v1/notifications/{NOBODY_S}/replays"), "nobody"),
    ] {
        let answer = stage.send(call).await.expect(403).json();
        assert_eq!(answer["statusCode"], 403);
        assert!(answer["message"].as_str().unwrap().contains("partyId"), "{answer}");
    }
}

#[tokio::test]
async fn a_declared_one_is_known_by_its_uuid_and_only_files_change_it() {
    let webhook = WebhookTarget { shape: Shape::Management, ..WebhookTarget::new("https://example.com/", "partners") };
    let noc = SubscriptionDraft {
        contract: ContractName::Management,
        holders: vec!["1001".to_owned()],
        endpoints: vec![Target::Webhook(webhook)],
        ..declared("noc-outages", "noc", &["Outage"])
    };
    let id = noc.id.to_uuid().to_string();
    let stage = Stage::start(Setup { declared: vec![noc], ..setup() }).await;
    let shown = stage.get(&subscription(&id), "desk").await.expect(200).json();
    assert_eq!((&shown["id"], &shown["eventType"]), (&json!(id), &json!("Outage")));
    assert_eq!(shown["expiresOn"], "2027-11-22", "it has no end: it is shown as if it were made anew");
    let change = stage.patch(&id, "desk", &json!({"expiresOn": "2027-01-01"})).await.expect(409).json();
    let delete = stage.send(Call::delete(&subscription(&id), "desk")).await.expect(409).json();
    for refused in [change, delete] {
        assert!(refused["message"].as_str().unwrap().contains("as noc-outages;"), "{refused}");
    }
    stage.get(&subscription("noc-outages"), "desk").await.expect(404);
}
