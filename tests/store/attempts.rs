//! What attempts bring: verdicts, the attempts that are kept, and settlements that come when all has changed.

use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};
use tidings::model::attempt::{ANSWER_BYTES, Attempt, AttemptOutcome, Phases};
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::State;
use tidings::store::{Act, Action, KEPT_ATTEMPTS, KeptAttempt, Settle, Settled, Settlement, Store, SubscriptionChange};

use super::sent::*;
use super::subject::*;

const ATTEMPTS: TableDefinition<'_, (u32, u64, u32), &[u8]> = TableDefinition::new("attempts");
const SECOND: Duration = Duration::from_secs(1);

/// A store with a webhook and a notification for it, claimed.
async fn claimed_one() -> (Subject, Arc<dyn Store>, EndpointNumber, LedgerId) {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let id = send(&*store, "e", hook, HOUR).await;
    assert_eq!(store.claim(claim(hook, 1)).await.unwrap()[0].id, id);
    (subject, store, hook, id)
}

fn numbers(attempts: &[KeptAttempt]) -> Vec<u32> {
    attempts.iter().map(|kept| kept.number).collect()
}

async fn act(store: &dyn Store, id: LedgerId, action: Action) {
    let act = Act { items: vec![(id, action)], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(act).await.unwrap(), [Ok(())]);
}

async fn reopen(store: &dyn Store, id: LedgerId) {
    act(store, id, Action::Reopen { ttl: HOUR }).await;
}

/// One attempt that says which it is.
fn nth(store: &dyn Store, hook: EndpointNumber, id: LedgerId, n: u16, verdict: Settle) -> Settlement {
    let settlement = settlement(store, hook, id, verdict);
    Settlement { attempt: Attempt { status: Some(n), ..settlement.attempt }, ..settlement }
}

/// Settles so many attempts, `from` on, each to be tried again at once.
async fn try_again(store: &dyn Store, hook: EndpointNumber, id: LedgerId, numbers: std::ops::Range<u16>) {
    for n in numbers {
        let due = Settle::Retry { due: store.now(), counts: true };
        assert_eq!(store.settle(nth(store, hook, id, n, due)).await.unwrap(), Settled::In(State::Queued));
    }
}

/// Closes the store and counts the rows of attempts in its file.
async fn rows_of_attempts(subject: &Subject, store: Arc<dyn Store>) -> u64 {
    store.close().await;
    drop(store);
    let db = redb::Database::open(subject.path()).unwrap();
    db.begin_read().unwrap().open_table(ATTEMPTS).unwrap().len().unwrap()
}

#[tokio::test]
async fn a_verdict_ends_a_notification_or_puts_it_off() {
    let late = "x".repeat(3000);
    for (verdict, state, reason) in [
        (Settle::Delivered, State::Delivered, Some("delivered")),
        (failed("status-400"), State::Failed, Some("status-400")),
        (failed(&late), State::Failed, Some(&late[..1024])),
        (Settle::Retry { due: tidings::base::clock::Timestamp::MAX, counts: true }, State::Queued, None),
    ] {
        let (subject, store, hook, id) = claimed_one().await;
        subject.clock.advance(SECOND);
        assert_eq!(settle(&*store, hook, id, verdict).await, Settled::In(state));
        let ended = state.is_end().then(|| store.now());
        let check = async |store: &dyn Store| {
            let told = story(store, id).await;
            assert_eq!((told.view.state, told.view.reason.as_deref(), told.view.ended), (state, reason, ended));
            assert_eq!((numbers(&told.push.attempts), told.push.in_flight), (vec![1], false));
            assert_eq!(store.figures().sums.webhook.get(state), 1);
            assert!(claimed(store, claim(hook, 1)).await.is_empty());
        };
        check(&*store).await;
        check(&*verified(&subject, store).await).await;
    }
}

