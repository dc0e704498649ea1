//! Customers: who is told what an upstream system triggers (contracts/trigger.md). Each is a subscription to no type.

use std::sync::Arc;

use super::{Engine, StoreError, UnsubscribeError};
use crate::model::holder::customer_subscription;
use crate::model::subscription::{ContractName, Intake, Origin, Subscription, SubscriptionDraft, SubscriptionSet};
use crate::store::{SubscribeError, SubscriptionChange};

/// A customer that has been kept.
#[derive(Clone, Debug)]
pub struct CustomerKept {
    /// As it is now.
    pub customer: Arc<Subscription>,
    /// Whether there was none before.
    pub is_new: bool,
}

/// Why a customer was not kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CustomerError {
    /// The configuration declares it.
    #[error("the customer is declared in the configuration")]
    Declared,
    /// These keys are those of another customer, so that it could not be told who is meant; their names.
    #[error("{} of the keys belong to another customer", .0.len())]
    Taken(Vec<String>),
    /// Somebody else, the operator, changed it at the same moment.
    #[error("the customer was changed by somebody else at the same moment")]
    Unsettled,
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// The customer of `organisation` with this id.
    #[must_use]
    pub fn customer(&self, organisation: Option<&str>, id: &str) -> Option<Arc<Subscription>> {
        self.subscription_in(ContractName::Trigger, customer_subscription(organisation, id).as_str())
    }

    /// Makes the customer that `draft` says, or puts it in the place of the one that there is: what waits for an address that
    /// it still has stays, of one that goes it is cancelled.
    pub async fn keep_customer(&self, draft: SubscriptionDraft) -> Result<CustomerKept, CustomerError> {
        let _one_at_a_time = self.subscribing.lock().await;
        let set = self.store.subscriptions();
        let stored = set.get(draft.id.as_str());
        if stored.is_some_and(|stored| stored.origin == Origin::Configuration && stored.intake == Intake::Open) {
            return Err(CustomerError::Declared);
        }
        let taken = taken_keys(&draft, &set);
        if !taken.is_empty() {
            return Err(CustomerError::Taken(taken));
        }
        let is_new = stored.is_none();
        let change = if is_new { SubscriptionChange::Create } else { SubscriptionChange::Update };
        let kept = self.store.change_subscriptions(vec![change(draft)]).await.map_err(|error| match error {
            SubscribeError::Store(error) => CustomerError::Store(error),
            SubscribeError::Exists(_) | SubscribeError::Missing(_) => CustomerError::Unsettled,
        })?;
        let customer = kept.into_iter().next().ok_or(CustomerError::Unsettled)?;
        Ok(CustomerKept { customer, is_new })
    }

    /// Ends the customer of `organisation` with this id: what waits is cancelled, and what was sent is erased.
    pub async fn erase_customer(&self, organisation: Option<&str>, id: &str) -> Result<(), UnsubscribeError> {
        self.erase(ContractName::Trigger, customer_subscription(organisation, id).as_str()).await
    }
}

/// The names of the keys by which another customer of the organisation is found.
fn taken_keys(draft: &SubscriptionDraft, set: &SubscriptionSet) -> Vec<String> {
    let keys = draft.profile.iter().flat_map(|profile| &profile.keys);
    let is_taken = |name: &str, value: &str| {
        set.customers(draft.organisation.as_deref(), name, value).any(|other| other.id != draft.id)
    };
    keys.filter(|(name, value)| is_taken(name, value)).map(|(name, _)| name.clone()).collect()
}
