//! What time brings, in bounded steps: the ends of leases, expiry, settling, and the end of the history.
//!
//! *Leases* that have ended are released, and what time has ended with them is written down ([`super::lapse`]).
//! *Expiry* takes entries out of memory once the ledger's time is on disk, and writes nothing else: that a notification
//! has expired follows from its deadline. *Settling* moves the point from which start reads: where all notifications of an event have ended, they are counted into
//! their endpoints' tallies. *The history* goes in runs from its old end; where `history_max` is exceeded, or where one
//! old notification keeps the settled point back, ended events behind that point lose their bodies too. What is open
//! again below the settled point keeps its own event, and nothing behind it.

use std::ops::Range;

use redb::{Key, ReadableDatabase, ReadableTable, Table, Value, WriteTransaction};

use super::courses::Attempts;
use super::erase::{self, Erased};
use super::lapse::{self, Lapsed};
use super::memory::Memory;
use super::record::{self, Entrance, EventRow, Head, Meta, PageRow, Tally};
use super::tables::{
    ATTEMPTS, ENDPOINTS, ERASING, EVENTS, HEADS, OUTCOMES, PAGES, POLLED, PageAt, REPEATS, SETTLED, STANDINGS, TALLIES,
};
use super::writer::{RELEASED_AT_ONCE, Writer};
use super::{append, settle, storage, take};
use crate::base::clock::Timestamp;
use crate::model::notification::State;
use crate::store::{StoreError, StoreSettings, Swept};

/// Queue entries looked at in one step.
const EXPIRE_BUDGET: usize = 200_000;

/// Rows looked at or removed, and notifications counted, in one transaction.
const ROWS: usize = 4096;
const TARGETS: usize = 100_000;

/// Rows behind the settled point that are looked at in one step for bodies to remove.
const LOOKED_AT: usize = 2 * ROWS;

/// Removed endpoints that are ended in one transaction.
const ENDPOINTS_AT_ONCE: usize = 64;

/// How far apart the rows of SETTLED are: an event's history ends up to that much later.
const CHECKPOINT_MILLIS: i64 = 60_000;

/// One step of all of it.
pub(super) fn run(writer: &mut Writer) -> Result<Swept, StoreError> {
    let settings = StoreSettings::clone(&writer.shared.settings.load());
    let now = writer.shared.time.look();
    if writer.shared.time.has_regained() {
        // What was withheld may be handed out.
        writer.shared.memory.read().endpoints.values().for_each(|e| e.arrival.notify_waiters());
    }
    let keep = kept_from(writer);
    let due = is_due(&writer.shared.memory.read(), &settings, now);
    if !due && !has_work(writer, &settings, keep, now)? {
        return Ok(Swept::default());
    }
    let mut step = Step::new(keep, &writer.shared.memory.read());
    let shared = std::sync::Arc::clone(&writer.shared);
    let meta = writer.transaction("sweep", false, |write, meta, now| {
        let _alone = shared.at_work.lock();
        let memory = shared.memory.read();
        step.file_heads(write, meta)?;
        step.lapsed = lapse::run(write, meta, &memory, ROWS)?;
        step.more |= step.lapsed.more;
        step.erased = erase::run(write, meta, &memory)?;
        step.settle(write, meta, &memory, now)?;
        step.end_history(write, meta, &memory, &settings, now)?;
        step.end_endpoints(write, meta, &memory)?;
        // It looks at every endpoint, so once in a sweep is enough: in its last step.
        if step.more { Ok(()) } else { step.end_courses(write, meta, &memory) }
    })?;
    let mut memory = shared.memory.write();
    memory.looked_to = step.looked_to;
    (memory.bodies_from, memory.heads_from) = (step.bodies_from, step.heads_from);
    step.lapsed.apply(&mut memory);
    step.erased.apply(&mut memory);
    for number in &step.gone {
        memory.removed.remove(number);
        memory.erasing.remove(number);
    }
    // The ledger's time is on disk: what has ended by it has ended for good.
    let now = Timestamp::from_millis(meta.ledger_time);
    let released = memory.release(now, RELEASED_AT_ONCE);
    let (expired, left) = expire(&mut memory, now);
    append::forget(&mut memory, &settings, &meta);
    take::forget(&mut memory, &settings, &meta);
    // What was forgotten may have kept rows that can go now.
    let more = step.more || left || due || lapse::is_due(&memory);
    let erasing = erase::is_due(&memory);
    Ok(Swept { expired: released + expired, removed: step.removed, more: more || erasing, erasing })
}