#[tokio::test]
async fn an_attempt_comes_back_as_it_went_in() {
    let (subject, store, hook, id) = claimed_one().await;
    let full = Attempt {
        started: subject.clock_now().minus(SECOND),
        took: Duration::from_micros(1_234_567),
        phases: Phases {
            connect: Some(Duration::from_micros(3)),
            answer: Some(Duration::from_secs(14)),
            body: Some(Duration::ZERO),
        },
        outcome: AttemptOutcome::Rejected,
        reason: "status-410".to_owned(),
        status: Some(410),
        detail: "gone for good".to_owned(),
        answer: "<p>Gone".to_owned(),
        probe: true,
    };
    let bare = Attempt {
        phases: Phases::default(),
        outcome: AttemptOutcome::Delivered,
        status: None,
        answer: String::new(),
        detail: String::new(),
        probe: false,
        ..full.clone()
    };
    let long = Attempt { answer: "ü".repeat(5000), detail: "y".repeat(5000), ..full.clone() };
    let cut = Attempt { answer: "ü".repeat(ANSWER_BYTES / 2), detail: "y".repeat(1024), ..full.clone() };
    for (attempt, verdict) in [
        (&full, again(&*store, SECOND)),
        (&bare, again(&*store, SECOND)),
        (&long, again(&*store, SECOND)),
        (&bare, Settle::Delivered),
    ] {
        let settlement = settlement(&*store, hook, id, verdict);
        store.settle(Settlement { attempt: attempt.clone(), ..settlement }).await.unwrap();
    }
    let expected: Vec<_> =
        (1..).zip([full, bare.clone(), cut, bare]).map(|(number, attempt)| KeptAttempt { number, attempt }).collect();
    assert_eq!(story(&*store, id).await.push.attempts, expected);
    let store = verified(&subject, store).await;
    assert_eq!(story(&*store, id).await.push.attempts, expected);
}

#[tokio::test]
async fn the_first_and_the_last_attempts_are_kept() {
    let (subject, store, hook, id) = claimed_one().await;
    let kept = |last: u32| (1..=16).chain(last - 47..=last).collect::<Vec<_>>();
    assert_eq!(kept(200).len(), KEPT_ATTEMPTS);
    try_again(&*store, hook, id, 1..65).await;
    assert_eq!(numbers(&story(&*store, id).await.push.attempts), (1..=64).collect::<Vec<_>>());
    try_again(&*store, hook, id, 65..100).await;
    assert_eq!(numbers(&story(&*store, id).await.push.attempts), kept(99));
    store.settle(nth(&*store, hook, id, 100, Settle::Delivered)).await.unwrap();
    let told = story(&*store, id).await.push;
    assert_eq!(numbers(&told.attempts), kept(100));
    assert!(told.attempts.iter().all(|kept| kept.attempt.status.map(u32::from) == Some(kept.number)));
    // It goes on over rounds.
    let store = verified(&subject, store).await;
    reopen(&*store, id).await;
    assert_eq!(numbers(&story(&*store, id).await.push.attempts), kept(100));
    let next = store.claim(claim(hook, 1)).await.unwrap().remove(0);
    assert_eq!((next.tried, next.attempts), (0, 100));
    try_again(&*store, hook, id, 101..103).await;
    store.settle(nth(&*store, hook, id, 103, failed("no"))).await.unwrap();
    let told = story(&*store, id).await.push;
    assert_eq!(numbers(&told.attempts), kept(103));
    assert!(told.attempts.iter().all(|kept| kept.attempt.status.map(u32::from) == Some(kept.number)));
    assert_eq!(rows_of_attempts(&subject, store).await, KEPT_ATTEMPTS as u64 - 1, "the last is with what it ended");
}

