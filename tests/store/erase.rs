//! Erasing what was sent to a subscription that is gone.

use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use tidings::base::clock::Timestamp;
use tidings::model::attempt::Attempt;
use tidings::model::event::EventDraft;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::json::RawJson;
use tidings::model::notification::{EndpointKind, State};
use tidings::store::{
    Act, Action, NewEvent, NotDone, Settle, Settlement, Store, SubscriptionChange, Suppression, TargetGroup,
};

use super::sent::*;
use super::subject::*;

/// Is in all that tells of the customer.
const SECRET: &[u8] = b"jane@example.com";
const ADDRESS: &str = "jane@example.com";

fn told(name: &str) -> EventDraft {
    EventDraft {
        subject: Some(ADDRESS.to_owned()),
        data: Some(RawJson::parse(&bytes::Bytes::from(format!("{{\"to\": \"{ADDRESS}\"}}"))).unwrap()),
        ..draft(Some(name), "301")
    }
}

fn mail_to(name: &str, endpoints: &[EndpointNumber], from: Option<Timestamp>) -> NewEvent {
    let targets = vec![TargetGroup { kind: EndpointKind::Email, ttl: HOUR, endpoints: endpoints.to_vec(), from }];
    NewEvent { targets, ..event_for(told(name), endpoints, HOUR) }
}

async fn post(store: &dyn Store, event: NewEvent) -> LedgerId {
    let receipt = append(store, vec![event]).await.unwrap().remove(0);
    LedgerId::new(LedgerIdParts { target: 1, ..receipt.id.parts() })
}

async fn tried(store: &dyn Store, endpoint: EndpointNumber, id: LedgerId, verdict: Settle) {
    let attempt = Attempt { detail: format!("550 {ADDRESS}"), answer: ADDRESS.to_owned(), ..attempt(store.now()) };
    store.settle(Settlement { notification: id, endpoint, attempt, verdict, standing: None }).await.unwrap();
}

async fn erase(store: &dyn Store, id: &str) {
    store.change_subscriptions(vec![SubscriptionChange::Erase(id.into())]).await.unwrap();
    while store.sweep().await.unwrap().erasing {}
}

/// In which tables the customer can be found, after the store was closed.
fn found_in(subject: &Subject) -> Vec<&'static str> {
    fn rows<K: redb::Key + 'static>(db: &redb::Database, name: &'static str) -> Option<&'static str> {
        let read = db.begin_read().unwrap();
        let table = read.open_table(TableDefinition::<K, &[u8]>::new(name)).unwrap();
        let has = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|window| window == SECRET);
        let found = table
            .iter()
            .unwrap()
            .map(Result::unwrap)
            .any(|(key, value)| has(value.value()) || has(K::as_bytes(&key.value()).as_ref()));
        found.then_some(name)
    }
    let db = redb::Database::open(subject.path()).unwrap();
    let found = [
        rows::<u64>(&db, "heads"),
        rows::<u64>(&db, "events"),
        rows::<(u32, u64)>(&db, "open"),
        rows::<(u32, u64)>(&db, "outcomes"),
        rows::<(u32, u64, u32)>(&db, "attempts"),
        rows::<u32>(&db, "endpoints"),
        rows::<u32>(&db, "standings"),
        rows::<&str>(&db, "subscriptions"),
        rows::<&str>(&db, "suppressed"),
    ];
    found.into_iter().flatten().collect()
}

