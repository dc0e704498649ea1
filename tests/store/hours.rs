//! What is held until a customer's hours begin.

use std::sync::Arc;
use std::time::Duration;

use tidings::base::clock::Timestamp;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::{EndpointKind, State};
use tidings::model::target::Ordering;
use tidings::store::{Act, Action, Lease, NewEvent, Settle, Store, SubscriptionChange, TargetGroup};

use super::sent::*;
use super::subject::*;

const MILLI: Duration = Duration::from_millis(1);

/// An event of which this endpoint may be told in an hour, and then for an hour.
fn later(store: &dyn Store, name: &str, kind: EndpointKind, to: EndpointNumber) -> NewEvent {
    let from = Some(store.now().plus(HOUR));
    let targets = vec![TargetGroup { kind, ttl: HOUR, endpoints: vec![to], from }];
    NewEvent { targets, ..event_for(draft(Some(name), "301"), &[to], HOUR) }
}

async fn store_one(store: &dyn Store, event: NewEvent) -> LedgerId {
    let receipt = append(store, vec![event]).await.unwrap().remove(0);
    LedgerId::new(LedgerIdParts { target: 1, ..receipt.id.parts() })
}

async fn standing(store: &dyn Store, id: LedgerId) -> (State, Option<String>, Option<Timestamp>) {
    let view = story(store, id).await.view;
    assert_eq!(
        store.notifications(tidings::store::Look { limit: 9, ..Default::default() }).await.unwrap().notifications[0],
        view
    );
    (view.state, view.reason, view.ended)
}

fn outside() -> (State, Option<String>, Option<Timestamp>) {
    (State::Held, Some("outside-hours".to_owned()), None)
}

#[tokio::test]
async fn a_queue_gives_it_when_its_time_has_come_and_not_before() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "a").await;
    let id = store_one(&*store, later(&*store, "held", EndpointKind::Poll, queue)).await;
    publish(&*store, Some("now"), &[queue]).await;
    assert_eq!((store.queue(queue).waiting, store.queue(queue).held), (1, 1));
    assert_eq!(story(&*store, id).await.view.deadline, store.now().plus(2 * HOUR));
    assert_eq!(story(&*store, id).await.push.due, Some(store.now().plus(HOUR)));
    assert_eq!(taken(&*store, queue, 9).await, ["now"]);
    assert_eq!(standing(&*store, id).await, outside());
    subject.clock.advance(HOUR.saturating_sub(MILLI));
    while store.sweep().await.unwrap().more {}
    let store = verified(&subject, store).await;
    assert!(taken(&*store, queue, 9).await.is_empty());
    let acknowledged = Lease { acks: vec![id], ..lease(queue, 9) };
    let leased = store.lease(acknowledged).await.unwrap();
    assert_eq!((leased.notifications.len(), leased.consumed), (0, 0));
    assert_eq!(standing(&*store, id).await, outside());
    let waits = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.wait(queue).await }
    });
    tokio::task::yield_now().await;
    subject.clock.advance(MILLI);
    waits.await.unwrap();
    assert_eq!((store.queue(queue).waiting, store.queue(queue).held), (1, 0));
    assert_eq!((standing(&*store, id).await, story(&*store, id).await.push.due), ((State::Queued, None, None), None));
    assert_conserved(&*store);
    let store = verified(&subject, store).await;
    assert_eq!(store.lease(lease(queue, 9)).await.unwrap().notifications.len(), 1);
    verified(&subject, store).await;
}

#[tokio::test]
async fn a_webhook_is_sent_it_when_its_time_has_come_and_not_before() {
    for ordering in [Ordering::Relaxed, Ordering::Strict] {
        let subject = Subject::new();
        let store = subject.open();
        let hook = webhook(&*store, "hook").await;
        let id = store_one(&*store, later(&*store, "held", EndpointKind::Webhook, hook)).await;
        store.stand(hook, held(&*store, None)).await.unwrap();
        let probes = || tidings::store::Claim { ordering, ..probe(hook) };
        assert!(claimed(&*store, probes()).await.is_empty(), "no probe is made with it");
        store.stand(hook, recovered(&*store)).await.unwrap();
        let store = verified(&subject, store).await;
        let claims = || tidings::store::Claim { ordering, ..claim(hook, 9) };
        assert!(claimed(&*store, claims()).await.is_empty());
        assert_eq!(standing(&*store, id).await, outside());
        let due = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.due(hook, ordering).await }
        });
        tokio::task::yield_now().await;
        subject.clock.advance(HOUR.saturating_sub(MILLI));
        tokio::task::yield_now().await;
        assert!(!due.is_finished() && claimed(&*store, claims()).await.is_empty());
        subject.clock.advance(MILLI);
        due.await.unwrap();
        assert_eq!(claimed(&*store, claims()).await, ["held"]);
        let retry = again(&*store, Duration::from_secs(5));
        settle(&*store, hook, id, retry).await;
        let store = verified(&subject, store).await;
        assert_eq!(standing(&*store, id).await, (State::Queued, None, None));
        subject.clock.advance(Duration::from_secs(5));
        assert_eq!(claimed(&*store, claims()).await, ["held"]);
        settle(&*store, hook, id, Settle::Delivered).await;
        verified(&subject, store).await;
    }
}