/// Whether time has brought something to memory.
fn is_due(memory: &Memory, settings: &StoreSettings, now: Timestamp) -> bool {
    memory.has_ended_leases(now)
        || memory.endpoints.values().any(|e| e.queue.may_have_expired(now) || e.again.may_have_expired(now))
        || memory.identities.has_older(now.minus(settings.identities_kept_for()))
        || erase::is_due(memory)
        || memory.page_keys.has_older(now.minus(settings.page_key_lifetime))
}

/// Takes expired entries out of the queues.
fn expire(memory: &mut Memory, now: Timestamp) -> (u64, bool) {
    let mut budget = EXPIRE_BUDGET;
    let (mut expired, mut more) = (0, false);
    for (number, endpoint) in &mut memory.endpoints {
        let (dropped, left) = endpoint.queue.drop_expired(now, &mut budget, |_| {});
        let (push, ended, mut once_delivered) = (&mut endpoint.push, &mut endpoint.ended, 0);
        let (lapsed, left_again) = endpoint.again.drop_expired(now, &mut budget, |position| {
            memory.lapsed.insert((*number, position));
            let state = push.as_mut().map_or(State::Expired, |push| push.end(position, State::Expired));
            if state != State::Expired {
                ended.add(state, 1);
                once_delivered += 1;
            }
        });
        ended.add(State::Expired, (dropped + lapsed - once_delivered) as u64);
        expired += (dropped + lapsed) as u64;
        more |= left || left_again;
    }
    memory.queued -= expired;
    (expired, more)
}

/// Whether a transaction would change anything.
fn has_work(writer: &Writer, settings: &StoreSettings, keep: u64, now: Timestamp) -> Result<bool, StoreError> {
    let shared = &writer.shared;
    let read = shared.database()?.begin_read().map_err(storage)?;
    let memory = shared.memory.read();
    if memory.meta.filed_to < memory.meta.next_position || memory.meta.clock_doubted != shared.time.is_doubted() {
        return Ok(true);
    }
    let heads = read.open_table(HEADS).map_err(storage)?;
    if let Some(row) = heads.get(memory.meta.settled_to).map_err(storage)?
        && has_ended(memory.meta.settled_to, &Head::decode(row.value())?, &memory, now)
    {
        return Ok(true);
    }
    if lapse::is_due(&memory)
        || memory.removed.values().any(|r| r.at <= memory.meta.history_from)
        || memory.meta.body_bytes > settings.history_max
    {
        return Ok(true);
    }
    let first_head = first_from(&heads, memory.heads_from)?;
    let Some(first) = first_from(&read.open_table(EVENTS).map_err(storage)?, memory.bodies_from)? else {
        return Ok(first_head.is_some_and(|first| first < heads_end(None, &memory)));
    };
    let settled = read.open_table(SETTLED).map_err(storage)?;
    Ok(first < history_end(&settled, &memory, settings, now)?.min(keep)
        || lacks_checkpoint(&settled, memory.meta.settled_to, now)?
        || first_head.is_some_and(|head| head < heads_end(Some(first), &memory)))
}

/// The first position at or behind `from` that has a row.
fn first_from(table: &impl ReadableTable<u64, &'static [u8]>, from: u64) -> Result<Option<u64>, StoreError> {
    let first = table.range(from..).map_err(storage)?.next();
    Ok(first.transpose().map_err(storage)?.map(|(position, _)| position.value()))
}

/// Whether all notifications of the event have ended, and what has a row of its own says so.
fn has_ended(position: u64, head: &Head, memory: &Memory, now: Timestamp) -> bool {
    if memory.open.contains_key(&position) {
        return false;
    }
    head.groups
        .iter()
        .filter(|g| g.entrance == Entrance::Queued && g.deadline() > now)
        .all(|group| group.endpoints().all(|endpoint| !memory.waits(endpoint, position, now)))
}

