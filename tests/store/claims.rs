//! Claiming what is sent: in which order, when, and that nothing is claimed twice, lost or stuck.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tidings::base::clock::Timestamp;
use tidings::model::id::EndpointNumber;
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::model::target::{Ordering, Target};
use tidings::store::{Act, Action, Settle, Settled, Standing, Store, StoreError, SubscriptionChange};

use super::sent::*;
use super::subject::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);

fn states(store: &dyn Store) -> [u64; 4] {
    assert_conserved(store);
    let sums = store.figures().sums.webhook;
    [State::Queued, State::Leased, State::Held, State::Expired].map(|state| sums.get(state))
}

/// Whether there is something to claim at once.
async fn is_due(store: &dyn Store, endpoint: EndpointNumber, ordering: Ordering) -> bool {
    tokio::time::timeout(Duration::from_millis(20), store.due(endpoint, ordering)).await.is_ok()
}

/// Waits for something to claim in a task of its own, which has looked once when this answers.
async fn waiting(store: &Arc<dyn Store>, endpoint: EndpointNumber, ordering: Ordering) -> tokio::task::JoinHandle<()> {
    let store = Arc::clone(store);
    let waiting = tokio::spawn(async move { store.due(endpoint, ordering).await });
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    waiting
}

#[track_caller]
fn woken(waiting: tokio::task::JoinHandle<()>) -> impl Future<Output = ()> {
    let at = std::panic::Location::caller();
    async move {
        let ended = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        ended.unwrap_or_else(|_| panic!("not woken at {at}")).unwrap();
    }
}

async fn cancel(store: &dyn Store, id: tidings::model::id::LedgerId) {
    let act = Act { items: vec![(id, Action::Cancel)], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(act).await.unwrap(), [Ok(())]);
}

#[tokio::test]
async fn what_is_claimed_comes_in_order_and_in_no_other_claim() {
    let subject = Subject::new();
    let store = subject.open();
    let (a, b) = (webhook(&*store, "a").await, webhook(&*store, "b").await);
    for n in 0..5 {
        append(&*store, vec![sent_event(&n.to_string(), &[a, b], HOUR)]).await.unwrap();
    }
    let first = store.claim(claim(a, 2)).await.unwrap();
    assert_eq!(names(&first), ["0", "1"]);
    assert_eq!((first[0].tried, first[0].attempts), (0, 0));
    assert_eq!(first[0].deadline, subject.clock_now().plus(HOUR));
    assert_eq!(first[0].id.parts().target, 1);
    assert_eq!(claimed(&*store, claim(a, 10)).await, ["2", "3", "4"]);
    assert!(claimed(&*store, claim(a, 10)).await.is_empty());
    assert_eq!((store.queue(a).waiting, store.queue(a).leased, states(&*store)), (0, 5, [5, 5, 0, 0]));

    // What is put back is first again.
    store.put_back(a, &[first[1].id]);
    assert_eq!(claimed(&*store, claim(a, 10)).await, ["1"]);
    store.put_back(a, &[first[1].id, first[0].id]);
    store.put_back(a, &[first[1].id]);
    assert_eq!((store.queue(a).waiting, store.queue(a).leased), (2, 3));
    // A restart forgets all claims.
    let store = verified(&subject, store).await;
    assert_eq!(states(&*store), [10, 0, 0, 0]);
    assert_eq!(claimed(&*store, claim(a, 10)).await, ["0", "1", "2", "3", "4"]);
    assert_eq!(claimed(&*store, claim(b, 10)).await.len(), 5);
}

#[tokio::test]
async fn what_is_polled_is_not_claimed_and_nor_is_what_is_not_there() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("e"), &[queue]).await;
    assert!(claimed(&*store, claim(queue, 1)).await.is_empty());
    assert!(claimed(&*store, claim(EndpointNumber(77), 1)).await.is_empty());
    assert!(
        is_due(&*store, queue, Ordering::Relaxed).await && is_due(&*store, EndpointNumber(77), Ordering::Strict).await
    );
    store.stand(queue, held(&*store, None)).await.unwrap();
    store.stand(EndpointNumber(77), held(&*store, None)).await.unwrap();
    assert_eq!((store.standing(queue), store.standing(EndpointNumber(77))), (Standing::default(), Standing::default()));
    let store = subject.reopen(store).await;
    assert_eq!(taken(&*store, queue, 1).await, ["e"]);
}

