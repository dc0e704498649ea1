//! What time brings to a store that nothing else happens in, and that each step of it is bounded.

use std::time::Duration;

use tidings::model::notification::State;
use tidings::store::SubscriptionChange;

use super::subject::*;

#[tokio::test]
async fn the_history_of_the_last_event_ends_though_nothing_follows() {
    let mut subject = Subject::new();
    subject.settings.history = HOUR;
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("first"), &[queue]).await;
    taken(&*store, queue, 1).await;
    while store.sweep().await.unwrap().more {}
    subject.clock.advance(Duration::from_secs(30));
    publish(&*store, Some("last"), &[queue]).await;
    assert_eq!(ids(&store.take(take(queue, 1, Some("k"))).await.unwrap()), ["last"]);
    for _ in 0..180 {
        subject.clock.advance(Duration::from_mins(1));
        while store.sweep().await.unwrap().more {}
    }
    assert_eq!(store.figures().body_bytes, 0);
    subject.clock.advance(24 * HOUR);
    while store.sweep().await.unwrap().more {}
    assert_eq!(store.figures().identities, 0);
    assert_conserved(&*store);
}

#[tokio::test]
async fn a_step_of_the_sweep_is_bounded_however_much_waits() {
    let mut subject = Subject::new();
    subject.settings.history_max = 0;
    let store = subject.open();
    let (slow, fast) = (queue(&*store, "slow").await, queue(&*store, "fast").await);
    for _ in 0..20 {
        let batch = (0..1000).map(|_| event_for(draft(None, "301"), &[slow], HOUR)).collect();
        append(&*store, batch).await.unwrap();
    }
    let dead = publish(&*store, None, &[fast]).await;
    taken(&*store, fast, 1).await;
    let mut steps = 0;
    loop {
        let step = store.sweep().await.unwrap();
        steps += 1;
        assert_eq!(step.removed, 0, "it has not come so far");
        assert!(steps < 10, "and does not spin");
        if !step.more {
            break;
        }
    }
    while store.event(dead.id).await.unwrap().is_some() {
        store.sweep().await.unwrap();
        steps += 1;
        assert!(steps < 20, "one slow subscription does not pin the rest");
    }
    assert_eq!(store.queue(slow).waiting, 20_000);
    assert_eq!(taken(&*store, slow, 1000).await.len(), 1000);
    while store.sweep().await.unwrap().more {}
    assert_conserved(&*store);
}

#[tokio::test]
async fn what_a_sweep_has_ended_stays_ended_when_the_clock_goes_back() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, None, &[queue]).await;
    append(&*store, vec![event_for(draft(Some("short"), "301"), &[queue], HOUR)]).await.unwrap();
    subject.clock.advance(2 * HOUR);
    assert_eq!(store.sweep().await.unwrap().expired, 1);
    subject.clock.set(subject.clock_now().minus(2 * HOUR));
    let store = subject.reopen(store).await;
    assert_eq!(store.figures().sums.poll.get(State::Expired), 1);
    assert_eq!(store.queue(queue).waiting, 1);
}

#[tokio::test]
async fn a_subscription_can_be_made_anew_in_one_change() {
    let subject = Subject::new();
    let store = subject.open();
    let old = queue(&*store, "s").await;
    publish(&*store, Some("old"), &[old]).await;
    let create = |id| SubscriptionChange::Create(subscription_draft(id));
    let remove = |id: &str| SubscriptionChange::Remove(id.into());
    let changes = vec![remove("s"), create("s"), create("t"), remove("t"), create("u"), remove("u"), create("u")];
    let made = store.change_subscriptions(changes).await.unwrap();
    let new = made[0].poll_endpoint().unwrap();
    assert_ne!(new, old);
    publish(&*store, Some("new"), &[new]).await;
    let store = subject.reopen(store).await;
    assert_eq!(store.subscriptions().get("s").unwrap().poll_endpoint(), Some(new));
    assert_eq!(store.subscriptions().get("u").unwrap(), made.last().unwrap());
    assert!(store.subscriptions().get("t").is_none());
    assert_eq!(taken(&*store, new, 10).await, ["new"]);
    assert_conserved(&*store);
}
