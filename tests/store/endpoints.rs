//! Endpoints of subscriptions that change: which stay, what becomes of what waits, and the secrets that they are sent with.

use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use tidings::base::seal::SealKey;
use tidings::model::notification::State;
use tidings::model::subscription::{HoldReason, Subscription};
use tidings::model::target::{ContentMode, EmailTarget, Ordering, Role, Shape, SigningSecret, Target, WebhookTarget};
use tidings::store::redb::{Options, RedbStore, verify};
use tidings::store::{Settle, Store, SubscriptionChange, TargetGroup};
use zeroize::Zeroizing;

use super::sent::*;
use super::subject::*;

const SECRET: &[u8] = b"what nobody must find in the file";

fn secret(key: &[u8]) -> SigningSecret {
    SigningSecret { key: Zeroizing::new(key.to_vec()), not_before: None, not_after: None }
}

fn signed(url: &str, secrets: Vec<SigningSecret>) -> Target {
    Target::Webhook(WebhookTarget { secrets, ..webhook_target(url, Ordering::Strict) })
}

async fn change(store: &dyn Store, change: SubscriptionChange) -> Vec<Arc<Subscription>> {
    store.change_subscriptions(vec![change]).await.unwrap()
}

fn in_file(subject: &Subject, needle: &[u8]) -> bool {
    std::fs::read(subject.path()).unwrap().windows(needle.len()).any(|window| window == needle)
}

fn names_of_secrets(subject: &Subject) -> Vec<String> {
    const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");
    let db = redb::Database::open(subject.path()).unwrap();
    let table = db.begin_read().unwrap().open_table(SECRETS).unwrap();
    table.iter().unwrap().map(|row| row.unwrap().0.value().to_owned()).collect()
}

#[tokio::test]
async fn a_target_comes_back_as_it_went_in() {
    let subject = Subject::new();
    let store = subject.open();
    let from = Some(subject.clock_now());
    let secrets = vec![secret(SECRET), SigningSecret { not_before: from, not_after: from, ..secret(&[0; 64]) }];
    let targets = vec![
        Target::Poll,
        Target::Webhook(WebhookTarget {
            egress: "plant".to_owned(),
            content_mode: ContentMode::Binary,
            secrets,
            asymmetric: true,
            shape: Shape::CloudEvent,
            basic: None,
            retries: true,
            ..webhook_target("https://example.com/hook?x=1", Ordering::Strict)
        }),
        email_target("ops@example.com"),
        Target::Email(EmailTarget {
            address: "ops@example.com".to_owned(),
            role: Role::Contact,
            template: Some("account".to_owned()),
            locale: Some("fr-CA".to_owned()),
        }),
    ];
    let numbers = endpoints(&*store, "s", targets.clone()).await;
    assert_eq!(numbers.len(), 4);
    let store = verified(&subject, store).await;
    let read = Arc::clone(store.subscriptions().get("s").unwrap());
    assert_eq!(read.endpoints.iter().map(|endpoint| endpoint.number).collect::<Vec<_>>(), numbers);
    assert_eq!(read.endpoints.iter().map(|endpoint| endpoint.target.clone()).collect::<Vec<_>>(), targets);
    // It is sealed anew with each change, and is there whatever is changed.
    for reason in [HoldReason::Paused, HoldReason::ClientRemoved] {
        change(&*store, SubscriptionChange::Hold("s".into(), reason)).await;
        change(&*store, SubscriptionChange::Release("s".into(), reason)).await;
    }
    change(&*store, SubscriptionChange::Drain("s".into())).await;
    let store = verified(&subject, store).await;
    assert_eq!(store.subscriptions().get("s").unwrap().endpoints, read.endpoints);
}

