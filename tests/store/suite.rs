//! What every store promises.

use std::time::Duration;

use futures::join_all;
use tidings::base::clock::Timestamp;
use tidings::model::event::EventDraft;
use tidings::model::id::{EndpointNumber, LedgerId};
use tidings::model::notification::State;
use tidings::model::owners::Owners;
use tidings::store::{Append, AppendError, Lease, Look, StoreSettings, SubscribeError, SubscriptionChange};

use super::subject::*;

/// The one thing of the futures crate that is needed here.
mod futures {
    /// Runs all at once on the runtime and answers in order.
    pub(super) async fn join_all<T: Send + 'static>(
        futures: impl IntoIterator<Item = impl std::future::Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        let mut out = Vec::new();
        for task in tasks {
            out.push(task.await.unwrap());
        }
        out
    }
}

#[tokio::test]
async fn an_event_comes_back_as_it_went_in() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let full = EventDraft {
        subject: Some("order/7".to_owned()),
        time: Some(tidings::model::event::EventTime {
            text: "2026-11-22T10:00:00.123456+01:00".to_owned(),
            instant: Timestamp::parse_rfc3339("2026-11-22T09:00:00.123Z").unwrap(),
        }),
        data_schema: Some("urn:schema".to_owned()),
        audience: Owners::parse_audience("a,b"),
        expiry: Some(subject.clock_now().plus(HOUR)),
        trace: tidings::base::trace::TraceContext::parse(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Some("k=v"),
        ),
        extensions: vec![tidings::model::event::Extension {
            name: "partition".to_owned(),
            value: tidings::model::json::RawJson::string("x\"y"),
        }],
        ..draft(Some("e1"), "301")
    };
    let receipt = append(&*store, vec![event_for(full.clone(), &[queue], 6 * HOUR)]).await.unwrap().remove(0);
    assert_eq!((receipt.matched, receipt.notifications.poll, receipt.duplicate), (1, 1, false));
    assert_eq!(receipt.expires, full.expiry, "the deadline is never after the event's own expiry");

    let page = store.take(take(queue, 10, None)).await.unwrap();
    let handed = &page.notifications[0];
    assert_eq!(handed.event.draft, full);
    assert_eq!(handed.event.id, receipt.id);
    let (event, notification) = (receipt.id.parts(), handed.id.parts());
    assert_eq!((event.target, notification.target, notification.position), (0, 1, event.position));
    assert_eq!(store.event(receipt.id).await.unwrap().unwrap().draft, full);
    assert_eq!(store.event(LedgerId::parse("0198f0c2-1111-7000-8000-000000000000").unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_page_is_the_oldest_and_nothing_comes_twice() {
    let subject = Subject::new();
    let store = subject.open();
    let (a, b) = (queue(&*store, "a").await, queue(&*store, "b").await);
    for n in 0..5 {
        publish(&*store, Some(&n.to_string()), &[a, b]).await;
    }
    assert_eq!(taken(&*store, a, 2).await, ["0", "1"]);
    assert_eq!(taken(&*store, a, 10).await, ["2", "3", "4"]);
    assert!(taken(&*store, a, 10).await.is_empty());
    assert_eq!(store.queue(b).waiting, 5);
    let store = subject.reopen(store).await;
    assert!(taken(&*store, a, 10).await.is_empty());
    assert_eq!(taken(&*store, b, 10).await.len(), 5);
    assert_conserved(&*store);
}

#[tokio::test]
async fn a_page_ends_at_its_bytes_but_gives_at_least_one() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let large = tidings::model::json::RawJson::string(&"x".repeat(100_000));
    for n in 0..10 {
        let draft = EventDraft { data: Some(large.clone()), ..draft(Some(&n.to_string()), "301") };
        append(&*store, vec![event_for(draft, &[queue], HOUR)]).await.unwrap();
    }
    let page = |max_bytes| tidings::store::Take { max_bytes, ..take(queue, 1000, None) };
    assert_eq!(ids(&store.take(page(1)).await.unwrap()), ["0"]);
    assert_eq!(ids(&store.take(page(250_000)).await.unwrap()), ["1", "2", "3"]);
    assert_eq!(ids(&store.take(page(100_001)).await.unwrap()), ["4"]);
    assert_eq!(store.take(page(4 << 20)).await.unwrap().notifications.len(), 5);
}

#[tokio::test]
async fn nothing_is_handed_out_from_its_deadline_on() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("late"), &[queue]).await;
    let short = event_for(draft(Some("short"), "301"), &[queue], Duration::from_millis(10));
    append(&*store, vec![short]).await.unwrap();

    subject.clock.advance(Duration::from_millis(9));
    assert_eq!(store.queue(queue).waiting, 2);
    subject.clock.advance(Duration::from_millis(1));
    assert_eq!(store.queue(queue).waiting, 1, "no sweep has run");
    assert_eq!(taken(&*store, queue, 10).await, ["late"]);
    assert_eq!(store.figures().sums.poll.get(State::Expired), 1);
    assert_conserved(&*store);

    let store = subject.reopen(store).await;
    assert_eq!(store.figures().sums.poll.get(State::Expired), 1);
    assert_eq!(store.figures().sums.poll.get(State::Consumed), 1);
    assert_conserved(&*store);
}

