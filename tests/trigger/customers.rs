//! Customers by `/v1/customers/{id}` (contracts/events.md).

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tidings::model::target::Target;
use tidings::store::Store as _;

use crate::stage::{ACME, added, command, put, setup, with_key};
use crate::support::client::Call;
use crate::support::{Appliance, Setup};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

fn jane() -> Value {
    json!({
        "keys": {"accountId": "7", "msisdn": "+3361234"},
        "channels": ["email", "webhook", "poll"],
        "email": "jane@example.com",
        "webhook": {"url": "https://h.example/hook", "secrets": [SECRET]},
        "poll": {"client_id": "crm"},
        "locale": "fr-CA",
        "time_zone": "America/Toronto",
        "hours": ["08:00", "20:00"],
    })
}

fn at(id: &str) -> String {
    format!("/v1/customers/{id}")
}

#[tokio::test]
async fn a_customer_is_made_read_changed_and_found() {
    let appliance = Appliance::start(setup()).await;
    let made = appliance.send(put("crm", "jane", &jane())).await.expect(201).json();
    let mut expected = jane();
    expected["id"] = "jane".into();
    expected["webhook"].as_object_mut().unwrap().remove("secrets");
    assert_eq!(made, expected, "secrets are not shown");
    assert_eq!(appliance.send(Call::get(&at("jane"), "crm")).await.expect(200).json(), expected);
    // What was shown can be sent again.
    appliance.send(put("crm", "jane", &expected)).await.expect(200);
    let appliance = appliance.restart(setup()).await;
    assert_eq!(appliance.send(Call::get(&at("jane"), "crm")).await.expect(200).json(), expected);
    appliance.trigger(&json!({"accountId": "7"})).await;
    assert_eq!(appliance.notifications().await[0]["kind"], "email");
    let stored = appliance.engine.customer(None, "jane").unwrap();
    let languages: Vec<_> = stored.endpoints.iter().filter_map(|endpoint| language(&endpoint.target)).collect();
    assert_eq!(languages, ["fr-CA"], "mail is in the customer's language");
    let mut changed = jane();
    changed["keys"] = json!({"accountId": "8"});
    appliance.send(put("crm", "jane", &changed)).await.expect(200);
    appliance.send(command(added(&json!({"accountId": "7", "n": 2})))).await.expect(404);
    appliance.send(command(added(&json!({"accountId": "8"})))).await.expect(200);
}

fn language(target: &Target) -> Option<String> {
    match target {
        Target::Email(email) => email.locale.clone(),
        Target::Poll | Target::Webhook(_) => None,
    }
}

#[tokio::test]
async fn a_customer_is_its_organisation_s() {
    let appliance = Appliance::start(setup()).await;
    let mut body = jane();
    body["poll"] = json!({"client_id": "erp"});
    // `erp` is of the organisation acme, `crm` of none: each has customers of its own, also of one id.
    appliance.send(put("erp", "jane", &body)).await.expect(201);
    appliance.send(Call::get(&at("jane"), "crm")).await.expect(404);
    appliance.send(Call::delete(&at("jane"), "crm")).await.expect(404);
    appliance.send(put("crm", "jane", &jane())).await.expect(201);
    assert_eq!(appliance.send(Call::get(&at("jane"), "erp")).await.expect(200).json()["organisation"], "acme");
    appliance.send(with_key(ACME, added(&json!({"accountId": "7"})))).await.expect(200);
    body["organisation"] = "acme".into();
    appliance.send(put("erp", "jane", &body)).await.expect(200);
    body["organisation"] = "other".into();
    appliance.send(put("erp", "jane", &body)).await.expect(400);
}

