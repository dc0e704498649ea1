//! Claims of what is sent, and what attempts have brought (see [`crate::store::push`](super::super)).
//!
//! A claim is memory: the notification leaves its queue for [`Push::claimed`] and nothing is written. Settling is an
//! operation of a group. What is tried again has a row in OPEN that says when; what has ended has one in OUTCOMES; each
//! attempt has one in ATTEMPTS. An attempt that is settled after its claim was forgotten (the file was opened anew, or
//! somebody put the notification back) counts all the same, as long as the notification has not ended.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};
use redb::{Database, ReadableDatabase, ReadableTable};

use super::attempt_row::AttemptRow;
use super::course::{DEADLINE, DELIVERED, OpenRow, Past, cut};
use super::courses::CourseKey;
use super::endpoint::EndpointMemory;
use super::hand::Overlay;
use super::memory::Memory;
use super::queue::Entry;
use super::record::{self, Meta};
use super::standing_row::StandingRow;
use super::tables::{EVENTS, OPEN};
use super::writer::{GroupTables, Operation};
use super::{RedbStore, Shared, page, storage};
use crate::base::clock::Timestamp;
use crate::model::id::{EndpointNumber, LedgerId};
use crate::model::notification::State;
use crate::model::target::Ordering;
use crate::store::{Claim, Claimed, KEPT_ATTEMPTS, Settle, Settled, Settlement, Standing, StoreError, Story};

/// How many of the kept attempts are the first ones.
const FIRST_ATTEMPTS: u32 = 16;

/// What memory knows of an endpoint that is sent to, besides its queues.
#[derive(Debug, Default)]
pub(super) struct Push {
    /// What is being sent.
    claimed: HashMap<u64, InFlight>,
    /// Of what waits again, what is not due yet, by when it is.
    waits: BTreeSet<(Timestamp, u64)>,
    dues: HashMap<u64, Timestamp>,
    /// Of what waits again, what is due.
    ready: BTreeSet<u64>,
    /// Of what waits again or is being sent, what was delivered in an earlier round.
    delivered_before: HashSet<u64>,
    pub(super) standing: Standing,
}

/// A notification that is being sent.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    entry: Entry,
    /// Whether it has a row in OPEN.
    open: bool,
}

impl Push {
    pub(super) fn in_flight(&self) -> u64 {
        self.claimed.len() as u64
    }

    pub(super) fn is_in_flight(&self, position: u64) -> bool {
        self.claimed.contains_key(&position)
    }

    /// The positions in flight that have no row of their own.
    pub(super) fn claimed_fresh(&self) -> impl Iterator<Item = u64> {
        self.claimed.iter().filter(|(_, claimed)| !claimed.open).map(|(position, _)| *position)
    }

    /// Whether any in flight has a row of its own.
    pub(super) fn has_open_claims(&self) -> bool {
        self.claimed.values().any(|claimed| claimed.open)
    }

    /// The notification at `position` waits again, `due` at some instant or at once.
    pub(super) fn put_off(&mut self, position: u64, due: Option<Timestamp>) {
        self.forget_due(position);
        match due {
            Some(due) => {
                self.waits.insert((due, position));
                self.dues.insert(position, due);
            }
            None => drop(self.ready.insert(position)),
        }
    }

    /// The notification at `position` was delivered in an earlier round.
    pub(super) fn was_delivered(&mut self, position: u64) {
        self.delivered_before.insert(position);
    }

    /// The notification at `position` waits no more.
    pub(super) fn forget_due(&mut self, position: u64) {
        self.ready.remove(&position);
        if let Some(due) = self.dues.remove(&position) {
            self.waits.remove(&(due, position));
        }
    }

    /// It has ended by itself or with time, as what it is now.
    pub(super) fn end(&mut self, position: u64, state: State) -> State {
        self.forget_due(position);
        end_as(state, self.delivered_before.remove(&position))
    }

    /// Takes what is in flight out; answers its entry, and whether it has a row of its own.
    pub(super) fn unclaim(&mut self, position: u64) -> Option<(Entry, bool)> {
        self.claimed.remove(&position).map(|claimed| (claimed.entry, claimed.open))
    }

    /// What has become due by `now` is ready.
    fn ripen(&mut self, now: Timestamp) {
        while let Some(&(due, position)) = self.waits.first() {
            if due > now {
                break;
            }
            self.waits.pop_first();
            self.ready.insert(position);
        }
    }

    /// Takes over how the endpoint stands now: what was put off before it recovered is due.
    pub(super) fn stand(&mut self, standing: Standing) {
        if standing.recovered != self.standing.recovered {
            self.ready.extend(self.waits.iter().map(|(_, position)| *position));
            self.waits.clear();
            self.dues.clear();
        }
        self.standing = standing;
    }
}