#[tokio::test]
async fn an_event_that_is_past_its_expiry_is_accepted_and_counted_as_expired() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let past = Some(subject.clock_now().minus(HOUR));
    let receipt =
        append(&*store, vec![event_for(EventDraft { expiry: past, ..draft(None, "301") }, &[queue], HOUR)]).await;
    assert_eq!(receipt.unwrap()[0].expires, past);
    assert_eq!(store.queue(queue).waiting, 0);
    assert_eq!(store.figures().sums.poll.get(State::Expired), 1);
    assert!(taken(&*store, queue, 10).await.is_empty());
    assert_conserved(&*store);
}

#[tokio::test]
async fn the_ledger_s_time_never_goes_backwards() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let first = publish(&*store, None, &[queue]).await;
    subject.clock.set(subject.clock_now().minus(24 * HOUR));
    let second = publish(&*store, None, &[queue]).await;
    assert!(second.id.parts().accepted >= first.id.parts().accepted);
    assert!(second.expires >= first.expires);
    let before = store.now();
    let store = subject.reopen(store).await;
    assert!(store.now() >= before, "not over a restart either");
}

#[tokio::test]
async fn a_repeat_is_answered_with_the_first_answer() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let first = publish(&*store, Some("e"), &[queue]).await;
    let again = publish(&*store, Some("e"), &[queue]).await;
    assert!(again.duplicate);
    assert_eq!(
        (again.id, again.matched, again.notifications, again.expires),
        (first.id, 1, first.notifications, first.expires)
    );
    assert_eq!(store.queue(queue).waiting, 1);

    let other = EventDraft { subject: Some("else".to_owned()), ..draft(Some("e"), "301") };
    let refused =
        append(&*store, vec![event_for(draft(None, "301"), &[queue], HOUR), event_for(other, &[queue], HOUR)]);
    assert!(matches!(refused.await, Err(AppendError::Conflict { index: 1 })));
    assert_eq!(store.queue(queue).waiting, 1, "nothing of the batch was stored");

    let store = subject.reopen(store).await;
    assert_eq!(publish(&*store, Some("e"), &[queue]).await.id, first.id, "over a restart too");
    assert_eq!(store.figures().accepted, 1);
}

#[tokio::test]
async fn a_repeat_inside_one_batch_counts() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let batch = ["a", "b", "a"].map(|id| event_for(draft(Some(id), "301"), &[queue], HOUR));
    let receipts = append(&*store, batch.to_vec()).await.unwrap();
    assert_eq!(receipts.iter().map(|r| r.duplicate).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(receipts[2].id, receipts[0].id);
    let conflict = [draft(Some("c"), "301"), draft(Some("c"), "302")].map(|d| event_for(d, &[queue], HOUR));
    assert!(matches!(append(&*store, conflict.to_vec()).await, Err(AppendError::Conflict { index: 1 })));
    assert_eq!(store.queue(queue).waiting, 2);
}