#[tokio::test]
async fn one_that_is_erased_is_told_nothing_more_and_leaves_no_address() {
    let appliance = Appliance::start(setup()).await;
    appliance.send(put("crm", "jane", &jane())).await.expect(201);
    appliance.trigger(&json!({"accountId": "7", "msisdn": "+3361234", "note": "very-personal"})).await;
    appliance.send(Call::delete(&at("jane"), "crm")).await.expect(204);
    appliance.send(Call::get(&at("jane"), "crm")).await.expect(404);
    appliance.send(Call::delete(&at("jane"), "crm")).await.expect(404);
    appliance.send(command(added(&json!({"accountId": "7", "n": 2})))).await.expect(404);
    let notifications = appliance.notifications().await;
    assert_eq!((notifications.len(), &notifications[0]["state"]), (1, &json!("cancelled")));
    let event = appliance.event(&notifications[0]).await.to_string();
    let story = appliance.story(&notifications[0]).await.to_string();
    for personal in ["jane@example.com", "very-personal", "+3361234"] {
        assert!(!event.contains(personal) && !story.contains(personal), "{personal} in {event} or {story}");
    }
    // It may be made again, and is another one.
    appliance.send(put("crm", "jane", &jane())).await.expect(201);
    appliance.send(command(added(&json!({"accountId": "7", "n": 3})))).await.expect(200);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_body_is_said_at_once() {
    let appliance = Appliance::start(setup()).await;
    let body = json!({
        "keys": {"accountId": 7, "": ""}, "channels": ["email", "fax"], "email": "jane", "webhook": {"url": "ftp://h", "egress": "x"},
        "poll": {"client_id": "nobody"}, "locale": "french", "time_zone": "Mars/Olympus", "hours": ["8", "20:00"],
        "id": "other", "colour": 1,
    });
    let refused = appliance.send(put("crm", "jane", &body)).await.expect(400).json();
    let pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    for pointer in [
        "/keys/accountId",
        "/keys/",
        "/channels",
        "/email",
        "/webhook/url",
        "/webhook/egress",
        "/poll",
        "/locale",
        "/time_zone",
        "/hours",
        "/id",
        "/colour",
    ] {
        assert!(pointers.contains(&pointer), "{pointer} in {refused}");
    }
    let missing = appliance.send(put("crm", "jane", &json!({}))).await.expect(400).json();
    assert_eq!(missing["errors"].as_array().unwrap().len(), 2);
    for (member, value) in [
        ("hours", json!(["08:00", "24:01"])),
        ("hours", json!(["24:00", "08:00"])),
        ("hours", json!(["08:00", "08:00"])),
        ("hours", json!(["08:00"])),
        ("channels", json!([])),
        ("channels", json!(["email", "email"])),
        ("keys", json!({})),
        ("webhook", json!({"url": "https://h", "secrets": ["whsec_short"]})),
        ("webhook", json!({})),
    ] {
        let mut body = jane();
        body[member] = value;
        let refused = appliance.send(put("crm", "jane", &body)).await.expect(400).json();
        assert!(refused["errors"][0]["pointer"].as_str().unwrap().starts_with(&format!("/{member}")), "{refused}");
    }
    for id in ["a%20b", "%C2%B2", &"x".repeat(256)] {
        appliance.send(put("crm", id, &jane())).await.expect(400);
    }
    let text = Call::new(Method::PUT, &at("jane"), "crm").header("content-type", "text/plain").body(jane().to_string());
    appliance.send(text).await.expect(415);
    appliance.send(put("watcher", "jane", &jane())).await.expect(403);
    appliance.send(put("crm", "jane", &jane()).without_token()).await.expect(401);
    let mut late = jane();
    late["hours"] = json!(["00:00", "24:00"]);
    appliance.send(put("crm", &"x".repeat(255), &late)).await.expect(201);
}

#[tokio::test]
async fn a_key_is_one_customer_s() {
    let appliance = Appliance::start(setup()).await;
    let taken = json!({"keys": {"customerId": "42"}, "channels": ["email"], "email": "x@example.com"});
    let refused = appliance.send(put("crm", "x", &taken)).await.expect(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/keys/customerId");
    appliance.send(put("erp", "x", &taken)).await.expect(201);
}

#[tokio::test]
async fn what_the_files_declare_is_read_only() {
    let appliance = Appliance::start(setup()).await;
    assert_eq!(appliance.send(Call::get(&at("c-1"), "crm")).await.expect(200).json()["email"], "c-1@example.com");
    let body = json!({"keys": {"customerId": "42"}, "channels": ["email"], "email": "x@example.com"});
    let refused = appliance.send(put("crm", "c-1", &body)).await.expect(409).json();
    assert!(refused["detail"].as_str().unwrap().contains("c-1"), "{refused}");
    appliance.send(Call::delete(&at("c-1"), "crm")).await.expect(409);
}

#[tokio::test]
async fn a_customer_that_polls_gets_it_by_its_client() {
    let appliance = Appliance::start(setup()).await;
    let mut body = jane();
    body["channels"] = json!(["poll"]);
    body.as_object_mut().unwrap().remove("hours");
    appliance.send(put("crm", "jane", &body)).await.expect(201);
    appliance.trigger(&json!({"accountId": "7"})).await;
    let asked = r#"{"returnImmediately": true}"#;
    let path = "/v1/subscriptions/customer%2Fjane/poll";
    appliance.send(Call::post(path, "erp", asked)).await.expect(404);
    let leased = appliance.send(Call::post(path, "crm", asked)).await.expect(200).json();
    let id = leased["order"][0].as_str().unwrap();
    assert_eq!(leased["sets"][id]["data"], json!({"accountId": "7"}));
    // An address that goes takes what waits with it; one that stays keeps it.
    appliance.clock.advance(Duration::from_mins(2));
    body["channels"] = json!(["email"]);
    body.as_object_mut().unwrap().remove("poll");
    appliance.send(put("crm", "jane", &body)).await.expect(200);
    assert_eq!(appliance.notifications().await[0]["state"], "cancelled");
}

#[tokio::test]
async fn customers_do_not_go_with_a_client_nor_count_against_one() {
    let mut small = setup();
    small.limits.subscriptions = 1;
    let appliance = Appliance::start(small).await;
    let body =
        |n: u32| json!({"keys": {"customerId": format!("k{n}")}, "channels": ["email"], "email": "x@example.com"});
    for n in 0..3 {
        appliance.send(put("erp", &format!("c{n}"), &body(n))).await.expect(201);
    }
    let appliance =
        appliance.restart(Setup { clients: vec![setup().clients[0]], tune_auth: without_erp, ..setup() }).await;
    appliance.send(with_key(ACME, added(&json!({"customerId": "k1"})))).await.expect(200);
    assert_eq!(appliance.notifications().await[0]["state"], "queued");
    assert_eq!(appliance.store.figures().accepted, 1);
}

fn without_erp(auth: &mut tidings::auth::AuthSettings) {
    let clients = auth.clients.clone();
    auth.clients.push(clients[0].clone());
    (setup().tune_auth)(auth);
    auth.clients = clients;
}

#[tokio::test]
async fn what_is_told_of_one_that_was_erased_is_true_and_without_address() {
    let appliance = Appliance::start(setup()).await;
    let body = json!({"keys": {"accountId": "7"}, "channels": ["email"], "email": "jane@example.com"});
    appliance.send(put("crm", "jane", &body)).await.expect(201);
    appliance.trigger(&json!({"accountId": "7"})).await;
    appliance.send(Call::delete(&at("jane"), "crm")).await.expect(204);
    let story = appliance.story(&appliance.notifications().await[0]).await;
    let words = "a command named customer/jane, who is not there any more; it is for nobody else";
    assert_eq!(story["why"]["words"], json!([words]));
    assert!(!story.to_string().contains("example.com"), "{story}");
}

#[tokio::test]
async fn one_whom_the_operator_ends_is_erased_too() {
    let appliance = Appliance::start(setup()).await;
    let body = json!({"keys": {"accountId": "7"}, "channels": ["email"], "email": "jane@example.com"});
    appliance.send(put("crm", "jane", &body)).await.expect(201);
    appliance.trigger(&json!({"accountId": "7"})).await;
    let waiting = appliance.notifications().await.remove(0);
    appliance.engine.end_subscription(waiting["subscription"].as_str().unwrap()).await.unwrap();
    while appliance.store.sweep().await.unwrap().more {}
    let story = appliance.story(&appliance.notifications().await[0]).await;
    assert_eq!(appliance.notifications().await[0]["state"], "cancelled");
    assert!(!story.to_string().contains("example.com") && !story.to_string().contains("accountId"), "{story}");
}
