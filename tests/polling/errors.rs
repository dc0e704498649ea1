//! Every row of the contract's error table, in the contract's body.

use std::sync::Arc;

use hyper::Method;
use tidings::store::Store as _;

use crate::support::client::{Answer, Call, notifications, subscription};
use crate::support::{Appliance, BadDisk, Setup, declared, event_type, until};

const SUBSCRIPTIONS: &str = "/notification/v1/subscriptions";

/// The answer must be this row of the table; gives its description.
#[track_caller]
fn row(answer: Answer, status: u16, code: &str) -> String {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    let body = answer.json();
    assert_eq!((&body["code"], &body["error_code"]), (&code.into(), &code.into()), "{body}");
    assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()));
    body["description"].as_str().filter(|d| !d.is_empty()).unwrap().to_owned()
}

#[tokio::test]
async fn an_invalid_body_is_400_and_names_each_member() {
    let appliance = Appliance::plain().await;
    let deep = format!("{{\"event_type_ids\":{}{}}}", "[".repeat(64), "]".repeat(64));
    for (body, expected) in [
        (&b""[..], "not acceptable JSON"),
        (b"{\"event_type_ids\":[\"301\"],", "not acceptable JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "event_type_ids: is missing; client_id: is missing"),
        (br#"{"event_type_ids":"301","client_id":"crm"}"#, "event_type_ids: must be an array"),
        (br#"{"event_type_ids":["301",1,"301",""],"client_id":"c m"}"#, "event_type_ids[1]: must be a string"),
        (br#"{"event_type_ids":["301",1,"301",""],"client_id":"c m"}"#, "event_type_ids[2]: [301] is there twice"),
        (br#"{"event_type_ids":["301",1,"301",""],"client_id":"c m"}"#, "event_type_ids[3]: must not be empty"),
        (br#"{"event_type_ids":["301",1,"301",""],"client_id":"c m"}"#, "client_id: must be 1 to 255"),
        (br#"{"event_type_ids":["301"],"client_id":"crm","client_id":"crm"}"#, "\"client_id\" is there twice"),
        (b"{\"event_type_ids\":[\"301\"],\"client_id\":\"\xff\"}", "invalid UTF-8"),
        (br#"{"event_type_ids":["301"],"client_id":"crm","n":1e999}"#, "out of range"),
        (deep.as_bytes(), "nested deeper than 64"),
    ] {
        let answer = appliance.send(Call::post(SUBSCRIPTIONS, "crm", body.to_vec())).await;
        let description = row(answer, 400, "NOT000001");
        assert!(description.contains(expected), "{description}");
    }
    assert_eq!(appliance.store.figures().subscriptions, 0);
}

#[tokio::test]
async fn an_invalid_poll_is_400_and_consumes_nothing() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    for size in ["0", "1001", "", "ten", "-1", "1.5", "%2B5", "99999999999999999999999"] {
        let path = format!("{}?size={size}", notifications(&id));
        let description = row(appliance.send(Call::get(&path, "crm")).await, 400, "NOT000001");
        assert_eq!(description, "size: must be a whole number from 1 to 1000");
    }
    for key in ["", &"k".repeat(65), "a b"] {
        let call = Call::get(&notifications(&id), "crm").header("idempotency-key", key);
        let description = row(appliance.send(call).await, 400, "NOT000001");
        assert!(description.starts_with("Idempotency-Key: must be"), "{description}");
    }
    let twice = Call::get(&notifications(&id), "crm").header("idempotency-key", "a").header("idempotency-key", "b");
    row(appliance.send(twice).await, 400, "NOT000001");
    assert_eq!(appliance.poll(&id).await.len(), 1);
}

#[tokio::test]
async fn who_is_not_let_in_gets_401_or_403() {
    let appliance = Appliance::plain().await;
    let without = appliance.send(Call::get(&notifications("x"), "crm").without_token()).await;
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    row(without, 401, "NOT000002");
    let bad = Call::get(&notifications("x"), "crm").without_token().header("authorization", "Bearer nonsense");
    let bad = appliance.send(bad).await;
    assert_eq!(bad.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    row(bad, 401, "NOT000002");
    let forbidden = appliance.send(Call::get(&notifications("x"), "watcher")).await;
    assert!(forbidden.header("www-authenticate").unwrap().contains("insufficient_scope"));
    let description = row(forbidden, 403, "NOT000003");
    assert!(description.contains("notification:consent:consumer"), "{description}");
    let description = row(appliance.send(Call::post(SUBSCRIPTIONS, "watcher", "{}")).await, 403, "NOT000003");
    assert!(description.contains("notification:consent:administrator"), "{description}");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    row(appliance.send(Call::get("/notification/v1/nothing", "crm")).await, 404, "NOT000004");
    let put = appliance.send(Call::new(Method::PUT, SUBSCRIPTIONS, "crm")).await;
    assert_eq!(put.header("allow"), Some("POST"));
    row(put, 405, "NOT000005");
    let head = appliance.send(Call::new(Method::HEAD, &notifications(&id), "crm")).await.expect(405);
    assert_eq!(head.header("allow"), Some("GET"));
    assert_eq!(appliance.poll(&id).await.len(), 1, "HEAD must not consume");
}

#[tokio::test]
async fn a_subscription_that_is_not_there_and_another_client_s_look_alike() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    for (id, shown) in [(id.as_str(), id.as_str()), ("nobody", "nobody"), ("a%20b", "a b"), ("%C2%B2", "²")] {
        for path in [subscription(id), notifications(id)] {
            let description = row(appliance.send(Call::get(&path, "erp")).await, 404, "NOT000006");
            assert_eq!(description, format!("Subscription with id [{shown}] for client_id [erp] does not exist."));
        }
    }
    row(appliance.send(Call::delete(&subscription("nobody"), "erp")).await, 404, "NOT000006");
    assert_eq!(appliance.poll(&id).await.len(), 1);
}

#[tokio::test]
async fn a_body_of_another_type_is_415() {
    let appliance = Appliance::plain().await;
    let body = r#"{"event_type_ids":["301"],"client_id":"crm"}"#;
    for other in ["text/plain", "application/xml", "application/json; charset=iso-8859-1", "application/x-json", "json"]
    {
        row(appliance.send(Call::post_as(SUBSCRIPTIONS, "crm", other, body)).await, 415, "NOT000007");
    }
    row(appliance.send(Call::new(Method::POST, SUBSCRIPTIONS, "crm").body(body)).await, 415, "NOT000007");
    for good in ["application/json", "Application/JSON; charset=UTF-8"] {
        appliance.send(Call::post_as(SUBSCRIPTIONS, "crm", good, body)).await.expect(201);
    }
}

#[tokio::test]
async fn a_body_has_both_sides_of_its_limit() {
    let appliance = Appliance::start(Setup { max_body: 1024, ..Setup::default() }).await;
    let padded = |len: usize| format!("{:len$}", r#"{"event_type_ids":["301"],"client_id":"crm"}"#);
    appliance.send(Call::post(SUBSCRIPTIONS, "crm", padded(1024))).await.expect(201);
    let description = row(appliance.send(Call::post(SUBSCRIPTIONS, "crm", padded(1025))).await, 413, "NOT000008");
    assert!(description.contains("1024"), "{description}");
}

#[tokio::test]
async fn what_the_configuration_declares_cannot_be_deleted() {
    let setup = Setup { declared: vec![declared("fixed", "crm", &["301"])], ..Setup::default() };
    let appliance = Appliance::start(setup).await;
    let description = row(appliance.send(Call::delete(&subscription("fixed"), "erp")).await, 409, "NOT000009");
    assert!(description.contains("[fixed]"), "{description}");
    appliance.send(Call::get(&subscription("fixed"), "crm")).await.expect(200);
}

#[tokio::test]
async fn types_that_cannot_be_polled_are_all_named() {
    let mut elsewhere = event_type("302");
    elsewhere.contracts = Some(vec!["registrations".to_owned()]);
    let mut pushed = event_type("303");
    pushed.channels = Some(vec![tidings::model::notification::EndpointKind::Webhook]);
    let setup = Setup { closed: true, event_types: vec![event_type("301"), elsewhere, pushed], ..Setup::default() };
    let appliance = Appliance::start(setup).await;
    let body = r#"{"event_type_ids":["301","302","303","304"],"client_id":"crm"}"#;
    let description = row(appliance.send(Call::post(SUBSCRIPTIONS, "crm", body)).await, 400, "NOT000001");
    assert!(!description.contains("[301]"), "{description}");
    for id in ["[302]", "[303]", "[304]"] {
        assert!(description.contains(id), "{description}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_write_is_503_and_nothing_is_lost() {
    let disk = Arc::new(BadDisk::default());
    let appliance = Appliance::start(Setup { faults: Some(disk.clone()), ..Setup::default() }).await;
    let id = appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    disk.fail(true);
    let answer = appliance.send(Call::get(&notifications(&id), "crm")).await;
    assert!(answer.header("retry-after").is_some());
    let description = row(answer, 503, "NOT000011");
    assert!(!description.contains("burnt"), "{description}");
    let answer = appliance.send(Call::post("/v1/events", "crm", r#"{"type":"301"}"#)).await.expect(503);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(!answer.text().contains("burnt"));
    disk.fail(false);
    until("the store is well again", || appliance.store.trouble().is_none()).await;
    assert_eq!(appliance.poll(&id).await.len(), 1);
}
