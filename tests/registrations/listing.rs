//! The list of registrations and its pages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{
    SUBSCRIBER, email, error, errors, id_of, list, make, path, problems, put, setup, start, webhook_to,
};
use crate::support::Appliance;
use crate::support::client::Call;

fn ids(list: &Value) -> Vec<String> {
    list["records"].as_array().unwrap().iter().map(id_of).collect()
}

/// So many webhooks, a second apart; their ids.
async fn many(appliance: &Appliance, count: usize) -> Vec<String> {
    let mut made = Vec::new();
    for n in 0..count {
        made.push(id_of(&make(appliance, "broker", &webhook_to(&format!("https://example.com/{n}"))).await));
        appliance.clock.advance(Duration::from_secs(1));
    }
    made
}

#[tokio::test]
async fn the_published_page_of_two() {
    let appliance = start(setup()).await;
    let empty = list(&appliance, "broker", "").await;
    let page = json!({"page": 1, "totalRecords": 0, "pageRecords": 0, "limit": 20});
    assert_eq!(empty, json!({"page": page, "records": []}));
    make(&appliance, "broker", &webhook_to("https://example.com/1")).await;
    make(&appliance, "broker", &email()).await;
    let two = list(&appliance, "broker", "").await;
    assert_eq!(two["page"], json!({"page": 1, "totalRecords": 2, "pageRecords": 2, "limit": 20}));
    let records = two["records"].as_array().unwrap();
    assert!(records.iter().all(|record| record["subscriberId"] == SUBSCRIBER));
}

#[tokio::test]
async fn what_was_changed_last_comes_first() {
    let appliance = start(setup()).await;
    let made = many(&appliance, 3).await;
    assert_eq!(ids(&list(&appliance, "broker", "").await), [&*made[2], &made[1], &made[0]]);
    appliance.send(put(&made[0], "broker", &webhook_to("https://example.com/0"))).await.expect(200);
    assert_eq!(ids(&list(&appliance, "broker", "").await), [&*made[0], &made[2], &made[1]]);
}

#[tokio::test]
async fn pages_are_cut_as_they_are_asked_for() {
    let appliance = start(setup()).await;
    let made = many(&appliance, 23).await;
    let page = async |query: &str| list(&appliance, "broker", query).await;
    let first = page("").await;
    assert_eq!(first["page"], json!({"page": 1, "totalRecords": 23, "pageRecords": 20, "limit": 20}));
    let second = page("?page=2").await;
    assert_eq!(second["page"], json!({"page": 2, "totalRecords": 23, "pageRecords": 3, "limit": 20}));
    assert_eq!(ids(&second), [&*made[2], &made[1], &made[0]]);
    assert_eq!(page("?page=3").await["page"], json!({"page": 3, "totalRecords": 23, "pageRecords": 0, "limit": 20}));
    assert_eq!(ids(&page("?limit=1&page=23").await), [&*made[0]]);
    assert_eq!(page("?limit=100").await["page"]["pageRecords"], 23);
    assert_eq!(page("?limit=100&page=100").await["page"]["totalRecords"], 23, "both sides of 10,000");
    for (query, field) in [
        ("?page=0", "page"),
        ("?page=-1", "page"),
        ("?page=", "page"),
        ("?page=one", "page"),
        ("?page=10001", "page"),
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=%2B5", "limit"),
        ("?limit=100&page=101", "page"),
        ("?page=99999999999999999999999", "page"),
    ] {
        let refused = problems(appliance.send(Call::get(&format!("{}{query}", path("")), "broker")).await);
        assert_eq!(refused.len(), 1, "{query}");
        assert_eq!(refused[0].0, field, "{query}");
    }
    let both = errors(
        appliance.send(Call::get(&path("").replace("registrations", "registrations?page=0&limit=0"), "broker")).await,
        400,
    );
    assert_eq!(both.len(), 2, "all at once: {both:?}");
}

#[tokio::test]
async fn one_is_found_by_its_id_whatever_the_page() {
    let appliance = start(setup()).await;
    let made = many(&appliance, 3).await;
    for query in ["", "&page=7", "&limit=0", "&page=x&limit=y"] {
        let one = list(&appliance, "broker", &format!("?registrationId={}{query}", made[1])).await;
        assert_eq!(ids(&one), [&*made[1]], "{query}");
        assert_eq!(one["page"], json!({"page": 1, "totalRecords": 1, "pageRecords": 1, "limit": 20}));
    }
    let upper = made[1].to_uppercase();
    assert_eq!(ids(&list(&appliance, "broker", &format!("?registrationId={upper}")).await), [&*made[1]]);
    let find =
        async |client, id: &str| appliance.send(Call::get(&format!("{}?registrationId={id}", path("")), client)).await;
    for (client, id) in [
        ("broker", "28e5d78c-d642-42d1-8064-0082dc87c4e5"),
        ("broker", "x"),
        ("broker", ""),
        // Another's is as one that does not exist.
        ("rival", &made[1]),
    ] {
        assert_eq!(error(find(client, id).await, 404).0, "TDG.REG.006", "{client} {id}");
    }
}