/// What was once delivered ends as delivered, whatever a later round brings (design.md, "Nouns").
pub(super) const fn end_as(state: State, delivered_before: bool) -> State {
    match state {
        State::Failed | State::Expired if delivered_before => State::Delivered,
        other => other,
    }
}

impl EndpointMemory {
    /// The oldest that waits, due or not.
    fn head(&self, now: Timestamp) -> Option<Entry> {
        let firsts = [&self.queue, &self.again].map(|queue| queue.first_live(now));
        firsts.into_iter().flatten().min_by_key(|entry| entry.position())
    }

    /// What a probe is made with where order does not forbid it: the oldest that was never tried, else the oldest that
    /// is due, else what is due first. One notification that is never taken must not stand for all others.
    fn least_tried(&self, push: &Push, live_at: Timestamp) -> Option<Entry> {
        let waiting = |position: &u64| self.again.get(*position).filter(|entry| entry.is_live(live_at));
        self.queue
            .first_live(live_at)
            .or_else(|| push.ready.iter().find_map(waiting))
            .or_else(|| push.waits.iter().find_map(|(_, position)| waiting(position)))
    }

    /// Whether nothing is sent to it but probes, and whether not even these.
    fn is_shut(&self, probe: bool) -> bool {
        let of_itself = self.push.as_ref().is_none_or(|push| push.standing.hold.is_some());
        self.held || (of_itself && !probe) || self.push.is_none()
    }

    /// What may be sent now, oldest first.
    fn choose(&mut self, claim: &Claim, now: Timestamp, live_at: Timestamp) -> Vec<Entry> {
        if self.is_shut(claim.probe) {
            return Vec::new();
        }
        if let Some(push) = &mut self.push {
            push.ripen(now);
        }
        let Some(push) = &self.push else { return Vec::new() };
        if claim.probe || claim.ordering == Ordering::Strict {
            if !push.claimed.is_empty() {
                return Vec::new();
            }
            let whenever = claim.probe && push.standing.hold.is_some();
            let is_due = |entry: &Entry| whenever || push.dues.get(&entry.position()).is_none_or(|due| *due <= now);
            let one = match claim.ordering {
                Ordering::Strict => self.head(live_at),
                Ordering::Relaxed => self.least_tried(push, live_at),
            };
            return one.into_iter().filter(is_due).collect();
        }
        let again = push.ready.iter().filter_map(|position| self.again.get(*position));
        let mut again = again.filter(|entry| entry.is_live(live_at)).peekable();
        let mut fresh = self.queue.live_after(None, live_at).peekable();
        let mut chosen = Vec::new();
        while chosen.len() < claim.max {
            let next = match (again.peek(), fresh.peek()) {
                (Some(one), Some(other)) if one.position() > other.position() => fresh.next(),
                (None, _) => fresh.next(),
                (Some(_), _) => again.next(),
            };
            let Some(entry) = next else { break };
            chosen.push(entry);
        }
        chosen
    }

    /// Whether there is something to claim, or else when there may be.
    fn next_due(&mut self, (ordering, probe): (Ordering, bool), now: Timestamp, live_at: Timestamp) -> Due {
        let claim = Claim { endpoint: EndpointNumber(0), ordering, max: 1, probe };
        if !self.choose(&claim, now, live_at).is_empty() {
            return Due::Now;
        }
        let Some(push) = self.push.as_ref().filter(|_| !self.is_shut(false)) else { return Due::OnceWoken };
        let next = match ordering {
            Ordering::Relaxed => push.waits.first().map(|(due, _)| *due),
            Ordering::Strict if !push.claimed.is_empty() => None,
            Ordering::Strict => self.head(live_at).and_then(|head| push.dues.get(&head.position()).copied()),
        };
        // A head that expires gives way to the one behind it.
        let head_ends = self.head(live_at).map(Entry::deadline).filter(|_| ordering == Ordering::Strict);
        next.into_iter().chain(head_ends).min().map_or(Due::OnceWoken, Due::At)
    }
}

/// When there is something to claim.
enum Due {
    Now,
    At(Timestamp),
    /// Not before something happens that wakes who waits.
    OnceWoken,
}

