//! What time brings, in bounded steps: expiry, settling, and the end of the history.
//!
//! *Expiry* takes entries out of memory once the ledger's time is on disk, and writes nothing else: that a notification
//! has expired follows from its deadline. *Settling*
//! moves the point from which start reads: where all notifications of an event have ended, they are counted into
//! their endpoints' tallies. *The history* goes in runs from its old end; where `history_max` is exceeded, or where one
//! old notification keeps the settled point back, ended events behind that point lose their bodies too.

use hashbrown::HashMap;
use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};

use super::account;
use super::memory::{Memory, Removed};
use super::record::{self, Entrance, EventRow, Head, Meta, Tally};
use super::storage;
use super::tables::{ENDPOINTS, EVENTS, HEADS, PAGES, POLLED, SETTLED, TALLIES};
use super::writer::Writer;
use super::{append, take};
use crate::base::clock::Timestamp;
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

/// One step of all three.
pub(super) fn run(writer: &mut Writer) -> Result<Swept, StoreError> {
    let settings = writer.shared.options.settings.clone();
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
    let mut step = Step { keep, ..Step::default() };
    let shared = std::sync::Arc::clone(&writer.shared);
    let meta = writer.transaction("sweep", false, |write, meta, now| {
        let memory = shared.memory.read();
        step.file_heads(write, meta)?;
        step.settle(write, meta, &memory, now)?;
        step.end_history(write, meta, &memory, &settings, now)?;
        step.end_endpoints(write, meta, &memory)?;
        // It looks at every endpoint, so once in a sweep is enough: in its last step.
        if step.more { Ok(()) } else { step.end_pages(write, &memory) }
    })?;
    let mut memory = shared.memory.write();
    memory.looked_to = step.looked_to;
    for number in &step.gone {
        memory.removed.remove(number);
    }
    // The ledger's time is on disk: what has ended by it has ended for good.
    let (expired, left) = expire(&mut memory, Timestamp::from_millis(meta.ledger_time));
    append::forget(&mut memory, &settings, &meta);
    take::forget(&mut memory, &settings, &meta);
    // What was forgotten may have kept rows that can go now.
    Ok(Swept { expired, removed: step.removed, more: step.more || left || due })
}

/// Whether time has brought something to memory.
fn is_due(memory: &Memory, settings: &StoreSettings, now: Timestamp) -> bool {
    memory.endpoints.values().any(|e| e.queue.may_have_expired(now))
        || memory.identities.has_older(now.minus(settings.duplicate_window))
        || memory.page_keys.has_older(now.minus(settings.page_key_lifetime))
}

