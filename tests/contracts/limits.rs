//! What is refused for want of room or for being too much, in each contract's own words (contracts/README.md: 429, 503 and
//! 507 carry `Retry-After`; contracts/trigger.md: there it is 503).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tidings::base::rate::Rate;
use tidings::store::redb::{Faults, Volume};
use tidings::store::{Store as _, StoreSettings};

use crate::failures::{Made, refused};
use crate::management::Stage;
use crate::site::{ALPHA, NOTICE, affiliate, setup};
use crate::support::Setup;
use crate::support::client::{Call, notifications};

/// The answer is a problem of this name.
#[track_caller]
fn problem(answer: crate::support::client::Answer, status: u16, name: &str) {
    let text = refused("events", answer, status);
    assert!(text.contains(&format!("/problems/{name}\"")), "{text}");
}

/// A disk that never fails, with as much room as it is told.
#[derive(Debug)]
struct Volumes(AtomicU64);

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
async fn without_room_events_are_507_a_command_is_503_and_all_else_goes_on() {
    let disk = Arc::new(Volumes(AtomicU64::new(u64::MAX)));
    let stage = Stage::start(Setup { faults: Some(disk.clone()), ..setup() }).await;
    let made = Made::on(&stage).await;
    stage.tell(NOTICE, Some(ALPHA), &json!({})).await;
    let accepted = stage.appliance.store.figures().accepted;
    disk.0.store((256 << 20) - 1, Ordering::SeqCst);
    for (contract, call) in made.changes(1) {
        let answer = stage.send(call).await;
        match contract {
            "events" => problem(answer, 507, "insufficient-storage"),
            "trigger" => drop(refused(contract, answer, 503)),
            _ => assert!((200..300).contains(&answer.status), "{contract}: {}", answer.text()),
        }
    }
    assert_eq!(stage.appliance.store.figures().accepted, accepted);
    let page = stage.get(&notifications(&made.queue), "alpha").await.expect(200).json();
    assert_eq!(page["results"].as_array().unwrap().len(), 1, "polling goes on");
    disk.0.store(u64::MAX, Ordering::SeqCst);
    stage.appliance.store.sweep().await.unwrap();
    for (contract, call) in
        made.changes(2).into_iter().filter(|(contract, _)| matches!(*contract, "events" | "trigger"))
    {
        let answer = stage.send(call).await;
        assert!((200..300).contains(&answer.status), "{contract}: {}", answer.text());
    }
}

#[tokio::test]
async fn at_the_limit_of_what_waits_events_and_commands_are_503_and_all_else_goes_on() {
    let store = StoreSettings { queue_total: 1, ..StoreSettings::default() };
    let stage = Stage::start(Setup { store, ..setup() }).await;
    let queue = stage.appliance.subscribe("alpha", &[NOTICE]).await;
    stage.tell(NOTICE, Some(ALPHA), &json!({})).await;
    let made = Made::on(&stage).await;
    for (contract, call) in made.changes(1) {
        let answer = stage.send(call).await;
        match contract {
            "events" => problem(answer, 503, "unavailable"),
            "trigger" => drop(refused(contract, answer, 503)),
            _ => assert!((200..300).contains(&answer.status), "{contract}: {}", answer.text()),
        }
    }
    let page = stage.get(&notifications(&queue), "alpha").await.expect(200).json();
    assert_eq!(page["results"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn too_many_requests_are_429_in_each_contract_and_503_to_a_trigger() {
    // One rate for each client, whichever contracts it calls; what is made first takes four.
    let tune_auth = |auth: &mut _| {
        affiliate(auth);
        auth.clients[1].terms.request_rate = Rate::parse("4/min");
        auth.api_keys[0].terms.request_rate = Rate::parse("1/min");
    };
    let stage = Stage::start(Setup { tune_auth, ..setup() }).await;
    let made = Made::on(&stage).await;
    let others = |(contract, _): &(&str, Call)| *contract != "trigger";
    for (contract, call) in made.changes(1).into_iter().filter(others).chain(made.looks()).chain(made.ends()) {
        refused(contract, stage.send(call).await, 429);
    }
    let commands = |n| made.changes(n).into_iter().find(|(contract, _)| *contract == "trigger").unwrap().1;
    stage.send(commands(1)).await.expect(200);
    refused("trigger", stage.send(commands(2)).await, 503);
}
