//! How endpoints stand that are sent to, and what was once delivered: over restarts, recoveries and rounds.

use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};
use tidings::model::id::{EndpointNumber, LedgerId};
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::store::{Act, Action, EndpointHold, Settle, Settled, Settlement, Standing, Store, SubscriptionChange};

use super::sent::*;
use super::subject::*;

const MINUTE: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);

async fn reopen(store: &dyn Store, id: LedgerId, ttl: Duration) {
    let act = Act { items: vec![(id, Action::Reopen { ttl })], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(act).await.unwrap(), [Ok(())]);
}

/// A notification that was delivered once and waits in its second round, for a minute; its endpoint is that of `s`.
async fn delivered_once(subject: &Subject) -> (Arc<dyn Store>, EndpointNumber, LedgerId) {
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let id = send(&*store, "e", hook, HOUR).await;
    store.claim(claim(hook, 1)).await.unwrap();
    settle(&*store, hook, id, Settle::Delivered).await;
    while store.sweep().await.unwrap().more {}
    reopen(&*store, id, MINUTE).await;
    assert_eq!(story(&*store, id).await.view.state, State::Queued);
    (store, hook, id)
}

#[tokio::test]
async fn a_standing_is_kept_whole() {
    let subject = Subject::new();
    let mut store = subject.open();
    let hook = webhook(&*store, "s").await;
    send(&*store, "e", hook, HOUR).await;
    assert_eq!(store.standing(hook), Standing::default());
    let at = |millis| subject.clock_now().minus(Duration::from_millis(millis));
    let hold = |reason| EndpointHold { reason, since: at(5), probe_at: Some(at(1)), probes: 7 };
    let full = Standing {
        hold: Some(hold(HoldReason::EndpointDisabled)),
        failures: 9,
        failing_since: Some(at(6)),
        last_fault: Some("answered 410".to_owned()),
        last_success: Some(at(9)),
        recovered: Some(at(8)),
    };
    let forever = EndpointHold { probe_at: None, ..hold(HoldReason::SecretExpired) };
    for standing in [full.clone(), Standing { hold: Some(forever), ..full.clone() }, Standing { hold: None, ..full }] {
        store.stand(hook, standing.clone()).await.unwrap();
        assert_eq!(store.standing(hook), standing);
        let state = if standing.hold.is_some() { State::Held } else { State::Queued };
        assert_eq!(store.figures().sums.webhook.get(state), 1);
        store = verified(&subject, store).await;
        assert_eq!((store.standing(hook), store.figures().sums.webhook.get(state)), (standing, 1));
    }
    let long = Standing { last_fault: Some("x".repeat(9000)), ..Standing::default() };
    store.stand(hook, long).await.unwrap();
    let store = subject.reopen(store).await;
    assert_eq!(store.standing(hook).last_fault.unwrap().len(), 1024);
}

#[tokio::test]
async fn a_standing_goes_along_with_a_settlement_and_with_its_endpoint() {
    const STANDINGS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("standings");
    let subject = Subject::new();
    let store = subject.open();
    let (hook, other) = (webhook(&*store, "s").await, webhook(&*store, "t").await);
    let id = send(&*store, "e", hook, HOUR).await;
    store.claim(claim(hook, 1)).await.unwrap();
    let standing = Some(held(&*store, None));
    let fault = settlement(&*store, hook, id, again(&*store, MINUTE));
    store.settle(Settlement { standing: standing.clone(), ..fault }).await.unwrap();
    assert_eq!(Some(store.standing(hook)), standing);
    assert_eq!(store.standing(other), Standing::default());
    let store = verified(&subject, store).await;
    assert_eq!(Some(store.standing(hook)), standing);
    // Also where the notification has gone, but not where the endpoint has.
    let act = Act { items: vec![(id, Action::Cancel)], by: "me".to_owned(), dry_run: false };
    store.act(act).await.unwrap();
    let late = settlement(&*store, hook, id, Settle::Delivered);
    let standing = Some(recovered(&*store));
    let late = Settlement { standing: standing.clone(), ..late };
    assert_eq!(store.settle(late.clone()).await.unwrap(), Settled::Gone);
    assert_eq!(Some(store.standing(hook)), standing);
    store.change_subscriptions(vec![SubscriptionChange::Remove("s".into())]).await.unwrap();
    assert_eq!(store.settle(late).await.unwrap(), Settled::Gone);
    store.stand(hook, held(&*store, None)).await.unwrap();
    assert_eq!(store.standing(hook), Standing::default());
    let store = verified(&subject, store).await;
    store.close().await;
    drop(store);
    let db = redb::Database::open(subject.path()).unwrap();
    assert_eq!(db.begin_read().unwrap().open_table(STANDINGS).unwrap().len().unwrap(), 0);
}

