//! Every row of the contract's errors, in the contract's body.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;
use tidings::base::rate::Rate;
use tidings::store::Store as _;

use crate::stage::{CONFIGURE, TABLE, patch, setup};
use crate::support::client::{Answer, Call};
use crate::support::{Appliance, BadDisk, Setup, until};

/// The answer must be of this status, with nothing but a detail; gives that.
#[track_caller]
fn detail(answer: Answer, status: u16) -> String {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    body["detail"].as_str().filter(|detail| !detail.is_empty()).unwrap().to_owned()
}

#[tokio::test]
async fn a_bad_body_is_400_with_all_its_problems_by_notification() {
    let appliance = Appliance::start(setup()).await;
    let body = r#"{"bogus": [], "order_confirm": ["nobody", "ok@example.com"], "fon_offer": null, "chat_ongoing": "x@example.com",
        "order_update": [7, "", "x@elsewhere.test"], "elsewhere": [], "anywhere": []}"#;
    let refused = appliance.configure("crm", body).await.expect(400).json();
    let unknown = json!(["Unknown notification."]);
    assert_eq!(refused["bogus"], unknown);
    assert_eq!((&refused["elsewhere"], &refused["anywhere"]), (&unknown, &unknown));
    assert_eq!(refused["order_confirm"], json!({"0": ["Enter a valid email address."]}));
    assert_eq!(refused["fon_offer"], json!(["This field may not be null."]));
    assert!(refused["chat_ongoing"].is_array());
    let update = refused["order_update"].as_object().unwrap();
    assert_eq!(update.keys().collect::<Vec<_>>(), ["0", "1", "2"]);
    assert!(update["2"][0].as_str().unwrap().contains("not allowed"));
    for body in ["", "{", "[]", "7", "null", r#"{"fon_offer": [], "fon_offer": []}"#] {
        let refused = appliance.configure("crm", body).await.expect(400).json();
        assert!(refused["non_field_errors"][0].as_str().is_some(), "{body}: {refused}");
    }
}

#[tokio::test]
async fn a_notification_has_both_sides_of_its_limit() {
    let appliance = Appliance::start(setup()).await;
    let list =
        |n: usize| json!({"fon_offer": (0..n).map(|i| format!("a{i}@example.com")).collect::<Vec<_>>()}).to_string();
    appliance.configure("crm", list(51)).await.expect(400);
    let table = appliance.configure("crm", list(50)).await.expect(200).json();
    assert_eq!(table["fon_offer"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn who_is_not_let_in_gets_401_or_403() {
    let appliance = Appliance::start(setup()).await;
    let without = appliance.send(Call::get(TABLE, "crm").without_token()).await;
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    detail(without, 401);
    let bad = Call::get(TABLE, "crm").without_token().header("authorization", "Bearer nonsense");
    detail(appliance.send(bad).await, 401);
    assert!(detail(appliance.send(Call::get(TABLE, "erp")).await, 403).contains("group"));
    assert!(detail(appliance.configure("erp", "{").await, 403).contains("group"));
    let mut several = setup();
    several.tune_auth = |auth| auth.clients[0].affiliation.groups = vec!["acme".to_owned(), "rivals".to_owned()];
    let appliance = Appliance::start(several).await;
    assert!(detail(appliance.send(Call::get(TABLE, "crm")).await, 403).contains("several"));
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let appliance = Appliance::start(setup()).await;
    for path in ["/api/v1/notification/nothing", "/api/v1/notification//", "/api/v1/notification/configure/x"] {
        detail(appliance.send(Call::get(path, "crm")).await, 404);
    }
    for (method, path, allow) in [
        (Method::POST, TABLE, "GET"),
        (Method::PATCH, "/api/v1/notification", "GET"),
        (Method::PUT, CONFIGURE, "PATCH"),
        (Method::GET, "/api/v1/notification/configure", "PATCH"),
    ] {
        let answer = appliance.send(Call::new(method, path, "crm")).await;
        assert_eq!(answer.header("allow"), Some(allow));
        assert!(detail(answer, 405).contains(allow));
    }
    // Outside the mount it is nobody's.
    let outside = appliance.send(Call::get("/api/v1/notifications/", "crm")).await.expect(404);
    assert_eq!(outside.header("content-type"), Some("application/problem+json"));
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_a_large_one_413() {
    let appliance = Appliance::start(Setup { max_body: 1024, ..setup() }).await;
    for other in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
        let call = Call::new(Method::PATCH, CONFIGURE, "crm").header("content-type", other).body("{}");
        detail(appliance.send(call).await, 415);
    }
    detail(appliance.send(Call::new(Method::PATCH, CONFIGURE, "crm").body("{}")).await, 415);
    appliance.configure("crm", format!("{:1024}", "{}")).await.expect(200);
    assert!(detail(appliance.configure("crm", format!("{:1025}", "{}")).await, 413).contains("1024"));
}

#[tokio::test]
async fn too_many_requests_are_429() {
    let mut setup = setup();
    setup.tune_auth = |auth| {
        auth.clients[0].affiliation.groups = vec!["acme".to_owned()];
        auth.clients[0].terms.request_rate = Rate::parse("1/min");
    };
    let appliance = Appliance::start(setup).await;
    appliance.table("crm").await;
    let refused = appliance.send(Call::get(TABLE, "crm")).await;
    assert!(refused.header("retry-after").is_some());
    detail(refused, 429);
}

#[tokio::test]
async fn a_store_that_cannot_write_is_503_and_changes_nothing() {
    let disk = Arc::new(BadDisk::default());
    let appliance = Appliance::start(Setup { faults: Some(disk.clone()), ..setup() }).await;
    appliance.configure("crm", r#"{"fon_offer": ["a@example.com"]}"#).await.expect(200);
    disk.fail(true);
    let answer = appliance.send(patch("crm", r#"{"fon_offer": ["b@example.com"]}"#)).await;
    assert!(answer.header("retry-after").is_some());
    assert!(!detail(answer, 503).contains("burnt"));
    disk.fail(false);
    until("the store is well again", || appliance.store.trouble().is_none()).await;
    assert_eq!(appliance.table("crm").await["fon_offer"], json!(["a@example.com"]));
}
