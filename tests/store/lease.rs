//! Leases and acknowledgements: both sides of each limit, durability, and many callers at once.

use std::ops::Range;
use std::time::Duration;

use tidings::model::event::EventDraft;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::json::RawJson;
use tidings::model::notification::State;
use tidings::store::redb::verify;
use tidings::store::{Lease, Leased, Store, SubscriptionChange, Take};

use super::subject::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// The producer's ids in what was leased.
fn names(leased: &Leased) -> Vec<String> {
    leased.notifications.iter().map(|n| n.event.draft.id.clone().unwrap()).collect()
}

async fn leased(store: &dyn Store, queue: EndpointNumber, max: usize) -> Vec<String> {
    names(&store.lease(lease(queue, max)).await.unwrap())
}

fn ids_of(leased: &Leased) -> Vec<LedgerId> {
    leased.notifications.iter().map(|n| n.id).collect()
}

/// Only acknowledges.
fn ack(queue: EndpointNumber, acks: Vec<LedgerId>) -> Lease {
    Lease { acks, ..lease(queue, 0) }
}

async fn acked(store: &dyn Store, queue: EndpointNumber, acks: Vec<LedgerId>) -> u64 {
    store.lease(ack(queue, acks)).await.unwrap().consumed
}

/// Publishes events of these names, which live for `ttl`.
async fn fill(store: &dyn Store, queue: EndpointNumber, names: Range<u32>, ttl: Duration) {
    let batch = names.map(|n| event_for(draft(Some(&n.to_string()), "301"), &[queue], ttl)).collect();
    append(store, batch).await.unwrap();
}

fn count(store: &dyn Store, state: State) -> u64 {
    store.figures().sums.poll.get(state)
}