impl Memory {
    /// Claims what may be sent of an endpoint.
    fn claim(&mut self, claim: &Claim, now: Timestamp, withheld_to: Timestamp) -> Vec<Entry> {
        let Some(endpoint) = self.endpoints.get_mut(&claim.endpoint.0) else { return Vec::new() };
        let chosen = endpoint.choose(claim, now, now.max(withheld_to));
        let mut fresh = Vec::new();
        for entry in &chosen {
            let position = entry.position();
            let open = endpoint.again.remove(position).is_some();
            if !open {
                endpoint.queue.remove(position);
                fresh.push(position);
            }
            if let Some(push) = &mut endpoint.push {
                push.forget_due(position);
                push.claimed.insert(position, InFlight { entry: *entry, open });
            }
        }
        // Its body must stay, and it must not be counted as ended while it is out.
        for position in fresh {
            self.keep_open(position);
        }
        chosen
    }

    /// Puts back what was claimed and not sent.
    fn put_back(&mut self, number: u32, positions: impl Iterator<Item = u64>) {
        let mut closed = Vec::new();
        let Some(endpoint) = self.endpoints.get_mut(&number) else { return };
        let Some(push) = &mut endpoint.push else { return };
        for position in positions {
            match push.unclaim(position) {
                Some((entry, true)) => {
                    endpoint.again.insert(entry);
                    push.ready.insert(position);
                }
                Some((entry, false)) => {
                    endpoint.queue.insert(entry);
                    closed.push(position);
                }
                None => {}
            }
        }
        endpoint.arrival.notify_waiters();
        for position in closed {
            self.close(position);
        }
    }
}

/// Puts back what was claimed, unless it is handed over.
struct Claims<'a> {
    shared: &'a Shared,
    endpoint: EndpointNumber,
    positions: Vec<u64>,
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        if !self.positions.is_empty() {
            self.shared.memory.write().put_back(self.endpoint.0, self.positions.drain(..));
        }
    }
}

/// See [`crate::store::Store::claim`].
pub(super) async fn claim(store: &RedbStore, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
    let shared = &*store.shared;
    let entries = {
        let mut memory = shared.memory.write();
        let (now, withheld_to) = (shared.now(), shared.time.withheld_to());
        memory.claim(&claim, now, withheld_to)
    };
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let positions = entries.iter().map(|entry| entry.position()).collect();
    let mut claims = Claims { shared, endpoint: claim.endpoint, positions };
    let claimed = store.reading(move |db| read(db, claim.endpoint, &entries)).await?;
    claims.positions.clear();
    Ok(claimed)
}

/// See [`crate::store::Store::put_back`].
pub(super) fn put_back(shared: &Shared, endpoint: EndpointNumber, notifications: &[LedgerId]) {
    let positions = notifications.iter().map(|id| id.parts().position.get());
    shared.memory.write().put_back(endpoint.0, positions);
}

fn read(db: &Database, endpoint: EndpointNumber, entries: &[Entry]) -> Result<Vec<Claimed>, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let (events, open) = (read.open_table(EVENTS).map_err(storage)?, read.open_table(OPEN).map_err(storage)?);
    let claimed = |entry: &Entry| {
        let position = entry.position();
        let missing = || StoreError::Corrupt { detail: format!("the event at {position} is not there") };
        let (head, event) = page::event_at(&events, position)?.ok_or_else(missing)?;
        let id = head.id(position, head.target_of(endpoint).ok_or_else(missing)?);
        let row = open.get((endpoint.0, position)).map_err(storage)?;
        let row = row.map(|row| OpenRow::decode(row.value())).transpose()?;
        let (tried, attempts) = row.map_or((0, 0), |row| (row.handouts, row.past.attempts));
        Ok(Claimed { id, event, deadline: entry.deadline(), tried, attempts })
    };
    entries.iter().map(claimed).collect()
}

/// Whether the notification of this story is being sent.
pub(super) fn is_in_flight(shared: &Shared, story: &Story) -> bool {
    let memory = shared.memory.read();
    let push = memory.endpoints.get(&story.view.endpoint.0).and_then(|endpoint| endpoint.push.as_ref());
    push.is_some_and(|push| push.is_in_flight(story.view.id.parts().position.get()))
}

/// See [`crate::store::Store::due`] and [`crate::store::Store::probe_due`].
pub(super) async fn due(shared: &Shared, endpoint: EndpointNumber, ordering: Ordering, probe: bool) {
    loop {
        let arrival = match shared.memory.read().endpoints.get(&endpoint.0) {
            Some(endpoint) if endpoint.push.is_some() => std::sync::Arc::clone(&endpoint.arrival),
            _ => return,
        };
        let notified = arrival.notified();
        tokio::pin!(notified);
        // From here on an arrival is not missed, so look after it.
        notified.as_mut().enable();
        let due = {
            let mut memory = shared.memory.write();
            let (now, withheld_to) = (shared.now(), shared.time.withheld_to());
            let Some(endpoint) = memory.endpoints.get_mut(&endpoint.0) else { return };
            endpoint.next_due((ordering, probe), now, now.max(withheld_to))
        };
        match due {
            Due::Now => return,
            Due::OnceWoken => notified.await,
            Due::At(at) => tokio::select! {
                () = notified => {}
                () = shared.time.sleep_until(at) => {}
            },
        }
    }
}