/// The position up to which bodies have ended for as long as the history.
fn history_end(
    settled: &impl ReadableTable<u64, i64>,
    memory: &Memory,
    settings: &StoreSettings,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let since = now.minus(settings.history).as_millis();
    let mut end = if settings.history.is_zero() { memory.meta.settled_to } else { 0 };
    for row in settled.iter().map_err(storage)? {
        let (position, at) = row.map_err(storage)?;
        if at.value() > since {
            break;
        }
        end = end.max(position.value());
    }
    Ok(end.min(memory.meta.settled_to))
}

/// The position up to which heads may go: settled, without a body, and their identities forgotten.
fn heads_end(first_body: Option<u64>, memory: &Memory) -> u64 {
    let identity = memory.identities.oldest_position().unwrap_or(u64::MAX);
    memory.meta.settled_to.min(first_body.unwrap_or(u64::MAX)).min(identity)
}

/// The first position of any page that is kept for its key or being read. Only the writer adds such a page, so it
/// holds for the whole step.
fn kept_from(writer: &Writer) -> u64 {
    let unread = writer.shared.unread.lock().first_key_value().map(|(first, _)| *first);
    let kept = writer.shared.memory.read().page_keys.first_position();
    unread.into_iter().chain(kept).min().unwrap_or(u64::MAX)
}

/// What a step has done.
struct Step {
    /// Bodies at or behind this position stay.
    keep: u64,
    /// Below these only what is open has a body or a head.
    bodies_from: u64,
    heads_from: u64,
    lapsed: Lapsed,
    erased: Erased,
    /// Where the next step looks on for ended events behind the settled point; 0: from its front.
    looked_to: u64,
    removed: u64,
    more: bool,
    /// Removed endpoints that nothing is left of.
    gone: Vec<u32>,
}

impl Step {
    fn new(keep: u64, memory: &Memory) -> Self {
        Self {
            keep,
            bodies_from: memory.bodies_from,
            heads_from: memory.heads_from,
            lapsed: Lapsed::default(),
            erased: Erased::default(),
            looked_to: 0,
            removed: 0,
            more: false,
            gone: Vec::new(),
        }
    }

    /// Files the heads of new events, so that start finds them without the bodies.
    fn file_heads(&mut self, write: &WriteTransaction, meta: &mut Meta) -> Result<(), StoreError> {
        let events = write.open_table(EVENTS).map_err(storage)?;
        let mut heads = write.open_table(HEADS).map_err(storage)?;
        for row in events.range(meta.filed_to..).map_err(storage)?.take(ROWS) {
            let (position, row) = row.map_err(storage)?;
            let (head, _) = record::split_head(row.value())?;
            heads.insert(position.value(), head).map_err(storage)?;
            meta.filed_to = position.value() + 1;
        }
        self.more |= meta.filed_to < meta.next_position;
        Ok(())
    }

    /// Moves the settled point over events that have ended.
    fn settle(
        &mut self,
        write: &WriteTransaction,
        meta: &mut Meta,
        memory: &Memory,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let from = meta.settled_to;
        let mut ended = Vec::new();
        let mut targets = 0;
        let heads = write.open_table(HEADS).map_err(storage)?;
        for row in heads.range(from..).map_err(storage)? {
            let (position, row) = row.map_err(storage)?;
            let position = position.value();
            let head = Head::decode(row.value())?;
            if !has_ended(position, &head, memory, now) {
                break;
            }
            if ended.len() >= ROWS || targets >= TARGETS {
                self.more = true;
                break;
            }
            targets += head.groups.iter().map(|g| g.endpoints.len()).sum::<usize>();
            meta.settled_to = position + 1;
            meta.settled_accepted += 1;
            meta.settled_matched += u64::from(head.matched > 0);
            ended.push((position, head));
        }
        drop(heads);
        settle::count(write, &ended, memory, from..meta.settled_to)?;
        checkpoint(write, meta.settled_to, now)
    }

