//! Erasing a customer (contracts/trigger.md).

use super::{Engine, StoreError, UnsubscribeError};
use crate::model::subscription::{ContractName, Intake, Origin};
use crate::store::{SubscribeError, SubscriptionChange};

/// How many steps of a sweep are waited for; the sweep that always runs goes on with what is left.
const STEPS: usize = 1000;

impl Engine {
    /// Ends the subscription `id` of `contract` (what waits for it is cancelled) and erases what was sent to it and where:
    /// ids, times and sums stay. One that the files declare is theirs to end. Where there is very much to erase that goes
    /// on after the answer, whatever happens.
    pub async fn erase(&self, contract: ContractName, id: &str) -> Result<(), UnsubscribeError> {
        let subscription = self.subscription_in(contract, id).ok_or(UnsubscribeError::NotFound)?;
        if subscription.origin == Origin::Configuration && subscription.intake == Intake::Open {
            return Err(UnsubscribeError::Declared(subscription.id.clone()));
        }
        let change = SubscriptionChange::Erase(subscription.id.clone());
        match self.store.change_subscriptions(vec![change]).await {
            Ok(_) => Ok(self.finish_erasing().await?),
            Err(SubscribeError::Store(error)) => Err(error.into()),
            Err(SubscribeError::Missing(_) | SubscribeError::Exists(_)) => Err(UnsubscribeError::NotFound),
        }
    }

    async fn finish_erasing(&self) -> Result<(), StoreError> {
        for _ in 0..STEPS {
            if !self.store.sweep().await?.erasing {
                break;
            }
        }
        Ok(())
    }
}