#[tokio::test]
async fn repeats_at_once_are_stored_once() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let receipts = join_all((0..64).map(|n| {
        let store = store.clone();
        async move { publish(&*store, Some(&(n % 4).to_string()), &[queue]).await }
    }))
    .await;
    assert_eq!(receipts.iter().filter(|r| !r.duplicate).count(), 4);
    assert_eq!(store.queue(queue).waiting, 4);
}

#[tokio::test]
async fn an_identity_is_forgotten_with_its_window_and_beyond_its_number() {
    let mut subject = Subject::new();
    subject.settings.duplicate_window = HOUR;
    subject.settings.duplicate_events = 3;
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("e"), &[queue]).await;
    subject.clock.advance(Duration::from_millis(3_599_999));
    assert!(publish(&*store, Some("e"), &[queue]).await.duplicate);
    subject.clock.advance(Duration::from_millis(1));
    assert!(!publish(&*store, Some("e"), &[queue]).await.duplicate);
    for id in ["f", "g"] {
        publish(&*store, Some(id), &[queue]).await;
    }
    assert!(publish(&*store, Some("e"), &[queue]).await.duplicate, "it is the third youngest");
    publish(&*store, Some("h"), &[queue]).await;
    let store = subject.reopen(store).await;
    assert_eq!(store.figures().identities, 3);
    assert!(!publish(&*store, Some("e"), &[queue]).await.duplicate);
}

#[tokio::test]
async fn an_append_matched_against_an_older_set_is_refused() {
    let subject = Subject::new();
    let store = subject.open();
    let old = store.subscriptions().version();
    let queue = queue(&*store, "s").await;
    let stale = Append {
        matched_against: old,
        events: vec![event_for(draft(None, "301"), &[queue], HOUR)],
        own: false,
        keep: None,
    };
    assert!(matches!(store.append(stale).await, Err(AppendError::Stale)));
    assert_eq!(store.figures().accepted, 0);
}

#[tokio::test]
async fn a_key_gives_the_same_page_again() {
    let subject = Subject::new();
    let store = subject.open();
    let (queue, other) = (queue(&*store, "s").await, queue(&*store, "t").await);
    let empty = store.take(take(queue, 2, Some("k"))).await.unwrap();
    assert!(empty.id.is_none() && empty.notifications.is_empty());
    for n in 0..4 {
        publish(&*store, Some(&n.to_string()), &[queue, other]).await;
    }
    let first = store.take(take(queue, 2, Some("k"))).await.unwrap();
    assert_eq!(
        (ids(&first), first.repeated),
        (vec!["0".to_owned(), "1".to_owned()], false),
        "an empty page is not kept"
    );
    let again = store.take(take(queue, 100, Some("k"))).await.unwrap();
    assert_eq!((ids(&again), again.repeated, again.id), (ids(&first), true, first.id));

    let somebody = tidings::store::Take { client: "other".into(), ..take(queue, 1, Some("k")) };
    assert_eq!(ids(&store.take(somebody).await.unwrap()), ["2"], "keys belong to the client");
    assert_eq!(ids(&store.take(take(other, 1, Some("k"))).await.unwrap()), ["0"], "and to the subscription");

    subject.clock.advance(Duration::from_millis(599_999));
    let store = subject.reopen(store).await;
    assert_eq!(ids(&store.take(take(queue, 1, Some("k"))).await.unwrap()), ["0", "1"], "over a restart too");
    subject.clock.advance(Duration::from_millis(1));
    assert_eq!(ids(&store.take(take(queue, 1, Some("k"))).await.unwrap()), ["3"], "for ten minutes");
    assert_conserved(&*store);
}

