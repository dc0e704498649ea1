//! Choosing what is handed out next, within a group: the same for pages that are consumed and for leases.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use redb::ReadableTable;

use super::endpoint::EndpointMemory;
use super::page_keys::PageKey;
use super::queue::Entry;
use super::storage;
use super::tables::PageAt;
use super::take::Taken;
use crate::base::clock::Timestamp;
use crate::store::{Standing, StoreError};

/// What a group has handed out and ended already, which memory does not know yet.
#[derive(Default)]
pub(super) struct Overlay {
    endpoints: HashMap<u32, Staged>,
    /// The pages of this group by their idempotency keys.
    pub(super) by_key: HashMap<PageKey, Taken>,
    /// What has its deadline until then is withheld: it looks expired by a wall clock in doubt.
    pub(super) withheld_to: Timestamp,
}

impl Overlay {
    pub(super) fn of(&mut self, endpoint: u32) -> &mut Staged {
        self.endpoints.entry(endpoint).or_default()
    }
}

/// The same of one endpoint.
#[derive(Default)]
pub(super) struct Staged {
    /// Up to where its queue has been handed out.
    handed_to: Option<u64>,
    /// What waited again, and does so no more.
    gone: HashSet<u64>,
    /// What was sent and is tried again.
    put_off: HashMap<u64, Entry>,
    /// When the endpoint recovered, where this group says so.
    recovered: Option<Timestamp>,
}

impl Staged {
    /// Whether the notification at `position` is not there any more.
    pub(super) fn is_gone(&self, position: u64) -> bool {
        self.gone.contains(&position)
    }

    /// The notification at `position` has ended.
    pub(super) fn end(&mut self, position: u64) {
        self.gone.insert(position);
    }

    /// It is tried again.
    pub(super) fn put_off(&mut self, entry: Entry) {
        self.put_off.insert(entry.position(), entry);
    }

    /// The entry at `position`, if it is to be tried again.
    pub(super) fn waits(&self, position: u64) -> Option<Entry> {
        self.put_off.get(&position).copied()
    }

    /// How the endpoint stands from now on.
    pub(super) fn stand(&mut self, standing: &Standing) {
        self.recovered = standing.recovered.or(self.recovered);
    }

    /// When something is put off, as far as recoveries go, of an endpoint that has `recovered` before this group: what is put
    /// off after a recovery counts as later than it, also within its millisecond.
    pub(super) fn decided(&self, now: Timestamp, recovered: Option<Timestamp>) -> Timestamp {
        self.recovered.or(recovered).map_or(now, |recovered| now.max(recovered.plus(Duration::from_millis(1))))
    }

    /// These are handed out.
    pub(super) fn hand_out(&mut self, choice: &Choice) {
        self.handed_to = choice.last_fresh().or(self.handed_to);
        self.gone.extend(choice.again.iter().map(|entry| entry.position()));
    }

    /// Where the endpoint's cursor is.
    fn cursor(&self, endpoint: &EndpointMemory) -> u64 {
        self.handed_to.unwrap_or(endpoint.cursor)
    }
}

/// What is handed out, oldest first each.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// From the queue: for the first time.
    pub(super) fresh: Vec<Entry>,
    /// What waited again.
    pub(super) again: Vec<Entry>,
    /// Whether there is more to be had.
    pub(super) more: bool,
}

impl Choice {
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.again.len()
    }

    pub(super) fn last_fresh(&self) -> Option<u64> {
        self.fresh.last().map(|entry| entry.position())
    }

    /// All positions, rising.
    pub(super) fn positions(&self) -> Vec<u64> {
        let mut positions: Vec<u64> = self.fresh.iter().chain(&self.again).map(|entry| entry.position()).collect();
        positions.sort_unstable();
        positions
    }

    /// The key of its page: that of what moves the cursor, or the next one at the place where the cursor stays.
    pub(super) fn page_at(
        &self,
        number: u32,
        endpoint: &EndpointMemory,
        staged: &Staged,
        pages: &impl ReadableTable<PageAt, &'static [u8]>,
    ) -> Result<PageAt, StoreError> {
        if let Some(last) = self.last_fresh() {
            return Ok((number, last, 0));
        }
        let cursor = staged.cursor(endpoint);
        let last = pages.range((number, cursor, 0)..=(number, cursor, u32::MAX)).map_err(storage)?.next_back();
        let last = last.transpose().map_err(storage)?.map_or(0, |(key, _)| key.value().2);
        Ok((number, cursor, last.saturating_add(1)))
    }
}

/// The oldest that may be handed out, at most `max`, and until their events reach `max_bytes`; nothing of an endpoint
/// that is held. Of the queue, what stands behind something withheld is withheld too: handed out past that, it would
/// count as expired.
pub(super) fn choose(
    endpoint: &EndpointMemory,
    staged: &Staged,
    max: usize,
    max_bytes: usize,
    (now, withheld_to): (Timestamp, Timestamp),
) -> Choice {
    if endpoint.held {
        return Choice::default();
    }
    let fresh = endpoint.queue.live_after(staged.handed_to, now);
    let mut fresh = fresh.take_while(|entry| entry.is_live(withheld_to)).peekable();
    let again = endpoint.again.live_after(None, now.max(withheld_to));
    let mut again = again.filter(|entry| !staged.gone.contains(&entry.position())).peekable();
    let mut choice = Choice::default();
    let mut bytes = 0;
    loop {
        let is_fresh = match (fresh.peek(), again.peek()) {
            (None, None) => break,
            (Some(first), Some(second)) => first.position() < second.position(),
            (first, _) => first.is_some(),
        };
        if choice.len() == max || (bytes >= max_bytes as u64 && choice.len() > 0) {
            choice.more = true;
            break;
        }
        let (from, into): (&mut dyn Iterator<Item = Entry>, _) =
            if is_fresh { (&mut fresh, &mut choice.fresh) } else { (&mut again, &mut choice.again) };
        for entry in from.take(1) {
            bytes += entry.size();
            into.push(entry);
        }
    }
    choice
}
