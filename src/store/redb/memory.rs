//! What the store keeps in memory: it follows a commit, never leads it, and is rebuilt from the file at start.

use std::collections::{BTreeMap, BTreeSet, HashSet, btree_map};
use std::sync::Arc;

use hashbrown::HashMap;

use super::course::{OpenRow, Phase, phase};
use super::endpoint::EndpointMemory;
use super::identities::Identities;
use super::leases::Leased;
use super::page_keys::PageKeys;
use super::queue::Entry;
use super::receivers::Receiver;
use super::record::Meta;
use super::tables::PageAt;
use crate::base::clock::Timestamp;
use crate::model::id::SubscriptionId;
use crate::model::notification::{ByKind, State, Sums};
use crate::model::subscription::SubscriptionSet;
use crate::store::SubscriptionSums;

/// An endpoint that was removed and whose notifications are not all settled yet.
#[derive(Clone, Debug)]
pub(super) struct Removed {
    pub(super) subscription: SubscriptionId,
    /// The next position when it was removed.
    pub(super) at: u64,
    /// The ledger's time then.
    pub(super) time: Timestamp,
    /// As what ended that waited: failed or cancelled.
    pub(super) ends: State,
    /// The last position that had been handed out.
    pub(super) cursor: u64,
    /// Whether it may have rows of open notifications, which the sweep ends.
    pub(super) open: bool,
}