async fn assert_verified(subject: &Subject, store: std::sync::Arc<dyn Store>) {
    assert_conserved(&*store);
    store.close().await;
    drop(store);
    assert_eq!(verify(&subject.path(), &(std::sync::Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_leased_is_handed_to_nobody_until_its_lease_ends() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..3, HOUR).await;
    let first = store.lease(lease(queue, 2)).await.unwrap();
    assert_eq!((names(&first), first.more), (vec!["0".to_owned(), "1".to_owned()], true));
    assert_eq!(first.until, Some(subject.clock_now().plus(60 * SECOND)));
    let status = store.queue(queue);
    assert_eq!((status.waiting, status.leased), (1, 2));
    assert_eq!(count(&*store, State::Leased), 2);
    let second = store.lease(lease(queue, 10)).await.unwrap();
    assert_eq!((names(&second), second.more), (vec!["2".to_owned()], false));
    assert!(taken(&*store, queue, 10).await.is_empty());

    subject.clock.advance(Duration::from_millis(59_999));
    assert!(leased(&*store, queue, 10).await.is_empty());
    subject.clock.advance(MILLI);
    assert_eq!(store.queue(queue).waiting, 3, "nobody has released them yet");
    assert_eq!(leased(&*store, queue, 10).await, ["0", "1", "2"], "in their old order");
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn what_waits_again_keeps_its_place_before_what_is_newer() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..4, HOUR).await;
    leased(&*store, queue, 3).await;
    subject.clock.advance(60 * SECOND);
    assert_eq!(leased(&*store, queue, 1).await, ["0"]);
    assert_eq!(leased(&*store, queue, 2).await, ["1", "2"]);
    subject.clock.advance(60 * SECOND);
    let page = store.take(take(queue, 10, Some("k"))).await.unwrap();
    assert_eq!(ids(&page), ["0", "1", "2", "3"], "a consuming poll takes both");
    assert_eq!(ids(&store.take(take(queue, 10, Some("k"))).await.unwrap()), ["0", "1", "2", "3"]);
    let store = subject.reopen(store).await;
    let again = store.take(take(queue, 10, Some("k"))).await.unwrap();
    assert_eq!((ids(&again), again.repeated, again.id), (ids(&page), true, page.id));
    assert_eq!(store.figures().answer_unconfirmed, 4, "found at the start");
    store.confirm(page.id.unwrap());
    let store = subject.reopen(store).await;
    assert_eq!(store.figures().answer_unconfirmed, 0);
    assert_eq!(count(&*store, State::Consumed), 4);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn pages_that_take_only_what_waits_again_are_told_apart() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..4, HOUR).await;
    leased(&*store, queue, 4).await;
    subject.clock.advance(60 * SECOND);
    let pages = [
        store.take(take(queue, 1, Some("a"))).await.unwrap(),
        store.take(take(queue, 1, Some("b"))).await.unwrap(),
        store.take(take(queue, 2, None)).await.unwrap(),
    ];
    let numbers: std::collections::HashSet<_> = pages.iter().map(|page| page.id.unwrap()).collect();
    assert_eq!(numbers.len(), 3);
    store.confirm(pages[1].id.unwrap());
    let store = subject.reopen(store).await;
    assert_eq!(store.figures().answer_unconfirmed, 3);
    for (key, expected) in [("a", "0"), ("b", "1")] {
        assert_eq!(ids(&store.take(take(queue, 1, Some(key))).await.unwrap()), [expected]);
    }
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn an_acknowledgement_counts_while_the_lease_runs_and_while_it_waits_again() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    // The deadline passes while the lease runs.
    fill(&*store, queue, 0..2, 30 * SECOND).await;
    let late = ids_of(&store.lease(lease(queue, 2)).await.unwrap());
    subject.clock.advance(Duration::from_millis(59_999));
    assert_eq!(store.queue(queue).leased, 2);
    assert_eq!(acked(&*store, queue, vec![late[0]]).await, 1, "consumed though its deadline has passed");
    subject.clock.advance(MILLI);
    assert_eq!(count(&*store, State::Expired), 1, "it expires when its lease ends");
    assert_eq!(acked(&*store, queue, late).await, 0);

    // The lease ends before the deadline.
    fill(&*store, queue, 2..5, 100 * SECOND).await;
    let first = store.lease(lease(queue, 3)).await.unwrap();
    let again = ids_of(&first);
    subject.clock.advance(60 * SECOND);
    assert_eq!(acked(&*store, queue, vec![again[0]]).await, 1, "it waited again");
    subject.clock.advance(Duration::from_millis(39_999));
    assert_eq!(acked(&*store, queue, vec![again[1]]).await, 1);
    subject.clock.advance(MILLI);
    assert_eq!(acked(&*store, queue, again).await, 0);
    assert_eq!((count(&*store, State::Consumed), count(&*store, State::Expired)), (3, 2));
    while store.sweep().await.unwrap().more {}
    assert_eq!((count(&*store, State::Consumed), count(&*store, State::Expired)), (3, 2));
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn only_what_the_queue_handed_out_can_be_acknowledged() {
    let subject = Subject::new();
    let store = subject.open();
    let (queue, other) = (queue(&*store, "s").await, queue(&*store, "t").await);
    let event = publish(&*store, Some("both"), &[queue, other]).await.id.parts();
    let id = |target| LedgerId::new(LedgerIdParts { target, ..event });
    assert_eq!(acked(&*store, queue, vec![id(1)]).await, 0, "nobody has had it");
    leased(&*store, queue, 1).await;
    let unknown = LedgerId::parse("0198f0c2-1111-7000-8000-000000000000").unwrap();
    let forged = LedgerId::new(LedgerIdParts { accepted: event.accepted.plus(MILLI), target: 1, ..event });
    assert_eq!(acked(&*store, queue, vec![id(0), id(2), id(3), unknown, forged]).await, 0);
    assert_eq!(acked(&*store, other, vec![id(1)]).await, 0, "it is another's");
    let done = store
        .lease(Lease { acks: vec![id(1), id(1)], errors: vec![(id(1), "no".to_owned())], ..lease(queue, 0) })
        .await
        .unwrap();
    assert_eq!((done.consumed, done.failed), (1, 0));
    assert_eq!(acked(&*store, queue, vec![id(1)]).await, 0, "it has ended");
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn what_is_reported_is_failed() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..2, HOUR).await;
    let page = ids_of(&store.lease(lease(queue, 2)).await.unwrap());
    // Longer than what is kept, and a character lies over the end.
    let reason = "é".repeat(10_000);
    let errors = vec![(page[0], "jwtAud: not mine".to_owned()), (page[1], format!("x{reason}"))];
    let done = store.lease(Lease { errors, ..lease(queue, 10) }).await.unwrap();
    assert_eq!((done.consumed, done.failed, done.notifications.len()), (0, 2, 0));
    let store = subject.reopen(store).await;
    assert_eq!(count(&*store, State::Failed), 2);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn after_its_last_permitted_lease_a_notification_is_abandoned() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..1, HOUR).await;
    for _ in 0..3 {
        let asked = Lease { max_handouts: 3, ..lease(queue, 1) };
        assert_eq!(names(&store.lease(asked).await.unwrap()), ["0"]);
        subject.clock.advance(Duration::from_millis(59_999));
        assert_eq!(count(&*store, State::Leased), 1);
        subject.clock.advance(MILLI);
    }
    assert_eq!((count(&*store, State::Failed), store.queue(queue).waiting), (1, 0));
    assert!(leased(&*store, queue, 1).await.is_empty());
    let store = subject.reopen(store).await;
    assert_eq!(count(&*store, State::Failed), 1);
    while store.sweep().await.unwrap().more {}
    assert_eq!(count(&*store, State::Failed), 1);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn a_thousand_are_acknowledged_at_once_and_a_page_ends_at_its_bytes() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..1001, HOUR).await;
    let page = store.lease(lease(queue, 1000)).await.unwrap();
    assert_eq!((page.notifications.len(), page.more), (1000, true));
    let done = store.lease(Lease { acks: ids_of(&page), ..lease(queue, 1000) }).await.unwrap();
    assert_eq!((done.consumed, names(&done), done.more), (1000, vec!["1000".to_owned()], false));

    let large = RawJson::string(&"x".repeat(100_000));
    for n in 0..4 {
        let draft = EventDraft { data: Some(large.clone()), ..draft(Some(&format!("large-{n}")), "301") };
        append(&*store, vec![event_for(draft, &[queue], HOUR)]).await.unwrap();
    }
    for (max_bytes, expected) in [(1, 1), (100_001, 1), (110_000, 2)] {
        let page = store.lease(Lease { max_bytes, ..lease(queue, 1000) }).await.unwrap();
        assert_eq!(page.notifications.len(), expected, "{max_bytes}");
    }
    let nothing = store.lease(lease(queue, 0)).await.unwrap();
    assert_eq!((nothing.notifications.len(), nothing.until), (0, None));
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn a_lease_runs_to_its_end_over_a_restart() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..2, HOUR).await;
    let page = ids_of(&store.lease(lease(queue, 2)).await.unwrap());
    subject.clock.advance(30 * SECOND);
    let store = subject.reopen(store).await;
    assert_eq!((store.queue(queue).waiting, store.queue(queue).leased), (0, 2));
    assert_eq!(acked(&*store, queue, vec![page[0]]).await, 1);
    subject.clock.advance(Duration::from_millis(29_999));
    assert!(taken(&*store, queue, 10).await.is_empty());
    let store = subject.reopen(store).await;
    assert!(taken(&*store, queue, 10).await.is_empty());
    subject.clock.advance(MILLI);
    assert_eq!(taken(&*store, queue, 10).await, ["1"]);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn pollers_and_leasers_at_once_get_disjoint_pages() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..400, HOUR).await;
    leased(&*store, queue, 200).await;
    subject.clock.advance(60 * SECOND);
    let tasks = (0..60).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            if n % 2 == 0 { leased(&*store, queue, 7).await } else { taken(&*store, queue, 5).await }
        })
    });
    let mut all = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        all.extend(task.await.unwrap());
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), count), (30 * 7 + 30 * 5, 30 * 7 + 30 * 5));
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn one_who_waits_is_woken_by_the_end_of_a_lease() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..2, HOUR).await;
    // The first lease to end brings nothing: it was the last that is permitted.
    store.lease(Lease { max_handouts: 1, duration: 10 * SECOND, ..lease(queue, 1) }).await.unwrap();
    store.lease(lease(queue, 1)).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait(queue).await }
    });
    for _ in 0..6 {
        tokio::time::sleep(10 * MILLI).await;
        assert!(!waiting.is_finished());
        subject.clock.advance(10 * SECOND);
    }
    waiting.await.unwrap();
    assert_eq!(leased(&*store, queue, 10).await, ["1"]);
}