#[tokio::test]
async fn what_was_put_off_before_a_recovery_is_due_and_what_was_after_is_not() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let mut ids = Vec::new();
    for name in ["before", "at", "after"] {
        ids.push(send(&*store, name, hook, HOUR).await);
    }
    store.claim(claim(hook, 3)).await.unwrap();
    settle(&*store, hook, ids[0], again(&*store, 30 * MINUTE)).await;
    store.stand(hook, held(&*store, Some(store.now()))).await.unwrap();
    subject.clock.advance(MINUTE);
    settle(&*store, hook, ids[1], again(&*store, 30 * MINUTE)).await;
    let standing = recovered(&*store);
    subject.clock.advance(MILLI);
    settle(&*store, hook, ids[2], again(&*store, 30 * MINUTE)).await;
    // That it recovered was found out before the last one was put off, and is stored after.
    store.stand(hook, standing.clone()).await.unwrap();
    for id in &ids[..2] {
        assert_eq!(story(&*store, *id).await.push.due, None);
    }
    let store = verified(&subject, store).await;
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["before", "at"]);
    store.put_back(hook, &ids[..2]);
    // What is put off after it waits, though the standing is stored once more.
    store.claim(claim(hook, 10)).await.unwrap();
    subject.clock.advance(MILLI);
    settle(&*store, hook, ids[0], again(&*store, 30 * MINUTE)).await;
    store.stand(hook, Standing { failures: 1, ..standing }).await.unwrap();
    store.put_back(hook, &ids[1..2]);
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["at"]);
    let store = verified(&subject, store).await;
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["at"]);
    subject.clock.advance(Duration::from_millis(30 * 60_000 - 2));
    assert!(claimed(&*store, claim(hook, 10)).await.is_empty());
    subject.clock.advance(MILLI);
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["after"]);
    subject.clock.advance(MILLI);
    assert_eq!(claimed(&*store, claim(hook, 10)).await, ["before"]);
}

#[tokio::test]
async fn within_one_millisecond_it_is_as_it_came() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let (first, second) = (send(&*store, "first", hook, HOUR).await, send(&*store, "second", hook, HOUR).await);
    store.claim(claim(hook, 2)).await.unwrap();
    settle(&*store, hook, first, again(&*store, MINUTE)).await;
    store.stand(hook, recovered(&*store)).await.unwrap();
    settle(&*store, hook, second, again(&*store, MINUTE)).await;
    assert_eq!(claimed(&*store, claim(hook, 2)).await, ["first"]);
    let store = verified(&subject, store).await;
    assert_eq!(claimed(&*store, claim(hook, 2)).await, ["first"]);
    // Also within one commit, where what is put off and how it stands then come together.
    let fault = settlement(&*store, hook, first, again(&*store, MINUTE));
    let standing = Some(recovered(&*store));
    subject.clock.advance(MILLI);
    let busy = (0..2000).map(|_| event_for(draft(None, "301"), &[], HOUR)).collect();
    let with_standing = Settlement { standing: Some(recovered(&*store)), ..fault.clone() };
    let (_, one, other) = tokio::join!(
        append(&*store, busy),
        store.settle(with_standing),
        store.settle(Settlement { notification: second, ..fault }),
    );
    assert_eq!((one.unwrap(), other.unwrap()), (Settled::In(State::Queued), Settled::In(State::Queued)));
    assert_ne!(Some(store.standing(hook)), standing);
    assert_eq!(claimed(&*store, claim(hook, 2)).await, ["first"]);
    let store = verified(&subject, store).await;
    assert_eq!(claimed(&*store, claim(hook, 2)).await, ["first"]);
}

