//! Holds: nothing is handed out, deadlines go on, and nothing is lost.

use std::time::Duration;

use tidings::model::id::EndpointNumber;
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::store::redb::verify;
use tidings::store::{Lease, Store, SubscriptionChange};

use super::subject::*;

async fn hold(store: &dyn Store, reason: HoldReason) {
    store.change_subscriptions(vec![SubscriptionChange::Hold("s".into(), reason)]).await.unwrap();
}

async fn release(store: &dyn Store, reason: HoldReason) {
    store.change_subscriptions(vec![SubscriptionChange::Release("s".into(), reason)]).await.unwrap();
}

/// Waiting, leased and held.
fn status(store: &dyn Store, queue: EndpointNumber) -> (u64, u64, u64) {
    let status = store.queue(queue);
    let sums = store.figures().sums.poll;
    let counted = [State::Queued, State::Leased, State::Held].map(|state| sums.get(state));
    assert_eq!(counted, [status.waiting, status.leased, status.held]);
    assert_conserved(store);
    (status.waiting, status.leased, status.held)
}

#[tokio::test]
async fn a_held_queue_hands_out_nothing_until_its_last_hold_ends() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for n in 0..4 {
        publish(&*store, Some(&n.to_string()), &[queue]).await;
    }
    assert_eq!(ids(&store.take(take(queue, 1, Some("k"))).await.unwrap()), ["0"]);
    let leased = store.lease(lease(queue, 1)).await.unwrap();
    hold(&*store, HoldReason::Paused).await;
    hold(&*store, HoldReason::Paused).await;
    hold(&*store, HoldReason::ClientRemoved).await;
    assert_eq!(status(&*store, queue), (0, 1, 2));
    assert!(taken(&*store, queue, 10).await.is_empty());
    let nothing = store.lease(lease(queue, 10)).await.unwrap();
    assert_eq!((nothing.notifications.len(), nothing.more), (0, false));
    assert_eq!(ids(&store.take(take(queue, 1, Some("k"))).await.unwrap()), ["0"], "nothing new is in it");

    publish(&*store, Some("4"), &[queue]).await;
    append(&*store, vec![event_for(draft(None, "301"), &[queue], HOUR)]).await.unwrap();
    subject.clock.advance(Duration::from_mins(1));
    let store = subject.reopen(store).await;
    assert_eq!(status(&*store, queue), (0, 0, 5), "the lease has ended");
    let acks = vec![leased.notifications[0].id];
    let acked = store.lease(Lease { acks, ..lease(queue, 10) }).await.unwrap();
    assert_eq!((acked.consumed, acked.notifications.len()), (1, 0), "what arrived has arrived");

    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait(queue).await }
    });
    release(&*store, HoldReason::Paused).await;
    subject.clock.advance(HOUR);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished(), "it is held for the other reason");
    assert_eq!(status(&*store, queue), (0, 0, 3), "deadlines go on");
    release(&*store, HoldReason::ClientRemoved).await;
    waiting.await.unwrap();
    assert_eq!(status(&*store, queue), (3, 0, 0));
    assert_eq!(taken(&*store, queue, 10).await, ["2", "3", "4"]);
    store.close().await;
    drop(store);
    assert_eq!(verify(&subject.path(), &(std::sync::Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn a_held_queue_is_verified_as_held_and_cancelled_with_its_subscription() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for _ in 0..3 {
        publish(&*store, None, &[queue]).await;
    }
    store.lease(lease(queue, 1)).await.unwrap();
    hold(&*store, HoldReason::Paused).await;
    store.close().await;
    drop(store);
    let report = verify(&subject.path(), &(std::sync::Arc::new(|_| {}) as _)).unwrap();
    let states = [State::Queued, State::Leased, State::Held].map(|state| report.subscriptions[0].sums.get(state));
    assert_eq!((states, report.findings), ([0, 1, 2], Vec::new()));
    let store = subject.open();
    store.change_subscriptions(vec![SubscriptionChange::Remove("s".into())]).await.unwrap();
    assert_eq!(store.figures().sums.poll.get(State::Cancelled), 3);
    store.wait(queue).await;
    assert_conserved(&*store);
}
