//! Provisioning: the subscriptions that the files declare, brought into the store at start; and those of clients that
//! the files no longer know, held until they know them again.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Engine, EngineSettings, StoreError};
use crate::model::id::SubscriptionId;
use crate::model::notification::{ByKind, EndpointKind};
use crate::model::subscription::{
    ContractName, HoldReason, Intake, OnRemove, Origin, Subscription, SubscriptionDraft, SubscriptionSet,
};
use crate::store::{SubscribeError, SubscriptionChange};

/// What provisioning changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// Subscriptions made.
    pub created: Vec<SubscriptionId>,
    /// Subscriptions with other event types, another client or other endpoints, or declared again.
    pub updated: Vec<SubscriptionId>,
    /// Subscriptions that the files no longer name: they take in nothing more, and what waits is handed out.
    pub drained: Vec<SubscriptionId>,
    /// The same, but what waited has failed, for the files said so.
    pub failed: Vec<SubscriptionId>,
    /// Declared subscriptions that are gone: what waited was cancelled, for the files said so, or nothing did.
    pub dropped: Vec<SubscriptionId>,
    /// Subscriptions made through an API whose client the files no longer know: nothing of them is handed out.
    pub held: Vec<SubscriptionId>,
    /// Those whose client the files know again.
    pub released: Vec<SubscriptionId>,
    /// Registrations made through an API that have got types which the catalogue has made mandatory since.
    pub extended: Vec<SubscriptionId>,
    /// Those of `updated` that are made anew, as they are for another client, which does not own all that the one before
    /// owns: what waited is cancelled, for it may be for others.
    pub emptied: Vec<SubscriptionId>,
}

/// Why nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProvisionError {
    /// An API made subscriptions with ids that the files declare.
    #[error("the ids of these declared subscriptions belong to subscriptions made through an API: {}; give the \
             entries in [[subscriptions]] (or [[recipients]], [[customers]]) other ids, or delete those", list(.0))]
    MadeThroughApi(Vec<SubscriptionId>),
    /// The store refused a change; somebody else changed the subscriptions meanwhile.
    #[error("the declared subscriptions were not stored: {0}")]
    Refused(String),
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Makes the store's declared subscriptions what the files say, and holds and releases those of removed clients, in
    /// one transaction. Doing it again changes nothing.
    pub async fn provision(&self) -> Result<Provisioned, ProvisionError> {
        let _none_is_made = self.subscribing.lock().await;
        self.bring_in(&self.settings()).await
    }

    /// Provisions by `settings`, puts them in the place of those that there are, and calls `along`, which changes what
    /// else is to change with them: no event is matched and no subscription made between one and the other. A failure
    /// changes nothing. The future must not be dropped before its end.
    pub async fn replace_settings(
        &self,
        settings: EngineSettings,
        along: impl FnOnce(),
    ) -> Result<Provisioned, ProvisionError> {
        let _none_is_made = self.subscribing.lock().await;
        let _none_is_matched = self.matching.write().await;
        let provisioned = self.bring_in(&settings).await?;
        self.settings.store(Arc::new(settings));
        along();
        Ok(provisioned)
    }

    /// What [`Engine::replace_settings`] would change.
    pub fn foresee(&self, settings: &EngineSettings) -> Result<Provisioned, ProvisionError> {
        foresee(settings, &self.settings(), &self.store.subscriptions())
    }

    /// Ends the subscriptions that the files name no more and in which nothing is left.
    pub(super) async fn remove_drained(&self) -> Result<(), StoreError> {
        let set = self.store.subscriptions();
        let is_draining = |s: &&Arc<Subscription>| s.intake == Intake::Draining;
        let draining: Vec<_> =
            set.iter().filter(is_draining).map(|s| SubscriptionChange::RemoveDrained(s.id.clone())).collect();
        if draining.is_empty() {
            return Ok(());
        }
        match self.store.change_subscriptions(draining).await {
            Err(SubscribeError::Store(error)) => Err(error),
            Ok(_) | Err(SubscribeError::Exists(_) | SubscribeError::Missing(_)) => Ok(()),
        }
    }

    async fn bring_in(&self, settings: &EngineSettings) -> Result<Provisioned, ProvisionError> {
        let set = self.store.subscriptions();
        refuse_taken(settings, &set)?;
        let (changes, provisioned) = reconcile(settings, &self.settings(), &set);
        if !changes.is_empty() {
            self.store.change_subscriptions(changes).await.map_err(|error| match error {
                SubscribeError::Store(error) => ProvisionError::Store(error),
                other => ProvisionError::Refused(other.to_string()),
            })?;
        }
        Ok(provisioned)
    }
}

/// What provisioning by `settings` would change in `set`, where `running` is what was gone by before.
pub fn foresee(
    settings: &EngineSettings,
    running: &EngineSettings,
    set: &SubscriptionSet,
) -> Result<Provisioned, ProvisionError> {
    refuse_taken(settings, set)?;
    Ok(reconcile(settings, running, set).1)
}

fn refuse_taken(settings: &EngineSettings, set: &SubscriptionSet) -> Result<(), ProvisionError> {
    let by_api = |id: &SubscriptionId| set.get(id.as_str()).is_some_and(|s| s.origin == Origin::Api);
    let taken: Vec<_> = settings.declared.iter().map(|d| &d.id).filter(|id| by_api(id)).cloned().collect();
    if taken.is_empty() { Ok(()) } else { Err(ProvisionError::MadeThroughApi(taken)) }
}