    /// Removes bodies and heads that the history has passed.
    fn end_history(
        &mut self,
        write: &WriteTransaction,
        meta: &mut Meta,
        memory: &Memory,
        settings: &StoreSettings,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut bodies = write.open_table(EVENTS).map_err(storage)?;
        let mut settled = write.open_table(SETTLED).map_err(storage)?;
        let end = history_end(&settled, memory, settings, now)?.min(self.keep);
        self.remove_bodies(&mut bodies, meta, memory, end, u64::MAX)?;
        self.looked_to = memory.looked_to;
        if meta.body_bytes > settings.history_max {
            let surplus = meta.body_bytes - settings.history_max;
            self.remove_bodies(&mut bodies, meta, memory, meta.settled_to.min(self.keep), surplus)?;
            if meta.body_bytes > settings.history_max {
                self.remove_inside(write, &mut bodies, meta, memory, settings, now)?;
            }
        }
        let first_body = first_from(&bodies, self.bodies_from)?;
        let end = heads_end(first_body, memory).min(meta.settled_to);
        self.remove_heads(&mut write.open_table(HEADS).map_err(storage)?, memory, end)?;
        settled.retain_in(..end, |_, _| false).map_err(storage)?;
        let mut repeats = write.open_table(REPEATS).map_err(storage)?;
        repeats.retain_in(..self.heads_from, |position, _| memory.open.contains_key(&position)).map_err(storage)?;
        Ok(())
    }

    /// Removes the oldest bodies before `end`, at most `surplus` bytes of them (and the one that reaches it). What is
    /// open keeps its own.
    fn remove_bodies(
        &mut self,
        bodies: &mut Table<'_, u64, &'static [u8]>,
        meta: &mut Meta,
        memory: &Memory,
        end: u64,
        surplus: u64,
    ) -> Result<(), StoreError> {
        let from = self.bodies_from;
        let (mut rows, mut removed, mut bytes) = (0, 0, 0);
        for row in bodies.range(from..end.max(from)).map_err(storage)? {
            let (position, body) = row.map_err(storage)?;
            if rows == ROWS {
                self.more = true;
                break;
            }
            if bytes >= surplus {
                break;
            }
            rows += 1;
            self.bodies_from = position.value() + 1;
            if !memory.open.contains_key(&position.value()) {
                removed += 1;
                bytes += body_len(body.value())?;
            }
        }
        remove_but_open(bodies, from..self.bodies_from, memory)?;
        self.removed += removed;
        meta.body_bytes -= bytes;
        Ok(())
    }

    /// Removes the first heads before `end`. What is open keeps its own.
    fn remove_heads(
        &mut self,
        heads: &mut Table<'_, u64, &'static [u8]>,
        memory: &Memory,
        end: u64,
    ) -> Result<(), StoreError> {
        let from = self.heads_from;
        let mut rows = 0;
        for row in heads.range(from..end.max(from)).map_err(storage)?.take(ROWS) {
            self.heads_from = row.map_err(storage)?.0.value() + 1;
            rows += 1;
        }
        self.more |= rows == ROWS;
        remove_but_open(heads, from..self.heads_from, memory)
    }

    /// Removes bodies of ended events behind the settled point, which an older waiting one keeps back. What waits may
    /// be millions: each step looks at some of it and the next one goes on there.
    fn remove_inside(
        &mut self,
        write: &WriteTransaction,
        bodies: &mut Table<'_, u64, &'static [u8]>,
        meta: &mut Meta,
        memory: &Memory,
        settings: &StoreSettings,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let heads = write.open_table(HEADS).map_err(storage)?;
        let from = memory.looked_to.max(meta.settled_to);
        let (before, mut rows, mut targets) = (self.removed, 0, 0);
        self.looked_to = 0;
        for row in heads.range(from..self.keep.max(from)).map_err(storage)? {
            let (position, row) = row.map_err(storage)?;
            let position = position.value();
            if rows == LOOKED_AT || targets >= TARGETS || meta.body_bytes <= settings.history_max {
                self.looked_to = position;
                break;
            }
            let head = Head::decode(row.value())?;
            rows += 1;
            targets += head.groups.iter().map(|g| g.endpoints.len()).sum::<usize>();
            if has_ended(position, &head, memory, now)
                && let Some(body) = bodies.remove(position).map_err(storage)?
            {
                meta.body_bytes -= body_len(body.value())?;
                self.removed += 1;
            }
        }
        // Where nothing was found there is no hurry: going on at once would only turn over what waits.
        self.more |= self.removed > before && meta.body_bytes > settings.history_max;
        Ok(())
    }

