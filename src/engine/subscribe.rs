//! Making, ending and reading subscriptions through a contract.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Engine, QueueStatus, StoreError};
use crate::base::clock::Timestamp;
use crate::model::condition::is_own;
use crate::model::id::{ClientId, EventTypeId, SubscriptionId, uuid_v7};
use crate::model::notification::EndpointKind;
use crate::model::owners::Owners;
use crate::model::subscription::{ContractName, HoldReason, Intake, Origin, Subscription, SubscriptionDraft};
use crate::model::target::Target;
use crate::store::{SubscribeError, SubscriptionChange};

/// How long a secret is that is made here (Standard Webhooks asks for 24 to 64 bytes).
const SECRET_BYTES: usize = 32;

/// A subscription to be made.
#[derive(Clone, Debug)]
pub struct SubscribeRequest {
    /// The contract that it is made through.
    pub contract: ContractName,
    /// The client that it is for.
    pub client_id: ClientId,
    /// The types that it wants; not empty, each once.
    pub event_types: Vec<EventTypeId>,
    /// Who makes it.
    pub created_by: String,
    /// The owners that the token of the client itself names, where that is an external issuer's
    /// ([`SubscriptionDraft::owners`]).
    pub owners: Option<Owners>,
}

/// A subscription and its queue now.
#[derive(Clone, Debug)]
pub struct SubscriptionView {
    /// The subscription.
    pub subscription: Arc<Subscription>,
    /// Its queue.
    pub queue: QueueStatus,
}

/// Why a subscription was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubscriptionRefused {
    /// These types cannot be subscribed to in the contract: not in a closed catalogue, or not open to it.
    #[error("{} of the event types cannot be subscribed to", .0.len())]
    EventTypes(Vec<EventTypeId>),
    /// The client has as many subscriptions as `limits.subscriptions` allows.
    #[error("the client has {limit} subscriptions, which is the limit")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The store did not make it, though it could.
    #[error("the store refused a new subscription: {0}")]
    Refused(String),
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a subscription is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is none of this id in this contract for this client.
    #[error("there is no such subscription")]
    NotFound,
}