#[tokio::test]
async fn a_retry_is_due_to_the_millisecond_and_before_what_is_newer() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let first = send(&*store, "first", hook, HOUR).await;
    send(&*store, "second", hook, HOUR).await;
    assert_eq!(claimed(&*store, claim(hook, 1)).await, ["first"]);
    assert_eq!(settle(&*store, hook, first, again(&*store, 5 * SECOND)).await, Settled::In(State::Queued));
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["second"], "what is new does not wait for it");

    let mut store = store;
    for round in 1..4 {
        let second = waiting(&store, hook, Ordering::Relaxed).await;
        subject.clock.advance(Duration::from_millis(4_999));
        assert!(claimed(&*store, claim(hook, 10)).await.is_empty());
        assert!(!second.is_finished());
        let newer = format!("newer {round}");
        send(&*store, &newer, hook, 6 * SECOND).await;
        woken(second).await;
        assert_eq!(claimed(&*store, claim(hook, 1)).await, [newer]);
        let second = waiting(&store, hook, Ordering::Relaxed).await;
        subject.clock.advance(MILLI);
        woken(second).await;
        let again_now = store.claim(claim(hook, 10)).await.unwrap();
        assert_eq!(
            (names(&again_now), again_now[0].tried, again_now[0].attempts),
            (vec!["first".to_owned()], round, round)
        );
        assert_eq!(again_now[0].id, first);
        settle(&*store, hook, first, again(&*store, 5 * SECOND)).await;
        // A restart keeps to the millisecond what is due, and brings back what was in flight.
        store = subject.reopen(store).await;
        let back = store.claim(claim(hook, 10)).await.unwrap();
        assert!(!names(&back).contains(&"first".to_owned()), "{back:?}");
    }
    assert_eq!(story(&*store, first).await.push.due, Some(store.now().plus(5 * SECOND)));
    verified(&subject, store).await;
}

#[tokio::test]
async fn what_does_not_count_is_no_place_in_the_schedule() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let id = send(&*store, "e", hook, HOUR).await;
    for (counts, tried, attempts) in [(false, 0, 1), (true, 1, 2), (false, 1, 3), (true, 2, 4)] {
        store.claim(claim(hook, 1)).await.unwrap();
        settle(&*store, hook, id, Settle::Retry { due: store.now(), counts }).await;
        let next = store.claim(claim(hook, 1)).await.unwrap().remove(0);
        assert_eq!((next.tried, next.attempts), (tried, attempts));
        store.put_back(hook, &[id]);
    }
    let told = story(&*store, id).await;
    assert_eq!((told.push.tried, told.push.attempts.len(), told.view.handouts), (2, 4, 2));
}

#[tokio::test]
async fn nothing_is_claimed_from_its_deadline_on() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let short = send(&*store, "short", hook, MINUTE).await;
    let retried = send(&*store, "retried", hook, MINUTE).await;
    let in_flight = send(&*store, "in flight", hook, MINUTE).await;
    store.claim(claim(hook, 3)).await.unwrap();
    settle(&*store, hook, retried, again(&*store, SECOND)).await;
    store.put_back(hook, &[short]);
    subject.clock.advance(Duration::from_millis(59_999));
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["short", "retried"]);
    store.put_back(hook, &[short, retried]);
    subject.clock.advance(MILLI);
    assert!(claimed(&*store, claim(hook, 10)).await.is_empty());
    assert!(claimed(&*store, probe(hook)).await.is_empty());
    // What is on its way ends with its attempt.
    assert_eq!(states(&*store), [0, 1, 0, 2]);
    assert_eq!(story(&*store, in_flight).await.view.state, State::Leased);
    assert_eq!(settle(&*store, hook, in_flight, again(&*store, SECOND)).await, Settled::In(State::Expired));
    for id in [short, retried, in_flight] {
        let view = story(&*store, id).await.view;
        assert_eq!((view.state, view.reason.as_deref()), (State::Expired, Some("deadline")));
    }
    assert_eq!(states(&*store), [0, 0, 0, 3]);
    let store = verified(&subject, store).await;
    assert_eq!(states(&*store), [0, 0, 0, 3]);
}

