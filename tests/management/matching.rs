//! Filters and audiences through the front door: what reaches a webhook, and how.

use serde_json::{Value, json};
use tidings::model::notification::State;

use crate::stage::{Stage, example, hook, with};

/// How many subscriptions get an event for this audience.
async fn matched(stage: &Stage, audience: &str, message: &Value) -> Value {
    stage.publish("ONTActivation", audience, message).await["matched"].clone()
}

#[tokio::test]
async fn the_published_filter_lets_through_what_it_says() {
    let stage = Stage::plain().await;
    stage.subscribe("noc", &example()).await;
    for (audience, message, wanted) in [
        ("1001", json!({"status": "Success", "opticalStatus": "Poor"}), 1),
        ("1002,7", json!({"status": "Success"}), 1),
        ("1001", json!({"status": "Success", "opticalStatus": "Good"}), 0),
        ("1001", json!({"status": "Fail"}), 0),
        ("2001", json!({"status": "Success"}), 0),
        ("", json!({"status": "Success"}), 0),
    ] {
        assert_eq!(matched(&stage, audience, &message).await, wanted, "{audience} {message}");
    }
    // In data itself, where there is no message.
    let plain = json!({"type": "ONTActivation", "audience": "1001", "data": {"status": "Success"}});
    assert_eq!(stage.post("/v1/events", "crm", &plain).await.expect(202).json()["matched"], 1);
    stage.tried(6).await;
}

#[tokio::test]
async fn values_are_compared_as_text() {
    let stage = Stage::plain().await;
    let attributes = json!([{"status": true}, {"status": 1.5}, {"status": "x", "opticalStatus": "y"}]);
    let body = with(&example(), "/filters", json!({"attributes": attributes}));
    stage.subscribe("noc", &body).await;
    for (message, wanted) in [
        (json!({"status": true}), 1),
        (json!({"status": "true"}), 1),
        (json!({"status": 1.5}), 1),
        (json!({"status": "1.50"}), 0),
        (json!({"status": "x"}), 0),
        (json!({"status": "x", "opticalStatus": "y"}), 1),
        (json!({"status": [true]}), 0),
    ] {
        assert_eq!(matched(&stage, "", &message).await, wanted, "{message}");
    }
}

#[tokio::test]
async fn no_filter_lets_an_addressed_event_reach_another_s_webhook() {
    let stage = Stage::plain().await;
    for filters in [json!({}), json!({"attributes": [{"__not__": {"status": "never"}}]}), json!({"target": "my"})] {
        let body = with(&hook("ONTActivation", "https://example.com/cb"), "/filters", filters);
        stage.subscribe("rival", &body).await;
    }
    assert_eq!(matched(&stage, "1001", &json!({})).await, 0);
    assert_eq!(matched(&stage, "", &json!({})).await, 2, "but those that ask for their own");
    assert_eq!(matched(&stage, "2001", &json!({})).await, 3);
}

#[tokio::test]
async fn contacts_are_not_sent_events_and_webhooks_have_numbers() {
    let stage = Stage::plain().await;
    let made = stage.subscribe("noc", &hook("Outage", "https://example.com/cb")).await;
    let id = made["id"].as_str().unwrap();
    for _ in 0..3 {
        stage.publish("Outage", "", &json!({})).await;
    }
    let tried = stage.tried(3).await;
    assert!(tried.iter().all(|(place, _)| place == "https://example.com/cb"));
    let mut numbers: Vec<_> = tried.iter().map(|(_, message)| message.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
    assert_eq!(stage.ends(id).await, [State::Delivered; 3]);
}
