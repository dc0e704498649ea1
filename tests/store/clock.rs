//! A wall clock that leaps (design.md, promise 10): it loses nothing, and what it says is not believed before it is
//! known to be right.

use std::sync::Arc;
use std::time::Duration;

use tidings::base::clock::ManualClock;
use tidings::base::timekeeper::Cause;
use tidings::model::notification::State;
use tidings::store::redb::verify;
use tidings::store::{AppendError, Store};

use super::subject::*;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY: Duration = Duration::from_hours(24);

/// A store whose clock nobody synchronises, with a queue where one notification waits for six hours.
async fn alone() -> (Subject, Arc<dyn Store>, tidings::model::id::EndpointNumber) {
    let subject = Subject::new();
    subject.clock.set_synchronised(None);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("waits"), &[queue]).await;
    (subject, store, queue)
}

async fn sweep_all(store: &dyn Store) -> u64 {
    let mut expired = 0;
    loop {
        let step = store.sweep().await.unwrap();
        expired += step.expired;
        if !step.more {
            return expired;
        }
    }
}

fn waits(store: &dyn Store) -> (u64, u64) {
    let sums = store.figures().sums.poll;
    (sums.get(State::Queued), sums.get(State::Expired))
}

#[tokio::test]
async fn a_leap_forward_withholds_and_ends_nothing() {
    let mut subject = Subject::new();
    subject.clock.set_synchronised(Some(false));
    subject.settings.history = HOUR;
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let consumed = publish(&*store, Some("consumed"), &[queue]).await;
    assert_eq!(ids(&store.take(take(queue, 1, Some("k"))).await.unwrap()), ["consumed"]);
    publish(&*store, Some("waits"), &[queue]).await;
    sweep_all(&*store).await;
    let before = store.now();

    subject.clock.leap(48 * HOUR_MILLIS);
    assert_eq!(sweep_all(&*store).await, 0);
    let doubt = store.clock_doubt().unwrap();
    assert_eq!(doubt.cause, Cause::LeaptForward(2 * DAY));
    assert_eq!((doubt.ledger, doubt.wall, doubt.since), (before, subject.clock_now(), before));
    assert_eq!(doubt.to_string().split(": ").nth(1), Some("it leapt forward by 48h"));
    // Withheld, but all there: also the history, the identities and the page kept for its key.
    assert!(taken(&*store, queue, 10).await.is_empty());
    assert_eq!((store.queue(queue).waiting, waits(&*store)), (1, (1, 0)));
    assert!(store.event(consumed.id).await.unwrap().is_some());
    assert!(publish(&*store, Some("consumed"), &[queue]).await.duplicate);
    let again = store.take(take(queue, 1, Some("k"))).await.unwrap();
    assert_eq!((ids(&again), again.repeated), (vec!["consumed".to_owned()], true));
    assert_eq!(store.figures().identities, 2);

    // What is new gets the ledger's time, and its deadline looks past, too.
    let new = publish(&*store, Some("new"), &[queue]).await;
    assert_eq!(new.expires, Some(before.plus(6 * HOUR)));
    assert!(taken(&*store, queue, 10).await.is_empty());
    // One that lives long enough for either clock stays behind them: handed out first, it would end them.
    append(&*store, vec![event_for(draft(Some("long"), "301"), &[queue], 3 * DAY)]).await.unwrap();
    assert!(taken(&*store, queue, 10).await.is_empty());
    subject.clock.leap(-48 * HOUR_MILLIS);
    assert_eq!(taken(&*store, queue, 10).await, ["waits", "new", "long"]);
    assert_eq!(store.clock_doubt(), None);
    assert_conserved(&*store);
}

