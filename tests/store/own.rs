//! The appliance's own events, which tell of what is wrong, and the sums of a subscription with several endpoints.

use tidings::model::notification::State;
use tidings::model::target::{EmailTarget, Role, Target};
use tidings::store::{Append, AppendError, NewEvent, Receipt, Store, SubscriptionChange};

use super::subject::*;

async fn append_own(store: &dyn Store, events: Vec<NewEvent>) -> Result<Vec<Receipt>, AppendError> {
    let matched_against = store.subscriptions().version();
    store.append(Append { matched_against, events, own: true, keep: None }).await
}

#[tokio::test]
async fn what_is_too_much_for_others_is_not_for_the_appliance_s_own() {
    let mut subject = Subject::new();
    subject.settings.queue_total = 1;
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let event = || vec![event_for(draft(None, "301"), &[queue], HOUR)];
    append(&*store, event()).await.unwrap();
    assert!(matches!(append(&*store, event()).await, Err(AppendError::Full { waiting: 1 })));
    append_own(&*store, event()).await.unwrap();
    assert_eq!(store.queue(queue).waiting, 2);
    assert_conserved(&*store);
}

#[tokio::test]
async fn sums_of_a_subscription_are_those_of_all_its_endpoints() {
    let mut subject = Subject::new();
    subject.settings.queue_depth = 1;
    let store = subject.open();
    let email = |address: &str| {
        let role = Role::Subscriber;
        Target::Email(EmailTarget { address: address.to_owned(), role, template: None, locale: None })
    };
    let mut wanted = subscription_draft("s");
    wanted.endpoints = vec![Target::Poll, email("a@h"), email("b@h")];
    let made = store.change_subscriptions(vec![SubscriptionChange::Create(wanted)]).await.unwrap().remove(0);
    let numbers: Vec<_> = made.endpoints.iter().map(|endpoint| endpoint.number).collect();
    for _ in 0..2 {
        append(&*store, vec![event_for(draft(None, "301"), &numbers, HOUR)]).await.unwrap();
    }
    let sums = store.subscription_sums();
    assert_eq!(sums.len(), 1, "{sums:?}");
    let of = |state| sums[0].sums.get(state);
    assert_eq!((sums[0].sums.created, of(State::Queued), of(State::Failed)), (6, 3, 3));
    assert_eq!(sums[0].queue_full, 3);
}
