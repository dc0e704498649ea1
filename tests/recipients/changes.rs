//! Changes of a table: what a list means, all or nothing, and the versions that a change may name.

use std::sync::Arc;

use serde_json::json;

use crate::stage::{EXAMPLE, TABLE, patch, setup};
use crate::support::Appliance;
use crate::support::client::Call;

#[tokio::test]
async fn a_list_replaces_an_absent_one_stays_and_an_empty_one_clears() {
    let appliance = Appliance::start(setup()).await;
    appliance.configure("crm", EXAMPLE).await.expect(200);
    let body = r#"{"order_confirm": ["new@example.com"], "fon_offer": []}"#;
    let changed = appliance.configure("crm", body).await.expect(200).json();
    assert_eq!(changed["order_confirm"], json!(["new@example.com"]));
    assert_eq!(changed["fon_offer"], json!([]));
    assert_eq!(changed["fon_answered"], json!(["fon@example.com"]));
    assert_eq!(appliance.table("crm").await, changed);
}

#[tokio::test]
async fn one_bad_list_changes_none() {
    let appliance = Appliance::start(setup()).await;
    appliance.configure("crm", EXAMPLE).await.expect(200);
    let before = appliance.table("crm").await;
    let body = r#"{"order_confirm": ["new@example.com"], "fon_offer": null}"#;
    appliance.configure("crm", body).await.expect(400);
    assert_eq!(appliance.table("crm").await, before);
}

#[tokio::test]
async fn addresses_are_trimmed_compared_and_kept_in_order() {
    let appliance = Appliance::start(setup()).await;
    let body = r#"{"order_confirm": [" z@example.com ", "a@EXAMPLE.com", "a@example.com", "A@example.com"]}"#;
    let changed = appliance.configure("crm", body).await.expect(200).json();
    assert_eq!(changed["order_confirm"], json!(["z@example.com", "a@example.com", "A@example.com"]));
    let other = r#"{"order_confirm": ["A@example.com", "z@example.com", "new@example.com"]}"#;
    appliance.configure("crm", other).await.expect(200);
    let appliance = appliance.restart(setup()).await;
    let table = appliance.table("crm").await;
    assert_eq!(table["order_confirm"], json!(["A@example.com", "z@example.com", "new@example.com"]));
}

#[tokio::test]
async fn a_change_that_names_a_version_is_made_on_that_one_only() {
    let appliance = Appliance::start(setup()).await;
    let read = appliance.send(Call::get(TABLE, "crm")).await.expect(200);
    let first = read.header("etag").unwrap().to_owned();
    let change = |tag: &str, address: &str| {
        patch("crm", format!(r#"{{"fon_offer": ["{address}@example.com"]}}"#)).header("if-match", tag)
    };
    let changed = appliance.send(change(&first, "a")).await.expect(200);
    let second = changed.header("etag").unwrap().to_owned();
    assert_ne!(first, second);
    let refused = appliance.send(change(&first, "b")).await.expect(412).json();
    assert!(refused["detail"].as_str().unwrap().contains("If-Match"), "{refused}");
    assert_eq!(appliance.table("crm").await["fon_offer"], json!(["a@example.com"]));
    assert_eq!(appliance.send(Call::get(TABLE, "crm")).await.header("etag"), Some(&*second));
    appliance.send(change("*", "c")).await.expect(200);
    // The version follows from what there is, so it comes back with it.
    appliance.configure("crm", r#"{"fon_offer": []}"#).await.expect(200);
    appliance.send(change(&first, "d")).await.expect(200);
}

#[tokio::test]
async fn of_many_that_name_one_version_one_is_made() {
    let appliance = Arc::new(Appliance::start(setup()).await);
    let tag = appliance.send(Call::get(TABLE, "crm")).await.header("etag").unwrap().to_owned();
    let calls = (0..8).map(|n| {
        let call = patch("crm", format!(r#"{{"fon_offer": ["a{n}@example.com"]}}"#)).header("if-match", &tag);
        let appliance = appliance.clone();
        tokio::spawn(async move { appliance.send(call).await.status })
    });
    let mut statuses = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        statuses.push(call.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}