/// See [`crate::store::Store::standing`].
pub(super) fn standing(shared: &Shared, endpoint: EndpointNumber) -> Standing {
    let memory = shared.memory.read();
    let push = memory.endpoints.get(&endpoint.0).and_then(|endpoint| endpoint.push.as_ref());
    push.map(|push| push.standing.clone()).unwrap_or_default()
}

/// See [`crate::store::Store::overdue`].
pub(super) fn overdue(shared: &Shared) -> Option<Timestamp> {
    let now = shared.now();
    let (mut first, mut fresh) = (None::<Timestamp>, None::<u64>);
    {
        let memory = shared.memory.read();
        for endpoint in memory.endpoints.values().filter(|endpoint| !endpoint.is_shut(false)) {
            let Some(push) = &endpoint.push else { continue };
            let waited = push.waits.first().map(|(due, _)| *due).filter(|due| *due <= now);
            first = first.into_iter().chain(waited).min();
            let ready = push.ready.first().copied();
            let head = endpoint.queue.first_live(now).map(Entry::position);
            fresh = fresh.into_iter().chain(ready).chain(head).min();
        }
    }
    // Not worth waiting for a compaction.
    let accepted = || page::accepted(&*shared.db.try_read()?.clone()?, fresh?);
    first.into_iter().chain(accepted()).min()
}

/// See [`crate::store::Store::settle`].
pub(super) async fn settle(store: &RedbStore, settlement: Settlement) -> Result<Settled, StoreError> {
    store.submit(|reply| Operation::Settle { settlement: Box::new(settlement), reply }).await?
}

/// What a settlement has come to, and is in the transaction.
#[derive(Debug)]
pub(super) struct Done {
    endpoint: u32,
    position: u64,
    entry: Entry,
    pub(super) settled: Settled,
    /// Until when it waits.
    due: Option<Timestamp>,
    /// Whether it had, and has now, a row of an open one.
    was_open: bool,
    is_open: bool,
    standing: Option<Standing>,
}

/// Where a notification is that memory knows.
enum Place {
    Claimed { entry: Entry, open: bool },
    Queue(Entry),
    Again(Entry),
}

fn place_of(memory: &Memory, (number, position): CourseKey) -> Option<Place> {
    let endpoint = memory.endpoints.get(&number)?;
    let push = endpoint.push.as_ref()?;
    let claimed = push.claimed.get(&position).map(|c| Place::Claimed { entry: c.entry, open: c.open });
    claimed
        .or_else(|| endpoint.again.get(position).map(Place::Again))
        .or_else(|| endpoint.queue.get(position).map(Place::Queue))
}

/// Settles an attempt. The inner error is the caller's own and nothing was written for it.
pub(super) fn run(
    settlement: &Settlement,
    overlay: &mut Overlay,
    memory: &Memory,
    tables: &mut GroupTables<'_>,
    meta: &Meta,
) -> Result<Result<Option<Done>, StoreError>, StoreError> {
    let key = (settlement.endpoint.0, settlement.notification.parts().position.get());
    if !memory.endpoints.contains_key(&key.0) {
        return Ok(Ok(None));
    }
    if let Some(standing) = &settlement.standing {
        tables.keep_standing(key.0, standing)?;
    }
    let staged = overlay.of(key.0);
    let Some(place) = place_of(memory, key).filter(|_| !staged.is_gone(key.1)) else {
        let number = tables.last_attempt(key)?.saturating_add(1);
        keep_attempt(key, number, settlement, tables)?;
        return Ok(Ok(Some(Done::gone(key, settlement))));
    };
    let (entry, was_open) = match place {
        Place::Claimed { entry, open } => (entry, open),
        Place::Again(entry) => (entry, true),
        Place::Queue(entry) => (entry, false),
    };
    let row = match tables.courses.open_row(key) {
        Ok(row) => row,
        Err(error) => return super::own(Err(error)),
    };
    let mut row = row.unwrap_or_else(|| OpenRow::new(entry.deadline(), entry.size(), Past::default()));
    row.past.attempts = row.past.attempts.saturating_add(1);
    keep_attempt(key, row.past.attempts, settlement, tables)?;
    staged.end(key.1);
    let now = Timestamp::from_millis(meta.ledger_time);
    let delivered_before = row.past.delivered;
    let mut done = Done { entry, was_open, is_open: false, due: None, ..Done::gone(key, settlement) };
    let (state, reason) = match &settlement.verdict {
        Settle::Delivered => (State::Delivered, DELIVERED),
        Settle::Failed { reason } => (State::Failed, cut(reason)),
        Settle::Retry { .. } if entry.deadline() <= now => (State::Expired, DEADLINE),
        Settle::Retry { due, counts } => {
            row.handouts = row.handouts.saturating_add(u32::from(*counts));
            row.put_off(*due, now);
            tables.courses.keep_open(key, &row)?;
            (done.is_open, done.due) = (true, Some(*due));
            done.settled = Settled::In(State::Queued);
            return Ok(Ok(Some(done)));
        }
    };
    let state = end_as(state, delivered_before);
    if was_open {
        tables.courses.end(key, row, (state, reason, now), meta.settled_to)?;
    } else {
        tables.courses.keep_outcome(key, &row.end(state, reason, now))?;
    }
    done.settled = Settled::In(state);
    Ok(Ok(Some(done)))
}

