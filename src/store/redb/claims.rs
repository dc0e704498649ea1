//! Claiming what is sent: what may be claimed now, and when there will be something.
//!
//! Who claims changes memory, which else only the writer does. It waits for the writer at a gate of its own
//! ([`Shared::at_work`]): at memory all who read would have to wait behind it.

use std::sync::Arc;

use redb::{Database, ReadableDatabase};

use super::course::OpenRow;
use super::endpoint::EndpointMemory;
use super::memory::Memory;
use super::push::{InFlight, Push};
use super::queue::Entry;
use super::tables::{EVENTS, OPEN};
use super::{Shared, page, storage};
use crate::base::clock::Timestamp;
use crate::model::id::{EndpointNumber, LedgerId};
use crate::model::target::Ordering;
use crate::store::{Claim, Claimed, StoreError};

/// When there is something to claim.
enum Due {
    Now,
    At(Timestamp),
    /// Not before something happens that wakes who waits.
    OnceWoken,
}

impl Due {
    /// The same, but at `released` it is looked for again: then something is held no more.
    fn or_at(self, released: Option<Timestamp>) -> Self {
        match (self, released) {
            (Self::OnceWoken, Some(released)) => Self::At(released),
            (Self::At(at), Some(released)) => Self::At(at.min(released)),
            (due, _) => due,
        }
    }
}

impl EndpointMemory {
    /// What is next where only one may be on its way. In relaxed order that is the oldest that was never tried, else the
    /// oldest that is due, else what is due first: one notification that is never taken must not stand for all others.
    fn alone(&self, push: &Push, ordering: Ordering, now: Timestamp, live_at: Timestamp) -> Option<Entry> {
        if ordering == Ordering::Strict {
            return self.head(now, live_at);
        }
        let mut waiting = push.waits().filter_map(|(_, position)| self.again.get(position));
        self.queue
            .first_live(live_at)
            .or_else(|| self.ready(push, live_at).next())
            .or_else(|| waiting.find(|entry| entry.is_live(live_at)))
    }

    /// The oldest that has not ended, which is next in strict order; nothing while that one is withheld.
    fn head(&self, now: Timestamp, live_at: Timestamp) -> Option<Entry> {
        let firsts = [&self.queue, &self.again].map(|queue| queue.first_live(now));
        let head = firsts.into_iter().flatten().min_by_key(|entry| entry.position());
        head.filter(|head| head.is_live(live_at))
    }

    /// What may be sent now, oldest first. What has its deadline until `live_at` is withheld.
    fn choose(&mut self, claim: &Claim, now: Timestamp, live_at: Timestamp) -> Vec<Entry> {
        let held = self.held;
        let Some(push) = self.push.as_mut().filter(|push| !held && (claim.probe || push.standing().hold.is_none()))
        else {
            return Vec::new();
        };
        push.ripen(now);
        let Some(push) = &self.push else { return Vec::new() };
        if claim.probe || claim.ordering == Ordering::Strict {
            let whenever = claim.probe && push.standing().hold.is_some();
            let due = |entry: &Entry| whenever || push.due(entry.position()).is_none();
            let next = self.alone(push, claim.ordering, now, live_at).filter(|entry| !push.is_busy() && due(entry));
            return next.into_iter().collect();
        }
        let mut again = self.ready(push, live_at).peekable();
        let mut fresh = self.queue.live_after(None, live_at).peekable();
        let next = || match (again.peek(), fresh.peek()) {
            (Some(one), Some(other)) if one.position() < other.position() => again.next(),
            (Some(_), None) => again.next(),
            _ => fresh.next(),
        };
        std::iter::from_fn(next).take(claim.max).collect()
    }

    /// What waits again and is due, oldest first.
    fn ready(&self, push: &Push, live_at: Timestamp) -> impl Iterator<Item = Entry> {
        let entries = push.ready().filter_map(|(position, _)| self.again.get(position));
        entries.filter(move |entry| entry.is_live(live_at))
    }