#[tokio::test]
async fn a_kept_page_outlives_expiry_and_history() {
    let mut subject = Subject::new();
    (subject.settings.history, subject.settings.history_max) = (Duration::ZERO, 0);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    append(&*store, vec![event_for(draft(Some("e"), "301"), &[queue], Duration::from_secs(1))]).await.unwrap();
    assert_eq!(ids(&store.take(take(queue, 10, Some("k"))).await.unwrap()), ["e"]);
    subject.clock.advance(Duration::from_mins(9));
    while store.sweep().await.unwrap().more {}
    let store = subject.reopen(store).await;
    while store.sweep().await.unwrap().more {}
    assert_eq!(ids(&store.take(take(queue, 10, Some("k"))).await.unwrap()), ["e"]);
    assert_conserved(&*store);
}

#[tokio::test]
async fn pages_at_once_are_disjoint_and_one_key_shares_one() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for n in 0..200 {
        publish(&*store, Some(&n.to_string()), &[queue]).await;
    }
    let pages = join_all((0..40).map(|n| {
        let store = store.clone();
        let key = (n % 4 == 0).then_some("shared");
        async move { store.take(take(queue, 6, key)).await.unwrap() }
    }))
    .await;
    let shared: Vec<_> = pages.iter().step_by(4).map(ids).collect();
    assert!(shared.windows(2).all(|w| w[0] == w[1]), "{shared:?}");
    let mut all: Vec<_> = pages.iter().filter(|p| !p.repeated).flat_map(ids).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), count), (31 * 6, 31 * 6));
}

#[tokio::test]
async fn a_full_queue_fails_its_own_notifications_only() {
    let mut subject = Subject::new();
    subject.settings.queue_depth = 3;
    let store = subject.open();
    let (full, free) = (queue(&*store, "full").await, queue(&*store, "free").await);
    for n in 0..3 {
        publish(&*store, Some(&n.to_string()), &[full]).await;
    }
    let batch: Vec<_> = (3..5).map(|n| event_for(draft(Some(&n.to_string()), "301"), &[full, free], HOUR)).collect();
    let receipts = append(&*store, batch).await.unwrap();
    assert_eq!(receipts[0].notifications.poll, 2, "it is a notification all the same");
    assert_eq!((store.queue(full).waiting, store.queue(free).waiting), (3, 2));
    let figures = store.figures();
    assert_eq!((figures.queue_full, figures.sums.poll.get(State::Failed)), (2, 2));
    taken(&*store, full, 1).await;
    publish(&*store, Some("5"), &[full, free]).await;
    assert_eq!(store.queue(full).waiting, 3);
    assert_conserved(&*store);
    let store = subject.reopen(store).await;
    assert_eq!(store.figures().sums.poll.get(State::Failed), 2);
    assert_eq!(taken(&*store, full, 10).await, ["1", "2", "5"]);
    assert_conserved(&*store);
}

#[tokio::test]
async fn a_batch_fills_a_queue_to_its_limit_and_no_further() {
    let mut subject = Subject::new();
    subject.settings.queue_depth = 500;
    let store = subject.open();
    let (a, b) = (queue(&*store, "a").await, queue(&*store, "b").await);
    let batch: Vec<_> = (0..600).map(|_| event_for(draft(None, "301"), &[a, b], HOUR)).collect();
    append(&*store, batch).await.unwrap();
    assert_eq!((store.queue(a).waiting, store.queue(b).waiting), (500, 500));
    assert_eq!(store.figures().queue_full, 200);
}

#[tokio::test]
async fn expired_notifications_do_not_fill_a_queue() {
    let mut subject = Subject::new();
    (subject.settings.queue_depth, subject.settings.queue_total) = (2, 3);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for _ in 0..2 {
        append(&*store, vec![event_for(draft(None, "301"), &[queue], Duration::from_secs(1))]).await.unwrap();
    }
    subject.clock.advance(Duration::from_secs(1));
    for id in ["a", "b"] {
        publish(&*store, Some(id), &[queue]).await;
    }
    assert_eq!(taken(&*store, queue, 10).await, ["a", "b"]);
    assert_eq!(store.figures().queue_full, 0);
}

