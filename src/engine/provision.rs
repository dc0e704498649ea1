//! Provisioning: the subscriptions that the files declare, brought into the store at start.

use std::collections::HashSet;

use super::{Engine, StoreError};
use crate::model::id::SubscriptionId;
use crate::model::subscription::{Intake, Origin, Subscription, SubscriptionDraft, SubscriptionSet};
use crate::store::{SubscribeError, SubscriptionChange};

/// What provisioning changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// Subscriptions made.
    pub created: Vec<SubscriptionId>,
    /// Subscriptions with other event types, another client, or declared again.
    pub updated: Vec<SubscriptionId>,
    /// Subscriptions that the files no longer name: they take in nothing more, and what waits is handed out.
    pub drained: Vec<SubscriptionId>,
}

/// Why nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProvisionError {
    /// An API made subscriptions with ids that the files declare.
    #[error("the ids of these declared subscriptions belong to subscriptions made through an API: {}; give the \
             entries in [[subscriptions]] other ids, or delete those", list(.0))]
    MadeThroughApi(Vec<SubscriptionId>),
    /// The store refused a change; somebody else changed the subscriptions meanwhile.
    #[error("the declared subscriptions were not stored: {0}")]
    Refused(String),
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Makes the store's declared subscriptions what the files say, in one transaction. Doing it again changes nothing.
    pub async fn provision(&self) -> Result<Provisioned, ProvisionError> {
        let set = self.store.subscriptions();
        self.refuse_taken(&set)?;
        let (changes, provisioned) = reconcile(&self.settings.declared, &set);
        if !changes.is_empty() {
            self.store.change_subscriptions(changes).await.map_err(|error| match error {
                SubscribeError::Store(error) => ProvisionError::Store(error),
                other => ProvisionError::Refused(other.to_string()),
            })?;
        }
        Ok(provisioned)
    }

    fn refuse_taken(&self, set: &SubscriptionSet) -> Result<(), ProvisionError> {
        let by_api = |id: &SubscriptionId| set.get(id.as_str()).is_some_and(|s| s.origin == Origin::Api);
        let taken: Vec<_> = self.settings.declared.iter().map(|d| &d.id).filter(|id| by_api(id)).cloned().collect();
        if taken.is_empty() { Ok(()) } else { Err(ProvisionError::MadeThroughApi(taken)) }
    }
}

fn reconcile(declared: &[SubscriptionDraft], set: &SubscriptionSet) -> (Vec<SubscriptionChange>, Provisioned) {
    let mut changes = Vec::new();
    let mut provisioned = Provisioned::default();
    for draft in declared {
        match set.get(draft.id.as_str()) {
            None => {
                provisioned.created.push(draft.id.clone());
                changes.push(SubscriptionChange::Create(draft.clone()));
            }
            Some(stored) if !is_same(draft, stored) => {
                provisioned.updated.push(draft.id.clone());
                changes.push(SubscriptionChange::Update(draft.clone()));
            }
            Some(_) => {}
        }
    }
    provisioned.drained = no_longer_named(declared, set);
    changes.extend(provisioned.drained.iter().cloned().map(SubscriptionChange::Drain));
    (changes, provisioned)
}

fn no_longer_named(declared: &[SubscriptionDraft], set: &SubscriptionSet) -> Vec<SubscriptionId> {
    let named: HashSet<_> = declared.iter().map(|d| &d.id).collect();
    let mut gone: Vec<_> = set
        .iter()
        .filter(|s| s.origin == Origin::Configuration && s.intake == Intake::Open && !named.contains(&s.id))
        .map(|s| s.id.clone())
        .collect();
    gone.sort_unstable();
    gone
}

fn is_same(draft: &SubscriptionDraft, stored: &Subscription) -> bool {
    stored.intake == Intake::Open
        && stored.event_types == draft.event_types
        && stored.client_id == draft.client_id
        && stored.contract == draft.contract
}

fn list(ids: &[SubscriptionId]) -> String {
    ids.iter().map(SubscriptionId::as_str).collect::<Vec<_>>().join(", ")
}