/// What has happened without a transaction of its own and goes along with the next.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Pages whose answers were written whole.
    pub(super) confirmed: Vec<PageAt>,
    /// Those of them that a transaction on its way marks.
    pub(super) marking: Vec<PageAt>,
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
    /// What waits or is leased in all endpoints, expired ones that no sweep has met included.
    pub(super) queued: u64,
    /// Each endpoint that has leases, by the first end of one.
    lease_ends: BTreeSet<(Timestamp, u32)>,
    /// Endpoint and position of open notifications that time has ended: the sweep writes that down.
    pub(super) lapsed: BTreeSet<(u32, u64)>,
    /// How many rows of open notifications there are at a position. What is there must stay.
    pub(super) open: BTreeMap<u64, u32>,
    /// Below these positions only what is open has a body or a head.
    pub(super) bodies_from: u64,
    pub(super) heads_from: u64,
    /// Up to where the sweep has looked behind the settled point for bodies to remove.
    pub(super) looked_to: u64,
    /// Endpoints that are erased, and the positions from which on they still have to be ([`super::erase`]).
    pub(super) erasing: HashMap<u32, u64>,
    /// The endpoints that count what is sent to them.
    pub(super) receivers: HashMap<u32, Receiver>,
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
            lease_ends: BTreeSet::new(),
            lapsed: BTreeSet::new(),
            open: BTreeMap::new(),
            bodies_from: 0,
            heads_from: 0,
            looked_to: 0,
            erasing: HashMap::new(),
            receivers: HashMap::new(),
            identities: Identities::default(),
            page_keys: PageKeys::default(),
            subscriptions: Arc::default(),
        }
    }

    /// The position of the oldest notification that waits.
    pub(super) fn oldest_waiting(&self, now: Timestamp) -> Option<u64> {
        self.endpoints.values().filter_map(|e| e.oldest_waiting(now)).min()
    }

    /// What waits or is leased, in all.
    pub(super) fn live(&self, now: Timestamp) -> u64 {
        self.endpoints.values().map(|e| e.live(now)).sum()
    }

    /// Removes an endpoint: its notifications end as `ends` at once, however many wait. What is left of it is answered,
    /// to be dropped when nobody waits for memory.
    pub(super) fn remove_endpoint(&mut self, number: u32, ends: State, now: Timestamp) -> Option<EndpointMemory> {
        let endpoint = self.endpoints.remove(&number)?;
        self.receivers.remove(&number);
        self.queued -= endpoint.entries();
        if let Some(end) = endpoint.leases.first_end() {
            self.lease_ends.remove(&(end, number));
        }
        self.gone.get_mut(endpoint.kind).merge(&endpoint.sums_when_removed(ends, now));
        // What is being sent and has no row is nobody's any more.
        let in_flight: Vec<u64> = endpoint.push.iter().flat_map(|push| push.claimed_fresh()).collect();
        for position in in_flight {
            self.close(position);
        }
        let (at, cursor) = (self.meta.next_position, endpoint.cursor);
        let lapsed = self.lapsed.range((number, 0)..=(number, u64::MAX)).next().is_some();
        let is_sent = endpoint.push.as_ref().is_some_and(|push| push.has_open_claims());
        let open = lapsed || is_sent || endpoint.leases.len() + endpoint.again.len() > 0;
        let subscription = endpoint.subscription.clone();
        self.removed.insert(number, Removed { subscription, at, time: now, ends, cursor, open });
        endpoint.arrival.notify_waiters();
        Some(endpoint)
    }

    /// Whether notifications are sent to the endpoint, and not polled.
    pub(super) fn is_sent_to(&self, number: u32) -> bool {
        self.endpoints.get(&number).is_some_and(|endpoint| endpoint.push.is_some())
    }

    /// When the endpoint recovered last.
    pub(super) fn recovered(&self, number: u32) -> Option<Timestamp> {
        self.endpoints.get(&number)?.push.as_ref()?.standing().recovered
    }

    /// Endpoint and position of what is being sent.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = (u32, u64)> {
        let sent = self.endpoints.iter().filter_map(|(number, endpoint)| Some((*number, endpoint.push.as_ref()?)));
        sent.flat_map(|(number, push)| push.positions().map(move |position| (number, position)))
    }

    /// The sums of each subscription.
    pub(super) fn subscription_sums(&self, now: Timestamp) -> Vec<SubscriptionSums> {
        SubscriptionSums::of_endpoints(self.endpoints.values().map(|endpoint| SubscriptionSums {
            id: endpoint.subscription.clone(),
            sums: endpoint.sums(now),
            queue_full: endpoint.queue_full,
        }))
    }

    /// The sums of all endpoints, for each kind.
    pub(super) fn sums(&self, now: Timestamp) -> ByKind<Sums> {
        let mut sums = self.gone;
        for endpoint in self.endpoints.values() {
            sums.get_mut(endpoint.kind).merge(&endpoint.sums(now));
        }
        sums
    }

    /// Whether the notification at `position` for `endpoint` waits in the queue, unexpired.
    pub(super) fn waits(&self, endpoint: u32, position: u64, now: Timestamp) -> bool {
        self.endpoints.get(&endpoint).is_some_and(|e| e.queue.holds_live(position, now))
    }

    /// Whether leases have ended that are not released.
    pub(super) fn has_ended_leases(&self, now: Timestamp) -> bool {
        self.lease_ends.first().is_some_and(|(end, _)| *end <= now)
    }

    /// Releases leases that have ended by `now`, at most `most`: they wait again or, where time has ended them, are
    /// counted so. Answers how many have expired.
    pub(super) fn release(&mut self, now: Timestamp, most: usize) -> u64 {
        let mut expired = 0;
        for _ in 0..most {
            let Some(&(end, number)) = self.lease_ends.first() else { break };
            if end > now {
                break;
            }
            let popped = self.with_leases(number, |endpoint| endpoint.leases.pop_ended(now)).flatten();
            match popped {
                Some(leased) => expired += u64::from(self.place(number, leased, now)),
                // It has no endpoint: that is never so, but it must not come again.
                None => drop(self.lease_ends.pop_first()),
            }
        }
        expired
    }

    /// Places an open notification that was found at start, when the sums were read; where it has ended they have it so.
    pub(super) fn load_open(&mut self, number: u32, entry: Entry, row: &OpenRow, now: Timestamp) {
        let lease = row.lease();
        let placed = self.with_leases(number, |endpoint| match (phase(entry.deadline(), lease, now), lease) {
            (Phase::Leased | Phase::Held, Some(lease)) => {
                endpoint.leases.insert(Leased { entry, lease });
                true
            }
            (Phase::Leased | Phase::Held | Phase::Waiting, _) => {
                endpoint.again.insert(entry);
                if let Some(push) = &mut endpoint.push {
                    match row.wait(push.standing().recovered) {
                        Some((due, decided)) => push.put_off(entry.position(), due, decided),
                        None => push.make_ready(entry.position(), now),
                    }
                    if row.past.delivered {
                        push.was_delivered(entry.position());
                    }
                }
                true
            }
            (Phase::Expired(_) | Phase::Abandoned(_), _) => false,
        });
        match placed {
            Some(true) => self.queued += 1,
            Some(false) => drop(self.lapsed.insert((number, entry.position()))),
            // Its endpoint was removed: the sweep finds it there.
            None => {}
        }
    }

    /// Puts what is leased no more where it belongs; answers whether it has expired.
    fn place(&mut self, number: u32, leased: Leased, now: Timestamp) -> bool {
        let Some(endpoint) = self.endpoints.get_mut(&number) else { return false };
        match leased.phase(now) {
            Phase::Leased | Phase::Held | Phase::Waiting => {
                endpoint.again.insert(leased.entry);
                if let Some(push) = &mut endpoint.push {
                    push.make_ready(leased.entry.position(), leased.lease.until);
                }
                // Those who wait may go by another clock.
                endpoint.arrival.notify_waiters();
            }
            Phase::Expired(_) => endpoint.ended.add(State::Expired, 1),
            Phase::Abandoned(_) => endpoint.ended.add(State::Failed, 1),
        }
        let ended = leased.phase(now).end();
        if ended.is_some() {
            self.queued -= 1;
            self.lapsed.insert((number, leased.entry.position()));
        }
        ended.is_some_and(|(state, ..)| state == State::Expired)
    }

    /// A notification is leased that has left the queue, or waited again.
    pub(super) fn lease(&mut self, number: u32, leased: Leased) {
        let position = leased.entry.position();
        let was_open = self.with_leases(number, |endpoint| {
            endpoint.leases.insert(leased);
            endpoint.again.remove(position).is_some()
        });
        if was_open == Some(false) {
            self.keep_open(position);
        }
    }

    /// A new notification is held until its time has come.
    pub(super) fn hold_new(&mut self, number: u32, leased: Leased) {
        if let Some(endpoint) = self.endpoints.get_mut(&number) {
            endpoint.ended.created += 1;
            self.queued += 1;
            self.lease(number, leased);
        }
    }

    /// Releases what of one endpoint is leased or held no more.
    pub(super) fn release_of(&mut self, number: u32, now: Timestamp) {
        while let Some(leased) = self.with_leases(number, |endpoint| endpoint.leases.pop_ended(now)).flatten() {
            self.place(number, leased, now);
        }
    }

    /// An open notification has ended as `state`, and its row has gone.
    pub(super) fn end_open(&mut self, number: u32, position: u64, state: State) {
        let was_open = self.with_leases(number, |endpoint| {
            let (mut state, mut is_sent) = (state, false);
            if let Some(push) = &mut endpoint.push {
                (state, is_sent) = (push.end(position, state), push.withdraw(position).is_some());
                // It may have been what all else waited for.
                endpoint.arrival.notify_waiters();
            }
            let was_open =
                is_sent || endpoint.leases.remove(position).is_some() || endpoint.again.remove(position).is_some();
            endpoint.ended.add(state, u64::from(was_open));
            was_open
        });
        self.queued -= u64::from(was_open.unwrap_or_default());
        self.close(position);
    }

    /// A notification in the queue is cancelled.
    pub(super) fn cancel(&mut self, number: u32, position: u64) {
        let Some(endpoint) = self.endpoints.get_mut(&number) else { return };
        let is_sent = endpoint.push.as_mut().is_some_and(|push| push.withdraw(position).is_some());
        if is_sent || endpoint.queue.remove(position).is_some() {
            endpoint.ended.add(State::Cancelled, 1);
            endpoint.arrival.notify_waiters();
            self.queued -= 1;
        }
        if is_sent {
            self.close(position);
        }
    }

    /// A notification that had ended as `was` waits again, in a new round. `was_open`: it has the row of an open one
    /// already, as nobody had written down its end. `delivered`: it was once.
    pub(super) fn reopen(&mut self, number: u32, entry: Entry, was: State, was_open: bool, delivered: bool) {
        let position = entry.position();
        let now = Timestamp::from_millis(self.meta.ledger_time);
        let counted = self.with_leases(number, |endpoint| {
            if let Some(push) = &mut endpoint.push {
                push.make_ready(position, now);
                if delivered {
                    push.was_delivered(position);
                }
            }
            // Where no sweep has met its end it is not among what has ended.
            let unswept = endpoint.leases.remove(position).is_some()
                | endpoint.again.remove(position).is_some()
                | endpoint.queue.remove(position).is_some();
            endpoint.ended.remove(was, u64::from(!unswept));
            endpoint.again.insert(entry);
            endpoint.arrival.notify_waiters();
            !unswept
        });
        self.queued += u64::from(counted.unwrap_or_default());
        self.lapsed.remove(&(number, position));
        if !was_open {
            self.keep_open(position);
        }
    }

    /// One row of an open notification at `position` more.
    pub(super) fn keep_open(&mut self, position: u64) {
        *self.open.entry(position).or_default() += 1;
    }

    /// One less: what is there may go once the history has passed.
    pub(super) fn close(&mut self, position: u64) {
        if let btree_map::Entry::Occupied(mut rows) = self.open.entry(position) {
            *rows.get_mut() -= 1;
            if *rows.get() == 0 {
                rows.remove();
            }
        }
        self.bodies_from = self.bodies_from.min(position);
        self.heads_from = self.heads_from.min(position);
    }

    /// Changes an endpoint's leases, and keeps up where their ends are found.
    fn with_leases<T>(&mut self, number: u32, work: impl FnOnce(&mut EndpointMemory) -> T) -> Option<T> {
        let endpoint = self.endpoints.get_mut(&number)?;
        let before = endpoint.leases.first_end();
        let result = work(endpoint);
        let after = endpoint.leases.first_end();
        if before != after {
            before.map(|end| self.lease_ends.remove(&(end, number)));
            after.map(|end| self.lease_ends.insert((end, number)));
        }
        Some(result)
    }
}
