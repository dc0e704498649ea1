//! What an operator does: cancelling what waits, and beginning new rounds of what has ended.

use std::sync::Arc;
use std::time::Duration;

use tidings::model::event::EventDraft;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::store::redb::verify;
use tidings::store::{Act, Action, Lease, NotDone, Store, Story, SubscriptionChange};

use super::subject::*;

const MINUTE: Duration = Duration::from_mins(1);
const REOPEN: Action = Action::Reopen { ttl: HOUR };

/// The notification of this event for its first queue.
fn of(event: LedgerId) -> LedgerId {
    LedgerId::new(LedgerIdParts { target: 1, ..event.parts() })
}

async fn new(store: &dyn Store, name: &str, queue: EndpointNumber) -> LedgerId {
    of(publish(store, Some(name), &[queue]).await.id)
}

async fn act(store: &dyn Store, id: LedgerId, action: Action) -> Result<(), NotDone> {
    let act = |dry_run| Act { items: vec![(id, action)], by: "operator:anna".to_owned(), dry_run };
    let before = (store.figures().sums.poll, store.story(id).await.unwrap().map(|story| story.view));
    let said = store.act(act(true)).await.unwrap().remove(0);
    let after = (store.figures().sums.poll, store.story(id).await.unwrap().map(|story| story.view));
    assert_eq!(before, after, "nothing was done");
    let done = store.act(act(false)).await.unwrap().remove(0);
    assert_eq!(said, done);
    assert_conserved(store);
    done
}

async fn story(store: &dyn Store, id: LedgerId) -> Story {
    store.story(id).await.unwrap().unwrap()
}

fn count(store: &dyn Store, state: State) -> u64 {
    store.figures().sums.poll.get(state)
}

async fn swept(store: &dyn Store) {
    while store.sweep().await.unwrap().more {}
}

