//! What an operator sees: lists with filters and cursors, and stories.

use std::sync::Arc;
use std::time::Duration;

use tidings::model::event::EventDraft;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::{EndpointKind, State};
use tidings::model::subscription::HoldReason;
use tidings::store::{Lease, Look, LookCursor, Looked, NotificationView, Store, SubscriptionChange};

use super::subject::*;

const MINUTE: Duration = Duration::from_mins(1);

fn all() -> Look {
    Look { limit: 1000, ..Look::default() }
}

/// Everything that is looked for, in so many steps.
async fn listed(store: &dyn Store, mut look: Look) -> (Vec<NotificationView>, usize) {
    let (mut found, mut steps) = (Vec::new(), 0);
    loop {
        let Looked { notifications, cursor } = store.notifications(look.clone()).await.unwrap();
        assert!(notifications.len() <= look.limit);
        found.extend(notifications);
        steps += 1;
        look.cursor = cursor;
        if look.cursor.is_none() {
            return (found, steps);
        }
    }
}

/// The serial numbers of what is found: 1 for the first event, as many times as it has notifications in it.
async fn numbers(store: &dyn Store, look: Look) -> Vec<u64> {
    listed(store, look).await.0.iter().map(|view| view.event.parts().position.get()).collect()
}

async fn publish_type(store: &dyn Store, event_type: &str, queues: &[EndpointNumber]) -> LedgerId {
    append(store, vec![event_for(draft(None, event_type), queues, 6 * HOUR)]).await.unwrap().remove(0).id
}

fn of(event: LedgerId, target: u32) -> LedgerId {
    LedgerId::new(LedgerIdParts { target, ..event.parts() })
}

#[tokio::test]
async fn notifications_are_listed_by_what_is_asked_for() {
    let subject = Subject::new();
    let store = subject.open();
    let (a, b) = (queue(&*store, "a").await, queue(&*store, "b").await);
    let mut accepted = Vec::new();
    for n in 0..8 {
        let queues = [a, b];
        publish_type(&*store, if n % 2 == 0 { "301" } else { "404" }, &queues[usize::from(n >= 4)..]).await;
        accepted.push(subject.clock_now());
        subject.clock.advance(MINUTE);
    }
    publish_type(&*store, "301", &[]).await;
    let state = |state| Look { state: Some(state), ..all() };
    taken(&*store, a, 2).await;
    while store.sweep().await.unwrap().more {}
    for reopened in [false, true] {
        let store = if reopened { subject.open() } else { store.clone() };
        assert_eq!(numbers(&*store, all()).await, [1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8]);
        assert_eq!(numbers(&*store, state(State::Consumed)).await, [1, 2]);
        assert_eq!(numbers(&*store, state(State::Queued)).await, [1, 2, 3, 3, 4, 4, 5, 6, 7, 8]);
        let typed = Look { event_type: Some("404".into()), subscription: Some("b".into()), ..all() };
        assert_eq!(numbers(&*store, typed).await, [2, 4, 6, 8]);
        assert!(numbers(&*store, Look { subscription: Some("c".into()), ..all() }).await.is_empty());
        let since = Look { from: Some(accepted[5]), ..all() };
        assert_eq!(numbers(&*store, since).await, [6, 7, 8]);
        let just_after = Look { from: Some(accepted[5].plus(Duration::from_millis(1))), ..all() };
        assert_eq!(numbers(&*store, just_after).await, [7, 8]);
        let between = Look { from: Some(accepted[1]), to: Some(accepted[3]), ..all() };
        assert_eq!(numbers(&*store, between).await, [2, 2, 3, 3]);
        let reason = Look { reason: Some("answer-unconfirmed".to_owned()), ..all() };
        assert_eq!(numbers(&*store, reason).await, [1, 2]);
        let (paged, steps) = listed(&*store, Look { limit: 1, ..all() }).await;
        assert_eq!((&paged, steps), (&listed(&*store, all()).await.0, 13));
        let view = &paged[1];
        assert_eq!((view.subscription.clone(), view.kind), (Some("b".into()), EndpointKind::Poll));
        assert_eq!((view.event_type.clone(), view.state, view.round), (Some("301".into()), State::Queued, 1));
        assert_eq!((view.accepted, view.deadline), (accepted[0], accepted[0].plus(6 * HOUR)));
        if !reopened {
            store.close().await;
        }
    }
}