#[tokio::test]
async fn beyond_the_total_publishing_is_refused_and_repeats_are_not() {
    let mut subject = Subject::new();
    subject.settings.queue_total = 4;
    let store = subject.open();
    let (a, b) = (queue(&*store, "a").await, queue(&*store, "b").await);
    let first = publish(&*store, Some("e"), &[a, b]).await;
    let three = (0..3).map(|_| event_for(draft(None, "301"), &[a], HOUR)).collect();
    assert!(matches!(append(&*store, three).await, Err(AppendError::Full { waiting: 2 })));
    publish(&*store, None, &[a, b]).await;
    let one = vec![event_for(draft(None, "301"), &[a], HOUR)];
    assert!(matches!(append(&*store, one).await, Err(AppendError::Full { waiting: 4 })));
    assert_eq!(publish(&*store, Some("e"), &[a, b]).await.id, first.id);
    publish(&*store, None, &[]).await;
    taken(&*store, a, 1).await;
    publish(&*store, None, &[b]).await;
    assert_conserved(&*store);
}

#[tokio::test]
async fn other_limits_hold_from_the_moment_they_are_given() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, None, &[queue]).await;
    store.replace_settings(StoreSettings { queue_depth: 1, ..subject.settings.clone() });
    publish(&*store, None, &[queue]).await;
    assert_eq!(store.figures().queue_full, 1);
    store.replace_settings(StoreSettings { queue_total: 1, ..subject.settings.clone() });
    let one = vec![event_for(draft(None, "301"), &[queue], HOUR)];
    assert!(matches!(append(&*store, one).await, Err(AppendError::Full { waiting: 1 })));
    store.replace_settings(subject.settings.clone());
    publish(&*store, None, &[queue]).await;
    assert_eq!((store.queue(queue).waiting, store.figures().queue_full), (2, 1));
}

#[tokio::test]
async fn what_waits_for_a_subscription_that_is_ended_so_has_failed() {
    let subject = Subject::new();
    let store = subject.open();
    let gone = queue(&*store, "gone").await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(publish(&*store, Some(&n.to_string()), &[gone]).await.id);
    }
    taken(&*store, gone, 1).await;
    let leased = store.lease(lease(gone, 1)).await.unwrap();
    assert_eq!(leased.notifications.len(), 1);
    store.change_subscriptions(vec![SubscriptionChange::Fail("gone".into())]).await.unwrap();
    let mut store = store;
    for _ in 0..2 {
        let sums = store.figures().sums.poll;
        assert_eq!((sums.get(State::Consumed), sums.get(State::Failed), sums.get(State::Cancelled)), (1, 3, 0));
        let look = Look { subscription: Some("gone".into()), limit: 10, ..Look::default() };
        let ended = store.notifications(look).await.unwrap().notifications;
        let failed = ended.iter().filter(|n| n.state == State::Failed);
        assert!(failed.clone().all(|n| n.reason.as_deref() == Some("subscription-removed")), "{ended:?}");
        assert_eq!(failed.count(), 3);
        while store.sweep().await.unwrap().more {}
        assert_eq!(store.figures().sums.poll, sums);
        assert_conserved(&*store);
        store = subject.reopen(store).await;
    }
}

#[tokio::test]
async fn a_subscription_that_drains_goes_when_nothing_is_left_and_not_before() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("e"), &[queue]).await;
    let remove = || vec![SubscriptionChange::RemoveDrained("s".into())];
    let is_there = || store.subscriptions().get("s").is_some();
    store.change_subscriptions(remove()).await.unwrap();
    assert!(is_there(), "it takes in more");
    store.change_subscriptions(vec![SubscriptionChange::Drain("s".into())]).await.unwrap();
    store.change_subscriptions(remove()).await.unwrap();
    assert!(is_there(), "something waits");
    let leased = store.lease(lease(queue, 1)).await.unwrap();
    store.change_subscriptions(remove()).await.unwrap();
    assert!(is_there(), "something is leased");
    let acks = leased.notifications.iter().map(|n| n.id).collect();
    store.lease(Lease { acks, ..lease(queue, 0) }).await.unwrap();
    store.change_subscriptions(remove()).await.unwrap();
    assert!(!is_there());
    store.change_subscriptions(remove()).await.unwrap();
    assert_conserved(&*store);
}

