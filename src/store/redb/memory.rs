//! What the store keeps in memory: it follows a commit, never leads it, and is rebuilt from the file at start.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hashbrown::HashMap;
use tokio::sync::Notify;

use super::identities::Identities;
use super::queue::{Entry, Queue};
use super::record::Meta;
use crate::base::clock::Timestamp;
use crate::base::secret::sha256_fields;
use crate::model::id::{ClientId, EndpointNumber, Position, SubscriptionId};
use crate::model::notification::{ByKind, EndpointKind, State, Sums};
use crate::model::subscription::SubscriptionSet;
use crate::store::IdempotencyKey;

/// One endpoint.
#[derive(Debug)]
pub(super) struct EndpointMemory {
    pub(super) subscription: SubscriptionId,
    pub(super) kind: EndpointKind,
    pub(super) queue: Queue,
    /// The last position that was taken; 0 before the first.
    pub(super) cursor: u64,
    /// What was made, and what of it has ended: what waits is in the queue.
    pub(super) ended: Sums,
    pub(super) last_polled: LastPolled,
    /// Wakes those who wait for something to hand out.
    pub(super) arrival: Arc<Notify>,
}

impl EndpointMemory {
    pub(super) fn new(subscription: SubscriptionId, kind: EndpointKind) -> Self {
        Self {
            subscription,
            kind,
            queue: Queue::default(),
            cursor: 0,
            ended: Sums::default(),
            last_polled: LastPolled::default(),
            arrival: Arc::default(),
        }
    }

    /// The sums at `now`: what is past its deadline counts as expired, whether or not a sweep has run.
    pub(super) fn sums(&self, now: Timestamp) -> Sums {
        self.split(now, State::Queued)
    }

    /// The sums of this endpoint if it is removed at `now`: what waits is cancelled.
    pub(super) fn sums_when_removed(&self, now: Timestamp) -> Sums {
        self.split(now, State::Cancelled)
    }

    fn split(&self, now: Timestamp, live_as: State) -> Sums {
        let live = self.queue.live(now) as u64;
        let mut sums = self.ended;
        sums.add(live_as, live);
        sums.add(State::Expired, self.queue.len() as u64 - live);
        sums
    }

    pub(super) fn push(&mut self, position: Position, size: u64, deadline: Timestamp) {
        self.ended.created += 1;
        self.queue.push(Entry::new(position, size, deadline));
        self.arrival.notify_waiters();
    }

    /// `taken` notifications up to `last` have been handed out; what else was before it had expired.
    pub(super) fn take_through(&mut self, last: u64, taken: u64) -> usize {
        let gone = self.queue.drop_through(last);
        self.cursor = self.cursor.max(last);
        self.ended.add(State::Consumed, taken);
        self.ended.add(State::Expired, (gone as u64).saturating_sub(taken));
        gone
    }
}

/// When a queue was last polled, in milliseconds. Polls note it beside the writer, so it needs no lock for writing.
#[derive(Debug)]
pub(super) struct LastPolled(AtomicI64);

impl LastPolled {
    const NEVER: i64 = i64::MIN;

    pub(super) fn get(&self) -> Option<Timestamp> {
        let at = self.0.load(Ordering::Relaxed);
        (at != Self::NEVER).then(|| Timestamp::from_millis(at))
    }

    pub(super) fn note(&self, at: Timestamp) {
        self.0.fetch_max(at.as_millis(), Ordering::Relaxed);
    }
}

impl Default for LastPolled {
    fn default() -> Self {
        Self(AtomicI64::new(Self::NEVER))
    }
}

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

/// Which page an idempotency key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptPage {
    pub(super) endpoint: u32,
    pub(super) last: u64,
    pub(super) first: u64,
}

/// How many pages are forgotten in one step: it is taken while everybody who reads waits.
const FORGOTTEN_AT_ONCE: usize = 20_000;

/// SHA-256 of endpoint, client and key, its first half.
pub(super) type PageKey = [u8; 16];

pub(super) fn page_key(endpoint: EndpointNumber, client: &ClientId, key: &IdempotencyKey) -> PageKey {
    let hash = sha256_fields([
        Some(endpoint.0.to_le_bytes().as_slice()),
        Some(client.as_str().as_bytes()),
        Some(key.as_str().as_bytes()),
    ]);
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// The pages that can be had again under their keys. As many as pages with results were taken in their lifetime.
#[derive(Debug, Default)]
pub(super) struct PageKeys {
    pages: HashMap<PageKey, KeptPage>,
    /// When each was taken, its key and its last position: a key may stand for a newer page meanwhile.
    by_age: VecDeque<(Timestamp, PageKey, u64)>,
}

impl PageKeys {
    pub(super) fn get(&self, key: &PageKey) -> Option<KeptPage> {
        self.pages.get(key).copied()
    }

    /// `taken` must not be before that of earlier pages.
    pub(super) fn keep(&mut self, key: PageKey, page: KeptPage, taken: Timestamp) {
        self.pages.insert(key, page);
        self.by_age.push_back((taken, key, page.last));
    }

    /// Whether any was taken at or before `since`.
    pub(super) fn has_older(&self, since: Timestamp) -> bool {
        self.by_age.front().is_some_and(|(taken, ..)| *taken <= since)
    }

    /// Drops what was taken at or before `since`, so many in one step.
    pub(super) fn forget(&mut self, since: Timestamp) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some((taken, key, last)) = self.by_age.front() else { return };
            if *taken > since {
                return;
            }
            if self.pages.get(key).is_some_and(|page| page.last == *last) {
                self.pages.remove(key);
            }
            self.by_age.pop_front();
        }
    }

    /// The first position of any kept page: what is behind it must stay.
    pub(super) fn first_position(&self) -> Option<u64> {
        self.pages.values().map(|p| p.first).min()
    }
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