/// Takes expired entries out of the queues.
fn expire(memory: &mut Memory, now: Timestamp) -> (u64, bool) {
    let mut budget = EXPIRE_BUDGET;
    let (mut expired, mut more) = (0, false);
    for endpoint in memory.endpoints.values_mut() {
        let (dropped, left) = endpoint.queue.drop_expired(now, &mut budget);
        endpoint.ended.add(crate::model::notification::State::Expired, dropped as u64);
        expired += dropped as u64;
        more |= left;
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
        && has_ended(memory.meta.settled_to, &record::decode(row.value(), "an event's head")?, &memory, now)
    {
        return Ok(true);
    }
    if memory.removed.values().any(|r| r.at <= memory.meta.settled_to) || memory.meta.body_bytes > settings.history_max
    {
        return Ok(true);
    }
    let Some(first) = read.open_table(EVENTS).map_err(storage)?.first().map_err(storage)?.map(|(k, _)| k.value())
    else {
        return Ok(heads.first().map_err(storage)?.is_some_and(|(k, _)| k.value() < heads_end(None, &memory)));
    };
    let settled = read.open_table(SETTLED).map_err(storage)?;
    Ok(first < history_end(&settled, &memory, settings, now)?.min(keep)
        || lacks_checkpoint(&settled, memory.meta.settled_to, now)?
        || heads.first().map_err(storage)?.is_some_and(|(k, _)| k.value() < heads_end(Some(first), &memory)))
}

/// Whether all notifications of the event have ended.
fn has_ended(position: u64, head: &Head, memory: &Memory, now: Timestamp) -> bool {
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
#[derive(Default)]
struct Step {
    /// Bodies at or behind this position stay.
    keep: u64,
    /// Where the next step looks on for ended events behind the settled point; 0: from its front.
    looked_to: u64,
    removed: u64,
    more: bool,
    /// Removed endpoints that nothing is left of.
    gone: Vec<u32>,
}

/// What is counted of one endpoint while settling.
#[derive(Default)]
struct Counted {
    created: u64,
    failed: u64,
    cancelled: u64,
}

impl Step {
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
        let mut counted: HashMap<u32, Counted> = HashMap::new();
        let heads = write.open_table(HEADS).map_err(storage)?;
        let (mut rows, mut targets) = (0, 0);
        for row in heads.range(from..).map_err(storage)? {
            let (position, row) = row.map_err(storage)?;
            let position = position.value();
            let head: Head = record::decode(row.value(), "an event's head")?;
            if !has_ended(position, &head, memory, now) {
                break;
            }
            if rows >= ROWS || targets >= TARGETS {
                self.more = true;
                break;
            }
            rows += 1;
            targets += count(position, &head, memory, &mut counted);
            meta.settled_to = position + 1;
            meta.settled_accepted += 1;
            meta.settled_matched += u64::from(head.matched > 0);
        }
        if meta.settled_to > from {
            write_tallies(write, &counted, from, meta.settled_to)?;
        }
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
        self.remove_bodies(&mut bodies, meta, end, u64::MAX)?;
        self.looked_to = memory.looked_to;
        if meta.body_bytes > settings.history_max {
            let surplus = meta.body_bytes - settings.history_max;
            self.remove_bodies(&mut bodies, meta, meta.settled_to.min(self.keep), surplus)?;
            if meta.body_bytes > settings.history_max {
                self.remove_inside(write, &mut bodies, meta, memory, settings, now)?;
            }
        }
        let first_body = bodies.first().map_err(storage)?.map(|(k, _)| k.value());
        let end = heads_end(first_body, memory).min(meta.settled_to);
        let mut heads = write.open_table(HEADS).map_err(storage)?;
        let removed = remove_run(&mut heads, end)?;
        self.more |= removed == ROWS;
        settled.retain_in(..end, |_, _| false).map_err(storage)?;
        Ok(())
    }

    /// Removes the oldest bodies before `end`, at most `surplus` bytes of them (and the one that reaches it).
    fn remove_bodies(
        &mut self,
        bodies: &mut Table<'_, u64, &'static [u8]>,
        meta: &mut Meta,
        end: u64,
        surplus: u64,
    ) -> Result<(), StoreError> {
        let (mut rows, mut bytes, mut last) = (0, 0, None);
        for row in bodies.range(..end).map_err(storage)? {
            let (position, body) = row.map_err(storage)?;
            if rows == ROWS {
                self.more = true;
                break;
            }
            if bytes >= surplus {
                break;
            }
            rows += 1;
            bytes += body_len(body.value())?;
            last = Some(position.value());
        }
        if let Some(last) = last {
            bodies.retain_in(..=last, |_, _| false).map_err(storage)?;
            self.removed += rows as u64;
            meta.body_bytes -= bytes;
        }
        Ok(())
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
            let head: Head = record::decode(row.value(), "an event's head")?;
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

    /// Removes pages of which no event is left, but never an endpoint's last: it is its cursor.
    fn end_pages(&mut self, write: &WriteTransaction, memory: &Memory) -> Result<(), StoreError> {
        let heads = write.open_table(HEADS).map_err(storage)?;
        let first = heads.first().map_err(storage)?.map_or(memory.meta.settled_to, |(k, _)| k.value());
        let first = first.min(self.keep);
        let mut pages = write.open_table(PAGES).map_err(storage)?;
        let mut left = ROWS;
        for (number, endpoint) in &memory.endpoints {
            left -= remove_pages(&mut pages, *number, first.min(endpoint.cursor), left)?;
            if left == 0 {
                self.more = true;
                break;
            }
        }
        Ok(())
    }

    /// Removed endpoints whose notifications are all settled: their tallies are added up and their rows go.
    fn end_endpoints(&mut self, write: &WriteTransaction, meta: &mut Meta, memory: &Memory) -> Result<(), StoreError> {
        let done = memory.removed.iter().filter(|(_, r)| r.at <= meta.settled_to).map(|(n, _)| *n);
        let done: Vec<u32> = done.take(ENDPOINTS_AT_ONCE).collect();
        if done.is_empty() {
            return Ok(());
        }
        self.more |= done.len() == ENDPOINTS_AT_ONCE;
        let mut endpoints = write.open_table(ENDPOINTS).map_err(storage)?;
        let mut tallies = write.open_table(TALLIES).map_err(storage)?;
        let mut pages = write.open_table(PAGES).map_err(storage)?;
        let mut polled = write.open_table(POLLED).map_err(storage)?;
        let mut left = ROWS;
        for number in done {
            left -= remove_pages(&mut pages, number, u64::MAX, left)?;
            if left == 0 {
                // There may be more of its pages: the next step finds out.
                self.more = true;
                break;
            }
            polled.remove(number).map_err(storage)?;
            let tally = tallies.remove(number).map_err(storage)?;
            let tally: Tally = tally.map(|row| record::decode(row.value(), "a tally")).transpose()?.unwrap_or_default();
            if let Some(row) = endpoints.remove(number).map_err(storage)? {
                let row: record::EndpointRow = record::decode(row.value(), "an endpoint")?;
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
    let row: EventRow<'_> = record::decode(row, "an event's row")?;
    Ok(row.body.len() as u64)
}

/// Counts the notifications of an ended event; answers how many there are.
fn count(position: u64, head: &Head, memory: &Memory, counted: &mut HashMap<u32, Counted>) -> usize {
    let mut targets = 0;
    for group in &head.groups {
        for number in group.endpoints() {
            targets += 1;
            let counted = counted.entry(number).or_default();
            counted.created += 1;
            if group.entrance == Entrance::QueueFull {
                counted.failed += 1;
            } else if let Some(Removed { time, cursor, .. }) = memory.removed.get(&number)
                && position > *cursor
                && group.deadline() > *time
            {
                counted.cancelled += 1;
            }
        }
    }
    targets
}

/// Adds what was counted in `from..to` to the tallies.
fn write_tallies(
    write: &WriteTransaction,
    counted: &HashMap<u32, Counted>,
    from: u64,
    to: u64,
) -> Result<(), StoreError> {
    let pages = write.open_table(PAGES).map_err(storage)?;
    let mut tallies = write.open_table(TALLIES).map_err(storage)?;
    for (number, Counted { created, failed, cancelled }) in counted {
        let consumed = account::taken_in(&pages, *number, from, to)?;
        let expired = created.checked_sub(failed + cancelled + consumed).ok_or_else(|| StoreError::Corrupt {
            detail: format!("endpoint {number}: more notifications were taken before position {to} than made"),
        })?;
        let mut tally: Tally = match tallies.get(*number).map_err(storage)? {
            Some(row) => record::decode(row.value(), "a tally")?,
            None => Tally::default(),
        };
        let (failed, cancelled) = (*failed, *cancelled);
        tally.merge(&Tally { created: *created, delivered: 0, consumed, failed, expired, cancelled });
        tallies.insert(*number, record::encode(&tally).as_slice()).map_err(storage)?;
    }
    Ok(())
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

/// Removes the first rows before `end`, at most [`ROWS`]; answers how many.
fn remove_run(table: &mut Table<'_, u64, &'static [u8]>, end: u64) -> Result<usize, StoreError> {
    let mut last = None;
    let mut rows = 0;
    for row in table.range(..end).map_err(storage)?.take(ROWS) {
        last = Some(row.map_err(storage)?.0.value());
        rows += 1;
    }
    if let Some(last) = last {
        table.retain_in(..=last, |_, _| false).map_err(storage)?;
    }
    Ok(rows)
}

/// Removes the endpoint's first pages before `end`, at most `most`; answers how many.
fn remove_pages(
    pages: &mut Table<'_, (u32, u64), &'static [u8]>,
    number: u32,
    end: u64,
    most: usize,
) -> Result<usize, StoreError> {
    let mut last = None;
    let mut rows = 0;
    for row in pages.range((number, 0)..(number, end)).map_err(storage)?.take(most) {
        last = Some(row.map_err(storage)?.0.value());
        rows += 1;
    }
    if let Some(last) = last {
        pages.retain_in((number, 0)..=last, |_, _| false).map_err(storage)?;
    }
    Ok(rows)
}
