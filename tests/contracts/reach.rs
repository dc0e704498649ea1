//! One published event, and everybody whom it is for.

use serde_json::{Value, json};
use tidings::model::holder::group_subscription;

use crate::management::Stage;
use crate::site::{ALPHA, CUSTOMER, CUSTOMER_ADDRESS, NOTICE, managed, setup};
use crate::trigger::command;

/// The names of places that were sent to, in order.
fn places(stage: &Stage) -> Vec<String> {
    let mut places: Vec<_> = stage.script.tried().into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// The places of `client` in each contract, and the filter that its subscription of the management contract has.
async fn wants_all(stage: &Stage, client: &'static str, filters: &Value) -> String {
    let queue = stage.appliance.subscribe(client, &[NOTICE]).await;
    stage.register(client, NOTICE, &format!("https://example.com/{client}/registered")).await;
    stage.register(client, NOTICE, &format!("{client}.registered@example.com")).await;
    let managed_at = [format!("https://example.com/{client}/managed"), format!("{client}.managed@example.com")];
    stage.manage(client, &managed(NOTICE, &managed_at, filters)).await;
    let table = json!({NOTICE: [format!("{client}.group@example.com")]}).to_string();
    stage.appliance.configure(client, table).await.expect(200);
    queue
}

/// Where a client is that [`wants_all`], the filtered ones last.
fn all_of(client: &str) -> Vec<String> {
    vec![
        format!("{client}.group@example.com"),
        format!("{client}.registered@example.com"),
        format!("https://example.com/{client}/registered"),
        format!("{client}.managed@example.com"),
        format!("https://example.com/{client}/managed"),
    ]
}

async fn polled(stage: &Stage, client: &'static str, queue: &str) -> usize {
    let path = crate::support::client::notifications(queue);
    stage.get(&path, client).await.expect(200).json()["results"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_event_reaches_the_subscribers_of_all_contracts_by_type_owner_and_filter() {
    let stage = Stage::start(setup()).await;
    let failures = json!({"attributes": [{"status": "Fail"}]});
    let alpha = wants_all(&stage, "alpha", &failures).await;
    let rival = wants_all(&stage, "rival", &json!({"target": "my"})).await;
    let expected = |receipt: &Value, matched: usize, kinds: [usize; 3]| {
        let [poll, webhook, email] = kinds;
        assert_eq!(receipt["matched"], matched, "{receipt}");
        assert_eq!(receipt["notifications"], json!({"poll": poll, "webhook": webhook, "email": email}));
    };

    // For one of them, and through its filter.
    let (_, receipt) = stage.tell(NOTICE, Some(ALPHA), &json!({"status": "Fail"})).await;
    expected(&receipt, 5, [1, 2, 3]);
    stage.tried(5).await;
    let mut told = all_of("alpha");
    told.sort_unstable();
    assert_eq!(places(&stage), told);

    // The filter keeps it from that one subscription.
    let (_, receipt) = stage.tell(NOTICE, Some(ALPHA), &json!({"status": "Success"})).await;
    expected(&receipt, 4, [1, 1, 2]);
    stage.tried(8).await;
    told.extend_from_slice(&all_of("alpha")[..3]);
    told.sort_unstable();
    assert_eq!(places(&stage), told);

    // For everyone: both have it, but for the subscription that wants its own only.
    let (_, receipt) = stage.tell(NOTICE, None, &json!({"status": "Fail"})).await;
    expected(&receipt, 9, [2, 3, 5]);
    stage.tried(16).await;
    told.extend(all_of("alpha"));
    told.extend_from_slice(&all_of("rival")[..3]);
    told.sort_unstable();
    assert_eq!(places(&stage), told);

    assert_eq!((polled(&stage, "alpha", &alpha).await, polled(&stage, "rival", &rival).await), (3, 1));
    assert!(!told.iter().any(|place| place == CUSTOMER_ADDRESS), "a customer wants no type");
    assert_eq!(stage.events_of("customer%2Fc-1").await, Vec::<String>::new());
}

#[tokio::test]
async fn another_type_reaches_nobody() {
    let stage = Stage::start(setup()).await;
    let alpha = wants_all(&stage, "alpha", &json!({})).await;
    let (_, receipt) = stage.tell("another", Some(ALPHA), &json!({})).await;
    assert_eq!((&receipt["matched"], polled(&stage, "alpha", &alpha).await), (&json!(0), 0));
}

#[tokio::test]
async fn a_command_is_told_to_its_customer_and_to_no_subscriber_of_its_type() {
    let stage = Stage::start(setup()).await;
    let alpha = wants_all(&stage, "alpha", &json!({})).await;
    let body = json!({"type": NOTICE, "parameters": {"customerId": CUSTOMER}}).to_string();
    stage.send(command(body)).await.expect(200);
    stage.tried(1).await;
    assert_eq!(places(&stage), [CUSTOMER_ADDRESS]);
    assert_eq!(polled(&stage, "alpha", &alpha).await, 0);
    let group = group_subscription(ALPHA, &NOTICE.into()).as_str().replace('/', "%2F");
    assert_eq!(stage.events_of(&group).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_event_for_the_customer_s_own_owner_is_no_command() {
    // The owner of a customer is the id of its subscription, which anybody can write as an audience.
    let stage = Stage::start(setup()).await;
    for audience in ["customer/c-1", "c-1", CUSTOMER] {
        let (_, receipt) = stage.tell(NOTICE, Some(audience), &json!({"customerId": CUSTOMER})).await;
        assert_eq!(receipt["matched"], 0, "{audience}");
    }
}
