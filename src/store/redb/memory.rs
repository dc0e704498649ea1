//! What the store keeps in memory: it follows a commit, never leads it, and is rebuilt from the file at start.

use std::collections::HashSet;
use std::sync::Arc;

use hashbrown::HashMap;

use super::endpoint::EndpointMemory;
use super::identities::Identities;
use super::page_keys::PageKeys;
use super::queue::Entry;
use super::record::Meta;
use crate::base::clock::Timestamp;
use crate::model::notification::{ByKind, Sums};
use crate::model::subscription::SubscriptionSet;

/// An endpoint that was removed and whose notifications are not all settled yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Removed {
    /// The next position when it was removed.
    pub(super) at: u64,
    /// The ledger's time then.
    pub(super) time: Timestamp,
    /// The last position that had been taken.
    pub(super) cursor: u64,
}

/// What has happened without a transaction of its own and goes along with the next.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Pages whose answers were written whole: endpoint and last position.
    pub(super) confirmed: Vec<(u32, u64)>,
    /// Endpoints that were polled.
    pub(super) polled: HashSet<u32>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Memory {
    /// As of the last commit.
    pub(super) meta: Meta,
    pub(super) endpoints: HashMap<u32, EndpointMemory>,
    pub(super) removed: HashMap<u32, Removed>,
    /// The sums of removed endpoints.
    pub(super) gone: ByKind<Sums>,
    /// Entries in all queues.
    pub(super) queued: u64,
    /// Up to where the sweep has looked behind the settled point for bodies to remove.
    pub(super) looked_to: u64,
    pub(super) identities: Identities,
    pub(super) page_keys: PageKeys,
    pub(super) subscriptions: Arc<SubscriptionSet>,
}

impl Memory {
    pub(super) fn empty(meta: Meta) -> Self {
        Self {
            meta,
            endpoints: HashMap::new(),
            removed: HashMap::new(),
            gone: ByKind::default(),
            queued: 0,
            looked_to: 0,
            identities: Identities::default(),
            page_keys: PageKeys::default(),
            subscriptions: Arc::default(),
        }
    }

    /// The position of the oldest notification that waits.
    pub(super) fn oldest_waiting(&self, now: Timestamp) -> Option<u64> {
        self.endpoints.values().filter_map(|e| e.queue.first_live(now)).map(Entry::position).min()
    }

    /// Waiting notifications in all.
    pub(super) fn live(&self, now: Timestamp) -> u64 {
        self.endpoints.values().map(|e| e.queue.live(now) as u64).sum()
    }

    /// Removes an endpoint: its notifications are cancelled at once, however many wait.
    pub(super) fn remove_endpoint(&mut self, number: u32, now: Timestamp) {
        let Some(endpoint) = self.endpoints.remove(&number) else { return };
        self.queued -= endpoint.queue.len() as u64;
        self.gone.get_mut(endpoint.kind).merge(&endpoint.sums_when_removed(now));
        self.removed.insert(number, Removed { at: self.meta.next_position, time: now, cursor: endpoint.cursor });
        endpoint.arrival.notify_waiters();
    }

    /// The sums of all endpoints, for each kind.
    pub(super) fn sums(&self, now: Timestamp) -> ByKind<Sums> {
        let mut sums = self.gone;
        for endpoint in self.endpoints.values() {
            sums.get_mut(endpoint.kind).merge(&endpoint.sums(now));
        }
        sums
    }

    /// Whether the notification at `position` for `endpoint` may still be handed out.
    pub(super) fn waits(&self, endpoint: u32, position: u64, now: Timestamp) -> bool {
        self.endpoints.get(&endpoint).is_some_and(|e| e.queue.holds_live(position, now))
    }
}