    /// When there is something to claim.
    fn next_due(&self, (ordering, probe): (Ordering, bool), now: Timestamp, live_at: Timestamp) -> Due {
        let Some(push) = self.push.as_ref().filter(|_| !self.held) else { return Due::OnceWoken };
        match (push.standing().hold.is_some(), probe) {
            (true, false) => return Due::OnceWoken,
            (_, true) if push.is_busy() => return Due::OnceWoken,
            (true, true) if self.alone(push, ordering, now, live_at).is_some() => return Due::Now,
            _ => {}
        }
        match ordering {
            Ordering::Relaxed => self.next_of_any(push, now, live_at),
            Ordering::Strict => self.next_in_order(push, now, live_at),
        }
    }

    fn next_of_any(&self, push: &Push, now: Timestamp, live_at: Timestamp) -> Due {
        let is_ready = self.queue.first_live(live_at).or_else(|| self.released(now, live_at)).is_some();
        if is_ready || self.ready(push, live_at).next().is_some() {
            return Due::Now;
        }
        for (due, position) in push.waits() {
            if due > now {
                return Due::At(due);
            }
            if self.again.holds_live(position, live_at) {
                return Due::Now;
            }
        }
        Due::OnceWoken
    }

    /// The oldest that was held and is no more, and that no claim has met since.
    fn released(&self, now: Timestamp, live_at: Timestamp) -> Option<Entry> {
        let released = self.leases.ended(now).map(|leased| leased.entry).filter(|entry| entry.is_live(live_at));
        released.min_by_key(|entry| entry.position())
    }

    fn next_in_order(&self, push: &Push, now: Timestamp, live_at: Timestamp) -> Due {
        if push.is_busy() {
            return Due::OnceWoken;
        }
        let head = self.head(now, live_at);
        if let Some(released) = self.released(now, live_at)
            && head.is_none_or(|head| released.position() < head.position())
        {
            return Due::Now;
        }
        match head {
            Some(head) => match push.due(head.position()) {
                // One that expires gives way to the one behind it.
                Some(due) if due > now => Due::At(due.min(head.deadline())),
                _ => Due::Now,
            },
            // What is withheld gives way when it ends, if the clock is not trusted before.
            None => self.head(now, now).map_or(Due::OnceWoken, |head| Due::At(head.deadline())),
        }
    }
}

impl Memory {
    /// Claims what may be sent of an endpoint.
    fn claim(&mut self, claim: &Claim, now: Timestamp, withheld_to: Timestamp) -> Vec<Entry> {
        self.release_of(claim.endpoint.0, now);
        let Some(endpoint) = self.endpoints.get_mut(&claim.endpoint.0) else { return Vec::new() };
        let chosen = endpoint.choose(claim, now, now.max(withheld_to));
        let mut fresh = Vec::new();
        for entry in &chosen {
            let open = endpoint.again.remove(entry.position()).is_some();
            if !open {
                endpoint.queue.remove(entry.position());
                fresh.push(entry.position());
            }
            if let Some(push) = &mut endpoint.push {
                push.claim(InFlight { entry: *entry, open });
            }
        }
        // Its body must stay, and it must not be counted as ended while it is out.
        for position in fresh {
            self.keep_open(position);
        }
        chosen
    }

