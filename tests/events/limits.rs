//! Both sides of each limit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BATCH, EVENTS, STRUCTURED, nothing_stored, post, problem};
use crate::support::client::Call;
use crate::support::{Appliance, Setup};
use tidings::store::StoreSettings;
use tidings::store::redb::{Faults, Volume};

async fn small() -> Appliance {
    Appliance::start(Setup { max_body: 1000, max_batch: 10_000, ..Setup::default() }).await
}

/// An event of exactly `len` bytes.
fn event(id: usize, len: usize) -> String {
    let head = format!(r#"{{"specversion":"1.0","source":"/s","type":"301","id":"{id}","data":""#);
    format!("{head}{}\"}}", "x".repeat(len - head.len() - 2))
}

#[tokio::test]
async fn a_single_event_is_at_most_max_body() {
    let appliance = small().await;
    let (plain, length) = (r#"{"type":"301"}"#, |body: &str, len| format!("{body:len$}"));
    for content_type in ["application/json", STRUCTURED] {
        let body = if content_type == STRUCTURED { event(1, 500) } else { plain.to_owned() };
        post(&appliance, content_type, &length(&body, 1000)).await.expect(202);
        let errors = problem(post(&appliance, content_type, &length(&body, 1001)).await, 413, "body-too-large");
        assert!(errors.is_empty());
    }
    let binary = |len: usize| {
        Call::post(EVENTS, "crm", format!("{:len$}", "1"))
            .header("ce-specversion", "1.0")
            .header("ce-id", "b")
            .header("ce-source", "/s")
            .header("ce-type", "301")
    };
    appliance.send(binary(1000)).await.expect(202);
    problem(appliance.send(binary(1001)).await, 413, "body-too-large");
}

#[tokio::test]
async fn a_batch_has_its_own_limit_and_each_event_in_it_that_of_an_event() {
    let appliance = small().await;
    let batch = |sizes: &[usize]| {
        let events: Vec<_> = sizes.iter().enumerate().map(|(id, &len)| event(id, len)).collect();
        format!("[{}]", events.join(","))
    };
    let errors = problem(post(&appliance, BATCH, &batch(&[1000, 1001])).await, 413, "body-too-large");
    assert!(errors[0].starts_with("/1: is larger than 1000 bytes"), "{errors:?}");
    nothing_stored(&appliance);
    let whole = batch(&[1000; 9]);
    post(&appliance, BATCH, &format!("{whole:10000}")).await.expect(202);
    let errors = problem(post(&appliance, BATCH, &format!("{whole:10001}")).await, 413, "body-too-large");
    assert!(errors.is_empty());
}

#[tokio::test]
async fn a_batch_has_at_most_a_thousand_events() {
    let appliance = Appliance::plain().await;
    let batch = |count: usize| format!("[{}]", (0..count).map(|id| event(id, 100)).collect::<Vec<_>>().join(","));
    let errors = problem(post(&appliance, BATCH, &batch(1001)).await, 400, "invalid-request");
    assert_eq!(errors, [": has 1001 events; a batch has 1 to 1000"]);
    nothing_stored(&appliance);
    let receipts = post(&appliance, BATCH, &batch(1000)).await.expect(202).json();
    assert_eq!(receipts.as_array().unwrap().len(), 1000);
    assert_eq!(appliance.store_figures().accepted, 1000);
}

#[tokio::test]
async fn without_room_it_is_507_and_polls_go_on() {
    let disk = Arc::new(Volumes::default());
    disk.free(u64::MAX);
    let appliance = Appliance::start(Setup { faults: Some(disk.clone()), ..Setup::default() }).await;
    let subscription = appliance.subscribe("crm", &["301"]).await;
    appliance.publish(&event(1, 100)).await;
    disk.free((256 << 20) - 1);
    let answer = post(&appliance, "application/json", &event(2, 100)).await;
    assert_eq!(answer.headers["retry-after"], "5");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, "Nothing was stored: 255 MiB of room are left, the reserve (limits.disk_reserve) is 256 MiB.");
    assert!(problem(answer, 507, "insufficient-storage").is_empty());
    assert_eq!(appliance.store_figures().accepted, 1);
    assert_eq!(appliance.poll(&subscription).await.len(), 1);
    assert!(!appliance.subscribe("erp", &["301"]).await.is_empty());
}

/// A disk that never fails, with as much room as it is told.
#[derive(Debug, Default)]
struct Volumes(AtomicU64);

impl Volumes {
    fn free(&self, bytes: u64) {
        self.0.store(bytes, Ordering::SeqCst);
    }
}

impl Faults for Volumes {
    fn write(&self, _: u64, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
    fn extend(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn volume(&self) -> Option<Volume> {
        Some(Volume { free: self.0.load(Ordering::SeqCst), taken: 0, hole: 0 })
    }
}

#[tokio::test]
async fn a_flood_of_problems_gets_an_answer_of_bounded_length() {
    let appliance = Appliance::plain().await;
    let members: Vec<_> = (0..3000).map(|n| format!("\"N{n}\":1")).collect();
    let answer = post(&appliance, "application/json", &format!("{{{}}}", members.join(","))).await;
    assert!(answer.json()["detail"].as_str().unwrap().starts_with("3001 things are wrong"));
    assert_eq!(problem(answer, 400, "invalid-request").len(), 1000);
}

#[tokio::test]
async fn at_queue_total_publishing_is_503_and_polling_goes_on() {
    let store = StoreSettings { queue_total: 2, ..StoreSettings::default() };
    let appliance = Appliance::start(Setup { store, ..Setup::default() }).await;
    let id = appliance.subscribe("crm", &["301"]).await;
    for _ in 0..2 {
        appliance.publish(r#"{"type":"301"}"#).await;
    }
    let answer = post(&appliance, "application/json", r#"{"type":"301"}"#).await;
    assert!(answer.header("retry-after").is_some());
    assert!(answer.text().contains("limits.queue_total"), "{}", answer.text());
    problem(answer, 503, "unavailable");
    assert_eq!(appliance.poll(&id).await.len(), 2);
    appliance.publish(r#"{"type":"301"}"#).await;
}
