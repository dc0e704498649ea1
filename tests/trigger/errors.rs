//! Every row of the published list of errors, in its body.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use tidings::base::rate::Rate;
use tidings::store::{Store as _, StoreSettings};

use crate::stage::{KEY, MOUNT, POWERLESS, added, command, setup, with_key};
use crate::support::client::{Answer, Call};
use crate::support::{Appliance, BadDisk, Setup, until};

/// The answer must be this row; gives its body.
#[track_caller]
fn row(answer: Answer, status: u16, code: &str) -> Value {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["code"], code, "{body}");
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= 256));
    assert!(body["validationErrors"].is_array());
    assert_eq!(body["debugTrace"], json!([]));
    body
}

#[tokio::test]
async fn a_bad_body_is_400_and_names_all_that_is_wrong() {
    let appliance = Appliance::start(setup()).await;
    let body = row(appliance.send(command("{}")).await, 400, "invalid-request");
    assert_eq!(body["validationErrors"], json!(["type: is missing", "parameters: is missing"]));
    for (kind, parameters) in [
        ("four", json!({"customerId": "42"})),
        ("two words", json!({"customerId": "42"})),
        (&"x".repeat(51), json!({"customerId": "42"})),
        ("undeclared", json!({"customerId": "42"})),
        ("elsewhere", json!({"customerId": "42"})),
        ("tidings.reload.failed", json!({"customerId": "42"})),
        ("accountValidate", json!(42)),
        ("accountValidate", json!(null)),
        ("accountValidate", json!([1])),
    ] {
        let body = json!({"type": kind, "parameters": parameters}).to_string();
        let body = row(appliance.send(command(body)).await, 400, "invalid-request");
        assert_eq!(body["validationErrors"].as_array().unwrap().len(), 1, "{kind}: {body}");
    }
    for body in ["", "{", "[]", "7"] {
        row(appliance.send(command(body)).await, 400, "invalid-request");
    }
    assert_eq!(appliance.store.figures().accepted, 0);
}

#[tokio::test]
async fn without_a_key_of_the_scope_it_is_401() {
    let appliance = Appliance::start(setup()).await;
    let body = added(&json!({"customerId": "42"}));
    let plain = || Call::new(Method::POST, MOUNT, "crm").header("content-type", "application/json").body(body.clone());
    let absent = appliance.send(plain().without_token()).await;
    assert_eq!(absent.header("www-authenticate"), Some("Bearer"));
    row(absent, 401, "authorization-failure");
    // A token that has the scope is no key.
    row(appliance.send(plain()).await, 401, "authorization-failure");
    for key in ["tdg_aaaaaaaa_wrong", "tdg_dddddddd_good", "string", "", POWERLESS] {
        row(appliance.send(with_key(key, body.clone())).await, 401, "authorization-failure");
    }
    row(appliance.send(command(body.clone()).header("x-api-key", KEY)).await, 401, "authorization-failure");
    assert_eq!(appliance.store.figures().accepted, 0);
    // A revoked key is one that the files do not have any more.
    let mut without = setup();
    without.tune_auth = |_| {};
    let appliance = appliance.restart(without).await;
    row(appliance.send(command(body)).await, 401, "authorization-failure");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let appliance = Appliance::start(setup()).await;
    for path in ["/v2/notification/", "/v2/notification/x"] {
        row(appliance.send(Call::new(Method::POST, path, "crm")).await, 404, "not-found");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for path in [MOUNT, "/notification"] {
            let answer = appliance.send(Call::new(method.clone(), path, "crm")).await;
            assert_eq!(answer.header("allow"), Some("POST"));
            row(answer, 405, "method-not-allowed");
        }
    }
    // The alias is that path alone.
    let below = appliance.send(Call::new(Method::POST, "/notification/x", "crm")).await.expect(404);
    assert_eq!(below.header("content-type"), Some("application/problem+json"));
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_a_large_one_400() {
    let appliance = Appliance::start(Setup { max_body: 1024, ..setup() }).await;
    let body = added(&json!({"customerId": "42"}));
    let call = |media_type: &str, body: String| {
        let call = Call::new(Method::POST, MOUNT, "crm").without_token().header("x-api-key", KEY).body(body);
        if media_type.is_empty() { call } else { call.header("content-type", media_type) }
    };
    for other in ["", "text/plain", "application/xml", "application/json; charset=latin1"] {
        row(appliance.send(call(other, body.clone())).await, 415, "unsupported-media-type");
    }
    for good in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        appliance.send(call(good, body.clone())).await.expect(200);
    }
    appliance.send(command(format!("{body:1024}"))).await.expect(200);
    let body = row(appliance.send(command(format!("{body:1025}"))).await, 400, "invalid-request");
    assert!(body["validationErrors"][0].as_str().unwrap().contains("1024"));
}