    /// Removes what is known of single notifications and of pages of which no event is left.
    fn end_courses(&mut self, write: &WriteTransaction, meta: &mut Meta, memory: &Memory) -> Result<(), StoreError> {
        let heads = write.open_table(HEADS).map_err(storage)?;
        let first = first_from(&heads, self.heads_from)?.unwrap_or(meta.settled_to).min(meta.settled_to);
        let first = first.min(self.keep);
        meta.history_from = meta.history_from.max(first);
        let (mut left, mut removed) = (ROWS, false);
        let mut pages = write.open_table(PAGES).map_err(storage)?;
        for (number, endpoint) in &memory.endpoints {
            let (rows, some) = remove_pages(&mut pages, *number, first, endpoint.cursor, left)?;
            left -= rows;
            removed |= some;
        }
        let mut outcomes = write.open_table(OUTCOMES).map_err(storage)?;
        let mut attempts = write.open_table(ATTEMPTS).map_err(storage)?;
        for number in memory.endpoints.keys().chain(memory.removed.keys()) {
            let rows = remove_first(&mut outcomes, (*number, 0)..(*number, first), left)?;
            left -= rows;
            removed |= rows > 0;
            let (rows, some) = remove_attempts(&mut attempts, *number, first, memory, left)?;
            left -= rows;
            removed |= some;
        }
        // What stays is no reason to hurry.
        self.more |= left == 0 && removed;
        Ok(())
    }

    /// Removed endpoints of whose notifications the history tells no more: their tallies are added up and their rows go.
    fn end_endpoints(&mut self, write: &WriteTransaction, meta: &mut Meta, memory: &Memory) -> Result<(), StoreError> {
        let done = memory.removed.iter().filter(|(_, r)| !r.open && r.at <= meta.history_from).map(|(n, _)| *n);
        let done: Vec<u32> = done.take(ENDPOINTS_AT_ONCE).collect();
        if done.is_empty() {
            return Ok(());
        }
        self.more |= done.len() == ENDPOINTS_AT_ONCE;
        let mut endpoints = write.open_table(ENDPOINTS).map_err(storage)?;
        let mut tallies = write.open_table(TALLIES).map_err(storage)?;
        let mut pages = write.open_table(PAGES).map_err(storage)?;
        let mut outcomes = write.open_table(OUTCOMES).map_err(storage)?;
        let mut attempts = write.open_table(ATTEMPTS).map_err(storage)?;
        let mut standings = write.open_table(STANDINGS).map_err(storage)?;
        let mut polled = write.open_table(POLLED).map_err(storage)?;
        let mut erasing = write.open_table(ERASING).map_err(storage)?;
        let mut left = ROWS;
        for number in done {
            left -= remove_first(&mut pages, (number, 0, 0)..(number, u64::MAX, u32::MAX), left)?;
            left -= remove_first(&mut outcomes, (number, 0)..(number, u64::MAX), left)?;
            left -= remove_first(&mut attempts, (number, 0, 0)..(number, u64::MAX, u32::MAX), left)?;
            if left == 0 {
                // There may be more of it: the next step finds out.
                self.more = true;
                break;
            }
            polled.remove(number).map_err(storage)?;
            erasing.remove(number).map_err(storage)?;
            standings.remove(number).map_err(storage)?;
            let tally = tallies.remove(number).map_err(storage)?;
            let tally: Tally = tally.map(|row| record::decode(row.value(), "a tally")).transpose()?.unwrap_or_default();
            if let Some(row) = endpoints.remove(number).map_err(storage)? {
                let row = record::EndpointRow::decode(row.value())?;
                if let Some(gone) = meta.gone.get_mut(usize::from(row.kind)) {
                    gone.merge(&tally);
                }
            }
            self.gone.push(number);
        }
        Ok(())
    }
}

/// Bytes of the body in an event's row.
fn body_len(row: &[u8]) -> Result<u64, StoreError> {
    let row = EventRow::decode(row)?;
    Ok(row.body.len() as u64)
}