#[tokio::test]
async fn a_retry_that_would_be_due_too_late_expires_at_the_deadline() {
    for (due, ordering) in [(MINUTE, Ordering::Relaxed), (MINUTE, Ordering::Strict), (HOUR, Ordering::Strict)] {
        let subject = Subject::new();
        let store = subject.open();
        let hook = webhook(&*store, "s").await;
        let id = send(&*store, "e", hook, MINUTE).await;
        send(&*store, "behind", hook, HOUR).await;
        store.claim(strictly(hook)).await.unwrap();
        settle(&*store, hook, id, again(&*store, due)).await;
        subject.clock.advance(Duration::from_millis(59_999));
        assert_eq!(story(&*store, id).await.view.state, State::Queued);
        assert_eq!(is_due(&*store, hook, ordering).await, ordering == Ordering::Relaxed);
        subject.clock.advance(MILLI);
        let view = story(&*store, id).await.view;
        assert_eq!(
            (view.state, view.reason.as_deref(), view.ended),
            (State::Expired, Some("deadline"), Some(store.now()))
        );
        assert_eq!(states(&*store), [1, 0, 0, 1]);
        assert!(is_due(&*store, hook, ordering).await);
        let store = verified(&subject, store).await;
        assert_eq!(claimed(&*store, claim(hook, 10)).await, ["behind"]);
    }
}

#[tokio::test]
async fn in_strict_order_the_oldest_blocks_until_it_has_ended() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(send(&*store, &n.to_string(), hook, if n == 2 { MINUTE } else { HOUR }).await);
    }
    let next = |store: Arc<dyn Store>| async move { claimed(&*store, strictly(hook)).await };
    assert_eq!(next(store.clone()).await, ["0"]);
    assert!(next(store.clone()).await.is_empty(), "one is in flight");
    // It is tried again, and blocks.
    settle(&*store, hook, ids[0], again(&*store, SECOND)).await;
    assert!(next(store.clone()).await.is_empty());
    let due = waiting(&store, hook, Ordering::Strict).await;
    send(&*store, "6", hook, HOUR).await;
    subject.clock.advance(SECOND);
    woken(due).await;
    assert_eq!(next(store.clone()).await, ["0"]);
    let due = waiting(&store, hook, Ordering::Strict).await;
    settle(&*store, hook, ids[0], Settle::Delivered).await;
    woken(due).await;
    // It is cancelled while it waits to be tried again.
    assert_eq!(next(store.clone()).await, ["1"]);
    settle(&*store, hook, ids[1], again(&*store, 30 * MINUTE)).await;
    let due = waiting(&store, hook, Ordering::Strict).await;
    cancel(&*store, ids[1]).await;
    woken(due).await;
    // It expires while it waits to be tried again.
    assert_eq!(next(store.clone()).await, ["2"]);
    settle(&*store, hook, ids[2], again(&*store, 30 * MINUTE)).await;
    let due = waiting(&store, hook, Ordering::Strict).await;
    subject.clock.advance(MINUTE);
    woken(due).await;
    // It is cancelled in flight: nothing else goes out before that is known to be over.
    assert_eq!(next(store.clone()).await, ["3"]);
    cancel(&*store, ids[3]).await;
    let due = waiting(&store, hook, Ordering::Strict).await;
    assert!(next(store.clone()).await.is_empty());
    assert_eq!(settle(&*store, hook, ids[3], Settle::Delivered).await, Settled::Gone);
    woken(due).await;
    assert_eq!(next(store.clone()).await, ["4"]);
    cancel(&*store, ids[4]).await;
    store.put_back(hook, &[ids[4]]);
    // What is put back comes in its old place.
    assert_eq!(next(store.clone()).await, ["5"]);
    store.put_back(hook, &[ids[5]]);
    let reopen = Act { items: vec![(ids[1], Action::Reopen { ttl: HOUR })], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(reopen).await.unwrap(), [Ok(())]);
    assert_eq!(next(store.clone()).await, ["1"]);
    let store = verified(&subject, store).await;
    assert_eq!(next(store.clone()).await, ["1"]);
    settle(&*store, hook, ids[1], Settle::Delivered).await;
    assert_eq!(next(store.clone()).await, ["5"]);
    verified(&subject, store).await;
}