#[tokio::test]
async fn secrets_are_sealed_and_go_with_their_endpoint() {
    let subject = Subject::new();
    let store = subject.open();
    let old = endpoints(&*store, "s", vec![signed("https://a/", vec![secret(SECRET)])]).await[0];
    endpoints(&*store, "t", vec![signed("https://a/", vec![secret(&[7; 32])]), Target::Poll]).await;
    store.close().await;
    drop(store);
    assert!(!in_file(&subject, SECRET));
    assert_eq!(names_of_secrets(&subject), ["endpoint/1", "endpoint/2"]);
    // Who checks the file has no key.
    assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
    let other = Options { seal: Arc::new(SealKey::from_bytes([8; 32])), ..subject.options() };
    let refused = RedbStore::open(other).err().unwrap().to_string();
    assert!(refused.contains("endpoint/") && !refused.contains("nobody"), "{refused}");

    // Other secrets, none, and some again: the endpoint stays what it is.
    let mut store = subject.open();
    for secrets in [vec![secret(&[1; 24]), secret(&[2; 24])], vec![], vec![secret(&[3; 24])]] {
        let update = SubscriptionChange::Update(sent_draft("s", vec![signed("https://b/", secrets.clone())]));
        let updated = change(&*store, update).await.remove(0);
        assert_eq!((updated.endpoints[0].number, &updated.endpoints[0].target), (old, &signed("https://b/", secrets)));
        store = verified(&subject, store).await;
        assert_eq!(store.subscriptions().get("s").unwrap().endpoints, updated.endpoints);
    }
    change(&*store, SubscriptionChange::Update(sent_draft("t", vec![Target::Poll]))).await;
    change(&*store, SubscriptionChange::Remove("s".into())).await;
    store.close().await;
    drop(store);
    assert_eq!(names_of_secrets(&subject), Vec::<String>::new());
}

#[tokio::test]
async fn an_endpoint_that_stays_keeps_what_waits_and_of_one_that_goes_it_is_cancelled() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = Target::Webhook(webhook_target("https://10.0.0.7/", Ordering::Relaxed));
    let targets = vec![Target::Poll, hook, email_target("a@example.com"), email_target("b@example.com")];
    let [queue, hook, a, b] = endpoints(&*store, "s", targets).await[..] else { panic!("four were asked for") };
    for n in 0..4 {
        let mut event = event_for(draft(Some(&n.to_string()), "301"), &[queue], HOUR);
        let group = |kind, endpoints| TargetGroup { kind, ttl: HOUR, endpoints, from: None };
        event.targets.push(group(tidings::model::notification::EndpointKind::Webhook, vec![hook]));
        event.targets.push(group(tidings::model::notification::EndpointKind::Email, vec![a, b]));
        append(&*store, vec![event]).await.unwrap();
    }
    // The first is tried again, the second is in flight, the third waits; the last has arrived.
    for endpoint in [hook, a, b] {
        let ids: Vec<_> =
            store.claim(claim(endpoint, 4)).await.unwrap().into_iter().map(|claimed| claimed.id).collect();
        settle(&*store, endpoint, ids[0], again(&*store, Duration::from_mins(1))).await;
        settle(&*store, endpoint, ids[3], Settle::Delivered).await;
        store.put_back(endpoint, &ids[2..3]);
    }
    store.stand(hook, held(&*store, None)).await.unwrap();
    assert_eq!(taken(&*store, queue, 1).await, ["0"]);

    let moved = Target::Webhook(webhook_target("https://10.0.0.8/", Ordering::Strict));
    let draft = sent_draft("s", vec![email_target("c@example.com"), email_target("b@example.com"), moved.clone()]);
    let updated = change(&*store, SubscriptionChange::Update(draft)).await.remove(0);
    let numbers: Vec<_> = updated.endpoints.iter().map(|endpoint| endpoint.number).collect();
    assert_eq!(numbers[1..], [b, hook]);
    assert_eq!(updated.endpoints[2].target, moved);
    assert!(![queue, hook, a, b].contains(&numbers[0]), "numbers are not used twice");

    let sums = store.figures().sums;
    let states = [State::Queued, State::Leased, State::Held, State::Delivered, State::Consumed, State::Cancelled];
    let counted = |sums: &tidings::model::notification::Sums| states.map(|state| sums.get(state));
    assert_eq!(counted(&sums.poll), [0, 0, 0, 0, 1, 3]);
    assert_eq!(counted(&sums.webhook), [0, 1, 2, 1, 0, 0]);
    assert_eq!(counted(&sums.email), [2, 1, 0, 2, 0, 3], "of one address three are cancelled, of the other nothing is");
    // Of the subscription they are those of all that it has.
    let own = store.subscription_sums();
    assert_eq!((own.len(), counted(&own[0].sums)), (1, [2, 2, 2, 2, 0, 0]));
    assert!(store.standing(hook).hold.is_some());
    assert!(taken(&*store, queue, 10).await.is_empty() && claimed(&*store, claim(a, 10)).await.is_empty());
    assert_eq!(claimed(&*store, claim(b, 10)).await, ["2"]);
    subject.clock.advance(Duration::from_millis(1));
    store.stand(hook, recovered(&*store)).await.unwrap();
    let store = verified(&subject, store).await;
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["0", "1", "2"]);
    subject.clock.advance(Duration::from_mins(1));
    assert_eq!(claimed(&*store, claim(b, 10)).await, ["0", "1", "2"]);
    assert!(claimed(&*store, claim(numbers[0], 10)).await.is_empty());
    while store.sweep().await.unwrap().more {}
    verified(&subject, store).await;
}

