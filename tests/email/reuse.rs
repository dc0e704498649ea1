//! Connections that are used again.

use std::sync::Arc;
use std::time::Duration;

use tidings::channel::Verdict;

use crate::relay::{Act, Relay, Script};
use crate::stage::{channel, send_one, settings};

#[tokio::test]
async fn one_connection_carries_many_messages() {
    let relay = Relay::start(Script::once("rcpt", Act::Say("550 5.1.1 no such user"))).await;
    let channel = channel(settings(&relay));
    let rejected = send_one(&channel).await;
    assert!(rejected.phases.connect.is_some() && rejected.verdict == Verdict::Rejected { suppress: true });
    for _ in 0..5 {
        let sent = send_one(&channel).await;
        assert_eq!((sent.verdict, sent.phases.connect), (Verdict::Delivered, None));
    }
    assert_eq!((relay.connections(), relay.taken().len()), (1, 5));
    assert_eq!(relay.heard().iter().filter(|line| *line == "RSET").count(), 5);
}

#[tokio::test]
async fn a_connection_that_has_died_meanwhile_costs_no_attempt() {
    for act in [Act::HangUp, Act::SayAndHangUp("421 4.4.2 idle too long"), Act::Say("503 5.5.1 no")] {
        let relay = Relay::start(Script::once("rset", act)).await;
        let channel = channel(settings(&relay));
        for _ in 0..2 {
            assert_eq!(send_one(&channel).await.verdict, Verdict::Delivered);
        }
        assert_eq!(relay.connections(), 2, "{act:?}");
    }
}

#[tokio::test]
async fn after_a_fault_of_the_relay_a_new_connection_is_made() {
    for (verb, act) in [
        ("mail", Act::Say("550 5.7.1 no")),
        ("rcpt", Act::Say("421 4.3.2 closing")),
        ("data", Act::HangUp),
        ("message", Act::HangUp),
    ] {
        let relay = Relay::start(Script::once(verb, act)).await;
        let channel = channel(settings(&relay));
        assert_ne!(send_one(&channel).await.verdict, Verdict::Delivered);
        assert_eq!(send_one(&channel).await.verdict, Verdict::Delivered);
        assert_eq!(relay.connections(), 2, "{verb}");
    }
}

#[tokio::test]
async fn there_are_never_more_connections_than_may_be() {
    let relay = Relay::start(Script::default()).await;
    let mut settings = settings(&relay);
    settings.relay.connections = 3;
    let channel = Arc::new(channel(settings));
    let sending: Vec<_> = (0..40)
        .map(|_| {
            let channel = Arc::clone(&channel);
            tokio::spawn(async move { send_one(&channel).await.verdict })
        })
        .collect();
    for sent in sending {
        assert_eq!(sent.await.unwrap(), Verdict::Delivered);
    }
    assert_eq!(relay.taken().len(), 40);
    assert!(relay.most_open() <= 3, "{}", relay.most_open());
    assert!(relay.connections() <= 3, "{}", relay.connections());
}

#[tokio::test]
async fn a_connection_ends_politely_after_a_hundred_messages() {
    let relay = Relay::start(Script::default()).await;
    let channel = channel(settings(&relay));
    for _ in 0..101 {
        assert_eq!(send_one(&channel).await.verdict, Verdict::Delivered);
    }
    assert_eq!(relay.connections(), 2);
    assert!(heard(&relay, "QUIT").await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let relay = Relay::start(Script::default()).await;
    let mut settings = settings(&relay);
    settings.relay.idle = Duration::from_millis(50);
    let channel = channel(settings);
    assert_eq!(send_one(&channel).await.verdict, Verdict::Delivered);
    assert!(heard(&relay, "QUIT").await);
    assert_eq!(send_one(&channel).await.verdict, Verdict::Delivered);
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn an_attempt_that_is_given_up_leaves_no_connection_behind() {
    let relay = Relay::start(Script::once("rcpt", Act::Silence)).await;
    let mut settings = settings(&relay);
    settings.relay.connections = 1;
    let channel = channel(settings);
    assert!(tokio::time::timeout(Duration::from_millis(300), send_one(&channel)).await.is_err());
    // The one connection that may be is free again.
    assert_eq!(send_one(&channel).await.verdict, Verdict::Delivered);
}

/// Whether the relay hears `line` within some seconds.
async fn heard(relay: &Relay, line: &str) -> bool {
    for _ in 0..500 {
        if relay.heard().iter().any(|heard| heard == line) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