#[tokio::test]
async fn a_removed_subscription_s_notifications_are_cancelled() {
    let subject = Subject::new();
    let store = subject.open();
    let (gone, stays) = (queue(&*store, "gone").await, queue(&*store, "stays").await);
    for n in 0..10 {
        publish(&*store, Some(&n.to_string()), &[gone, stays]).await;
    }
    append(&*store, vec![event_for(draft(None, "301"), &[gone], Duration::from_millis(1))]).await.unwrap();
    taken(&*store, gone, 3).await;
    subject.clock.advance(Duration::from_millis(1));
    store.change_subscriptions(vec![SubscriptionChange::Remove("gone".into())]).await.unwrap();
    let check = |store: &dyn tidings::store::Store| {
        let sums = store.figures().sums.poll;
        assert_eq!(
            [State::Consumed, State::Cancelled, State::Expired, State::Queued].map(|s| sums.get(s)),
            [3, 7, 1, 10]
        );
        assert_conserved(store);
    };
    check(&*store);
    assert!(taken(&*store, gone, 10).await.is_empty());
    store.wait(gone).await;
    let store = subject.reopen(store).await;
    check(&*store);
    assert_eq!(taken(&*store, stays, 100).await.len(), 10);
    while store.sweep().await.unwrap().more {}
    let store = subject.reopen(store).await;
    assert_eq!(store.figures().sums.poll.get(State::Cancelled), 7);
    assert_conserved(&*store);
}

#[tokio::test]
async fn changes_of_the_set_are_all_or_none() {
    let subject = Subject::new();
    let store = subject.open();
    let first = subscribe(&*store, "a").await;
    let refused = store
        .change_subscriptions(vec![
            SubscriptionChange::Create(subscription_draft("b")),
            SubscriptionChange::Create(subscription_draft("a")),
        ])
        .await;
    assert!(matches!(refused, Err(SubscribeError::Exists(id)) if id.as_str() == "a"));
    assert!(store.subscriptions().get("b").is_none());
    let missing = store.change_subscriptions(vec![SubscriptionChange::Drain("x".into())]).await;
    assert!(matches!(missing, Err(SubscribeError::Missing(_))));

    let mut update = subscription_draft("a");
    update.event_types = vec!["404".into()];
    let updated = store.change_subscriptions(vec![SubscriptionChange::Update(update)]).await.unwrap().remove(0);
    assert_eq!((updated.created_at, &updated.endpoints), (first.created_at, &first.endpoints), "the queue stays");
    assert!(store.subscriptions().wanting(&"301".into()).is_empty());
    assert_eq!(store.subscriptions().wanting(&"404".into()).len(), 1);

    store.change_subscriptions(vec![SubscriptionChange::Drain("a".into())]).await.unwrap();
    let store = subject.reopen(store).await;
    assert!(store.subscriptions().wanting(&"404".into()).is_empty());
    assert!(store.subscriptions().get("a").is_some());
    assert_eq!(queue(&*store, "c").await, EndpointNumber(2), "numbers are not used twice");
}

#[tokio::test]
async fn one_who_waits_is_woken_by_an_event_and_by_removal() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let waiting =
        |store: std::sync::Arc<dyn tidings::store::Store>| tokio::spawn(async move { store.wait(queue).await });
    let first = waiting(store.clone());
    tokio::task::yield_now().await;
    publish(&*store, None, &[queue]).await;
    first.await.unwrap();
    waiting(store.clone()).await.unwrap();
    taken(&*store, queue, 1).await;
    let second = waiting(store.clone());
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    store.change_subscriptions(vec![SubscriptionChange::Remove("s".into())]).await.unwrap();
    second.await.unwrap();
}

