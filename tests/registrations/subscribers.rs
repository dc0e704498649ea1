//! For whom a call is.

use serde_json::json;

use crate::stage::{
    MOUNT, OTHER, SUBSCRIBER, email, error, id_of, list, make, path, post, put, rotate, setup, start, webhook,
};
use crate::support::Appliance;
use crate::support::client::Call;

/// The same call for this subscriber.
fn for_subscriber(mut call: Call, subscriber: &str) -> Call {
    let join = if call.path.contains('?') { '&' } else { '?' };
    call.path = format!("{}{join}subscriberId={subscriber}", call.path);
    call
}

/// One call of each operation, by `client`.
fn all(client: &'static str, id: &str) -> Vec<Call> {
    let domain = json!({"webhookDomain": "example.com"}).to_string();
    vec![
        post(client, &webhook()),
        Call::get(&path(""), client),
        put(id, client, &webhook()),
        rotate(id, client, ""),
        Call::get(&format!("{MOUNT}/notifications"), client),
        Call::new(hyper::Method::POST, &format!("{MOUNT}/notifications/{id}/retry-notifications"), client),
        Call::post(&format!("{MOUNT}/webhook-domains"), client, domain),
        Call::get(&format!("{MOUNT}/webhook-domains"), client),
        Call::delete(&format!("{MOUNT}/webhook-domains/example.com"), client),
        Call::delete(&path(id), client),
    ]
}

#[tokio::test]
async fn only_an_administrator_may_name_another_subscriber() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "rival", &webhook()).await);
    for call in all("broker", &id) {
        for named in [OTHER, "x", ""] {
            let shown = format!("{} {}", call.method, call.path);
            let refused = appliance.send(for_subscriber(call.clone(), named)).await;
            assert_eq!(error(refused, 403).0, "TDG.REG.003", "{shown}");
        }
    }
    let own = appliance.send(for_subscriber(post("broker", &email()), SUBSCRIBER)).await.expect(201);
    assert_eq!(own.json()["subscriberId"], SUBSCRIBER, "that is nobody else");
    let shouted = SUBSCRIBER.to_uppercase();
    let own = appliance.send(for_subscriber(post("broker", &webhook()), &shouted)).await.expect(201);
    assert_eq!(own.json()["subscriberId"], SUBSCRIBER, "nor is that: the letters of a UUID have no case");
}

#[tokio::test]
async fn an_administrator_acts_for_whom_it_names() {
    let appliance = start(setup()).await;
    let made = appliance.send(for_subscriber(post("admin", &webhook()), OTHER)).await.expect(201).json();
    assert_eq!((&made["subscriberId"], &made["integratorId"]), (&json!(OTHER), &json!("admin")));
    assert_eq!(list(&appliance, "rival", "").await["page"]["totalRecords"], 1);
    assert_eq!(list(&appliance, "broker", "").await["page"]["totalRecords"], 0);
    let id = id_of(&made);
    let statuses = outcomes(&appliance, &id, OTHER).await;
    // The URL is taken, and the id is no notification's.
    assert_eq!(statuses, [409, 200, 200, 200, 200, 404, 201, 200, 204, 204]);
    let id = id_of(&make(&appliance, "rival", &webhook()).await);
    let statuses = outcomes(&appliance, &id, SUBSCRIBER).await;
    assert_eq!(statuses, [201, 200, 404, 404, 200, 404, 201, 200, 204, 404], "it names who it acts for");
}

async fn outcomes(appliance: &Appliance, id: &str, subscriber: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for call in all("admin", id) {
        statuses.push(appliance.send(for_subscriber(call, subscriber)).await.status);
    }
    statuses
}

#[tokio::test]
async fn who_has_no_subscriber_can_act_for_nobody() {
    let appliance = start(setup()).await;
    for call in all("stranger", "28e5d78c-d642-42d1-8064-0082dc87c4e5") {
        assert_eq!(error(appliance.send(call).await, 403).0, "TDG.REG.003");
    }
    for call in all("admin", "28e5d78c-d642-42d1-8064-0082dc87c4e5") {
        let refused = error(appliance.send(call.clone()).await, 400);
        assert_eq!(refused, ("TDG.REG.001".to_owned(), "subscriberId".to_owned()));
        let refused = error(appliance.send(for_subscriber(call, "not-a-uuid")).await, 400);
        assert_eq!(refused, ("TDG.REG.001".to_owned(), "subscriberId".to_owned()));
    }
}