#[tokio::test]
async fn what_arrives_at_the_first_try_is_one_row_until_its_next_round() {
    let (subject, store, hook, id) = claimed_one().await;
    settle(&*store, hook, id, Settle::Delivered).await;
    assert_eq!(rows_of_attempts(&subject, store).await, 0);
    let store = subject.open();
    let attempts = story(&*store, id).await.push.attempts;
    assert_eq!(numbers(&attempts), [1]);
    reopen(&*store, id).await;
    assert_eq!(story(&*store, id).await.push.attempts, attempts);
    let store = verified(&subject, store).await;
    store.claim(claim(hook, 1)).await.unwrap();
    settle(&*store, hook, id, Settle::Delivered).await;
    assert_eq!(numbers(&story(&*store, id).await.push.attempts), [1, 2]);
    let store = verified(&subject, store).await;
    assert_eq!(rows_of_attempts(&subject, store).await, 1);
}

#[tokio::test]
async fn an_attempt_counts_though_its_claim_was_forgotten() {
    for verdict in [Settle::Delivered, failed("no"), Settle::Retry { due: Subject::new().clock_now(), counts: true }] {
        let (subject, store, hook, id) = claimed_one().await;
        let store = subject.reopen(store).await;
        let expected = match verdict {
            Settle::Delivered => State::Delivered,
            Settle::Failed { .. } => State::Failed,
            Settle::Retry { .. } => State::Queued,
        };
        assert_eq!(settle(&*store, hook, id, verdict.clone()).await, Settled::In(expected));
        // And where it is claimed anew meanwhile, the first that is settled decides, unless it is tried again.
        let other = send(&*store, "other", hook, HOUR).await;
        store.claim(claim(hook, 2)).await.unwrap();
        store.put_back(hook, &[other]);
        store.claim(claim(hook, 2)).await.unwrap();
        assert_eq!(settle(&*store, hook, other, verdict).await, Settled::In(expected));
        let second = settle(&*store, hook, other, Settle::Delivered).await;
        assert_eq!(second, if expected.is_end() { Settled::Gone } else { Settled::In(State::Delivered) });
        assert_eq!(numbers(&story(&*store, other).await.push.attempts), [1, 2]);
        verified(&subject, store).await;
    }
}

#[tokio::test]
async fn what_has_ended_meanwhile_stays_ended_and_keeps_the_attempt() {
    let (subject, store, hook, id) = claimed_one().await;
    act(&*store, id, Action::Cancel).await;
    assert_eq!(settle(&*store, hook, id, Settle::Delivered).await, Settled::Gone);
    assert_eq!(settle(&*store, hook, id, again(&*store, SECOND)).await, Settled::Gone);
    let told = story(&*store, id).await;
    assert_eq!((told.view.state, numbers(&told.push.attempts)), (State::Cancelled, vec![1, 2]));
    let store = verified(&subject, store).await;

    // The attempts of a later round come behind.
    reopen(&*store, id).await;
    store.claim(claim(hook, 1)).await.unwrap();
    settle(&*store, hook, id, failed("no")).await;
    assert_eq!(settle(&*store, hook, id, Settle::Delivered).await, Settled::Gone);
    let told = story(&*store, id).await;
    assert_eq!((told.view.state, numbers(&told.push.attempts)), (State::Failed, vec![1, 2, 3, 4]));
    reopen(&*store, id).await;
    settle(&*store, hook, id, Settle::Delivered).await;
    let told = story(&*store, id).await;
    assert_eq!((told.view.state, numbers(&told.push.attempts)), (State::Delivered, vec![1, 2, 3, 4, 5]));
    verified(&subject, store).await;
}