#[tokio::test]
async fn what_is_withheld_ends_when_the_clock_is_accepted_and_stays_ended() {
    let (subject, store, queue) = alone().await;
    subject.clock.leap(48 * HOUR_MILLIS);
    assert_eq!(sweep_all(&*store).await, 0);
    assert!(store.accept_clock().await.unwrap());
    assert!(!store.accept_clock().await.unwrap(), "there is no doubt any more");
    assert_eq!((store.clock_doubt(), store.now()), (None, subject.clock_now()));
    assert_eq!(waits(&*store), (0, 1));
    let store = subject.reopen(store).await;
    assert_eq!(waits(&*store), (0, 1));
    assert_eq!((store.clock_doubt(), store.queue(queue).waiting), (None, 0));
    assert_conserved(&*store);
    store.close().await;
    assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn in_doubt_deadlines_are_kept_by_the_monotonic_clock() {
    let (subject, store, queue) = alone().await;
    subject.clock.leap(5 * HOUR_MILLIS);
    // It waits for either clock.
    assert_eq!(store.queue(queue).waiting, 1);
    subject.clock.advance(5 * HOUR);
    assert_eq!(sweep_all(&*store).await, 0);
    assert!(taken(&*store, queue, 1).await.is_empty(), "it looks expired");
    subject.clock.advance(HOUR);
    assert_eq!(sweep_all(&*store).await, 1);
    assert!(store.clock_doubt().is_some());
    assert_conserved(&*store);
}

#[tokio::test]
async fn both_sides_of_the_limit() {
    for (by, doubted) in [(600_000, false), (600_001, true), (-600_000, false), (-600_001, true)] {
        let (subject, store, _) = alone().await;
        let before = store.now();
        subject.clock.leap(by);
        store.sweep().await.unwrap();
        assert_eq!(store.clock_doubt().is_some(), doubted, "{by}");
        let expected = if doubted { before } else { before.max(subject.clock_now()) };
        assert_eq!(store.now(), expected, "{by}");
    }
}

#[tokio::test]
async fn nobody_sees_a_leap_before_it_is_in_doubt() {
    let (subject, store, queue) = alone().await;
    let before = store.now();
    subject.clock.leap(48 * HOUR_MILLIS);
    assert_eq!((store.now(), store.queue(queue).waiting), (before, 1));
    assert_eq!(store.figures().sums.poll.get(State::Expired), 0);
}

#[tokio::test]
async fn a_restart_two_days_later_withholds_unless_the_clock_is_synchronised() {
    for synchronised in [None, Some(false), Some(true)] {
        let (subject, store, queue) = alone().await;
        store.close().await;
        drop(store);
        subject.clock.advance(2 * DAY);
        subject.clock.set_synchronised(synchronised);
        let store = subject.open();
        assert!(taken(&*store, queue, 1).await.is_empty());
        let expected = if synchronised == Some(true) { (0, 1) } else { (1, 0) };
        assert_eq!(waits(&*store), expected, "{synchronised:?}");
        sweep_all(&*store).await;
        assert_eq!(waits(&*store), expected, "{synchronised:?}");
        let cause = store.clock_doubt().map(|doubt| doubt.cause);
        assert_eq!(cause, (synchronised != Some(true)).then_some(Cause::AheadAtStart(2 * DAY)));
        // It is synchronised while it runs.
        subject.clock.set_synchronised(Some(true));
        sweep_all(&*store).await;
        assert_eq!((store.clock_doubt(), waits(&*store)), (None, (0, 1)));
        assert_conserved(&*store);
    }
}

#[tokio::test]
async fn a_restart_within_a_day_expires_at_once() {
    let (subject, store, _) = alone().await;
    store.close().await;
    drop(store);
    subject.clock.advance(DAY);
    let store = subject.open();
    assert_eq!((store.clock_doubt(), waits(&*store)), (None, (0, 1)));
}

#[tokio::test]
async fn a_doubt_outlives_a_restart_and_a_kill() {
    let (subject, store, _) = alone().await;
    subject.clock.leap(7 * HOUR_MILLIS);
    store.sweep().await.unwrap();
    // The file as a kill leaves it behind.
    let mut copy = Subject::new();
    copy.clock = subject.clock.clone();
    std::fs::copy(subject.path(), copy.path()).unwrap();
    for subject in [&copy, &subject] {
        let killed = copy.open();
        assert!(killed.clock_doubt().is_some());
        assert_eq!((sweep_all(&*killed).await, waits(&*killed)), (0, (1, 0)));
        killed.close().await;
        let _ = subject;
    }
    let store = subject.reopen(store).await;
    assert!(store.clock_doubt().is_some());
    subject.clock.leap(-7 * HOUR_MILLIS);
    assert_eq!((store.queue(queue_of(&*store)).waiting, store.clock_doubt()), (1, None));
}

fn queue_of(store: &dyn Store) -> tidings::model::id::EndpointNumber {
    store.subscriptions().get("s").unwrap().poll_endpoint().unwrap()
}

#[tokio::test]
async fn a_leap_back_goes_on_and_an_accepted_one_at_half_the_pace() {
    let (subject, store, queue) = alone().await;
    let start = store.now();
    subject.clock.leap(-100 * HOUR_MILLIS);
    subject.clock.advance(HOUR);
    assert_eq!(store.now(), start.plus(HOUR), "in doubt time goes on");
    assert_eq!(store.clock_doubt().unwrap().cause, Cause::LeaptBack(100 * HOUR));
    assert!(store.accept_clock().await.unwrap());
    assert_eq!(store.now(), start.plus(HOUR));
    subject.clock.advance(2 * HOUR);
    assert_eq!(store.now(), start.plus(2 * HOUR));
    let store = subject.reopen(store).await;
    assert_eq!(store.now(), start.plus(2 * HOUR), "and never back");
    subject.clock.advance(8 * HOUR);
    assert_eq!(sweep_all(&*store).await, 1, "six hours have passed");
    assert_eq!(store.queue(queue).waiting, 0);
    assert_conserved(&*store);
}

#[tokio::test]
async fn one_who_waits_gets_what_was_withheld_once_the_clock_is_trusted() {
    let (subject, store, queue) = alone().await;
    subject.clock.leap(48 * HOUR_MILLIS);
    store.sweep().await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move {
            store.wait(queue).await;
            taken(&*store, queue, 10).await
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished(), "what is withheld wakes nobody");
    subject.clock.leap(-48 * HOUR_MILLIS);
    store.sweep().await.unwrap();
    assert_eq!(waiting.await.unwrap(), ["waits"]);
}

#[tokio::test]
async fn a_fault_in_a_doubt_does_not_end_it() {
    let faults = super::faults::Switches::new();
    let mut subject = Subject::new();
    subject.faults = Some(faults.clone());
    subject.clock.set_synchronised(None);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("waits"), &[queue]).await;
    subject.clock.leap(48 * HOUR_MILLIS);
    faults.fail_after(0);
    let event = event_for(draft(None, "301"), &[queue], HOUR);
    assert!(matches!(append(&*store, vec![event]).await, Err(AppendError::Store(_))));
    faults.mend();
    super::faults::recovered(&*store).await;
    sweep_all(&*store).await;
    assert!(store.clock_doubt().is_some());
    assert_eq!(waits(&*store), (1, 0));
    assert_conserved(&*store);
}

/// Whatever two clocks do, the sums hold and what the ledger says only goes forward.
#[tokio::test]
async fn a_clock_gone_mad_loses_nothing() {
    let (subject, store, queue) = alone().await;
    let clock: &ManualClock = &subject.clock;
    let mut last = store.now();
    for (round, by) in
        [900_000, -7_200_000, 400 * 24 * HOUR_MILLIS, -1, 599_999, -800 * 24 * HOUR_MILLIS].iter().enumerate()
    {
        clock.leap(*by);
        clock.advance(Duration::from_mins(1));
        publish(&*store, Some(&round.to_string()), &[queue]).await;
        sweep_all(&*store).await;
        assert!(store.now() >= last);
        last = store.now();
        assert_eq!(store.figures().sums.poll.get(State::Expired), 0);
        assert_conserved(&*store);
    }
    clock.set_synchronised(Some(true));
    sweep_all(&*store).await;
    assert_eq!(taken(&*store, queue, 10).await, ["waits", "0", "1", "2", "3", "4", "5"]);
    store.close().await;
    assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
}
