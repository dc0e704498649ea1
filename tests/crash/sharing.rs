//! Many pollers on one subscription, and pollers that go away (contracts/polling.md).

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::poller::{names, poll_target};
use crate::process::appliance::Appliance;
use crate::process::connection::{Connection, once, request};
use crate::process::site::{CLIENT, Declared, SECRET, Site};
use crate::process::token::bearer;
use crate::publisher::Named;
use crate::{START, sites};

/// A running appliance and what is needed to talk to it.
struct Stage {
    appliance: Appliance,
    token: String,
    // Dropped last: the folder goes when nobody writes to it any more.
    _site: Site,
}

impl Stage {
    fn set(declared: Declared) -> Self {
        let site = Site::new(sites(), declared).expect("a folder can be made");
        let appliance = Appliance::start(&site, START).expect("it starts");
        let token = bearer(appliance.addresses.api, CLIENT, SECRET).expect("the client gets a token");
        Self { appliance, token, _site: site }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.appliance.addresses.api).expect("it accepts connections")
    }

    fn poll(&self, subscription: &str, size: u32, headers: &[(&str, &str)]) -> Vec<u8> {
        let headers: Vec<_> = [("authorization", self.token.as_str())].iter().chain(headers).copied().collect();
        request("GET", &poll_target(subscription, size), &headers, b"")
    }

    /// Publishes the events `numbers` in one batch.
    fn publish(&self, numbers: std::ops::Range<u32>) {
        let events: Vec<_> = numbers.map(|number| Named { publisher: 0, number }.json()).collect();
        let body = serde_json::Value::from(events).to_string();
        let headers = [("authorization", self.token.as_str()), ("content-type", "application/cloudevents-batch+json")];
        let answer = once(self.appliance.addresses.api, &request("POST", "/v1/events", &headers, body.as_bytes()));
        answer.and_then(|answer| answer.expect_status(202)).expect("the batch is accepted");
    }

    /// What is waiting, all of it.
    fn rest(&self, subscription: &str) -> Vec<u32> {
        let (mut connection, poll) = (self.connect(), self.poll(subscription, 1000, &[]));
        let mut rest = Vec::new();
        loop {
            let page = page(&mut connection, &poll).expect("a page");
            if page.is_empty() {
                return rest;
            }
            rest.extend(page);
        }
    }
}

fn page(connection: &mut Connection, poll: &[u8]) -> io::Result<Vec<u32>> {
    let names = names(&connection.exchange(poll)?.expect_status(200)?)?;
    Ok(names.into_iter().map(|name| name.number).collect())
}

#[test]
fn many_pollers_of_one_subscription_get_disjoint_pages() {
    const POLLERS: u32 = 8;
    const BATCHES: u32 = 40;
    const BATCH: u32 = 100;
    let stage = Stage::set(Declared::default().subscription("shared", &["alpha", "beta"]));
    let published = AtomicBool::new(false);
    let given: Vec<Vec<u32>> = thread::scope(|scope| {
        let pollers: Vec<_> = (1..=POLLERS)
            .map(|nth| {
                let (stage, published) = (&stage, &published);
                // Every second one waits at the server, and each asks for pages of another size.
                let headers: &[_] = if nth % 2 == 0 { &[("prefer", "wait=1")] } else { &[] };
                scope.spawn(move || poll_until(stage, published, &stage.poll("shared", nth * 5, headers)))
            })
            .collect();
        for batch in 0..BATCHES {
            stage.publish(batch * BATCH..(batch + 1) * BATCH);
        }
        published.store(true, Ordering::SeqCst);
        pollers.into_iter().map(|poller| poller.join().expect("a poller is well")).collect()
    });
    let all: Vec<u32> = given.iter().flatten().copied().collect();
    assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), (0..BATCHES * BATCH).collect(), "every event");
    assert_eq!(all.len(), (0..BATCHES * BATCH).len(), "and each once");
    assert!(given.iter().all(|given| given.is_sorted()), "oldest first, for each poller");
    assert!(stage.rest("shared").is_empty());
}

/// Polls until an empty page comes after all has been published.
fn poll_until(stage: &Stage, published: &AtomicBool, poll: &[u8]) -> Vec<u32> {
    let (mut connection, mut given) = (stage.connect(), Vec::new());
    loop {
        let last = published.load(Ordering::SeqCst);
        let page = page(&mut connection, poll).expect("a page");
        if page.is_empty() && last {
            return given;
        }
        given.extend(page);
    }
}

#[test]
fn two_requests_at_once_with_one_key_share_one_page() {
    let stage = Stage::set(Declared::default().subscription("shared", &["alpha", "beta"]));
    stage.publish(0..100);
    for round in 0..20 {
        let key = format!("round-{round}");
        let poll = stage.poll("shared", 5, &[("idempotency-key", &key)]);
        let ask = || page(&mut stage.connect(), &poll).expect("a page");
        let pages: Vec<_> = thread::scope(|scope| {
            let asked: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            asked.into_iter().map(|asked| asked.join().expect("a poller is well")).collect()
        });
        let expected: Vec<u32> = (round * 5..(round + 1) * 5).collect();
        assert!(pages.iter().all(|page| *page == expected), "round {round}: {pages:?}");
    }
    assert!(stage.rest("shared").is_empty());
}

#[test]
fn a_poller_that_hangs_up_while_it_waits_consumes_nothing() {
    let ids: Vec<String> = (0..20).map(|n| format!("waiting-{n}")).collect();
    let declared = ids.iter().fold(Declared::default(), |declared, id| declared.subscription(id, &["alpha", "beta"]));
    let stage = Stage::set(declared);
    for id in &ids {
        let mut connection = stage.connect();
        connection.send(&stage.poll(id, 100, &[("prefer", "wait=60")])).expect("it can be asked");
        await_first_poll(&stage, id);
        connection.hang_up().expect("the server lets go without an answer");
    }
    stage.publish(0..3);
    for id in &ids {
        assert_eq!(stage.rest(id), [0, 1, 2], "{id}");
    }
}

#[test]
fn a_poller_that_waits_gets_what_arrives() {
    let stage = Stage::set(Declared::default().subscription("waiting", &["alpha", "beta"]));
    let mut connection = stage.connect();
    connection.send(&stage.poll("waiting", 100, &[("prefer", "wait=60")])).expect("it can be asked");
    await_first_poll(&stage, "waiting");
    stage.publish(0..1);
    let answer = connection.receive().and_then(|answer| answer.expect_status(200)).expect("a page");
    assert_eq!(names(&answer).expect("a page"), [Named { publisher: 0, number: 0 }]);
    assert!(answer.head.to_ascii_lowercase().contains("preference-applied: wait"), "{}", answer.head);
    assert!(stage.rest("waiting").is_empty());
}

/// Waits until the appliance has noted that `subscription` was polled: then the poll has been begun.
fn await_first_poll(stage: &Stage, subscription: &str) {
    let target = format!("/notification/v1/subscriptions/{subscription}");
    let look = request("GET", &target, &[("authorization", &stage.token)], b"");
    let (mut connection, begun) = (stage.connect(), Instant::now());
    while begun.elapsed() < Duration::from_secs(30) {
        let answer = connection.exchange(&look).and_then(|answer| answer.expect_status(200)).expect("a subscription");
        if !answer.json().expect("JSON")["subscription_status"]["last_request_date"].is_null() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("the poll of {subscription} was never noted");
}
