//! `Prefer: wait`.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tidings::engine::{Admission, PollRequest};
use tidings::model::notification::State;
use tidings::model::subscription::ContractName;
use tidings::store::Store as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::client::{Answer, Call, notifications, subscription};
use crate::support::{Appliance, Setup, until};

/// Starts a poll that waits, and comes back once the appliance has it.
async fn waiting(appliance: &Arc<Appliance>, id: &str, prefer: &str) -> JoinHandle<Answer> {
    let call = Call::get(&notifications(id), "crm").header("prefer", prefer);
    let task = {
        let appliance = appliance.clone();
        tokio::spawn(async move { appliance.send(call).await })
    };
    is_polled(appliance, id).await;
    task
}

async fn is_polled(appliance: &Appliance, id: &str) {
    let view = || appliance.engine.subscription(ContractName::Polling, &"crm".into(), id).unwrap();
    until("the poll has arrived", || view().queue.last_polled.is_some()).await;
}

async fn subscribed() -> (Arc<Appliance>, String) {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    (Arc::new(appliance), id)
}

#[tokio::test]
async fn an_empty_subscription_holds_the_request_until_something_arrives() {
    let (appliance, id) = subscribed().await;
    let poll = waiting(&appliance, &id, "respond-async, wait=60").await;
    appliance.publish(r#"{"type":"302"}"#).await;
    appliance.publish(r#"{"type":"301","id":"it"}"#).await;
    let answer = poll.await.unwrap().expect(200);
    assert_eq!(answer.header("preference-applied"), Some("wait"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["results"][0]["id"], "it");
}

#[tokio::test]
async fn the_wait_ends_with_an_empty_page() {
    let appliance = Appliance::start(Setup { max_wait: Duration::from_secs(1), ..Setup::default() }).await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let call = Call::get(&notifications(&id), "crm").header("prefer", "wait=86400");
    let answer = appliance.send(call).await.expect(200);
    assert_eq!(answer.header("preference-applied"), Some("wait"));
    assert_eq!(answer.text(), r#"{"page":1,"size":100,"results":[]}"#);
}

#[tokio::test]
async fn what_is_no_wait_is_answered_at_once() {
    let (appliance, id) = subscribed().await;
    for prefer in ["wait=0", "wait=soon", "return=minimal"] {
        let answer = appliance.send(Call::get(&notifications(&id), "crm").header("prefer", prefer)).await.expect(200);
        assert_eq!(answer.header("preference-applied"), None);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_consumes_nothing() {
    let (appliance, id) = subscribed().await;
    let mut stream = TcpStream::connect(appliance.address).await.unwrap();
    let head = format!(
        "GET {} HTTP/1.1\r\nhost: x\r\nprefer: wait=60\r\nauthorization: Bearer {}\r\n\r\n",
        notifications(&id),
        appliance.token("crm")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    is_polled(&appliance, &id).await;
    drop(stream);
    until("the server has noticed", || appliance.metrics().contains("status=\"499\"")).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!(appliance.poll(&id).await.len(), 1);
    let figures = appliance.store.figures();
    assert_eq!((figures.sums.poll.get(State::Consumed), figures.answer_unconfirmed), (1, 0));
}

#[tokio::test]
async fn a_dropped_poll_consumes_nothing() {
    let (appliance, id) = subscribed().await;
    let request = PollRequest {
        contract: ContractName::Polling,
        subscription: id.clone(),
        client: "crm".into(),
        size: 10,
        wait: Some(Duration::from_mins(1)),
        key: None,
        request_id: "r".to_owned(),
        admission: Admission::default(),
    };
    let engine = appliance.engine.clone();
    let poll = tokio::spawn(async move { engine.poll(request).await.map(|page| page.notifications.len()) });
    is_polled(&appliance, &id).await;
    poll.abort();
    assert!(poll.await.unwrap_err().is_cancelled());
    appliance.publish(r#"{"type":"301"}"#).await;
    assert_eq!(appliance.poll(&id).await.len(), 1);
}

#[tokio::test]
async fn a_subscription_that_goes_meanwhile_is_not_found() {
    let (appliance, id) = subscribed().await;
    let poll = waiting(&appliance, &id, "wait=60").await;
    appliance.send(Call::delete(&subscription(&id), "crm")).await.expect(204);
    let answer = poll.await.unwrap().expect(404);
    assert_eq!(answer.json()["code"], "NOT000006");
}

#[tokio::test]
async fn a_stop_ends_the_wait_with_an_empty_page() {
    let (appliance, id) = subscribed().await;
    let poll = waiting(&appliance, &id, "wait=60").await;
    appliance.stop.stop();
    let answer = poll.await.unwrap();
    assert_eq!(answer.status, StatusCode::OK.as_u16());
    assert_eq!(answer.text(), r#"{"page":1,"size":100,"results":[]}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_wait_one_gets_it() {
    let appliance = Appliance::start(Setup { max_wait: Duration::from_secs(2), ..Setup::default() }).await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let appliance = Arc::new(appliance);
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (appliance, id) = (appliance.clone(), id.clone());
        polls.spawn(async move {
            let call = Call::get(&notifications(&id), "crm").header("prefer", "wait=2");
            appliance.send(call).await.expect(200).json()["results"].as_array().unwrap().len()
        });
    }
    is_polled(&appliance, &id).await;
    for _ in 0..3 {
        appliance.publish(r#"{"type":"301"}"#).await;
    }
    let got: usize = polls.join_all().await.into_iter().sum();
    assert_eq!(got, 3);
}
