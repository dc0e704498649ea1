//! What was made through one contract is not there in another, and the operator sees all of it.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};

use crate::management::{self, REPLAYS, Stage};
use crate::registrations::{self, MOUNT};
use crate::site::{ALPHA, CUSTOMER, NOTICE, managed, registration, setup};
use crate::support::client::{Call, notifications, subscription};
use crate::trigger::command;

/// What `alpha` made: the contract, the id that it shows, and that of the subscription behind it.
struct Made {
    contract: &'static str,
    shown: String,
    stored: String,
}

async fn make_one_of_each(stage: &Stage) -> Vec<Made> {
    let made = |contract, shown: String| Made { contract, stored: shown.clone(), shown };
    let queue = made("polling", stage.appliance.subscribe("alpha", &[NOTICE]).await);
    let webhook = made("registrations", stage.register("alpha", NOTICE, "https://example.com/registered").await);
    let mail = made("registrations", stage.register("alpha", NOTICE, "registered@example.com").await);
    let body = managed(NOTICE, &["https://example.com/managed".to_owned()], &json!({}));
    let managed = made("management", stage.manage("alpha", &body).await);
    stage.appliance.configure("alpha", json!({NOTICE: ["group@example.com"]}).to_string()).await.expect(200);
    let group = made("recipients", format!("recipients/{ALPHA}/{NOTICE}"));
    let body = json!({"keys": {"accountId": "7"}, "channels": ["email"], "email": "jane@example.com"});
    stage.send(crate::trigger::put("alpha", "jane", &body)).await.expect(201);
    let jane = Made { contract: "trigger", shown: "jane".to_owned(), stored: "customer/jane".to_owned() };
    let declared = Made { contract: "trigger", shown: "c-1".to_owned(), stored: "customer/c-1".to_owned() };
    vec![queue, webhook, mail, managed, group, jane, declared]
}

fn json_call(method: Method, path: &str, body: &Value) -> Call {
    Call::new(method, path, "alpha").header("content-type", "application/json").body(body.to_string())
}

/// Every call that names a subscription, with this id as a segment of the path: the contract, and the call.
fn calls(id: &str) -> Vec<(&'static str, Call)> {
    let registered = registrations::path(id);
    vec![
        ("polling", Call::get(&subscription(id), "alpha")),
        ("polling", Call::get(&notifications(id), "alpha")),
        (
            "polling",
            json_call(Method::POST, &format!("/v1/subscriptions/{id}/poll"), &json!({"returnImmediately": true})),
        ),
        ("polling", Call::delete(&subscription(id), "alpha")),
        ("registrations", registrations::put(id, "alpha", &registration(NOTICE, "https://example.com/other"))),
        ("registrations", registrations::put(id, "alpha", &registration(NOTICE, "other@example.com"))),
        ("registrations", registrations::rotate(id, "alpha", "")),
        ("registrations", Call::get(&format!("{}?registrationId={id}", registrations::path("")), "alpha")),
        ("registrations", Call::get(&format!("{MOUNT}/notifications?registrationId={id}"), "alpha")),
        ("registrations", Call::delete(&registered, "alpha")),
        ("management", Call::get(&management::subscription(id), "alpha")),
        ("management", json_call(Method::PATCH, &management::subscription(id), &json!({"expiresOn": "2027-01-01"}))),
        ("management", Call::delete(&management::subscription(id), "alpha")),
        ("trigger", Call::get(&format!("/v1/customers/{id}"), "alpha")),
        ("trigger", Call::delete(&format!("/v1/customers/{id}"), "alpha")),
    ]
}

/// All that the operator sees: contract and id.
async fn seen(stage: &Stage) -> BTreeSet<(String, String)> {
    let page = stage.get("/v1/subscriptions?limit=1000", "crm").await.expect(200).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let subscriptions = page["subscriptions"].as_array().unwrap().iter();
    subscriptions.map(|one| (text(&one["contract"]), text(&one["id"]))).collect()
}

