//! Subscriptions that are sent to, and the few calls that the tests of claims and attempts make.

use std::sync::Arc;
use std::time::Duration;

use tidings::base::clock::Timestamp;
use tidings::model::attempt::{Attempt, AttemptOutcome, Phases};
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::{EndpointKind, State};
use tidings::model::subscription::SubscriptionDraft;
use tidings::model::target::{ContentMode, EmailTarget, Ordering, Role, Shape, Target, WebhookTarget};
use tidings::store::{
    Claim, Claimed, EndpointHold, NewEvent, Settle, Settled, Settlement, Standing, Store, Story, SubscriptionChange,
    TargetGroup,
};

use super::subject::*;

pub(crate) fn webhook_target(url: &str, ordering: Ordering) -> WebhookTarget {
    WebhookTarget {
        url: url.to_owned(),
        egress: "default".to_owned(),
        ordering,
        content_mode: ContentMode::Structured,
        secrets: Vec::new(),
        asymmetric: false,
        shape: Shape::CloudEvent,
        basic: None,
        retries: true,
    }
}

pub(crate) fn email_target(address: &str) -> Target {
    Target::Email(EmailTarget { address: address.to_owned(), role: Role::Subscriber, template: None, locale: None })
}

pub(crate) fn sent_draft(id: &str, endpoints: Vec<Target>) -> SubscriptionDraft {
    SubscriptionDraft { endpoints, ..subscription_draft(id) }
}

/// Makes a subscription with these endpoints and answers their numbers.
pub(crate) async fn endpoints(store: &dyn Store, id: &str, targets: Vec<Target>) -> Vec<EndpointNumber> {
    let change = SubscriptionChange::Create(sent_draft(id, targets));
    let made = store.change_subscriptions(vec![change]).await.unwrap().remove(0);
    made.endpoints.iter().map(|endpoint| endpoint.number).collect()
}

/// Makes a subscription with a webhook and answers its number.
pub(crate) async fn webhook(store: &dyn Store, id: &str) -> EndpointNumber {
    endpoints(store, id, vec![Target::Webhook(webhook_target("https://10.0.0.7/", Ordering::Relaxed))]).await[0]
}

/// An event for these webhooks, which lives for `ttl`.
pub(crate) fn sent_event(name: &str, endpoints: &[EndpointNumber], ttl: Duration) -> NewEvent {
    let event = event_for(draft(Some(name), "301"), endpoints, ttl);
    let targets = vec![TargetGroup { kind: EndpointKind::Webhook, ttl, endpoints: endpoints.to_vec(), from: None }];
    NewEvent { targets, ..event }
}

/// Stores an event for one webhook and answers the notification.
pub(crate) async fn send(store: &dyn Store, name: &str, endpoint: EndpointNumber, ttl: Duration) -> LedgerId {
    let receipt = append(store, vec![sent_event(name, &[endpoint], ttl)]).await.unwrap().remove(0);
    LedgerId::new(LedgerIdParts { target: 1, ..receipt.id.parts() })
}

pub(crate) fn claim(endpoint: EndpointNumber, max: usize) -> Claim {
    Claim { endpoint, ordering: Ordering::Relaxed, max, probe: false }
}

pub(crate) fn strictly(endpoint: EndpointNumber) -> Claim {
    Claim { ordering: Ordering::Strict, ..claim(endpoint, 10) }
}

pub(crate) fn probe(endpoint: EndpointNumber) -> Claim {
    Claim { probe: true, ..claim(endpoint, 10) }
}

/// Claims, and answers the producer's ids.
pub(crate) async fn claimed(store: &dyn Store, claim: Claim) -> Vec<String> {
    names(&store.claim(claim).await.unwrap())
}

pub(crate) fn names(claimed: &[Claimed]) -> Vec<String> {
    claimed.iter().map(|claimed| claimed.event.draft.id.clone().unwrap()).collect()
}

pub(crate) fn attempt(started: Timestamp) -> Attempt {
    Attempt {
        started,
        took: Duration::from_millis(12),
        phases: Phases { connect: None, answer: Some(Duration::from_millis(9)), body: Some(Duration::from_millis(1)) },
        outcome: AttemptOutcome::Fault,
        reason: "status-503".to_owned(),
        status: Some(503),
        detail: "answered 503".to_owned(),
        answer: String::new(),
        probe: false,
    }
}

pub(crate) fn settlement(store: &dyn Store, endpoint: EndpointNumber, id: LedgerId, verdict: Settle) -> Settlement {
    Settlement { notification: id, endpoint, attempt: attempt(store.now()), verdict, standing: None }
}

pub(crate) async fn settle(store: &dyn Store, endpoint: EndpointNumber, id: LedgerId, verdict: Settle) -> Settled {
    store.settle(settlement(store, endpoint, id, verdict)).await.unwrap()
}

/// To be tried again in so long.
pub(crate) fn again(store: &dyn Store, pause: Duration) -> Settle {
    Settle::Retry { due: store.now().plus(pause), counts: true }
}

pub(crate) fn failed(reason: &str) -> Settle {
    Settle::Failed { reason: reason.to_owned() }
}

pub(crate) async fn story(store: &dyn Store, id: LedgerId) -> Story {
    store.story(id).await.unwrap().unwrap()
}

pub(crate) fn held(store: &dyn Store, probe_at: Option<Timestamp>) -> Standing {
    use tidings::model::subscription::HoldReason::CircuitOpen;
    let hold = EndpointHold { reason: CircuitOpen, since: store.now(), probe_at, probes: 0 };
    Standing { hold: Some(hold), failures: 5, failing_since: Some(store.now()), ..Standing::default() }
}

pub(crate) fn recovered(store: &dyn Store) -> Standing {
    Standing { recovered: Some(store.now()), last_success: Some(store.now()), ..Standing::default() }
}

/// Closes the store, verifies its file and opens it again: the sums are the same everywhere.
pub(crate) async fn verified(subject: &Subject, store: Arc<dyn Store>) -> Arc<dyn Store> {
    use tidings::store::redb::verify;
    assert_conserved(&*store);
    let mut sums = store.figures().sums;
    // Claims are forgotten.
    for sums in [&mut sums.webhook, &mut sums.email] {
        let in_flight = sums.get(State::Leased);
        sums.remove(State::Leased, in_flight);
        sums.add(State::Queued, in_flight);
    }
    store.sweep().await.unwrap();
    store.close().await;
    drop(store);
    let report = verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    let store = subject.open();
    assert_eq!((store.figures().sums, report.sums), (sums, sums));
    assert_conserved(&*store);
    store
}