#[tokio::test]
async fn a_hold_of_the_endpoint_lets_probes_through_and_one_of_its_subscription_nothing() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let first = send(&*store, "first", hook, HOUR).await;
    let second = send(&*store, "second", hook, HOUR).await;
    store.claim(claim(hook, 1)).await.unwrap();
    settle(&*store, hook, first, again(&*store, 30 * MINUTE)).await;
    store.stand(hook, held(&*store, None)).await.unwrap();
    assert_eq!((states(&*store), store.queue(hook).held, store.queue(hook).waiting), ([0, 0, 2, 0], 2, 0));
    let view = story(&*store, first).await.view;
    assert_eq!((view.state, view.reason.as_deref()), (State::Held, Some("circuit-open")));
    let due = waiting(&store, hook, Ordering::Relaxed).await;
    assert!(claimed(&*store, claim(hook, 10)).await.is_empty());
    assert_eq!(claimed(&*store, probe(hook)).await, ["second"], "what was never tried");
    assert!(claimed(&*store, probe(hook)).await.is_empty(), "one at a time");
    settle(&*store, hook, second, again(&*store, 40 * MINUTE)).await;
    assert_eq!(claimed(&*store, probe(hook)).await, ["first"], "whenever it would be due, what is due first");
    store.put_back(hook, &[first]);

    let store2 = store.clone();
    let change = |change: SubscriptionChange| async move { store2.change_subscriptions(vec![change]).await.unwrap() };
    change(SubscriptionChange::Hold("s".into(), HoldReason::Paused)).await;
    assert!(claimed(&*store, probe(hook)).await.is_empty());
    assert!(!due.is_finished());
    drop(due);
    let store = verified(&subject, store).await;
    assert!(claimed(&*store, probe(hook)).await.is_empty());
    let due = waiting(&store, hook, Ordering::Relaxed).await;
    subject.clock.advance(MILLI);
    store.stand(hook, recovered(&*store)).await.unwrap();
    assert_eq!((states(&*store), due.is_finished()), ([0, 0, 2, 0], false));
    store.change_subscriptions(vec![SubscriptionChange::Release("s".into(), HoldReason::Paused)]).await.unwrap();
    woken(due).await;
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["first", "second"]);
}

#[tokio::test]
async fn those_who_wait_for_something_due_are_woken() {
    let subject = Subject::new();
    let store = subject.open();
    for ordering in [Ordering::Relaxed, Ordering::Strict] {
        let name = format!("{ordering:?}");
        let hook = webhook(&*store, &name).await;
        let due = waiting(&store, hook, ordering).await;
        let id = send(&*store, &name, hook, HOUR).await;
        woken(due).await;
        store.claim(claim(hook, 1)).await.unwrap();
        let due = waiting(&store, hook, ordering).await;
        store.put_back(hook, &[id]);
        woken(due).await;
        store.claim(claim(hook, 1)).await.unwrap();
        settle(&*store, hook, id, failed("no")).await;
        let due = waiting(&store, hook, ordering).await;
        let reopen = Act { items: vec![(id, Action::Reopen { ttl: HOUR })], by: "me".to_owned(), dry_run: false };
        store.act(reopen).await.unwrap();
        woken(due).await;
        store.claim(claim(hook, 1)).await.unwrap();
        let due = waiting(&store, hook, ordering).await;
        store.change_subscriptions(vec![SubscriptionChange::Remove(name.as_str().into())]).await.unwrap();
        woken(due).await;
        assert!(claimed(&*store, claim(hook, 1)).await.is_empty());
        assert_eq!(settle(&*store, hook, id, Settle::Delivered).await, Settled::Gone);
        store.put_back(hook, &[id]);
    }
    assert_eq!(store.figures().sums.webhook.get(State::Cancelled), 2);
    verified(&subject, store).await;
}