fn reconcile(
    settings: &EngineSettings,
    running: &EngineSettings,
    set: &SubscriptionSet,
) -> (Vec<SubscriptionChange>, Provisioned) {
    let declared = &settings.declared;
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
                if may_see_what_waits(draft, stored, settings, running) {
                    changes.push(SubscriptionChange::Update(draft.clone()));
                } else {
                    provisioned.emptied.push(draft.id.clone());
                    changes.push(SubscriptionChange::Remove(draft.id.clone()));
                    changes.push(SubscriptionChange::Create(draft.clone()));
                }
            }
            Some(_) => {}
        }
    }
    for (id, on_remove) in no_longer_named(declared, set) {
        let (ids, change) = match on_remove {
            OnRemove::Drain => (&mut provisioned.drained, SubscriptionChange::Drain as fn(_) -> _),
            OnRemove::Fail => (&mut provisioned.failed, SubscriptionChange::Fail as fn(_) -> _),
            OnRemove::Drop => (&mut provisioned.dropped, SubscriptionChange::Remove as fn(_) -> _),
        };
        ids.push(id.clone());
        changes.push(change(id));
    }
    provisioned.held = with_hold_to_change(settings, set, true);
    let hold = |id| SubscriptionChange::Hold(id, HoldReason::ClientRemoved);
    changes.extend(provisioned.held.iter().cloned().map(hold));
    provisioned.released = with_hold_to_change(settings, set, false);
    let release = |id| SubscriptionChange::Release(id, HoldReason::ClientRemoved);
    changes.extend(provisioned.released.iter().cloned().map(release));
    let extended = without_mandatory(settings, set);
    provisioned.extended = extended.iter().map(|draft| draft.id.clone()).collect();
    changes.extend(extended.into_iter().map(SubscriptionChange::Update));
    (changes, provisioned)
}

/// The subscriptions made through an API that are to be held for their client's removal, or released; in order.
fn with_hold_to_change(settings: &EngineSettings, set: &SubscriptionSet, hold: bool) -> Vec<SubscriptionId> {
    let is_held = |s: &Subscription| s.holds.iter().any(|hold| hold.reason == HoldReason::ClientRemoved);
    let is_known = |s: &Subscription| settings.knows(&s.client_id) || !s.contract.is_of_its_client();
    let changes = |s: &Subscription| is_held(s) != hold && is_known(s) != hold;
    let of_api = set.iter().filter(|s| s.origin == Origin::Api && changes(s));
    let mut ids: Vec<_> = of_api.map(|s| s.id.clone()).collect();
    ids.sort_unstable();
    ids
}

/// The registrations made through an API that lack mandatory types, as they are with them; in order. One that has no type
/// at all was emptied by who owns it, and stays so.
fn without_mandatory(settings: &EngineSettings, set: &SubscriptionSet) -> Vec<SubscriptionDraft> {
    let of_api = |s: &&Arc<Subscription>| s.contract == ContractName::Registrations && s.origin == Origin::Api;
    let all = ByKind {
        webhook: settings.catalogue.mandatory(EndpointKind::Webhook),
        email: settings.catalogue.mandatory(EndpointKind::Email),
        ..ByKind::default()
    };
    let mut drafts: Vec<_> = set
        .iter()
        .filter(|s| of_api(s) && !s.event_types.is_empty())
        .filter_map(|s| {
            let wanted = all.get(s.endpoints.first()?.kind());
            let missing: Vec<_> = wanted.iter().filter(|id| !s.event_types.contains(id)).cloned().collect();
            (!missing.is_empty()).then(|| {
                let mut draft = s.to_draft();
                draft.event_types.extend(missing);
                draft
            })
        })
        .collect();
    drafts.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    drafts
}

/// Those that the files declared before, with what they said was to become of what waits; in order.
fn no_longer_named(declared: &[SubscriptionDraft], set: &SubscriptionSet) -> Vec<(SubscriptionId, OnRemove)> {
    let named: HashSet<_> = declared.iter().map(|d| &d.id).collect();
    let mut gone: Vec<_> = set
        .iter()
        .filter(|s| s.origin == Origin::Configuration && s.intake != Intake::Draining && !named.contains(&s.id))
        .map(|s| (s.id.clone(), s.on_remove))
        .collect();
    gone.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    gone
}

/// Whether what waits for the subscription as it is may be seen by whom it is declared for now: by another client only if
/// that owns all that the one before owns. If not, it is made anew, and what waits is cancelled.
fn may_see_what_waits(
    draft: &SubscriptionDraft,
    stored: &Subscription,
    settings: &EngineSettings,
    running: &EngineSettings,
) -> bool {
    if draft.client_id == stored.client_id && draft.contract == stored.contract {
        return true;
    }
    let owned = settings.owners.get(&draft.client_id);
    running.knows(&stored.client_id)
        && running.owners_of(stored).iter().all(|owner| owned.is_some_and(|owned| owned.contains(owner)))
}

/// One whose time is over is what it is declared as while that is the same.
fn is_same(draft: &SubscriptionDraft, stored: &Subscription) -> bool {
    stored.intake != Intake::Draining && stored.to_draft() == *draft
}

fn list(ids: &[SubscriptionId]) -> String {
    ids.iter().map(SubscriptionId::as_str).collect::<Vec<_>>().join(", ")
}