#[tokio::test]
async fn whom_nobody_knows_is_404_or_taken_by_the_switch() {
    let appliance = Appliance::start(setup()).await;
    for parameters in
        [json!("string"), json!({"customerId": "43"}), json!({"accountId": "42"}), json!({"customerId": {"a": 1}})]
    {
        row(appliance.send(command(added(&parameters))).await, 404, "recipient-not-found");
    }
    // The published example, with a type of the published list.
    row(
        appliance.send(command(r#"{"type": "accountValidate", "parameters": "string"}"#)).await,
        404,
        "recipient-not-found",
    );
    assert_eq!(appliance.store.figures().accepted, 0);
    let mut accepting = setup();
    accepting.trigger.as_mut().unwrap().unknown_recipient = tidings::api::trigger::UnknownRecipient::Accept;
    let appliance = appliance.restart(accepting).await;
    appliance.trigger(&json!({"customerId": "43"})).await;
    let figures = appliance.store.figures();
    assert_eq!((figures.accepted, figures.unmatched), (1, 1));
}

#[tokio::test]
async fn overload_a_full_queue_and_a_bad_disk_are_503_with_retry_after() {
    let mut busy = setup();
    busy.store = StoreSettings { queue_total: 1, ..StoreSettings::default() };
    let appliance = Appliance::start(busy).await;
    appliance.trigger(&json!({"customerId": "42", "n": 1})).await;
    let full = appliance.send(command(added(&json!({"customerId": "42", "n": 2})))).await;
    assert!(full.header("retry-after").is_some());
    row(full, 503, "service-unavailable");

    let mut slow = setup();
    slow.trigger.as_mut().unwrap().repeat_window = std::time::Duration::ZERO;
    slow.tune_auth = |auth| {
        (setup().tune_auth)(auth);
        auth.api_keys[0].terms.request_rate = Rate::parse("1/min");
    };
    let appliance = Appliance::start(slow).await;
    appliance.trigger(&json!({"customerId": "42"})).await;
    let limited = appliance.send(command(added(&json!({"customerId": "42"})))).await;
    assert!(limited.header("retry-after").is_some());
    row(limited, 503, "service-unavailable");

    let disk = Arc::new(BadDisk::default());
    let appliance = Appliance::start(Setup { faults: Some(disk.clone()), ..setup() }).await;
    disk.fail(true);
    let answer = appliance.send(command(added(&json!({"customerId": "42"})))).await;
    assert!(answer.header("retry-after").is_some());
    assert!(!row(answer, 503, "service-unavailable").to_string().contains("burnt"));
    disk.fail(false);
    until("the store is well again", || appliance.store.trouble().is_none()).await;
    appliance.trigger(&json!({"customerId": "42"})).await;
    assert_eq!(appliance.notifications().await.len(), 1);
}

#[tokio::test]
async fn unknown_members_are_ignored_and_counted_or_refused() {
    let body = r#"{"type": "accountValidate", "parameters": {"customerId": "42"}, "colour": 1, "more": {}}"#;
    let appliance = Appliance::start(setup()).await;
    appliance.send(command(body)).await.expect(200);
    let counted = "tidings_api_ignored_members_total{contract=\"trigger\"} 2\n";
    assert!(appliance.metrics().contains(counted), "{}", appliance.metrics());
    let mut strict = setup();
    strict.trigger.as_mut().unwrap().unknown_members = tidings::api::polling::UnknownMembers::Refuse;
    let appliance = Appliance::start(strict).await;
    let refused = row(appliance.send(command(body)).await, 400, "invalid-request");
    assert_eq!(refused["validationErrors"].as_array().unwrap().len(), 2);
}