/// Notes that everything before `position` had ended at `now`.
fn checkpoint(write: &WriteTransaction, position: u64, now: Timestamp) -> Result<(), StoreError> {
    let mut settled = write.open_table(SETTLED).map_err(storage)?;
    if lacks_checkpoint(&settled, position, now)? {
        settled.insert(position, now.as_millis()).map_err(storage)?;
    }
    Ok(())
}

/// Whether it is time to note that everything before `position` has ended, and that has not been noted.
fn lacks_checkpoint(settled: &impl ReadableTable<u64, i64>, position: u64, now: Timestamp) -> Result<bool, StoreError> {
    let last = settled.last().map_err(storage)?.map(|(position, at)| (position.value(), at.value()));
    Ok(last.is_none_or(|(noted, at)| noted < position && now.as_millis() - at >= CHECKPOINT_MILLIS))
}

/// Removes the rows in `positions`, but not those of what is open.
fn remove_but_open(
    table: &mut Table<'_, u64, &'static [u8]>,
    positions: Range<u64>,
    memory: &Memory,
) -> Result<(), StoreError> {
    table.retain_in(positions, |position, _| memory.open.contains_key(&position)).map_err(storage)
}

/// Removes the endpoint's pages that hold nothing at or behind `end`, but never the one that is its cursor; looks at
/// `most` of them and answers how many that was, and whether any was removed.
fn remove_pages(
    pages: &mut Table<'_, PageAt, &'static [u8]>,
    number: u32,
    end: u64,
    cursor: u64,
    most: usize,
) -> Result<(usize, bool), StoreError> {
    let before = (number, 0, 0)..(number, end.min(cursor), 0);
    // Those that did not move the cursor may go, but for the last one: the number of the next follows from it.
    let last = pages.range((number, cursor, 1)..(number, cursor, u32::MAX)).map_err(storage)?.next_back();
    let last = last.transpose().map_err(storage)?.filter(|_| cursor < end).map(|(key, _)| key.value());
    let there = (number, cursor, 1)..last.unwrap_or((number, cursor, 1));
    let (mut rows, mut over) = (0, Vec::new());
    for keys in [before, there] {
        for row in pages.range(keys).map_err(storage)?.take(most - rows) {
            let (key, row) = row.map_err(storage)?;
            rows += 1;
            // What was put back ahead of the cursor is behind what its page moved it to.
            if record::decode::<PageRow>(row.value(), "a page")?.last() < end {
                over.push(key.value());
            }
        }
    }
    for key in &over {
        pages.remove(key).map_err(storage)?;
    }
    Ok((rows, !over.is_empty()))
}

/// Removes the endpoint's attempts of events before `end`, but not those of what is open; looks at `most` of them and
/// answers how many that was, and whether any was removed.
fn remove_attempts(
    attempts: &mut Attempts<'_>,
    number: u32,
    end: u64,
    memory: &Memory,
    most: usize,
) -> Result<(usize, bool), StoreError> {
    let (mut rows, mut over) = (0, Vec::new());
    let mut from = (number, 0, 0);
    while rows < most {
        let next = attempts.range(from..(number, end, 0)).map_err(storage)?.next();
        let Some((key, _)) = next.transpose().map_err(storage)? else { break };
        let (_, position, attempt) = key.value();
        rows += 1;
        from = if memory.open.contains_key(&position) {
            (number, position + 1, 0)
        } else {
            over.push(key.value());
            (number, position, attempt + 1)
        };
    }
    for key in &over {
        attempts.remove(*key).map_err(storage)?;
    }
    Ok((rows, !over.is_empty()))
}

/// Removes the first rows in `keys`, at most `most`; answers how many.
fn remove_first<K: Key + Copy + for<'a> Value<SelfType<'a> = K> + 'static>(
    table: &mut Table<'_, K, &'static [u8]>,
    keys: Range<K>,
    most: usize,
) -> Result<usize, StoreError> {
    let (mut last, mut rows) = (None, 0);
    for row in table.range(keys.start..keys.end).map_err(storage)?.take(most) {
        last = Some(row.map_err(storage)?.0.value());
        rows += 1;
    }
    if let Some(last) = last {
        table.retain_in(keys.start..=last, |_, _| false).map_err(storage)?;
    }
    Ok(rows)
}
