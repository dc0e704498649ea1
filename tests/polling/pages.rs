//! What a page holds, and that nothing is in two of them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tidings::model::notification::State;
use tidings::store::Store as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use crate::support::client::{Call, notifications};
use crate::support::{Appliance, Setup, event_type, just_before, until};

async fn page(appliance: &Appliance, id: &str, size: usize) -> Value {
    appliance.send(Call::get(&format!("{}?size={size}", notifications(id)), "crm")).await.expect(200).json()
}

fn ids(page: &Value) -> Vec<String> {
    page["results"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect()
}

async fn publish_numbered(appliance: &Appliance, count: usize) {
    for n in 0..count {
        appliance.publish(&format!(r#"{{"type":"301","id":"{n}"}}"#)).await;
    }
}

#[tokio::test]
async fn an_event_comes_out_in_the_v2_shape_byte_for_byte() {
    let mut declared = event_type("301");
    declared.name = "create account".to_owned();
    declared.category = "IDENTITY_LIFECYCLE".to_owned();
    let appliance = Appliance::start(Setup { event_types: vec![declared], ..Setup::default() }).await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let data = r#"{ "user":{"id" : 12345678901234567890123, "x":1.50E+3 ,"s":"\u00e9\/é"}, "id":"hidden" , "l":[ ],"timestamp":0 }"#;
    let time = "2018-01-23T05:56:22.123456789+01:00";
    appliance.publish(&format!(r#"{{"type":"301","id":"p 1","time":"{time}","data": {data} }}"#)).await;
    assert_eq!(
        appliance.poll_text(&id).await,
        concat!(
            r#"{"page":1,"size":100,"results":[{"version":"V2","event_type_id":"301","#,
            r#""event_type_details":{"category":"IDENTITY_LIFECYCLE","name":"create account"},"#,
            r#""timestamp":"2018-01-23T04:56:22.123456Z","id":"p 1","#,
            r#""user":{"id" : 12345678901234567890123, "x":1.50E+3 ,"s":"\u00e9\/é"},"l":[ ]}]}"#
        )
    );
}

#[tokio::test]
async fn data_that_is_no_object_comes_out_whole() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    for data in ["[ 1.0,\t{\"a\":1e2}]", "\"\\ud83d\\ude00\"", "-0.00", "null", "true"] {
        appliance.publish(&format!(r#"{{"type":"301","data":{data}}}"#)).await;
        let text = appliance.poll_text(&id).await;
        assert!(text.ends_with(&format!(",\"data\":{data}}}]}}")), "{text}");
    }
}

#[tokio::test]
async fn pages_are_drained_oldest_first_and_each_notification_once() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    publish_numbered(&appliance, 5).await;
    let first = appliance.send(Call::get(&format!("{}?size=2", notifications(&id)), "crm")).await.expect(200);
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    let first = first.json();
    assert_eq!((&first["page"], &first["size"]), (&1.into(), &2.into()));
    assert_eq!(ids(&first), ["0", "1"]);
    assert_eq!(ids(&page(&appliance, &id, 2).await), ["2", "3"]);
    assert_eq!(ids(&page(&appliance, &id, 1000).await), ["4"]);
    assert_eq!(appliance.poll_text(&id).await, r#"{"page":1,"size":100,"results":[]}"#);
    assert_eq!(appliance.store.figures().sums.poll.get(State::Consumed), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_at_once_get_disjoint_pages() {
    let appliance = std::sync::Arc::new(Appliance::plain().await);
    let id = appliance.subscribe("crm", &["301"]).await;
    publish_numbered(&appliance, 60).await;
    let mut pollers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (appliance, id) = (appliance.clone(), id.clone());
        pollers.spawn(async move {
            let mut seen = Vec::new();
            loop {
                match ids(&page(&appliance, &id, 3).await) {
                    empty if empty.is_empty() => return seen,
                    more => seen.extend(more),
                }
            }
        });
    }
    let seen: Vec<String> = pollers.join_all().await.into_iter().flatten().collect();
    assert_eq!(seen.len(), 60);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 60);
}

#[tokio::test]
async fn after_its_deadline_a_notification_is_never_handed_out() {
    let mut short = event_type("302");
    short.ttl.poll = Some(Duration::from_mins(10));
    let appliance = Appliance::start(Setup { event_types: vec![short], ..Setup::default() }).await;
    let (long, short) = (appliance.subscribe("crm", &["301"]).await, appliance.subscribe("crm", &["302"]).await);
    for _ in 0..2 {
        appliance.publish(r#"{"type":"301"}"#).await;
        appliance.publish(r#"{"type":"302"}"#).await;
    }
    appliance.clock.advance(just_before(Duration::from_mins(10)));
    assert_eq!(ids(&page(&appliance, &short, 1).await).len(), 1);
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(ids(&page(&appliance, &short, 1).await).len(), 0, "not swept, but past its deadline");
    appliance.clock.advance(just_before(Duration::from_mins(6 * 60 - 10)));
    assert_eq!(ids(&page(&appliance, &long, 1).await).len(), 1);
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(ids(&page(&appliance, &long, 1).await).len(), 0);
}

#[tokio::test]
async fn a_page_ends_at_four_mebibytes_and_says_nothing_of_what_is_left() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let event = format!(r#"{{"type":"301","data":"{}"}}"#, "x".repeat(200 << 10));
    for _ in 0..24 {
        appliance.publish(&event).await;
    }
    let first = page(&appliance, &id, 1000).await["results"].as_array().unwrap().len();
    assert!((20..=21).contains(&first), "{first}");
    assert_eq!(page(&appliance, &id, 1000).await["results"].as_array().unwrap().len(), 24 - first);
}

#[tokio::test]
async fn an_answer_that_does_not_reach_the_socket_whole_is_counted() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let event = format!(r#"{{"type":"301","data":"{}"}}"#, "x".repeat(200 << 10));
    for _ in 0..20 {
        appliance.publish(&event).await;
    }
    // A receive window that is far smaller than the answer.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(appliance.address).await.unwrap();
    let head = format!(
        "GET {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        notifications(&id),
        appliance.token("crm")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    until("the page is consumed", || appliance.store.figures().sums.poll.get(State::Consumed) == 20).await;
    assert_eq!(appliance.store.figures().answer_unconfirmed, 0);
    drop(stream);
    until("the lost answer is counted", || appliance.store.figures().answer_unconfirmed == 20).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!(appliance.poll(&id).await.len(), 1, "nothing comes back by itself");
    assert_eq!(appliance.store.figures().answer_unconfirmed, 20);
}