#[tokio::test]
async fn nothing_of_the_customer_is_left_but_ids_times_and_sums() {
    let subject = Subject::new();
    let store = subject.open();
    let mail = endpoints(&*store, "c-1", vec![email_target(ADDRESS)]).await[0];
    let other = endpoints(&*store, "c-2", vec![email_target("john@example.com")]).await[0];
    let mut ids = Vec::new();
    for name in ["delivered", "failed", "tried", "sending", "waiting"] {
        ids.push(post(&*store, mail_to(name, &[mail], None)).await);
    }
    let later = store.now().plus(HOUR);
    ids.push(post(&*store, mail_to("held", &[mail], Some(later))).await);
    let johns = post(&*store, sent_event("johns", &[other], HOUR)).await;
    assert_eq!(claimed(&*store, claim(mail, 4)).await.len(), 4);
    tried(&*store, mail, ids[0], Settle::Delivered).await;
    tried(&*store, mail, ids[1], again(&*store, HOUR / 60)).await;
    tried(&*store, mail, ids[1], failed("exhausted")).await;
    tried(&*store, mail, ids[2], again(&*store, HOUR / 2)).await;
    store
        .stand(mail, tidings::store::Standing { last_fault: Some(ADDRESS.to_owned()), ..held(&*store, None) })
        .await
        .unwrap();
    for address in [ADDRESS, "john@example.com"] {
        let suppression = Suppression { address: address.to_owned(), since: store.now(), reply: "550".to_owned() };
        store.suppress(address, Some(suppression)).await.unwrap();
    }
    let before = store.figures();
    let delivered = story(&*store, ids[0]).await;

    erase(&*store, "c-1").await;
    // Who was sending it is heard of now.
    tried(&*store, mail, ids[3], Settle::Delivered).await;
    let states =
        [State::Delivered, State::Failed, State::Cancelled, State::Cancelled, State::Cancelled, State::Cancelled];
    for (id, state) in ids.iter().zip(states) {
        let told = story(&*store, *id).await;
        assert_eq!((told.view.state, told.view.accepted), (state, delivered.view.accepted), "{id}");
        let event = told.event.unwrap().draft;
        assert_eq!(
            (event.subject, event.data, event.event_type.as_str(), event.source.as_str()),
            (None, None, "301", "/crm")
        );
        assert!(told.push.attempts.iter().all(|kept| kept.attempt.answer.is_empty() && kept.attempt.detail.is_empty()));
    }
    let again = story(&*store, ids[0]).await;
    assert_eq!((again.view, again.push.attempts.len()), (delivered.view, 1));
    assert_eq!(story(&*store, ids[1]).await.push.attempts.len(), 2);
    assert!(story(&*store, johns).await.event.unwrap().draft.data.is_some());
    let after = store.figures();
    assert_eq!((after.accepted, after.matched), (before.accepted, before.matched));
    assert!(after.body_bytes < before.body_bytes);
    let replay = Act { items: vec![(ids[1], Action::Reopen { ttl: HOUR })], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(replay).await.unwrap(), [Err(NotDone::SubscriptionGone)]);

    let store = verified(&subject, store).await;
    assert_eq!(store.suppressions(None, 9).await.unwrap().len(), 1);
    store.close().await;
    drop(store);
    assert_eq!(found_in(&subject), Vec::<&str>::new());
}

#[tokio::test]
async fn what_others_got_too_stays_and_a_restart_goes_on_where_it_was() {
    let subject = Subject::new();
    let store = subject.open();
    let mail = endpoints(&*store, "c-1", vec![email_target(ADDRESS)]).await[0];
    // The address of before is of the past.
    let draft = sent_draft("c-1", vec![email_target("new@example.com")]);
    store.change_subscriptions(vec![SubscriptionChange::Update(draft)]).await.unwrap();
    let new = store.subscriptions().get("c-1").unwrap().endpoints[0].number;
    let other = endpoints(&*store, "c-2", vec![email_target("john@example.com")]).await[0];
    let shared = post(&*store, mail_to("shared", &[new, other], None)).await;
    let events: Vec<_> = (0..2000).map(|n| mail_to(&n.to_string(), &[new], None)).collect();
    append(&*store, events).await.unwrap();
    assert_ne!(mail, new);
    store.change_subscriptions(vec![SubscriptionChange::Erase("c-1".into())]).await.unwrap();
    assert!(store.sweep().await.unwrap().erasing);
    let store = subject.reopen(store).await;
    assert!(store.sweep().await.unwrap().erasing, "it goes on");
    while store.sweep().await.unwrap().erasing {}
    assert!(story(&*store, shared).await.event.unwrap().draft.data.is_some());
    let store = verified(&subject, store).await;
    let erased = SubscriptionChange::Erase("c-2".into());
    store.change_subscriptions(vec![erased]).await.unwrap();
    while store.sweep().await.unwrap().erasing {}
    assert!(story(&*store, shared).await.event.unwrap().draft.data.is_none());
    let store = verified(&subject, store).await;
    store.close().await;
    drop(store);
    assert_eq!(found_in(&subject), Vec::<&str>::new());
}

#[tokio::test]
async fn what_has_passed_the_history_is_listed_no_more() {
    let mut subject = Subject::new();
    subject.settings.history = std::time::Duration::ZERO;
    let store = subject.open();
    let mail = endpoints(&*store, "c-1", vec![email_target(ADDRESS)]).await[0];
    post(&*store, mail_to("one", &[mail], None)).await;
    erase(&*store, "c-1").await;
    for _ in 0..2 {
        // Identities are remembered for a day.
        subject.clock.advance(25 * HOUR);
        while store.sweep().await.unwrap().more {}
    }
    let store: Arc<dyn Store> = verified(&subject, store).await;
    store.close().await;
    drop(store);
    let db = redb::Database::open(subject.path()).unwrap();
    let read = db.begin_read().unwrap();
    let erasing = read.open_table(TableDefinition::<u32, u64>::new("erasing")).unwrap();
    assert_eq!(erasing.iter().unwrap().count(), 0);
}