#[tokio::test]
async fn what_expired_in_nobody_s_hands_stays_expired() {
    for sweep in [false, true] {
        for tried in [false, true] {
            let (subject, store, hook, id) = claimed_one().await;
            if tried {
                settle(&*store, hook, id, again(&*store, SECOND)).await;
            }
            let store = subject.reopen(store).await;
            subject.clock.advance(HOUR);
            while sweep && store.sweep().await.unwrap().more {}
            assert_eq!(settle(&*store, hook, id, Settle::Delivered).await, Settled::Gone);
            let told = story(&*store, id).await;
            assert_eq!((told.view.state, told.push.attempts.len()), (State::Expired, 1 + usize::from(tried)));
            let store = verified(&subject, store).await;
            while store.sweep().await.unwrap().more {}
            // Its first attempt was settled late, so that no row of its own has counted it.
            reopen(&*store, id).await;
            settle(&*store, hook, id, Settle::Delivered).await;
            assert_eq!(story(&*store, id).await.push.attempts.len(), 2 + usize::from(tried));
            verified(&subject, store).await;
        }
    }
}

#[tokio::test]
async fn what_was_sent_in_time_has_arrived_though_its_deadline_passed() {
    for verdict in [Settle::Delivered, failed("no")] {
        let (subject, store, hook, id) = claimed_one().await;
        subject.clock.advance(2 * HOUR);
        while store.sweep().await.unwrap().more {}
        assert_eq!(store.figures().sums.webhook.get(State::Leased), 1);
        let expected = if verdict == Settle::Delivered { State::Delivered } else { State::Failed };
        assert_eq!(settle(&*store, hook, id, verdict).await, Settled::In(expected));
        let store = verified(&subject, store).await;
        assert_eq!(story(&*store, id).await.view.state, expected);
    }
}

#[tokio::test]
async fn settlements_of_one_notification_share_a_commit() {
    for round in 0..8 {
        let (subject, store, hook, id) = claimed_one().await;
        let verdicts = match round % 4 {
            0 => [again(&*store, SECOND), Settle::Delivered],
            1 => [Settle::Delivered, again(&*store, SECOND)],
            2 => [again(&*store, SECOND), again(&*store, 2 * SECOND)],
            _ => [failed("no"), Settle::Delivered],
        };
        // While the writer is busy the two queue up.
        let busy = (0..2000).map(|_| event_for(draft(None, "301"), &[], HOUR)).collect();
        let (first, second) =
            (nth(&*store, hook, id, 1, verdicts[0].clone()), nth(&*store, hook, id, 2, verdicts[1].clone()));
        let (_, first, second) = tokio::join!(append(&*store, busy), store.settle(first), store.settle(second));
        let queued = Settled::In(State::Queued);
        let expected = match round % 4 {
            0 => (queued, Settled::In(State::Delivered)),
            1 => (Settled::In(State::Delivered), Settled::Gone),
            2 => (queued, queued),
            _ => (Settled::In(State::Failed), Settled::Gone),
        };
        assert_eq!((first.unwrap(), second.unwrap()), expected);
        let told = story(&*store, id).await;
        let told: Vec<_> = told.push.attempts.iter().map(|kept| (kept.number, kept.attempt.status)).collect();
        assert_eq!(told, [(1, Some(1)), (2, Some(2))]);
        if round % 4 == 2 {
            subject.clock.advance(SECOND);
            assert!(claimed(&*store, claim(hook, 1)).await.is_empty(), "the last one said when");
            subject.clock.advance(SECOND);
            assert_eq!(claimed(&*store, claim(hook, 1)).await, ["e"]);
        }
        verified(&subject, store).await;
    }
}

#[tokio::test]
async fn what_was_never_made_is_gone_and_keeps_nothing() {
    let (subject, store, hook, id) = claimed_one().await;
    let other = webhook(&*store, "other").await;
    let elsewhere = LedgerId::new(LedgerIdParts { target: 2, ..id.parts() });
    let nowhere = LedgerId::parse("0198f0c2-1111-7000-8000-000000000000").unwrap();
    for (hook, id) in [(other, id), (hook, nowhere), (EndpointNumber(99), id)] {
        assert_eq!(settle(&*store, hook, id, Settle::Delivered).await, Settled::Gone);
    }
    settle(&*store, hook, id, Settle::Delivered).await;
    assert_eq!(settle(&*store, hook, elsewhere, Settle::Delivered).await, Settled::Gone);
    let store = verified(&subject, store).await;
    assert_eq!(rows_of_attempts(&subject, store).await, 0);
}