#[tokio::test]
async fn a_new_endpoint_of_a_held_subscription_is_held() {
    let subject = Subject::new();
    let store = subject.open();
    webhook(&*store, "s").await;
    change(&*store, SubscriptionChange::Hold("s".into(), HoldReason::Paused)).await;
    let draft = sent_draft("s", vec![email_target("a@example.com")]);
    let updated = change(&*store, SubscriptionChange::Update(draft)).await.remove(0);
    let mail = updated.endpoints[0].number;
    send(&*store, "e", mail, HOUR).await;
    assert!(claimed(&*store, probe(mail)).await.is_empty());
    let store = subject.reopen(store).await;
    assert_eq!((store.queue(mail).held, claimed(&*store, claim(mail, 1)).await.len()), (1, 0));
    change(&*store, SubscriptionChange::Release("s".into(), HoldReason::Paused)).await;
    assert_eq!(claimed(&*store, claim(mail, 1)).await, ["e"]);
}

#[tokio::test]
async fn those_who_wait_for_other_subscriptions_are_woken() {
    let faults = super::faults::Switches::new();
    let mut subject = Subject::new();
    subject.faults = Some(faults.clone());
    let store = subject.open();
    let known = store.subscriptions().version();
    let waiting = |known| {
        let store = store.clone();
        let woken = async move { store.subscriptions_after(known).await };
        tokio::spawn(async move { tokio::time::timeout(Duration::from_secs(30), woken).await.unwrap() })
    };
    let first = waiting(known);
    tokio::task::yield_now().await;
    publish(&*store, None, &[]).await;
    assert!(!first.is_finished());
    webhook(&*store, "s").await;
    let after = first.await.unwrap();
    assert!(after.get("s").is_some() && after.version() > known);
    assert_eq!(waiting(known).await.unwrap().version(), after.version(), "it has changed already");
    for to in [SubscriptionChange::Hold("s".into(), HoldReason::Paused), SubscriptionChange::Remove("s".into())] {
        let known = store.subscriptions().version();
        let next = waiting(known);
        tokio::task::yield_now().await;
        change(&*store, to).await;
        assert!(next.await.unwrap().version() > known);
    }
    // The file is opened anew: whether a change is in it was not known.
    let known = store.subscriptions().version();
    let next = waiting(known);
    tokio::task::yield_now().await;
    faults.fail_after(0);
    let create = vec![SubscriptionChange::Create(subscription_draft("t"))];
    assert!(store.change_subscriptions(create).await.is_err());
    faults.mend();
    super::faults::recovered(&*store).await;
    assert!(next.await.unwrap().version() > known);
}
