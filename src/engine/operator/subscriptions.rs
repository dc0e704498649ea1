//! Subscriptions of all contracts and clients: looking, pausing, ending.

use std::collections::HashMap;
use std::sync::Arc;

use super::endpoints::EndpointView;
use crate::engine::subscribe::ending;
use crate::engine::{Engine, QueueStatus, StoreError, UnsubscribeError};
use crate::model::id::{ClientId, SubscriptionId};
use crate::model::notification::Sums;
use crate::model::owners::Owners;
use crate::model::subscription::{HoldReason, Origin, Subscription};
use crate::store::{SubscribeError, SubscriptionChange};

/// How often a purge is tried: each further time means that one of the subscriptions was ended meanwhile.
const TRIES: usize = 8;

/// A subscription with all that is counted of it.
#[derive(Clone, Debug)]
pub struct SubscriptionReport {
    /// The subscription.
    pub subscription: Arc<Subscription>,
    /// The owners that decide what it may see, as the files name them now.
    pub owners: Owners,
    /// Its endpoints, and what waits for them.
    pub endpoints: Vec<EndpointView>,
    /// The queue that is polled.
    pub queue: QueueStatus,
    /// Its notifications by state.
    pub sums: Sums,
}

/// Which subscriptions are meant; what is `None` is not asked for.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionFilter {
    /// For this client.
    pub client: Option<ClientId>,
    /// Held for some reason, as a whole or at one of its endpoints, or not held.
    pub held: Option<bool>,
}

/// Subscriptions in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// The subscriptions.
    pub subscriptions: Vec<SubscriptionReport>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// Why the subscriptions of a client were not ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PurgeError {
    /// They changed as often as it was tried.
    #[error("the subscriptions of the client are changing too fast")]
    Unsettled,
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SubscriptionFilter {
    fn means(&self, subscription: &Subscription, engine: &Engine) -> bool {
        self.client.as_ref().is_none_or(|client| subscription.client_id == *client)
            && self.held.is_none_or(|held| held == engine.holds_back(subscription))
    }
}

impl Engine {
    /// Subscriptions behind the id `after`, `limit` at most.
    #[must_use]
    pub fn all_subscriptions(
        &self,
        filter: &SubscriptionFilter,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> Chosen {
        let set = self.store.subscriptions();
        let behind = |s: &Subscription| after.is_none_or(|after| s.id > *after);
        let mut meant: Vec<_> = set.iter().filter(|s| behind(s) && filter.means(s, self)).cloned().collect();
        meant.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let more = meant.len() > limit;
        meant.truncate(limit);
        Chosen { subscriptions: self.reports(meant), more }
    }

    /// The subscription of this id.
    #[must_use]
    pub fn any_subscription(&self, id: &str) -> Option<SubscriptionReport> {
        let subscription = Arc::clone(self.store.subscriptions().get(id)?);
        self.reports(vec![subscription]).pop()
    }

    /// Holds a subscription: nothing is handed out until it is resumed, deadlines go on. No matter if it is paused
    /// already.
    pub async fn pause(&self, id: &str) -> Result<SubscriptionReport, UnsubscribeError> {
        self.change_hold(id, SubscriptionChange::Hold).await
    }

    /// Ends the pause of a subscription, and what holds its endpoints because they failed or said that they are gone;
    /// other holds stay. No matter if nothing of that is on.
    pub async fn resume(&self, id: &str) -> Result<SubscriptionReport, UnsubscribeError> {
        let report = self.change_hold(id, SubscriptionChange::Release).await?;
        self.resume_endpoints(&report.subscription).await?;
        self.any_subscription(id).ok_or(UnsubscribeError::NotFound)
    }

    /// Ends a subscription that an API made, through whichever contract; what waits for it is cancelled.
    pub async fn end_subscription(&self, id: &str) -> Result<(), UnsubscribeError> {
        let subscription = self.store.subscriptions().get(id).cloned().ok_or(UnsubscribeError::NotFound)?;
        self.end(&subscription).await
    }

    /// Ends all subscriptions of `client` that an API made, in one transaction; answers them as they were. A dry run
    /// changes nothing.
    pub async fn purge(&self, client: &ClientId, dry_run: bool) -> Result<Vec<SubscriptionReport>, PurgeError> {
        for _ in 0..TRIES {
            let meant = self.made_by_api(client);
            if dry_run || meant.is_empty() {
                return Ok(meant);
            }
            let removals = meant.iter().map(|s| ending(&s.subscription)).collect();
            match self.store.change_subscriptions(removals).await {
                Ok(_) => return Ok(meant),
                Err(SubscribeError::Store(error)) => return Err(error.into()),
                Err(SubscribeError::Missing(_) | SubscribeError::Exists(_)) => {}
            }
        }
        Err(PurgeError::Unsettled)
    }

    fn made_by_api(&self, client: &ClientId) -> Vec<SubscriptionReport> {
        let set = self.store.subscriptions();
        let mut meant: Vec<_> =
            set.iter().filter(|s| s.client_id == *client && s.origin == Origin::Api).cloned().collect();
        meant.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        self.reports(meant)
    }

    async fn change_hold(
        &self,
        id: &str,
        change: impl FnOnce(SubscriptionId, HoldReason) -> SubscriptionChange,
    ) -> Result<SubscriptionReport, UnsubscribeError> {
        let change = change(SubscriptionId::new(id), HoldReason::Paused);
        match self.store.change_subscriptions(vec![change]).await {
            Ok(_) => self.any_subscription(id).ok_or(UnsubscribeError::NotFound),
            Err(SubscribeError::Store(error)) => Err(error.into()),
            Err(SubscribeError::Missing(_) | SubscribeError::Exists(_)) => Err(UnsubscribeError::NotFound),
        }
    }

    fn reports(&self, subscriptions: Vec<Arc<Subscription>>) -> Vec<SubscriptionReport> {
        if subscriptions.is_empty() {
            return Vec::new();
        }
        let settings = self.settings();
        let sums: HashMap<_, _> = self.store.subscription_sums().into_iter().map(|of| (of.id, of.sums)).collect();
        let report = |subscription: Arc<Subscription>| SubscriptionReport {
            owners: settings.owners_of(&subscription),
            endpoints: self.endpoint_views(&subscription),
            queue: subscription.poll_endpoint().map(|endpoint| self.store.queue(endpoint)).unwrap_or_default(),
            sums: sums.get(&subscription.id).copied().unwrap_or_default(),
            subscription,
        };
        subscriptions.into_iter().map(report).collect()
    }
}