fn keep_attempt(
    key: CourseKey,
    number: u32,
    settlement: &Settlement,
    tables: &mut GroupTables<'_>,
) -> Result<(), StoreError> {
    let row = record::encode(&AttemptRow::new(&settlement.attempt));
    let kept = u32::try_from(KEPT_ATTEMPTS).unwrap_or(u32::MAX) - FIRST_ATTEMPTS;
    let attempts = tables.attempts()?;
    attempts.insert((key.0, key.1, number), row.as_slice()).map_err(storage)?;
    if let Some(old) = number.checked_sub(kept).filter(|old| *old > FIRST_ATTEMPTS) {
        attempts.remove((key.0, key.1, old)).map_err(storage)?;
    }
    Ok(())
}

impl GroupTables<'_> {
    pub(super) fn keep_standing(&mut self, number: u32, standing: &Standing) -> Result<(), StoreError> {
        let row = record::encode(&StandingRow::new(standing));
        self.standings()?.insert(number, row.as_slice()).map_err(storage)?;
        Ok(())
    }

    /// The number of the last attempt that is kept; 0 if none is.
    fn last_attempt(&mut self, (number, position): CourseKey) -> Result<u32, StoreError> {
        let keys = (number, position, 0)..=(number, position, u32::MAX);
        let last = self.attempts()?.range(keys).map_err(storage)?.next_back();
        Ok(last.transpose().map_err(storage)?.map_or(0, |(key, _)| key.value().2))
    }
}

impl Done {
    fn gone((endpoint, position): CourseKey, settlement: &Settlement) -> Self {
        Self {
            endpoint,
            position,
            entry: Entry::nowhere(),
            settled: Settled::Gone,
            due: None,
            was_open: false,
            is_open: false,
            standing: settlement.standing.clone(),
        }
    }
}

/// Brings memory behind a committed settlement.
pub(super) fn apply(done: &Done, memory: &mut Memory) {
    let Done { endpoint: number, position, entry, settled, due, was_open, is_open, standing } = done;
    let Some(endpoint) = memory.endpoints.get_mut(number) else { return };
    let mut kept = *was_open;
    let mut ended = false;
    if let (Some(push), Settled::In(state)) = (&mut endpoint.push, settled) {
        // What is in flight keeps its body also without a row.
        kept |= push.unclaim(*position).is_some();
        endpoint.again.remove(*position);
        endpoint.queue.remove(*position);
        if *is_open {
            endpoint.again.insert(*entry);
            push.put_off(*position, *due);
        } else {
            push.end(*position, *state);
            endpoint.ended.add(*state, 1);
            ended = true;
        }
    }
    if let (Some(push), Some(standing)) = (&mut endpoint.push, standing) {
        push.stand(standing.clone());
    }
    endpoint.arrival.notify_waiters();
    memory.queued -= u64::from(ended);
    match (kept, *is_open) {
        (false, true) => memory.keep_open(*position),
        (true, false) => memory.close(*position),
        (true, true) | (false, false) => {}
    }
}

/// Brings memory behind a committed standing.
pub(super) fn apply_standing(number: u32, standing: &Standing, memory: &mut Memory) {
    let Some(endpoint) = memory.endpoints.get_mut(&number) else { return };
    if let Some(push) = &mut endpoint.push {
        push.stand(standing.clone());
    }
    endpoint.arrival.notify_waiters();
}
