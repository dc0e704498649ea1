//! `expiresOn` through the front door: both sides of New Zealand's clock changes and of a leap day, and what a
//! subscription takes in until then.

use std::time::Duration;

use serde_json::json;
use tidings::base::clock::{Clock as _, Timestamp};

use crate::stage::{SUBSCRIPTIONS, Stage, example, hook, subscription, with};
use crate::support::client::Call;

/// The clock goes on to this instant.
fn go_to(stage: &Stage, instant: &str) {
    let clock = &stage.appliance.clock;
    clock.advance(Timestamp::parse_rfc3339(instant).unwrap().since(clock.now()));
}

async fn end(stage: &Stage, text: &str) -> String {
    let made = stage.subscribe("noc", &with(&example(), "/expiresOn", json!(text))).await;
    made["expiresOn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn all_accepted_forms_are_answered_as_a_day_in_new_zealand() {
    let stage = Stage::plain().await;
    for (text, day) in [
        ("2027-08-24", "2027-08-24"),
        ("2027-08-24+12:00", "2027-08-24"),
        ("2027-08-24Z", "2027-08-25"),
        ("2027-08-24T11:59:59Z", "2027-08-24"),
        ("2027-08-24T12:00:00Z", "2027-08-25"),
        ("2027-08-24T23:59:59+12:00", "2027-08-24"),
        // The day of the published example, and one too late.
        ("2027-11-22", "2027-11-22"),
        ("2027-11-23", "2027-11-22"),
        ("2099-01-01", "2027-11-22"),
    ] {
        assert_eq!(end(&stage, text).await, day, "{text}");
    }
    for text in ["2026-11-21", "2019-08-24", "2026-11-22T10:00:00Z"] {
        let problems = stage.refused(&with(&example(), "/expiresOn", json!(text))).await;
        assert_eq!(problems, ["expiresOn: must not be in the past"], "{text}");
    }
    assert_eq!(end(&stage, "2026-11-22").await, "2026-11-22", "today");
}

#[tokio::test]
async fn a_subscription_lives_through_its_day_on_both_sides_of_both_clock_changes() {
    // Clocks go back on 4 April 2027 at 3:00 and forward on 26 September 2027 at 2:00.
    for (day, last) in [
        ("2027-04-03", "2027-04-03T10:59:59.999Z"),
        ("2027-04-04", "2027-04-04T11:59:59.999Z"),
        ("2027-09-25", "2027-09-25T11:59:59.999Z"),
        ("2027-09-26", "2027-09-26T10:59:59.999Z"),
    ] {
        let stage = Stage::plain().await;
        let body = with(&hook("Outage", "https://example.com/cb"), "/expiresOn", json!(day));
        let made = stage.subscribe("noc", &body).await;
        assert_eq!(made["expiresOn"], day);
        go_to(&stage, last);
        assert_eq!(stage.publish("Outage", "", &json!({})).await["matched"], 1, "{day}");
        stage.appliance.clock.advance(Duration::from_millis(1));
        assert_eq!(stage.publish("Outage", "", &json!({})).await["matched"], 0, "{day}, though not swept");
    }
}

#[tokio::test]
async fn a_leap_day_has_both_sides() {
    let stage = Stage::plain().await;
    go_to(&stage, "2027-06-01T00:00:00Z");
    for day in ["2028-02-28", "2028-02-29", "2028-03-01"] {
        assert_eq!(end(&stage, day).await, day);
    }
    let problems = stage.refused(&with(&example(), "/expiresOn", json!("2028-02-30"))).await;
    assert!(problems[0].starts_with("expiresOn: must be a date"), "{problems:?}");
    let absent = with(&example(), "/expiresOn", None);
    for (now, year_ahead) in [
        ("2028-02-28T10:59:59Z", "2029-02-28"),
        ("2028-02-28T11:00:00Z", "2029-02-28"),
        ("2028-02-29T11:00:00Z", "2029-03-01"),
    ] {
        go_to(&stage, now);
        assert_eq!(stage.subscribe("noc", &absent).await["expiresOn"], year_ahead, "at {now}");
    }
}

#[tokio::test]
async fn the_end_can_be_changed_and_nothing_else() {
    let stage = Stage::plain().await;
    let made = stage.subscribe("noc", &example()).await;
    let id = made["id"].as_str().unwrap();
    let change = async |body: &serde_json::Value| stage.patch(id, "noc", body).await;
    let changed = change(&json!({"expiresOn": "2027-01-31"})).await.expect(200).json();
    assert_eq!(changed, with(&made, "/expiresOn", json!("2027-01-31")));
    assert_eq!(stage.get(&subscription(id), "noc").await.json(), changed);
    let late = change(&json!({"expiresOn": "2030-01-01"})).await.expect(200).json();
    assert_eq!(late["expiresOn"], "2027-11-22");
    // What was answered may be sent along; it is not looked at.
    let whole = with(&with(&late, "/expiresOn", json!("2027-02-01")), "/eventType", json!("Outage"));
    let whole = change(&whole).await.expect(200).json();
    assert_eq!(whole, with(&made, "/expiresOn", json!("2027-02-01")));
    for (body, problem) in [
        (json!({}), "the body must have expiresOn"),
        (json!({"eventType": "Outage"}), "the body must have expiresOn"),
        (json!([]), "the body must be an object"),
        (json!({"expiresOn": null}), "expiresOn: must be a string"),
        (json!({"expiresOn": "2019-08-24"}), "expiresOn: must not be in the past"),
        (json!({"expiresOn": "never"}), "expiresOn: must be a date"),
    ] {
        let answer = change(&body).await.expect(400).json();
        assert!(answer["message"][0].as_str().unwrap().starts_with(problem), "{body}: {answer}");
    }
    assert_eq!(stage.get(&subscription(id), "noc").await.json(), whole, "absent does not reset it");
}

#[tokio::test]
async fn one_that_has_ended_is_readable_for_thirty_days_and_cannot_be_revived() {
    let stage = Stage::plain().await;
    let made = stage.subscribe("noc", &with(&example(), "/expiresOn", json!("2026-12-01"))).await;
    let id = made["id"].as_str().unwrap();
    // It ends with the first of December, at 11:00 UTC.
    go_to(&stage, "2026-12-01T11:00:00Z");
    assert_eq!(stage.get(&subscription(id), "noc").await.expect(200).json(), made);
    let revived = stage.patch(id, "noc", &json!({"expiresOn": "2027-01-01"})).await.expect(409).json();
    assert_eq!(revived["message"], "The subscription has ended; make a new one.");
    go_to(&stage, "2026-12-31T10:59:59.999Z");
    stage.get(&subscription(id), "noc").await.expect(200);
    assert_eq!(stage.get(SUBSCRIPTIONS, "noc").await.json().as_array().unwrap().len(), 1);
    stage.appliance.clock.advance(Duration::from_millis(1));
    stage.get(&subscription(id), "noc").await.expect(404);
    assert_eq!(stage.get(SUBSCRIPTIONS, "noc").await.json(), json!([]));
    stage.send(Call::delete(&subscription(id), "noc")).await.expect(404);
}
