//! Commands: the forms of their parameters, their trace, the alias.

use hyper::Method;
use serde_json::{Value, json};

use crate::stage::{KEY, added, command, setup};
use crate::support::Appliance;
use crate::support::client::Call;

#[tokio::test]
async fn every_published_type_is_taken_and_answered_without_a_body() {
    let appliance = Appliance::start(setup()).await;
    let types = [
        "partnerSubscriptionAdded",
        "partnerSubscriptionUpdated",
        "partnerSubscriptionCancelled",
        "accountValidate",
        "declaredType",
    ];
    for kind in types {
        let body = json!({"type": kind, "parameters": {"customerId": "42"}}).to_string();
        let answer = appliance.send(command(body)).await.expect(200);
        assert!(answer.body.is_empty() && answer.header("content-type").is_none());
    }
    let told: Vec<_> = appliance.notifications().await.iter().map(|n| n["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, types);
}

#[tokio::test]
async fn parameters_come_to_one_object_and_the_raw_text_is_kept() {
    let mut setup = setup();
    setup.trigger.as_mut().unwrap().repeat_window = std::time::Duration::ZERO;
    let appliance = Appliance::start(setup).await;
    let text = r#"{"customerId": "42", "price": 1.50}"#;
    let forms = [
        (json!(text), text.to_owned()),
        (json!([{"name": "customerId", "value": "42"}, {"key": "price", "value": 1.5}]), String::new()),
        (json!({"customerId": 42}), r#"{"customerId":42}"#.to_owned()),
    ];
    for (parameters, _) in &forms {
        appliance.trigger(parameters).await;
    }
    let notifications = appliance.notifications().await;
    assert_eq!(notifications.len(), forms.len());
    for (notification, (_, raw)) in notifications.iter().zip(&forms) {
        let event = appliance.event(notification).await;
        assert_eq!(event["data"]["customerId"].to_string().trim_matches('"'), "42", "{event}");
        if !raw.is_empty() {
            assert!(event.to_string().contains(&Value::from(raw.as_str()).to_string()), "{raw} in {event}");
        }
    }
}

#[tokio::test]
async fn a_valid_trace_is_continued_and_echoed_and_a_malformed_one_ignored() {
    let appliance = Appliance::start(setup()).await;
    let (trace, span) = ("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312");
    let send = |n: u32, headers: &[(&str, &str)]| {
        let call = command(added(&json!({"customerId": "42", "n": n})));
        headers.iter().fold(call, |call, (name, value)| call.header(name, value))
    };
    // The vendor's own examples.
    let whole = [("X-B3-TraceId", trace), ("X-B3-SpanId", span), ("X-B3-ParentSpanId", "0020000000000001")];
    let answer = appliance.send(send(1, &whole)).await.expect(200);
    assert_eq!(answer.header("x-b3-traceid"), Some(trace));
    let short = appliance.send(send(2, &[("X-B3-TraceId", span), ("X-B3-SpanId", span)])).await.expect(200);
    assert_eq!(short.header("x-b3-traceid"), Some(span));
    for (n, bad) in (3..).zip(["", "463AC35C9F6413AD48485A3953BB6124", "463ac35c", "0000000000000000"]) {
        let answer = appliance.send(send(n, &[("X-B3-TraceId", bad), ("X-B3-SpanId", "nonsense")])).await.expect(200);
        assert_eq!(answer.header("x-b3-traceid"), None, "{bad}");
    }
    let notifications = appliance.notifications().await;
    let event = appliance.event(&notifications[0]).await;
    assert_eq!(event["traceparent"], format!("00-{trace}-{span}-00"), "{event}");
    let event = appliance.event(&notifications[1]).await;
    assert_eq!(event["traceparent"], format!("00-0000000000000000{span}-{span}-00"));
    assert!(appliance.event(&notifications[2]).await.get("traceparent").is_none());
}

#[tokio::test]
async fn the_alias_is_the_same_operation() {
    let appliance = Appliance::start(setup()).await;
    let call = Call::new(Method::POST, "/notification", "crm").without_token().header("x-api-key", KEY);
    let call = call.header("content-type", "application/json").body(added(&json!({"customerId": "42"})));
    appliance.send(call).await.expect(200);
    assert_eq!(appliance.notifications().await.len(), 1);
    // What is mounted below it is its own.
    appliance.send(Call::get("/notification/v1/subscriptions/x", "crm")).await.expect(404);
}

#[tokio::test]
async fn it_is_told_to_the_one_customer_and_to_nobody_who_wants_the_type() {
    let appliance = Appliance::start(setup()).await;
    let clients = setup().clients;
    drop(clients);
    let mut with_poller = setup();
    with_poller.declared.push(crate::support::declared("all", "crm", &["partnerSubscriptionAdded"]));
    let appliance = appliance.restart(with_poller).await;
    appliance.trigger(&json!({"customerId": "42"})).await;
    let notifications = appliance.notifications().await;
    assert_eq!(notifications.len(), 1);
    assert_eq!(notifications[0]["subscription"], "customer/c-1");
    let why = &appliance.story(&notifications[0]).await["why"];
    assert_eq!(why["words"], json!(["a command named customer/c-1; it is for nobody else"]));
    assert!(why.get("typeListed").is_none(), "{why}");
}

#[tokio::test]
async fn the_document_is_served_below_the_mount_to_anyone() {
    let appliance = Appliance::start(setup()).await;
    let served =
        appliance.send(Call::get("/v2/notification/openapi.json", "crm").without_token()).await.expect(200).json();
    assert_eq!(served["servers"][0]["url"], format!("{}/v2", crate::support::PUBLIC_URL));
    assert!(served["paths"]["/notification"]["post"].is_object());
}