    /// Puts back what was claimed and not sent.
    fn put_back(&mut self, number: u32, positions: &[u64], now: Timestamp) {
        let mut closed = Vec::new();
        let Some(endpoint) = self.endpoints.get_mut(&number) else { return };
        let Some(push) = &mut endpoint.push else { return };
        for &position in positions {
            match push.unclaim(position) {
                Some(InFlight { entry, open: true }) => {
                    endpoint.again.insert(entry);
                    push.make_ready(position, now);
                }
                Some(InFlight { entry, open: false }) => {
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

/// What was claimed and is not in the hands of who asked for it: dropped, it is put back.
pub(super) struct Claims {
    shared: Arc<Shared>,
    endpoint: EndpointNumber,
    entries: Vec<Entry>,
    claimed: Vec<Claimed>,
}

impl Claims {
    /// Claims, and reads what was claimed. Blocks.
    pub(super) fn take(shared: Arc<Shared>, claim: &Claim) -> Result<Self, StoreError> {
        // What could not be settled must not be sent: while nothing can be written, that would be again and again.
        if let Some(detail) = shared.trouble.read().clone() {
            return Err(StoreError::Unavailable { detail });
        }
        let db = shared.database()?;
        let entries = {
            let _alone = shared.at_work.lock();
            let mut memory = shared.memory.write();
            let (now, withheld_to) = (shared.now(), shared.time.withheld_to());
            memory.claim(claim, now, withheld_to)
        };
        let mut claims = Self { shared, endpoint: claim.endpoint, entries, claimed: Vec::new() };
        if !claims.entries.is_empty() {
            claims.claimed = read(&db, claim.endpoint, &claims.entries)?;
        }
        Ok(claims)
    }

    /// They are the caller's.
    pub(super) fn hand_over(mut self) -> Vec<Claimed> {
        self.entries.clear();
        std::mem::take(&mut self.claimed)
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let positions: Vec<u64> = self.entries.iter().map(|entry| entry.position()).collect();
        put_back(&self.shared, self.endpoint, &positions);
    }
}

fn put_back(shared: &Shared, endpoint: EndpointNumber, positions: &[u64]) {
    if !positions.is_empty() {
        let _alone = shared.at_work.lock();
        shared.memory.write().put_back(endpoint.0, positions, shared.now());
    }
}

/// See [`crate::store::Store::put_back`].
pub(super) fn return_claims(shared: &Shared, endpoint: EndpointNumber, notifications: &[LedgerId]) {
    let positions: Vec<u64> = notifications.iter().map(|id| id.parts().position.get()).collect();
    put_back(shared, endpoint, &positions);
}

fn read(db: &Database, endpoint: EndpointNumber, entries: &[Entry]) -> Result<Vec<Claimed>, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let (events, open) = (read.open_table(EVENTS).map_err(storage)?, read.open_table(OPEN).map_err(storage)?);
    let claimed = |entry: &Entry| {
        let position = entry.position();
        let missing = || StoreError::Corrupt { detail: format!("the event at {position} is not there") };
        let (head, event) = page::event_at(&events, position)?.ok_or_else(missing)?;
        let target = head.target_of(endpoint).ok_or_else(missing)?;
        let id = head.id(position, target);
        let row = open.get((endpoint.0, position)).map_err(storage)?;
        let row = row.map(|row| OpenRow::decode(row.value())).transpose()?;
        let (tried, attempts) = row.map_or((0, 0), |row| (row.handouts, row.past.attempts));
        Ok(Claimed { id, event, deadline: entry.deadline(), tried, attempts, number: head.number_of(target) })
    };
    entries.iter().map(claimed).collect()
}

/// See [`crate::store::Store::due`] and [`crate::store::Store::probe_due`].
pub(super) async fn due(shared: &Shared, endpoint: EndpointNumber, ordering: Ordering, probe: bool) {
    loop {
        let arrival = match shared.memory.read().endpoints.get(&endpoint.0) {
            Some(endpoint) if endpoint.push.is_some() => Arc::clone(&endpoint.arrival),
            _ => return,
        };
        let notified = arrival.notified();
        tokio::pin!(notified);
        // From here on an arrival is not missed, so look after it.
        notified.as_mut().enable();
        let (now, withheld_to) = (shared.now(), shared.time.withheld_to());
        let due = match shared.memory.read().endpoints.get(&endpoint.0) {
            // Whoever opens the file anew wakes us.
            Some(_) if shared.trouble.read().is_some() => Due::OnceWoken,
            Some(endpoint) => {
                endpoint.next_due((ordering, probe), now, now.max(withheld_to)).or_at(endpoint.leases.next_end(now))
            }
            None => return,
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