#[tokio::test]
async fn it_expires_with_its_event_and_its_deadline_counts_from_the_hours() {
    let subject = Subject::new();
    let store = subject.open();
    let (queue, hook) = (queue(&*store, "a").await, webhook(&*store, "hook").await);
    let expiry = Some(store.now().plus(HOUR / 2));
    let mut early = later(&*store, "early", EndpointKind::Poll, queue);
    early.draft.expiry = expiry;
    let early = store_one(&*store, early).await;
    let late = store_one(&*store, later(&*store, "late", EndpointKind::Webhook, hook)).await;
    subject.clock.advance((HOUR / 2).saturating_sub(MILLI));
    assert_eq!(standing(&*store, early).await, outside());
    subject.clock.advance(MILLI);
    assert_eq!(standing(&*store, early).await, (State::Expired, Some("deadline".to_owned()), expiry));
    assert_conserved(&*store);
    let store = verified(&subject, store).await;
    while store.sweep().await.unwrap().more {}
    subject.clock.advance((HOUR + HOUR / 2).saturating_sub(MILLI));
    assert_eq!(standing_of(&*store, late).await, State::Queued);
    subject.clock.advance(MILLI);
    assert!(claimed(&*store, claim(hook, 9)).await.is_empty());
    assert_eq!(standing_of(&*store, late).await, State::Expired);
    while store.sweep().await.unwrap().more {}
    let store = verified(&subject, store).await;
    assert_eq!(store.figures().sums.poll.get(State::Expired) + store.figures().sums.webhook.get(State::Expired), 2);
}

async fn standing_of(store: &dyn Store, id: LedgerId) -> State {
    story(store, id).await.view.state
}

#[tokio::test]
async fn it_can_be_cancelled_and_goes_with_its_subscription() {
    let subject = Subject::new();
    let store = subject.open();
    let (queue, hook) = (queue(&*store, "a").await, webhook(&*store, "hook").await);
    let one = store_one(&*store, later(&*store, "one", EndpointKind::Poll, queue)).await;
    let two = store_one(&*store, later(&*store, "two", EndpointKind::Webhook, hook)).await;
    let three = store_one(&*store, later(&*store, "three", EndpointKind::Webhook, hook)).await;
    let cancel = Act { items: vec![(one, Action::Cancel), (two, Action::Cancel)], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(cancel).await.unwrap(), [Ok(()), Ok(())]);
    store.change_subscriptions(vec![SubscriptionChange::Remove("hook".into())]).await.unwrap();
    let store = verified(&subject, store).await;
    while store.sweep().await.unwrap().more {}
    subject.clock.advance(HOUR);
    assert!(taken(&*store, queue, 9).await.is_empty());
    for id in [one, two, three] {
        assert_eq!(standing_of(&*store, id).await, State::Cancelled);
    }
    verified(&subject, store).await;
}

#[tokio::test]
async fn a_paused_subscription_holds_it_on_and_a_full_queue_fails_it() {
    use tidings::model::subscription::HoldReason::Paused;
    let mut subject = Subject::new();
    subject.settings.queue_depth = 1;
    let store = subject.open();
    let queue = queue(&*store, "a").await;
    let id = store_one(&*store, later(&*store, "held", EndpointKind::Poll, queue)).await;
    let full = store_one(&*store, later(&*store, "full", EndpointKind::Poll, queue)).await;
    assert_eq!(standing_of(&*store, full).await, State::Failed);
    store.change_subscriptions(vec![SubscriptionChange::Hold("a".into(), Paused)]).await.unwrap();
    subject.clock.advance(HOUR);
    let store = verified(&subject, store).await;
    assert_eq!(standing(&*store, id).await, (State::Held, Some("paused".to_owned()), None));
    assert!(taken(&*store, queue, 9).await.is_empty());
    store.change_subscriptions(vec![SubscriptionChange::Release("a".into(), Paused)]).await.unwrap();
    assert_eq!(taken(&*store, queue, 9).await, ["held"]);
    verified(&subject, store).await;
}