#[tokio::test]
async fn what_was_delivered_once_ends_as_delivered_whatever_a_later_round_brings() {
    for in_flight in [false, true] {
        for end in ["failed", "expired", "cancelled", "removed", "expired and removed", "retried too late"] {
            let subject = Subject::new();
            let (store, hook, id) = delivered_once(&subject).await;
            if in_flight {
                store.claim(claim(hook, 1)).await.unwrap();
            }
            if end.starts_with("expired") || end == "retried too late" {
                subject.clock.advance(MINUTE);
            }
            match end {
                "failed" => assert_eq!(settle(&*store, hook, id, failed("no")).await, Settled::In(State::Delivered)),
                "cancelled" => {
                    let act = Act { items: vec![(id, Action::Cancel)], by: "me".to_owned(), dry_run: false };
                    assert_eq!(store.act(act).await.unwrap(), [Ok(())]);
                }
                "removed" | "expired and removed" => {
                    store.change_subscriptions(vec![SubscriptionChange::Remove("s".into())]).await.unwrap();
                }
                "retried too late" if in_flight => {
                    let settled = settle(&*store, hook, id, again(&*store, MINUTE)).await;
                    assert_eq!(settled, Settled::In(State::Delivered));
                }
                _ => store.put_back(hook, &[id]),
            }
            let case = format!("{end}, in flight: {in_flight}");
            let delivered = |store: &dyn Store| store.figures().sums.webhook.get(State::Delivered);
            assert_eq!(delivered(&*store), 1, "{case}");
            assert_eq!(story(&*store, id).await.view.state, State::Delivered, "{case}");
            // Before a sweep has met it, and after, and once more at each start.
            let store = verified(&subject, store).await;
            while store.sweep().await.unwrap().more {}
            assert_eq!(delivered(&*store), 1, "{case}");
            let store = verified(&subject, store).await;
            let told = story(&*store, id).await;
            assert_eq!((told.view.state, delivered(&*store)), (State::Delivered, 1), "{case}");
            let reason = told.view.reason.unwrap();
            let expected = match end {
                "failed" => "no",
                "cancelled" => "cancelled by me",
                "removed" => "subscription-removed",
                _ => "deadline",
            };
            assert_eq!(reason, expected, "{case}");
        }
    }
}

#[tokio::test]
async fn what_was_not_delivered_ends_as_it_ends() {
    let subject = Subject::new();
    let store = subject.open();
    let hook = webhook(&*store, "s").await;
    let id = send(&*store, "e", hook, MINUTE).await;
    store.claim(claim(hook, 1)).await.unwrap();
    settle(&*store, hook, id, failed("no")).await;
    reopen(&*store, id, MINUTE).await;
    subject.clock.advance(MINUTE);
    assert_eq!(story(&*store, id).await.view.state, State::Expired);
    let store = verified(&subject, store).await;
    reopen(&*store, id, MINUTE).await;
    store.claim(claim(hook, 1)).await.unwrap();
    assert_eq!(settle(&*store, hook, id, failed("no")).await, Settled::In(State::Failed));
    verified(&subject, store).await;
}

#[tokio::test]
async fn a_round_that_is_delivered_twice_is_delivered_for_good() {
    let subject = Subject::new();
    let (mut store, hook, id) = delivered_once(&subject).await;
    for round in 2..6 {
        let claimed = store.claim(claim(hook, 1)).await.unwrap().remove(0);
        assert_eq!((claimed.id, claimed.tried, claimed.attempts), (id, 0, round - 1));
        let verdict = if round % 2 == 0 { failed("no") } else { Settle::Delivered };
        assert_eq!(settle(&*store, hook, id, verdict).await, Settled::In(State::Delivered));
        while store.sweep().await.unwrap().more {}
        store = verified(&subject, store).await;
        reopen(&*store, id, MINUTE).await;
        assert_eq!(story(&*store, id).await.view.round, round + 1);
    }
}