async fn assert_verified(subject: &Subject, store: Arc<dyn Store>) {
    assert_conserved(&*store);
    store.close().await;
    drop(store);
    assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn what_waits_is_leased_or_is_held_can_be_cancelled() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(new(&*store, &n.to_string(), queue).await);
    }
    // 0 waits again, 1 is leased, the others wait.
    store.lease(lease(queue, 1)).await.unwrap();
    subject.clock.advance(MINUTE);
    assert_eq!(act(&*store, ids[3], Action::Cancel).await, Ok(()));
    store.lease(Lease { max: 2, duration: HOUR, ..lease(queue, 2) }).await.unwrap();
    subject.clock.advance(MINUTE);
    assert_eq!(act(&*store, ids[1], Action::Cancel).await, Ok(()));
    let late = store.lease(Lease { acks: vec![ids[1], ids[3]], ..lease(queue, 0) }).await.unwrap();
    assert_eq!(late.consumed, 0, "a later acknowledgement is ignored");
    subject.clock.advance(HOUR);
    assert_eq!(act(&*store, ids[0], Action::Cancel).await, Ok(()));
    store.change_subscriptions(vec![SubscriptionChange::Hold("s".into(), HoldReason::Paused)]).await.unwrap();
    assert_eq!(act(&*store, ids[5], Action::Cancel).await, Ok(()));
    store.change_subscriptions(vec![SubscriptionChange::Release("s".into(), HoldReason::Paused)]).await.unwrap();
    for id in [0, 1, 3, 5].map(|n| ids[n]) {
        assert_eq!(act(&*store, id, Action::Cancel).await, Err(NotDone::Ended));
        let view = story(&*store, id).await.view;
        assert_eq!((view.state, view.reason.as_deref()), (State::Cancelled, Some("cancelled by operator:anna")));
    }
    let store = subject.reopen(store).await;
    assert_eq!(taken(&*store, queue, 10).await, ["2", "4"]);
    swept(&*store).await;
    assert_eq!((count(&*store, State::Cancelled), count(&*store, State::Consumed)), (4, 2));
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn what_has_ended_can_be_put_back_and_ends_again() {
    let mut subject = Subject::new();
    subject.settings.queue_depth = 5;
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(new(&*store, &n.to_string(), queue).await);
    }
    // Polled, acknowledged, failed, cancelled, expired, refused by the full queue.
    taken(&*store, queue, 1).await;
    store.lease(lease(queue, 2)).await.unwrap();
    let errors = vec![(ids[2], "no".to_owned())];
    store.lease(Lease { acks: vec![ids[1]], errors, ..lease(queue, 0) }).await.unwrap();
    act(&*store, ids[3], Action::Cancel).await.unwrap();
    assert_eq!(act(&*store, ids[4], REOPEN).await, Err(NotDone::Waiting));
    subject.clock.advance(6 * HOUR);
    let before = [State::Consumed, State::Consumed, State::Failed, State::Cancelled, State::Expired, State::Failed];
    let mut store = store;
    for round in 0..3_u32 {
        // Unsettled and unswept at first, then settled, then after a restart.
        if round > 0 {
            swept(&*store).await;
        }
        if round > 1 {
            store = subject.reopen(store).await;
        }
        for id in &ids {
            assert_eq!(act(&*store, *id, REOPEN).await, Ok(()));
            assert_eq!(act(&*store, *id, REOPEN).await, Err(NotDone::Waiting));
        }
        assert_eq!((store.queue(queue).waiting, count(&*store, State::Queued)), (6, 6));
        for (n, id) in ids.iter().enumerate() {
            let told = story(&*store, *id).await;
            assert_eq!((told.view.state, told.view.round), (State::Queued, round + 2));
            assert_eq!((told.view.deadline, told.view.handouts), (subject.clock_now().plus(HOUR), 0));
            let last = told.rounds.last().unwrap();
            assert_eq!(
                (last.at, last.by.as_str(), told.rounds.len()),
                (subject.clock_now(), "operator:anna", round as usize + 1)
            );
            assert_eq!(last.before.0, if round == 0 { before[n] } else { State::Expired }, "{n}");
        }
        let early = store.lease(Lease { acks: ids.clone(), ..lease(queue, 0) }).await.unwrap();
        assert_eq!(early.consumed, 0, "nobody has had them in this round");
        subject.clock.advance(HOUR);
        assert_eq!((store.queue(queue).waiting, count(&*store, State::Expired)), (0, 6));
    }
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn what_was_put_back_is_handed_out_in_its_old_place() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(new(&*store, &n.to_string(), queue).await);
    }
    act(&*store, ids[3], Action::Cancel).await.unwrap();
    taken(&*store, queue, 2).await;
    swept(&*store).await;
    act(&*store, ids[1], REOPEN).await.unwrap();
    act(&*store, ids[3], REOPEN).await.unwrap();
    let waiting = store.take(take(queue, 4, Some("k"))).await.unwrap();
    assert_eq!(super::subject::ids(&waiting), ["1", "2", "3", "4"]);
    let store = subject.reopen(store).await;
    assert_eq!(super::subject::ids(&store.take(take(queue, 4, Some("k"))).await.unwrap()), ["1", "2", "3", "4"]);
    let told = story(&*store, ids[1]).await;
    assert_eq!(told.handed_out.len(), 2, "in the round before, too");
    // Once more, out of a page of both kinds; what is below the settled point among them.
    swept(&*store).await;
    for id in &ids {
        act(&*store, *id, REOPEN).await.unwrap();
    }
    let leased = store.lease(lease(queue, 10)).await.unwrap();
    assert_eq!(leased.notifications.iter().map(|n| n.id).collect::<Vec<_>>(), ids);
    store.lease(Lease { acks: ids[..3].to_vec(), ..lease(queue, 0) }).await.unwrap();
    subject.clock.advance(2 * HOUR);
    swept(&*store).await;
    assert_eq!((count(&*store, State::Consumed), count(&*store, State::Expired)), (3, 2));
    let told = story(&*store, ids[1]).await;
    assert_eq!((told.handed_out.len(), told.view.round), (3, 3));
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn one_who_waits_is_woken_by_what_is_put_back() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let id = new(&*store, "e", queue).await;
    taken(&*store, queue, 1).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait(queue).await }
    });
    tokio::task::yield_now().await;
    act(&*store, id, REOPEN).await.unwrap();
    waiting.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let mut subject = Subject::new();
    subject.settings.history_max = 0;
    let store = subject.open();
    let (queue, gone) = (queue(&*store, "s").await, queue(&*store, "gone").await);
    let expiring = EventDraft { expiry: Some(subject.clock_now().plus(HOUR)), ..draft(Some("expiring"), "301") };
    let expiring = append(&*store, vec![event_for(expiring, &[queue], 6 * HOUR)]).await.unwrap().remove(0).id;
    let removed = new(&*store, "removed", gone).await;
    let kept = new(&*store, "kept", queue).await;
    taken(&*store, queue, 1).await;
    act(&*store, of(expiring), Action::Reopen { ttl: 9 * HOUR }).await.unwrap();
    let deadline = story(&*store, of(expiring)).await.view.deadline;
    assert_eq!(deadline, subject.clock_now().plus(HOUR), "never past the event's own expiry");
    store.change_subscriptions(vec![SubscriptionChange::Remove("gone".into())]).await.unwrap();
    assert_eq!(act(&*store, removed, REOPEN).await, Err(NotDone::SubscriptionGone));
    assert_eq!(act(&*store, removed, Action::Cancel).await, Err(NotDone::Ended));
    subject.clock.advance(HOUR);
    assert_eq!(act(&*store, of(expiring), REOPEN).await, Err(NotDone::EventExpired));
    let unknown = LedgerId::parse("0198f0c2-1111-7000-8000-000000000000").unwrap();
    for (id, action) in [(unknown, REOPEN), (expiring, Action::Cancel), (unknown, Action::Cancel)] {
        assert_eq!(act(&*store, id, action).await, Err(NotDone::NotFound));
    }
    let twice = Act { items: vec![(kept, Action::Cancel); 2], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(twice).await.unwrap(), [Ok(()), Err(NotDone::Ended)]);
    swept(&*store).await;
    assert_eq!(store.figures().body_bytes, 0);
    let refused = act(&*store, kept, REOPEN).await;
    assert!(matches!(refused, Err(NotDone::BodyGone | NotDone::NotFound)), "{refused:?}");
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn what_is_open_again_keeps_its_event_and_nothing_behind_it() {
    let mut subject = Subject::new();
    subject.settings.history = HOUR;
    subject.settings.duplicate_window = MINUTE;
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let old = new(&*store, "old", queue).await;
    for _ in 0..50 {
        publish(&*store, None, &[queue]).await;
    }
    taken(&*store, queue, 100).await;
    swept(&*store).await;
    act(&*store, old, Action::Reopen { ttl: 24 * HOUR }).await.unwrap();
    let mut store = store;
    for _ in 0..4 {
        subject.clock.advance(HOUR);
        publish(&*store, None, &[]).await;
        swept(&*store).await;
        store = subject.reopen(store).await;
        swept(&*store).await;
    }
    assert!(store.figures().body_bytes < 800, "{} bytes are left", store.figures().body_bytes);
    let told = story(&*store, old).await;
    assert_eq!((told.view.state, told.view.round), (State::Queued, 2));
    assert_eq!(taken(&*store, queue, 10).await, ["old"]);
    for _ in 0..3 {
        subject.clock.advance(HOUR);
        swept(&*store).await;
    }
    assert_eq!(store.figures().body_bytes, 0);
    assert_eq!(count(&*store, State::Consumed), 51);
    assert_verified(&subject, store).await;
}

#[tokio::test]
async fn a_thousand_in_the_middle_of_a_long_queue_are_cancelled_at_once() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        let batch = (0..1000).map(|_| event_for(draft(None, "301"), &[queue], HOUR)).collect();
        ids.extend(append(&*store, batch).await.unwrap().into_iter().map(|receipt| of(receipt.id)));
    }
    let items = (0..1000).map(|n| (ids[n * 7 + 1500], Action::Cancel)).collect();
    let done = store.act(Act { items, by: "me".to_owned(), dry_run: false }).await.unwrap();
    assert!(done.iter().all(Result::is_ok));
    let store = subject.reopen(store).await;
    assert_eq!(store.queue(queue).waiting, 9000);
    let mut left = 0;
    while let page @ 1.. = taken(&*store, queue, 1000).await.len() {
        left += page;
    }
    assert_eq!(left, 9000);
    swept(&*store).await;
    assert_verified(&subject, store).await;
}
