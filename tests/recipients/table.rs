//! The table of a group: what is in it, whose it is, where it is found.

use hyper::Method;
use serde_json::{Value, json};
use tidings::api::recipients::RecipientsScopes;

use crate::stage::{CONFIGURE, EXAMPLE, PUBLISHED, TABLE, declared, patch, setup};
use crate::support::client::Call;
use crate::support::{Appliance, Setup};

fn names(table: &Value) -> Vec<&str> {
    table.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_new_group_has_every_published_notification_and_no_address() {
    let appliance = Appliance::start(setup()).await;
    let table = appliance.table("crm").await;
    let mut expected = PUBLISHED;
    expected.sort_unstable();
    assert_eq!(names(&table), expected, "and none that is not of this contract");
    assert!(table.as_object().unwrap().values().all(|list| *list == json!([])));
}

#[tokio::test]
async fn a_client_of_a_group_needs_no_scope() {
    let clients: Vec<(_, &'static [&'static str], &'static [&'static str])> = vec![("crm", &[], &[])];
    let appliance = Appliance::start(Setup { clients, ..setup() }).await;
    assert_eq!(names(&appliance.table("crm").await).len(), PUBLISHED.len());
    appliance.configure("crm", EXAMPLE).await.expect(200);
}

#[tokio::test]
async fn the_published_example_is_taken_and_shown_as_it_was_given() {
    let appliance = Appliance::start(setup()).await;
    let example: Value = serde_json::from_str(EXAMPLE).unwrap();
    let answer = appliance.configure("crm", EXAMPLE).await.expect(200);
    assert_eq!(answer.json(), example);
    assert_eq!(appliance.table("crm").await, example);
    let appliance = appliance.restart(setup()).await;
    assert_eq!(appliance.table("crm").await, example, "after a restart");
}

#[tokio::test]
async fn a_table_is_its_group_s_alone() {
    let appliance = Appliance::start(setup()).await;
    appliance.configure("crm", EXAMPLE).await.expect(200);
    assert!(appliance.table("rival").await.as_object().unwrap().values().all(|list| *list == json!([])));
    appliance.configure("rival", r#"{"order_confirm": ["x@example.com"]}"#).await.expect(200);
    assert_eq!(appliance.table("crm").await["order_confirm"], json!(["admin@example.com", "order@example.com"]));
}

#[tokio::test]
async fn every_path_answers_with_and_without_its_slash() {
    let appliance = Appliance::start(setup()).await;
    let body = r#"{"fon_offer": ["fon@example.com"]}"#;
    for path in [CONFIGURE, CONFIGURE.trim_end_matches('/')] {
        let call = Call::new(Method::PATCH, path, "crm").header("content-type", "application/json").body(body);
        appliance.send(call).await.expect(200);
    }
    for path in [TABLE, TABLE.trim_end_matches('/')] {
        assert_eq!(
            appliance.send(Call::get(path, "crm")).await.expect(200).json()["fon_offer"],
            json!(["fon@example.com"])
        );
    }
}

#[tokio::test]
async fn a_body_of_a_get_is_ignored() {
    let appliance = Appliance::start(setup()).await;
    // The published page shows one.
    let published = r#"{"external_id": "12345", "project_id": ""}"#;
    for body in [published, "{broken", r#"{"order_confirm": ["x@example.com"]}"#] {
        let call = Call::get(TABLE, "crm").header("content-type", "application/json").body(body);
        assert_eq!(appliance.send(call).await.expect(200).json()["order_confirm"], json!([]));
    }
}

#[tokio::test]
async fn what_the_files_declare_is_shown_and_read_only() {
    let with = |group| Setup { declared: vec![declared(group, "fon_offer", "fon@example.com")], ..setup() };
    let appliance = Appliance::start(with("acme")).await;
    assert_eq!(appliance.table("crm").await["fon_offer"], json!(["fon@example.com"]));
    for body in [r#"{"fon_offer": []}"#, r#"{"order_confirm": ["x@example.com"]}"#, "{}"] {
        let refused = appliance.configure("crm", body).await.expect(409).json();
        assert!(refused["detail"].as_str().unwrap().contains("[acme]"), "{refused}");
    }
    appliance.configure("rival", r#"{"order_confirm": ["x@example.com"]}"#).await.expect(200);
    // What the files no longer name only drains: the group is its own again.
    let appliance = appliance.restart(Setup { declared: Vec::new(), ..setup() }).await;
    assert_eq!(appliance.table("crm").await["fon_offer"], json!([]));
    appliance.configure("crm", r#"{"fon_offer": ["new@example.com"]}"#).await.expect(200);
    assert_eq!(appliance.table("crm").await["fon_offer"], json!(["new@example.com"]));
}

#[tokio::test]
async fn scopes_are_asked_for_where_the_files_say_so() {
    let mut setup = setup();
    let scopes = RecipientsScopes { read: Some("groups:read"), write: Some("groups:write") };
    setup.recipients.as_mut().unwrap().scopes = scopes;
    setup.clients = vec![("crm", &["groups:read"], &[]), ("rival", &["groups:write"], &[])];
    let appliance = Appliance::start(setup).await;
    appliance.table("crm").await;
    let refused = appliance.configure("crm", "{}").await.expect(403);
    assert!(refused.header("www-authenticate").unwrap().contains("groups:write"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("[groups:write]"));
    appliance.send(patch("rival", "{}")).await.expect(200);
    appliance.send(Call::get(TABLE, "rival")).await.expect(403);
}

#[tokio::test]
async fn none_of_it_is_seen_through_another_contract_but_by_the_operator() {
    let appliance = Appliance::start(setup()).await;
    appliance.configure("crm", r#"{"fon_offer": ["fon@example.com"]}"#).await.expect(200);
    let subscriptions = appliance.engine.subscriptions_in(tidings::model::subscription::ContractName::Recipients);
    let id = subscriptions[0].id.as_str().replace('/', "%2F");
    let mut all = setup();
    all.clients = vec![("crm", &["notification:consent:consumer", "notifications:operate"], &[])];
    let appliance = appliance.restart(all).await;
    appliance.send(Call::get(&format!("/notification/v1/subscriptions/{id}"), "crm")).await.expect(404);
    let shown = appliance.send(Call::get(&format!("/v1/subscriptions/{id}"), "crm")).await.expect(200).json();
    assert_eq!(shown["contract"], "recipients");
    appliance.send(Call::delete(&format!("/v1/subscriptions/{id}"), "crm")).await.expect(204);
    appliance.send(Call::get(&format!("/v1/subscriptions/{id}"), "crm")).await.expect(404);
}

#[tokio::test]
async fn the_document_is_served_below_the_mount_to_anyone() {
    let appliance = Appliance::start(setup()).await;
    let call = Call::get("/api/v1/notification/openapi.json", "crm").without_token();
    let served = appliance.send(call).await.expect(200).json();
    assert_eq!(served["servers"][0]["url"], format!("{}/api/v1/notification", crate::support::PUBLIC_URL));
    assert!(served["paths"]["/configure/"]["patch"].is_object());
}
