//! Repeats of what has a window of its own, and conditions that are kept with events.

use std::time::Duration;

use tidings::base::clock::Timestamp;
use tidings::model::event::Identity;
use tidings::store::{Append, KeptCondition, NewEvent, Receipt, Repeats, Store};

use super::subject::*;

const WINDOW: Duration = Duration::from_mins(20);

fn command(name: u8, trace: u8, window: Duration) -> NewEvent {
    let identity = Some(Identity { fingerprint: [name; 16], content: [trace; 16] });
    NewEvent { identity, repeats: Repeats::Loose(window), ..event_for(draft(None, "301"), &[], HOUR) }
}

async fn send(store: &dyn Store, name: u8, trace: u8) -> Receipt {
    append(store, vec![command(name, trace, WINDOW)]).await.unwrap().remove(0)
}

/// A trace of zeros is none.
const NONE: u8 = 0;

#[tokio::test]
async fn a_command_is_a_repeat_unless_both_have_a_trace_and_they_differ() {
    let subject = Subject::new();
    let store = subject.open();
    let first = send(&*store, 1, 7).await;
    for (trace, repeats) in [(7, true), (NONE, true), (8, false), (8, true), (7, true), (9, false)] {
        let again = send(&*store, 1, trace).await;
        assert_eq!(again.duplicate, repeats, "{trace}");
        assert!(trace != 7 || again.id == first.id, "each repeats the one with its trace");
    }
    let bare = send(&*store, 2, NONE).await;
    assert!(!bare.duplicate);
    let store = subject.reopen(store).await;
    assert_eq!(send(&*store, 2, 5).await, Receipt { duplicate: true, ..bare });
    assert!(send(&*store, 1, 8).await.duplicate && !send(&*store, 3, 8).await.duplicate);
}

#[tokio::test]
async fn its_window_is_its_own_and_ends_to_the_millisecond() {
    for duplicate_window in [Duration::ZERO, 24 * HOUR] {
        let mut subject = Subject::new();
        subject.settings.duplicate_window = duplicate_window;
        subject.settings.history = Duration::ZERO;
        let store = subject.open();
        send(&*store, 1, NONE).await;
        subject.clock.advance(WINDOW.saturating_sub(Duration::from_millis(1)));
        while store.sweep().await.unwrap().more {}
        let store = subject.reopen(store).await;
        assert!(send(&*store, 1, NONE).await.duplicate, "{duplicate_window:?}");
        subject.clock.advance(Duration::from_millis(1));
        assert!(!send(&*store, 1, NONE).await.duplicate, "{duplicate_window:?}");
    }
}

#[tokio::test]
async fn a_window_of_zero_recognises_nothing_and_a_batch_is_searched_too() {
    let store = Subject::new().open();
    let off = || command(1, NONE, Duration::ZERO);
    assert!(append(&*store, vec![off(), off()]).await.unwrap().iter().all(|receipt| !receipt.duplicate));
    let batch = [(4, 1), (4, 2), (4, 1), (4, NONE)].map(|(name, trace)| command(name, trace, WINDOW));
    let receipts = append(&*store, batch.to_vec()).await.unwrap();
    assert_eq!(receipts.iter().map(|receipt| receipt.duplicate).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!((receipts[2].id, receipts[3].id), (receipts[0].id, receipts[0].id));
}

#[tokio::test]
async fn repeats_are_in_the_story_of_the_first_and_go_with_it() {
    let mut subject = Subject::new();
    subject.settings.history = Duration::ZERO;
    let store = subject.open();
    let queue = queue(&*store, "a").await;
    let event = || NewEvent { targets: event_for(draft(None, "301"), &[queue], HOUR).targets, ..command(1, 3, WINDOW) };
    let first = append(&*store, vec![event()]).await.unwrap().remove(0);
    let id = tidings::model::id::LedgerId::new(tidings::model::id::LedgerIdParts { target: 1, ..first.id.parts() });
    assert_eq!(store.story(id).await.unwrap().unwrap().repeated, None);
    for _ in 0..3 {
        subject.clock.advance(Duration::from_mins(3));
        append(&*store, vec![event()]).await.unwrap();
    }
    let store = subject.reopen(store).await;
    let repeated = store.story(id).await.unwrap().unwrap().repeated.unwrap();
    assert_eq!((repeated.times, repeated.last), (3, store.now()));
    let strict = NewEvent { repeats: Repeats::Strict, ..command(9, 1, WINDOW) };
    assert!(!append(&*store, vec![strict.clone()]).await.unwrap()[0].duplicate);
    let other = Identity { content: [2; 16], ..strict.identity.unwrap() };
    let other = NewEvent { identity: Some(other), ..strict };
    append(&*store, vec![other]).await.unwrap_err();
}

#[tokio::test]
async fn a_condition_is_kept_with_its_event_or_not_at_all() {
    let subject = Subject::new();
    let store = subject.open();
    let kept = |times| KeptCondition {
        name: "notice".to_owned(),
        subject: "r-1".to_owned(),
        since: Timestamp::from_millis(5),
        told: (times, Timestamp::from_millis(6)),
        detail: String::new(),
    };
    let old = store.subscriptions().version();
    subscribe(&*store, "a").await;
    let tell = |matched_against, times| {
        let events = vec![event_for(draft(Some("n"), "301"), &[], HOUR)];
        store.append(Append { matched_against, events, own: true, keep: Some(kept(times)) })
    };
    tell(old, 1).await.unwrap_err();
    assert!(store.conditions().await.unwrap().is_empty());
    let now = store.subscriptions().version();
    assert!(!tell(now, 1).await.unwrap()[0].duplicate && tell(now, 2).await.unwrap()[0].duplicate);
    let store = subject.reopen(store.clone()).await;
    assert_eq!(store.conditions().await.unwrap(), [kept(2)]);
}

#[tokio::test]
async fn the_domains_of_a_subscriber_are_its_own() {
    let subject = Subject::new();
    let store = subject.open();
    for (subscriber, domain, new) in
        [("a", "z.example", true), ("a", "b.example", true), ("a", "z.example", false), ("b", "z.example", true)]
    {
        assert_eq!(store.add_webhook_domain(subscriber, domain).await.unwrap(), new);
    }
    assert!(!store.remove_webhook_domain("b", "b.example").await.unwrap());
    assert!(store.remove_webhook_domain("b", "z.example").await.unwrap());
    let store = subject.reopen(store).await;
    assert_eq!(store.webhook_domains("a").await.unwrap(), ["b.example", "z.example"]);
    assert!(
        store.webhook_domains("b").await.unwrap().is_empty() && store.webhook_domains("").await.unwrap().is_empty()
    );
}