#[tokio::test]
async fn an_id_of_one_contract_is_404_in_all_others_and_the_operator_has_them_all() {
    let stage = Stage::start(setup()).await;
    let made = make_one_of_each(&stage).await;
    let before = seen(&stage).await;
    let expected: BTreeSet<_> = made.iter().map(|made| (made.contract.to_owned(), made.stored.clone())).collect();
    assert_eq!(before, expected);
    for Made { contract, shown, stored } in &made {
        let path = format!("/v1/subscriptions/{}", stored.replace('/', "%2F"));
        assert_eq!(stage.get(&path, "crm").await.expect(200).json()["contract"], *contract);
        for id in BTreeSet::from([shown.replace('/', "%2F"), stored.replace('/', "%2F")]) {
            for (other, call) in calls(&id) {
                if other == *contract && id == shown.replace('/', "%2F") {
                    continue;
                }
                let what = format!("{} {} ({contract})", call.method, call.path);
                let answer = stage.send(call).await;
                assert_eq!(answer.status, 404, "{what}: {}", answer.text());
            }
        }
    }
    assert_eq!(seen(&stage).await, before, "nothing was changed");
}

#[tokio::test]
async fn lists_have_what_was_made_through_their_contract() {
    let stage = Stage::start(setup()).await;
    let made = make_one_of_each(&stage).await;
    let of = |contract: &str| {
        let of = made.iter().filter(|made| made.contract == contract);
        of.map(|made| made.shown.clone()).collect::<BTreeSet<_>>()
    };
    let listed = registrations::list(&stage.appliance, "alpha", "").await;
    let listed: BTreeSet<_> = listed["records"].as_array().unwrap().iter().map(registrations::id_of).collect();
    assert_eq!(listed, of("registrations"));
    assert_eq!(BTreeSet::from_iter(stage.managed_by("alpha").await), of("management"));
    let table = stage.appliance.table("alpha").await;
    assert_eq!(table[NOTICE], json!(["group@example.com"]), "and no address of another contract");
}

#[tokio::test]
async fn a_contract_neither_shows_nor_repeats_the_notifications_of_another() {
    let stage = Stage::start(setup()).await;
    let made = make_one_of_each(&stage).await;
    stage.script.works(false);
    stage.tell(NOTICE, Some(ALPHA), &json!({})).await;
    let body = json!({"type": NOTICE, "parameters": {"customerId": CUSTOMER}}).to_string();
    stage.send(command(body)).await.expect(200);
    for made in &made {
        if made.contract != "polling" {
            stage.ends(&made.stored).await;
        }
    }
    let mut notifications = Vec::new();
    for one in &made {
        notifications.extend(stage.notifications(&one.stored).await.into_iter().map(|view| (one.contract, view.id)));
    }
    assert_eq!(notifications.len(), 6);
    let shown = registrations::notifications(&stage.appliance, "alpha", "").await;
    assert_eq!(shown["notificationEvents"].as_array().unwrap().len(), 2, "{shown}");
    let replay = json!({"limit": 1000, "dryRun": true});
    let answer = stage.post(REPLAYS, "alpha", &replay).await.expect(200).json();
    assert_eq!(answer["results"]["matched"], 1, "{answer}");
    for (contract, id) in notifications {
        let retry = format!("{MOUNT}/notifications/{id}/retry-notifications");
        let wanted = if contract == "registrations" { 200 } else { 404 };
        stage.send(Call::new(Method::POST, &retry, "alpha")).await.expect(wanted);
        let one = json!({"id": id.to_string(), "status": "fail", "limit": 1000, "dryRun": true});
        let answer = stage.post(REPLAYS, "alpha", &one).await.expect(200).json();
        assert_eq!(answer["results"]["matched"], usize::from(contract == "management"), "{answer}");
        let replay = format!("/notifications/v1/notifications/{id}/replays");
        let wanted = if contract == "management" { 202 } else { 404 };
        stage.send(Call::new(Method::POST, &replay, "alpha")).await.expect(wanted);
    }
}
