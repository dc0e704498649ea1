//! What a group is mailed: of its types, to each address, and nothing any more where an address is taken out.

use serde_json::json;
use tidings::model::notification::State;
use tidings::store::Store as _;

use crate::stage::setup;
use crate::support::Appliance;
use crate::support::Setup;
use crate::support::client::Call;

fn with_operator() -> Setup {
    let clients = vec![
        ("crm", &["events:publish", "notifications:operate"][..], &[][..]),
        ("rival", &["other:scope"][..], &[][..]),
    ];
    Setup { clients, ..setup() }
}

/// How many notifications are in `state`.
async fn mailed(appliance: &Appliance, state: &str) -> usize {
    let found = appliance.send(Call::get(&format!("/v1/notifications?state={state}"), "crm")).await.expect(200).json();
    found["notifications"].as_array().unwrap().len()
}

#[tokio::test]
async fn each_address_of_the_type_gets_a_message_of_its_own() {
    let appliance = Appliance::start(with_operator()).await;
    appliance
        .configure("crm", r#"{"order_confirm": ["b@example.com", "a@example.com"], "fon_offer": ["f@example.com"]}"#)
        .await
        .expect(200);
    let receipt = appliance.tell("order_confirm", "acme").await;
    assert_eq!((&receipt["matched"], &receipt["notifications"]["email"]), (&json!(1), &json!(2)));
    assert_eq!(appliance.tell("fon_offer", "acme").await["notifications"]["email"], 1);
}

#[tokio::test]
async fn a_type_without_an_address_is_unmatched_only_if_nothing_else_matched() {
    let appliance = Appliance::start(with_operator()).await;
    assert_eq!(appliance.tell("order_confirm", "acme").await["matched"], 0);
    appliance.configure("rival", r#"{"order_confirm": ["r@example.com"]}"#).await.expect(200);
    assert_eq!(appliance.tell("order_confirm", "acme,rivals").await["matched"], 1);
    assert_eq!(appliance.store.figures().unmatched, 1);
}

#[tokio::test]
async fn another_group_s_events_are_not_mailed() {
    let appliance = Appliance::start(with_operator()).await;
    appliance.configure("crm", r#"{"order_confirm": ["a@example.com"]}"#).await.expect(200);
    assert_eq!(appliance.tell("order_confirm", "rivals").await["matched"], 0);
    assert_eq!(appliance.tell("order_confirm", "crm").await["matched"], 0, "the client is no owner");
    let unaddressed = Call::post("/v1/events", "crm", r#"{"type": "order_confirm"}"#);
    appliance.send(unaddressed).await.expect(400);
    assert_eq!(appliance.tell("order_confirm", "acme").await["matched"], 1);
}

#[tokio::test]
async fn a_group_is_mailed_also_where_the_client_that_asked_for_it_is_gone() {
    let appliance = Appliance::start(with_operator()).await;
    appliance.configure("rival", r#"{"order_confirm": ["r@example.com"]}"#).await.expect(200);
    let clients = vec![("crm", &["events:publish", "notifications:operate"][..], &[][..])];
    let appliance = appliance.restart(Setup { clients, ..setup() }).await;
    assert_eq!(appliance.tell("order_confirm", "rivals").await["matched"], 1);
    assert_eq!(mailed(&appliance, "queued").await, 1);
}

#[tokio::test]
async fn an_address_that_is_taken_out_has_its_waiting_mail_cancelled_and_no_other() {
    let appliance = Appliance::start(with_operator()).await;
    appliance.configure("crm", r#"{"order_confirm": ["a@example.com", "b@example.com"]}"#).await.expect(200);
    appliance.tell("order_confirm", "acme").await;
    let sums = |state: State| appliance.store.figures().sums.email.get(state);
    assert_eq!((sums(State::Queued), sums(State::Cancelled)), (2, 0));
    appliance.configure("crm", r#"{"order_confirm": ["b@example.com", "c@example.com"]}"#).await.expect(200);
    assert_eq!((sums(State::Queued), sums(State::Cancelled)), (1, 1));
    appliance.configure("crm", r#"{"order_confirm": []}"#).await.expect(200);
    assert_eq!((sums(State::Queued), sums(State::Cancelled)), (0, 2));
    // The same again changes nothing of what waits.
    appliance.configure("crm", r#"{"order_confirm": ["b@example.com"]}"#).await.expect(200);
    appliance.tell("order_confirm", "acme").await;
    appliance.configure("crm", r#"{"order_confirm": [" b@EXAMPLE.com"]}"#).await.expect(200);
    assert_eq!((sums(State::Queued), sums(State::Cancelled)), (1, 2));
}