/// Why a subscription was not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none of this id in this contract.
    #[error("there is no such subscription")]
    NotFound,
    /// The configuration declares it.
    #[error("the subscription {0} is declared in the configuration")]
    Declared(SubscriptionId),
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a subscription was not ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnsubscribeError {
    /// There is none of this id in this contract.
    #[error("there is no such subscription")]
    NotFound,
    /// The configuration declares it.
    #[error("the subscription {0} is declared in the configuration")]
    Declared(SubscriptionId),
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Makes a subscription with one queue to poll. What is published after the answer reaches it.
    pub async fn subscribe(&self, request: SubscribeRequest) -> Result<SubscriptionView, SubscriptionRefused> {
        let closed = self.closed_types(&request);
        if !closed.is_empty() {
            return Err(SubscriptionRefused::EventTypes(closed));
        }
        // Counting and making are one step, so that the limit is exact.
        let _one_at_a_time = self.subscribing.lock().await;
        self.refuse_too_many(&request.client_id)?;
        let made = self.create(self.draft(request)).await?;
        Ok(self.view(made))
    }

    async fn create(&self, draft: SubscriptionDraft) -> Result<Arc<Subscription>, SubscriptionRefused> {
        let mut changes = Vec::with_capacity(2);
        // Its client may have been removed by a reload after the request was let in.
        if draft.contract.is_of_its_client() && !self.settings.load().knows(&draft.client_id) {
            changes.push(SubscriptionChange::Hold(draft.id.clone(), HoldReason::ClientRemoved));
        }
        changes.insert(0, SubscriptionChange::Create(draft));
        let made = self.store.change_subscriptions(changes).await.map_err(|error| match error {
            SubscribeError::Store(error) => SubscriptionRefused::Store(error),
            other => SubscriptionRefused::Refused(other.to_string()),
        })?;
        made.into_iter().next().ok_or_else(|| SubscriptionRefused::Refused("nothing was made".to_owned()))
    }

    /// A new id for a subscription.
    pub fn new_subscription_id(&self) -> SubscriptionId {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        SubscriptionId::new(&uuid_v7(self.clock.now(), random).to_string())
    }

    /// Makes the subscription that a contract has drafted, and checked. What is published after the answer reaches it.
    pub async fn make(&self, draft: SubscriptionDraft) -> Result<Arc<Subscription>, SubscriptionRefused> {
        self.make_unless(draft, || Ok(())).await
    }

    /// The same, if `check` has nothing against it: no other subscription is made or changed between that and the making.
    pub async fn make_unless<E: From<SubscriptionRefused>>(
        &self,
        draft: SubscriptionDraft,
        check: impl FnOnce() -> Result<(), E> + Send,
    ) -> Result<Arc<Subscription>, E> {
        // Counting and making are one step, so that the limit is exact.
        let _one_at_a_time = self.subscribing.lock().await;
        check()?;
        if draft.contract.is_of_its_client() {
            self.refuse_too_many(&draft.client_id)?;
        }
        Ok(self.create(draft).await?)
    }

    /// A new secret that webhooks are signed with.
    #[must_use]
    pub fn new_secret(&self) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; SECRET_BYTES]);
        self.random.fill(&mut key);
        key
    }

    /// The instant that what ends is counted from, in ledger time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Makes the subscription `id` of `contract` what `change` drafts of it as it is; an error of that changes nothing. No
    /// other change comes between. What the files declare is theirs to change.
    pub async fn change<E: From<ChangeError>>(
        &self,
        contract: ContractName,
        id: &str,
        change: impl FnOnce(&Subscription) -> Result<SubscriptionDraft, E> + Send,
    ) -> Result<Arc<Subscription>, E> {
        let _one_at_a_time = self.subscribing.lock().await;
        let subscription = self.in_contract(contract, id).ok_or(ChangeError::NotFound)?;
        if subscription.origin == Origin::Configuration {
            return Err(ChangeError::Declared(subscription.id.clone()).into());
        }
        let draft = change(&subscription)?;
        let changed = self.store.change_subscriptions(vec![SubscriptionChange::Update(draft)]).await;
        let changed = changed.map_err(|error| match error {
            SubscribeError::Store(error) => ChangeError::Store(error),
            SubscribeError::Missing(_) | SubscribeError::Exists(_) => ChangeError::NotFound,
        })?;
        Ok(changed.into_iter().next().ok_or(ChangeError::NotFound)?)
    }

    /// All subscriptions of `contract`, in no order.
    pub fn subscriptions_in(&self, contract: ContractName) -> Vec<Arc<Subscription>> {
        self.store.subscriptions().iter().filter(|s| s.contract == contract).cloned().collect()
    }

    /// The subscription `id` of `contract`, whoever it is for.
    pub fn subscription_in(&self, contract: ContractName, id: &str) -> Option<Arc<Subscription>> {
        self.in_contract(contract, id)
    }

    /// Ends a subscription that was made through `contract`; what waits for it is cancelled. One that the files declare
    /// is theirs to end; one that they no longer name (it drains) may be ended.
    pub async fn unsubscribe(&self, contract: ContractName, id: &str) -> Result<(), UnsubscribeError> {
        let subscription = self.in_contract(contract, id).ok_or(UnsubscribeError::NotFound)?;
        self.end(&subscription).await
    }

    /// Ends a subscription, whichever contract it belongs to.
    pub(super) async fn end(&self, subscription: &Subscription) -> Result<(), UnsubscribeError> {
        if subscription.origin == Origin::Configuration && subscription.intake == Intake::Open {
            return Err(UnsubscribeError::Declared(subscription.id.clone()));
        }
        match self.store.change_subscriptions(vec![ending(subscription)]).await {
            Ok(_) => Ok(()),
            Err(SubscribeError::Store(error)) => Err(error.into()),
            Err(SubscribeError::Missing(_) | SubscribeError::Exists(_)) => Err(UnsubscribeError::NotFound),
        }
    }

    /// The subscription of `client` with this id, and its queue.
    pub fn subscription(
        &self,
        contract: ContractName,
        client: &ClientId,
        id: &str,
    ) -> Result<SubscriptionView, ReadError> {
        self.own(contract, client, id).map(|s| self.view(s)).ok_or(ReadError::NotFound)
    }

    /// The subscription of this id in `contract`, if it is for `client`.
    pub(super) fn own(&self, contract: ContractName, client: &ClientId, id: &str) -> Option<Arc<Subscription>> {
        self.in_contract(contract, id).filter(|s| s.client_id == *client)
    }

    fn in_contract(&self, contract: ContractName, id: &str) -> Option<Arc<Subscription>> {
        self.store.subscriptions().get(id).filter(|s| s.contract == contract).cloned()
    }

    fn view(&self, subscription: Arc<Subscription>) -> SubscriptionView {
        let queue = subscription.poll_endpoint().map(|endpoint| self.store.queue(endpoint)).unwrap_or_default();
        SubscriptionView { subscription, queue }
    }

    /// Those that the files declare do not count.
    fn refuse_too_many(&self, client: &ClientId) -> Result<(), SubscriptionRefused> {
        let limit = self.settings.load().limits.subscriptions;
        let subscriptions = self.store.subscriptions();
        let counts =
            |s: &Subscription| s.client_id == *client && s.origin == Origin::Api && s.contract.is_of_its_client();
        let own = subscriptions.iter().filter(|s| counts(s)).count();
        if own < limit { Ok(()) } else { Err(SubscriptionRefused::TooMany { limit }) }
    }

    fn closed_types(&self, request: &SubscribeRequest) -> Vec<EventTypeId> {
        let settings = self.settings();
        // What the appliance tells of itself is of other clients' matters too: only files subscribe to that.
        let is_open = |id: &EventTypeId| {
            !is_own(id.as_str()) && settings.catalogue.is_open_to(id.as_str(), request.contract, EndpointKind::Poll)
        };
        request.event_types.iter().filter(|id| !is_open(id)).cloned().collect()
    }

    fn draft(&self, request: SubscribeRequest) -> SubscriptionDraft {
        let SubscribeRequest { contract, client_id, event_types, created_by, owners } = request;
        let id = self.new_subscription_id();
        SubscriptionDraft {
            created_by,
            owners,
            endpoints: vec![Target::Poll],
            ..SubscriptionDraft::new(id, contract, client_id, event_types)
        }
    }
}

/// What ends a subscription: a customer is erased, whoever ends it.
pub(super) fn ending(subscription: &Subscription) -> SubscriptionChange {
    let id = subscription.id.clone();
    match subscription.contract {
        ContractName::Trigger => SubscriptionChange::Erase(id),
        ContractName::Polling | ContractName::Registrations | ContractName::Management | ContractName::Recipients => {
            SubscriptionChange::Remove(id)
        }
    }
}