#[tokio::test]
async fn leased_ones_take_room_in_their_queue() {
    let mut subject = Subject::new();
    (subject.settings.queue_depth, subject.settings.queue_total) = (2, 3);
    let store = subject.open();
    let (queue, other) = (queue(&*store, "s").await, queue(&*store, "t").await);
    fill(&*store, queue, 0..2, HOUR).await;
    let page = ids_of(&store.lease(lease(queue, 2)).await.unwrap());
    publish(&*store, Some("full"), &[queue]).await;
    assert_eq!((store.figures().queue_full, count(&*store, State::Failed)), (1, 1));
    publish(&*store, Some("other"), &[other]).await;
    let more = vec![event_for(draft(None, "301"), &[other], HOUR)];
    assert!(append(&*store, more.clone()).await.is_err(), "three wait in all");
    assert_eq!(acked(&*store, queue, page[..1].to_vec()).await, 1);
    append(&*store, more).await.unwrap();
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn what_is_leased_is_cancelled_with_its_subscription() {
    let subject = Subject::new();
    let store = subject.open();
    let (gone, stays) = (queue(&*store, "gone").await, queue(&*store, "stays").await);
    for n in 0..6 {
        publish(&*store, Some(&n.to_string()), &[gone, stays]).await;
    }
    // One has lapsed, one waits again, one is leased, three are new.
    store.lease(Lease { max_handouts: 1, duration: 10 * SECOND, ..lease(gone, 1) }).await.unwrap();
    store.lease(Lease { duration: 10 * SECOND, ..lease(gone, 1) }).await.unwrap();
    store.lease(lease(gone, 1)).await.unwrap();
    subject.clock.advance(20 * SECOND);
    store.change_subscriptions(vec![SubscriptionChange::Remove("gone".into())]).await.unwrap();
    let check = |store: &dyn Store| {
        let states = [State::Failed, State::Cancelled, State::Queued].map(|state| count(store, state));
        assert_eq!(states, [1, 5, 6]);
        assert_conserved(store);
    };
    check(&*store);
    let store = subject.reopen(store).await;
    check(&*store);
    while store.sweep().await.unwrap().more {}
    check(&*store);
    assert_eq!(taken(&*store, stays, 10).await.len(), 6);
    subject.clock.advance(8 * 24 * HOUR);
    while store.sweep().await.unwrap().more {}
    subject.clock.advance(8 * 24 * HOUR);
    while store.sweep().await.unwrap().more {}
    assert_eq!(store.figures().body_bytes, 0);
    assert_eq!(count(&*store, State::Cancelled), 5);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn a_lease_keeps_its_events_whatever_is_swept() {
    let mut subject = Subject::new();
    (subject.settings.history, subject.settings.history_max) = (Duration::ZERO, 0);
    subject.settings.duplicate_window = SECOND;
    let store = subject.open();
    let (slow, fast) = (queue(&*store, "slow").await, queue(&*store, "fast").await);
    publish(&*store, Some("kept"), &[slow]).await;
    store.lease(Lease { duration: HOUR, ..lease(slow, 1) }).await.unwrap();
    for n in 0..50 {
        publish(&*store, Some(&n.to_string()), &[fast]).await;
    }
    taken(&*store, fast, 100).await;
    subject.clock.advance(2 * SECOND);
    while store.sweep().await.unwrap().more {}
    let one = store.figures().body_bytes;
    assert!(one > 0 && one < 300, "what is leased keeps its own body only: {one}");
    subject.clock.advance(HOUR);
    let store = subject.reopen(store).await;
    assert_eq!(taken(&*store, slow, 10).await, ["kept"]);
    while store.sweep().await.unwrap().more {}
    assert_eq!(store.figures().body_bytes, 0);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn a_lease_that_is_not_waited_for_is_none() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..1, HOUR).await;
    drop(store.lease(lease(queue, 1)));
    assert_eq!(leased(&*store, queue, 1).await, ["0"]);
}

#[tokio::test]
async fn a_consuming_poll_of_a_single_take_skips_what_is_leased() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..5, HOUR).await;
    leased(&*store, queue, 2).await;
    let page = store.take(Take { max_bytes: 1, ..take(queue, 5, None) }).await.unwrap();
    assert_eq!(ids(&page), ["2"]);
    assert_eq!(taken(&*store, queue, 5).await, ["3", "4"]);
    subject.clock.advance(60 * SECOND);
    assert_eq!(taken(&*store, queue, 1).await, ["0"]);
    assert_eq!(leased(&*store, queue, 5).await, ["1"]);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn leases_run_by_the_ledger_s_time_while_the_wall_clock_is_in_doubt() {
    let subject = Subject::new();
    subject.clock.set_synchronised(Some(false));
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    fill(&*store, queue, 0..2, HOUR).await;
    fill(&*store, queue, 2..3, 12 * HOUR).await;
    let page = store.lease(lease(queue, 3)).await.unwrap();
    subject.clock.leap(5 * 3_600_000);
    while store.sweep().await.unwrap().more {}
    assert!(store.clock_doubt().is_some());
    let status = store.queue(queue);
    assert_eq!((status.waiting, status.leased), (0, 3), "by the wall clock it would have ended long ago");
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait(queue).await }
    });
    subject.clock.advance(Duration::from_millis(59_999));
    tokio::time::sleep(10 * MILLI).await;
    assert!(!waiting.is_finished());
    assert!(leased(&*store, queue, 10).await.is_empty());
    subject.clock.advance(MILLI);
    waiting.await.unwrap();
    // What looks expired is withheld; it can be acknowledged all the same.
    assert_eq!(leased(&*store, queue, 10).await, ["2"]);
    assert!(taken(&*store, queue, 10).await.is_empty());
    assert_eq!(acked(&*store, queue, vec![page.notifications[0].id]).await, 1);
    while store.sweep().await.unwrap().more {}
    assert_eq!(count(&*store, State::Expired), 0);
    subject.clock.leap(-5 * 3_600_000);
    while store.sweep().await.unwrap().more {}
    assert_eq!(taken(&*store, queue, 10).await, ["1"]);
    assert_verified(&subject, store).await;
}