#[tokio::test]
async fn each_end_has_its_reason_and_its_time() {
    let mut subject = Subject::new();
    subject.settings.queue_depth = 6;
    let store = subject.open();
    let (a, gone) = (queue(&*store, "a").await, queue(&*store, "gone").await);
    let start = subject.clock_now();
    let minutes = |n: u32| start.plus(n * MINUTE);
    for n in 0..6 {
        publish(&*store, Some(&n.to_string()), &[a]).await;
    }
    publish(&*store, Some("full"), &[a, gone]).await;
    let past = EventDraft { expiry: Some(start.minus(HOUR)), ..draft(Some("past"), "301") };
    append(&*store, vec![event_for(past, &[gone], HOUR)]).await.unwrap();
    subject.clock.advance(MINUTE);
    store.confirm(store.take(take(a, 1, None)).await.unwrap().id.unwrap());
    taken(&*store, a, 1).await;
    let page = store.lease(Lease { max_handouts: 1, ..lease(a, 3) }).await.unwrap();
    let ids: Vec<_> = page.notifications.iter().map(|n| n.id).collect();
    subject.clock.advance(Duration::from_secs(30));
    let errors = vec![(ids[1], "jwtAud: not mine".to_owned())];
    store.lease(Lease { acks: vec![ids[0]], errors, ..lease(a, 0) }).await.unwrap();
    subject.clock.advance(3 * MINUTE);
    store.change_subscriptions(vec![SubscriptionChange::Remove("gone".into())]).await.unwrap();
    store.change_subscriptions(vec![SubscriptionChange::Hold("a".into(), HoldReason::Paused)]).await.unwrap();
    let half = |n: u32| minutes(n).plus(Duration::from_secs(30));
    let expected = [
        (State::Consumed, "polled", Some(minutes(1))),
        (State::Consumed, "answer-unconfirmed", Some(minutes(1))),
        (State::Consumed, "acknowledged", Some(half(1))),
        (State::Failed, "jwtAud: not mine", Some(half(1))),
        (State::Failed, "abandoned", Some(minutes(2))),
        (State::Held, "paused", None),
        (State::Cancelled, "subscription-removed", Some(half(4))),
        (State::Failed, "queue-full", Some(start)),
        (State::Expired, "deadline", Some(start)),
    ];
    let mut store: Arc<dyn Store> = store;
    for round in 0..3 {
        let (views, _) = listed(&*store, all()).await;
        let got: Vec<_> = views.iter().map(|v| (v.state, v.reason.clone().unwrap(), v.ended)).collect();
        let expected = expected.map(|(state, reason, at)| (state, reason.to_owned(), at));
        assert_eq!(got, expected, "round {round}");
        assert_eq!(views.iter().map(|v| v.handouts).collect::<Vec<_>>(), [0, 0, 1, 1, 1, 0, 0, 0, 0]);
        let gone = Look { subscription: Some("gone".into()), ..all() };
        assert_eq!(listed(&*store, gone).await.0.len(), 2, "the history has removed ones too");
        store = subject.reopen(store).await;
        while round > 0 && store.sweep().await.unwrap().more {}
    }
    subject.clock.advance(6 * HOUR);
    let (views, _) = listed(&*store, Look { state: Some(State::Expired), ..all() }).await;
    assert_eq!(views.len(), 2, "held ones expire");
}

#[tokio::test]
async fn a_story_tells_each_hand_out() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let event = publish(&*store, Some("e"), &[queue]).await.id;
    let id = of(event, 1);
    let start = subject.clock_now();
    let leased = store.lease(lease(queue, 1)).await.unwrap();
    let told = store.story(id).await.unwrap().unwrap();
    assert_eq!((told.view.state, told.view.leased_until), (State::Leased, leased.until));
    subject.clock.advance(MINUTE);
    store.confirm(store.take(take(queue, 1, None)).await.unwrap().id.unwrap());
    let told = store.story(id).await.unwrap().unwrap();
    assert_eq!((told.view.state, told.view.reason.as_deref()), (State::Consumed, Some("polled")));
    assert_eq!(told.event.unwrap().draft.id.as_deref(), Some("e"));
    let handed_out: Vec<_> = told
        .handed_out
        .iter()
        .map(|h| (h.at, h.client.as_str(), h.request_id.as_str(), h.leased_until, h.confirmed))
        .collect();
    let until = Some(start.plus(MINUTE));
    assert_eq!(
        handed_out,
        [(start, "crm", "request-2", until, false), (start.plus(MINUTE), "crm", "request-1", None, true)]
    );
    assert!(told.rounds.is_empty());
    for unknown in [event, of(event, 2), LedgerId::parse("0198f0c2-1111-7000-8000-000000000000").unwrap()] {
        assert!(store.story(unknown).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_look_reads_so_many_records_and_goes_on_where_it_ended() {
    let subject = Subject::new();
    let store = subject.open();
    let mut queues = Vec::new();
    for n in 0..30 {
        queues.push(queue(&*store, &format!("q{n}")).await);
    }
    for _ in 0..4 {
        let batch = (0..200).map(|_| event_for(draft(None, "301"), &queues, HOUR)).collect();
        append(&*store, batch).await.unwrap();
    }
    let (found, steps) = listed(&*store, Look { subscription: Some("q29".into()), ..all() }).await;
    assert_eq!((found.len(), steps), (800, 3), "31 records an event");
    let first = store.notifications(Look { state: Some(State::Failed), ..all() }).await.unwrap();
    assert!(first.notifications.is_empty());
    let LookCursor { position, target } = first.cursor.unwrap();
    assert_eq!((position.get(), target), (323, 17), "322 events, one head, and 17 targets are 10,000 records");
}

#[tokio::test]
async fn the_history_forgets() {
    let mut subject = Subject::new();
    subject.settings.history = HOUR;
    subject.settings.duplicate_window = MINUTE;
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let old = publish(&*store, Some("old"), &[queue]).await.id;
    taken(&*store, queue, 1).await;
    while store.sweep().await.unwrap().more {}
    let new = publish(&*store, Some("new"), &[queue]).await.id;
    for _ in 0..3 {
        subject.clock.advance(HOUR);
        while store.sweep().await.unwrap().more {}
    }
    assert!(store.story(of(old, 1)).await.unwrap().is_none());
    assert_eq!(store.story(of(new, 1)).await.unwrap().unwrap().view.state, State::Queued);
    assert_eq!(listed(&*store, all()).await.0.len(), 1);
}