#[tokio::test]
async fn the_last_poll_is_remembered() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    assert_eq!(store.queue(queue).last_polled, None);
    store.polled(queue);
    let polled = store.queue(queue).last_polled;
    assert_eq!(polled, Some(subject.clock_now()));
    publish(&*store, None, &[queue]).await;
    let store = subject.reopen(store).await;
    assert_eq!(store.queue(queue).last_polled, polled);
}

#[tokio::test]
async fn what_has_passed_the_history_goes_and_the_sums_stay() {
    let mut subject = Subject::new();
    subject.settings.history = 24 * HOUR;
    subject.settings.duplicate_window = HOUR;
    let store = subject.open();
    let (a, b) = (queue(&*store, "a").await, queue(&*store, "b").await);
    let mut first = None;
    for n in 0..100 {
        let receipt = publish(&*store, Some(&n.to_string()), &[a, b]).await;
        first.get_or_insert(receipt.id);
    }
    taken(&*store, a, 1000).await;
    while store.sweep().await.unwrap().more {}
    subject.clock.advance(24 * HOUR);
    while store.sweep().await.unwrap().more {}
    assert!(store.event(first.unwrap()).await.unwrap().is_some(), "b's expired six hours after");
    subject.clock.advance(24 * HOUR);
    while store.sweep().await.unwrap().more {}
    assert!(store.event(first.unwrap()).await.unwrap().is_none());
    assert_eq!(store.figures().body_bytes, 0);
    let store = subject.reopen(store).await;
    let sums = store.figures().sums.poll;
    assert_eq!([State::Consumed, State::Expired].map(|s| sums.get(s)), [100, 100]);
    assert_conserved(&*store);
    assert_eq!(store.figures().accepted, 100);
}

#[tokio::test]
async fn the_oldest_bodies_go_first_beyond_history_max_and_never_a_waiting_one() {
    let mut subject = Subject::new();
    subject.settings.history_max = 10_000;
    let store = subject.open();
    let (slow, fast) = (queue(&*store, "slow").await, queue(&*store, "fast").await);
    let old = publish(&*store, Some("old"), &[slow]).await;
    for n in 0..500 {
        publish(&*store, Some(&n.to_string()), &[fast]).await;
    }
    assert!(store.figures().body_bytes > 10_000);
    while store.sweep().await.unwrap().more {}
    assert!(store.figures().body_bytes > 10_000, "all of it waits");
    taken(&*store, fast, 1000).await;
    while store.sweep().await.unwrap().more {}
    assert!(store.figures().body_bytes <= 10_000, "one slow subscription does not pin the rest");
    assert!(store.event(old.id).await.unwrap().is_some());
    let store = subject.reopen(store).await;
    assert_eq!(taken(&*store, slow, 10).await, ["old"]);
    assert!(publish(&*store, Some("3"), &[fast]).await.duplicate, "an identity outlives its body");
    assert_conserved(&*store);
}

#[tokio::test]
async fn a_secret_is_kept_once() {
    let subject = Subject::new();
    let store = subject.open();
    assert_eq!(store.secret("key").await.unwrap(), None);
    assert_eq!(store.keep_secret("key", b"first".to_vec()).await.unwrap(), b"first");
    assert_eq!(store.keep_secret("key", b"second".to_vec()).await.unwrap(), b"first");
    let store = subject.reopen(store).await;
    assert_eq!(store.secret("key").await.unwrap().as_deref(), Some(&b"first"[..]));
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, None, &[queue]).await;
    store.close().await;
    let refused = append(&*store, vec![event_for(draft(None, "301"), &[queue], HOUR)]).await;
    assert!(matches!(refused, Err(AppendError::Store(tidings::store::StoreError::Closed))));
    assert!(store.take(take(queue, 1, None)).await.is_err());
    store.close().await;
}