#[tokio::test]
async fn what_is_in_flight_when_its_endpoint_goes_keeps_its_attempt() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let mut ids = Vec::new();
    for (name, ttl) in [("fresh", HOUR), ("tried", HOUR), ("late", SECOND), ("tried late", SECOND), ("waits", HOUR)] {
        ids.push(send(&*store, name, hook, ttl).await);
    }
    store.claim(claim(hook, 4)).await.unwrap();
    for id in [ids[1], ids[3]] {
        settle(&*store, hook, id, Settle::Retry { due: store.now(), counts: true }).await;
    }
    assert_eq!(store.claim(claim(hook, 4)).await.unwrap().len(), 3);
    store.put_back(hook, &[ids[4]]);
    subject.clock.advance(SECOND);
    store.change_subscriptions(vec![SubscriptionChange::Remove("s".into())]).await.unwrap();
    let sums = store.figures().sums.webhook;
    assert_eq!([State::Cancelled, State::Expired].map(|state| sums.get(state)), [3, 2]);
    for id in &ids {
        assert_eq!(settle(&*store, hook, *id, Settle::Delivered).await, Settled::Gone);
    }
    let store = verified(&subject, store).await;
    let states = [State::Cancelled, State::Cancelled, State::Expired, State::Expired, State::Cancelled];
    for (id, (state, attempts)) in ids.iter().zip(states.into_iter().zip([1, 2, 1, 2, 1])) {
        let told = story(&*store, *id).await;
        assert_eq!((told.view.state, told.push.attempts.len()), (state, attempts), "{id}");
    }
}

#[tokio::test]
async fn attempts_go_with_the_history_and_what_is_open_keeps_its_own() {
    let mut subject = Subject::new();
    subject.settings.history = HOUR;
    subject.settings.duplicate_window = SECOND;
    let store = subject.open();
    let (hook, gone) = (webhook(&*store, "s").await, webhook(&*store, "gone").await);
    let mut ids = Vec::new();
    for n in 0..40 {
        let receipt = append(&*store, vec![sent_event(&n.to_string(), &[hook, gone], HOUR)]).await.unwrap().remove(0);
        ids.push(LedgerId::new(LedgerIdParts { target: 1, ..receipt.id.parts() }));
    }
    for hook in [hook, gone] {
        for claimed in store.claim(claim(hook, 100)).await.unwrap() {
            settle(&*store, hook, claimed.id, Settle::Retry { due: store.now(), counts: true }).await;
            settle(&*store, hook, claimed.id, Settle::Delivered).await;
        }
    }
    while store.sweep().await.unwrap().more {}
    act(&*store, ids[7], Action::Reopen { ttl: 100 * HOUR }).await;
    store.change_subscriptions(vec![SubscriptionChange::Remove("gone".into())]).await.unwrap();
    let mut store = store;
    for _ in 0..3 {
        subject.clock.advance(HOUR);
        publish(&*store, None, &[]).await;
        while store.sweep().await.unwrap().more {}
        store = verified(&subject, store).await;
        while store.sweep().await.unwrap().more {}
    }
    assert_eq!(numbers(&story(&*store, ids[7]).await.push.attempts), [1, 2]);
    assert_eq!(rows_of_attempts(&subject, store).await, 2);
    let store = subject.open();
    store.claim(claim(hook, 1)).await.unwrap();
    assert_eq!(settle(&*store, hook, ids[7], failed("no")).await, Settled::In(State::Delivered));
    for _ in 0..3 {
        subject.clock.advance(HOUR);
        publish(&*store, None, &[]).await;
        while store.sweep().await.unwrap().more {}
    }
    let store = verified(&subject, store).await;
    assert_eq!(rows_of_attempts(&subject, store).await, 0);
}