#[tokio::test]
async fn a_claim_that_is_dropped_puts_back_what_it_has_claimed() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    for n in 0..4 {
        send(&*store, &n.to_string(), hook, HOUR).await;
    }
    for _ in 0..50 {
        let mut call = store.claim(claim(hook, 4));
        // It has begun, and nobody takes what it brings.
        let begun = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        if let Poll::Ready(claimed) = begun {
            store.put_back(hook, &claimed.unwrap().iter().map(|claimed| claimed.id).collect::<Vec<_>>());
        }
    }
    let back = async {
        loop {
            let claimed = store.claim(claim(hook, 10)).await.unwrap();
            if names(&claimed) == ["0", "1", "2", "3"] {
                return;
            }
            store.put_back(hook, &claimed.iter().map(|claimed| claimed.id).collect::<Vec<_>>());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.unwrap();
    assert_eq!((states(&*store), store.queue(hook).leased), ([0, 4, 0, 0], 4));
}

#[tokio::test]
async fn what_a_clock_in_doubt_would_have_expired_is_not_claimed() {
    let subject = Subject::new();
    subject.clock.set_synchronised(None);
    let store = subject.open();
    let (relaxed, strict) = (webhook(&*store, "r").await, webhook(&*store, "s").await);
    for (name, ttl) in [("short", HOUR), ("long", 72 * HOUR)] {
        append(&*store, vec![sent_event(name, &[relaxed, strict], ttl)]).await.unwrap();
    }
    subject.clock.leap(48 * 3_600_000);
    store.sweep().await.unwrap();
    assert!(store.clock_doubt().is_some());
    assert_eq!(claimed(&*store, claim(relaxed, 10)).await, ["long"]);
    assert!(claimed(&*store, strictly(strict)).await.is_empty(), "the one before may still come");
    assert!(claimed(&*store, tidings::store::Claim { probe: true, ..strictly(strict) }).await.is_empty());
    let due = waiting(&store, strict, Ordering::Strict).await;
    assert_eq!(states(&*store), [3, 1, 0, 0]);
    subject.clock.leap(-48 * 3_600_000);
    store.sweep().await.unwrap();
    woken(due).await;
    assert_eq!(claimed(&*store, strictly(strict)).await, ["short"]);
    assert_eq!(claimed(&*store, claim(relaxed, 10)).await, ["short"]);
}

#[tokio::test]
async fn in_doubt_what_ends_by_the_ledger_gives_way() {
    let subject = Subject::new();
    subject.clock.set_synchronised(None);
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    send(&*store, "short", hook, HOUR).await;
    send(&*store, "long", hook, 72 * HOUR).await;
    subject.clock.leap(48 * 3_600_000);
    store.sweep().await.unwrap();
    let due = waiting(&store, hook, Ordering::Strict).await;
    subject.clock.advance(HOUR);
    woken(due).await;
    assert_eq!(claimed(&*store, strictly(hook)).await, ["long"]);
    assert_eq!(states(&*store), [0, 1, 0, 1]);
}

#[tokio::test]
async fn nothing_is_claimed_while_nothing_can_be_settled() {
    let faults = super::faults::Switches::new();
    let mut subject = Subject::new();
    subject.faults = Some(faults.clone());
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let id = send(&*store, "e", hook, HOUR).await;
    send(&*store, "f", hook, HOUR).await;
    store.claim(claim(hook, 1)).await.unwrap();
    faults.fail_after(0);
    let refused = store.settle(settlement(&*store, hook, id, Settle::Delivered)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })));
    assert!(matches!(store.claim(claim(hook, 1)).await, Err(StoreError::Unavailable { .. })));
    let due = waiting(&store, hook, Ordering::Relaxed).await;
    faults.mend();
    super::faults::recovered(&*store).await;
    woken(due).await;
    // The claim was forgotten with the memory that had it.
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["e", "f"]);
    assert_eq!(settle(&*store, hook, id, Settle::Delivered).await, Settled::In(State::Delivered));
    assert_conserved(&*store);
}

#[tokio::test]
async fn what_is_overdue_is_told() {
    let subject = Subject::new();
    let store = subject.open();
    let strict = Target::Webhook(webhook_target("https://10.0.0.7/", Ordering::Strict));
    let (hook, strict) = (webhook(&*store, "s").await, endpoints(&*store, "t", vec![strict]).await[0]);
    assert_eq!(store.overdue(), None);
    let since = |ago: Duration| Some(Timestamp::minus(store.now(), ago));
    let id = send(&*store, "e", hook, HOUR).await;
    subject.clock.advance(MINUTE);
    assert_eq!(store.overdue(), since(MINUTE));
    store.claim(claim(hook, 1)).await.unwrap();
    assert_eq!(store.overdue(), None);
    settle(&*store, hook, id, again(&*store, MINUTE)).await;
    assert_eq!(store.overdue(), None);
    subject.clock.advance(2 * MINUTE);
    assert_eq!(store.overdue(), since(MINUTE));
    store.claim(claim(hook, 1)).await.unwrap();
    store.put_back(hook, &[id]);
    assert_eq!(store.overdue(), since(Duration::ZERO));
    // What is held is not due before the hold has ended.
    store.stand(hook, held(&*store, None)).await.unwrap();
    send(&*store, "f", hook, HOUR).await;
    assert_eq!(store.overdue(), None);
    subject.clock.advance(MINUTE);
    store.stand(hook, recovered(&*store)).await.unwrap();
    assert_eq!(store.claim(claim(hook, 2)).await.unwrap().len(), 2);
    // In strict order only the oldest can be.
    let first = send(&*store, "first", strict, HOUR).await;
    send(&*store, "second", strict, HOUR).await;
    store.claim(strictly(strict)).await.unwrap();
    subject.clock.advance(MINUTE);
    assert_eq!(store.overdue(), None);
    settle(&*store, strict, first, again(&*store, MINUTE)).await;
    assert_eq!(store.overdue(), None);
    subject.clock.advance(3 * MINUTE);
    assert_eq!(store.overdue(), since(2 * MINUTE));
}
