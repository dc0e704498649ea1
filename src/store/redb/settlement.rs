//! What attempts have brought, within a group (see [`crate::store::Store::settle`]).
//!
//! What is tried again has a row in OPEN that says when; what has ended has one in OUTCOMES with the attempt that it ended
//! with; each other attempt has one in ATTEMPTS. An attempt that is settled after its claim was forgotten (the file was opened anew, or somebody put the
//! notification back) counts all the same, as long as the notification has not ended.

use super::attempt_row::AttemptRow;
use super::course::{DEADLINE, DELIVERED, OpenRow, Past, cut};
use super::courses::CourseKey;
use super::hand::{Overlay, Staged};
use super::memory::Memory;
use super::push::InFlight;
use super::queue::Entry;
use super::record::{self, Meta};
use super::standing_row::StandingRow;
use super::storage;
use super::writer::GroupTables;
use crate::base::clock::Timestamp;
use crate::model::id::EndpointNumber;
use crate::model::notification::State;
use crate::store::{Settle, Settled, Settlement, Standing, StoreError};

/// What a settlement has come to, and is in the transaction.
#[derive(Debug)]
pub(super) struct Done {
    key: CourseKey,
    now: Timestamp,
    /// When it was decided, as far as recoveries go.
    decided: Timestamp,
    pub(super) settled: Settled,
    /// What has become of it, unless it had ended before.
    course: Option<Course>,
    standing: Option<Standing>,
}

/// What has become of a notification.
#[derive(Clone, Copy, Debug)]
struct Course {
    entry: Entry,
    /// Whether it had a row of an open one.
    was_open: bool,
    /// Until when it waits; `None`: it has ended.
    due: Option<Timestamp>,
}

/// Where a notification is that memory knows and that has not ended, as far as the group has come. What time has ended
/// and nobody has claimed stays ended.
fn find(memory: &Memory, staged: &Staged, (number, position): CourseKey, now: Timestamp) -> Option<InFlight> {
    let endpoint = memory.endpoints.get(&number).filter(|_| !staged.is_gone(position))?;
    if let Some(entry) = staged.waits(position) {
        return Some(InFlight { entry, open: true });
    }
    let waiting = || {
        let (again, queue) = (endpoint.again.get(position), endpoint.queue.get(position));
        let open = again.is_some();
        again.or(queue).filter(|entry| entry.is_live(now)).map(|entry| InFlight { entry, open })
    };
    endpoint.push.as_ref()?.claimed(position).or_else(waiting)
}

/// Settles an attempt. The inner error is the caller's own and nothing was written for it.
pub(super) fn run(
    settlement: &Settlement,
    overlay: &mut Overlay,
    memory: &Memory,
    tables: &mut GroupTables<'_>,
    meta: &Meta,
) -> Result<Result<Done, StoreError>, StoreError> {
    let key = (settlement.endpoint.0, settlement.notification.parts().position.get());
    let now = Timestamp::from_millis(meta.ledger_time);
    let staged = overlay.of(key.0);
    let is_sent_to = memory.is_sent_to(key.0);
    let standing = settlement.standing.clone().filter(|_| is_sent_to);
    let decided = staged.decided(now, memory.recovered(key.0));
    let mut done = Done { key, now, decided, settled: Settled::Gone, course: None, standing };
    let found = find(memory, staged, key, now);
    let row = match open_row(found, key, tables) {
        Ok(row) => row,
        Err(error) => return super::own(Err(error)),
    };
    match found.zip(row) {
        Some((found, row)) => settle(settlement, found, row, staged, tables, meta, &mut done)?,
        None if is_sent_to || memory.removed.contains_key(&key.0) => match keep_late(settlement, key, memory, tables) {
            Ok(()) => {}
            Err(error) => return super::own(Err(error)),
        },
        None => {}
    }
    if let Some(standing) = &done.standing {
        staged.stand(standing);
        tables.keep_standing(key.0, standing)?;
    }
    Ok(Ok(done))
}

/// The row of what was found, or a new one.
fn open_row(
    found: Option<InFlight>,
    key: CourseKey,
    tables: &mut GroupTables<'_>,
) -> Result<Option<OpenRow>, StoreError> {
    let Some(InFlight { entry, open }) = found else { return Ok(None) };
    let row = if open { tables.courses.open_row(key)? } else { None };
    Ok(Some(row.unwrap_or_else(|| OpenRow::new(entry.deadline(), entry.size(), Past::default()))))
}

/// Writes the attempt and what becomes of a notification that has not ended.
fn settle(
    settlement: &Settlement,
    InFlight { entry, open: was_open }: InFlight,
    mut row: OpenRow,
    staged: &mut Staged,
    tables: &mut GroupTables<'_>,
    meta: &Meta,
    done: &mut Done,
) -> Result<(), StoreError> {
    let (key, now) = (done.key, done.now);
    let courses = &mut tables.courses;
    // After it had ended in an earlier round, attempts may have been kept that its row has not counted.
    let kept = if was_open { courses.last_attempt(key)? } else { 0 };
    let number = row.past.attempts.max(kept).saturating_add(1);
    row.past.attempts = number;
    let attempt = AttemptRow::new(&settlement.attempt);
    let mut course = Course { entry, was_open, due: None };
    let (state, reason) = match &settlement.verdict {
        Settle::Delivered => (State::Delivered, DELIVERED),
        Settle::Failed { reason } => (State::Failed, cut(reason)),
        Settle::Retry { .. } if entry.deadline() <= now => (State::Expired, DEADLINE),
        Settle::Retry { due, counts } => {
            row.handouts = row.handouts.saturating_add(u32::from(*counts));
            row.put_off(*due, done.decided);
            courses.keep_attempt(key, number, &attempt)?;
            courses.keep_open(key, &row)?;
            staged.put_off(entry);
            course.due = Some(*due);
            (done.settled, done.course) = (Settled::In(State::Queued), Some(course));
            return Ok(());
        }
    };
    let state = row.ends_as(state);
    let row = row.end(state, reason, now).after(attempt);
    courses.forget_attempt(key, number)?;
    if was_open {
        courses.close(key, &row, state, meta.settled_to)?;
    } else {
        courses.keep_outcome(key, &row)?;
    }
    staged.end(key.1);
    (done.settled, done.course) = (Settled::In(state), Some(course));
    Ok(())
}

/// Keeps an attempt of a notification that has ended, if it is still known.
fn keep_late(
    settlement: &Settlement,
    key: CourseKey,
    memory: &Memory,
    tables: &mut GroupTables<'_>,
) -> Result<(), StoreError> {
    let Some(head) = tables.head(key.1)? else { return Ok(()) };
    let target = head.target_of(EndpointNumber(key.0));
    if target.is_none_or(|target| head.id(key.1, target) != settlement.notification) {
        return Ok(());
    }
    let counted = tables.courses.outcome(key)?.map_or(0, |row| row.past.attempts);
    let number = tables.courses.last_attempt(key)?.max(counted).saturating_add(1);
    let attempt = AttemptRow::new(&settlement.attempt);
    let attempt = if memory.erasing.contains_key(&key.0) { attempt.erased() } else { attempt };
    tables.courses.keep_attempt(key, number, &attempt)
}

impl GroupTables<'_> {
    pub(super) fn keep_standing(&mut self, number: u32, standing: &Standing) -> Result<(), StoreError> {
        let row = record::encode(&StandingRow::new(standing));
        self.standings()?.insert(number, row.as_slice()).map_err(storage)?;
        Ok(())
    }
}

/// Brings memory behind a committed settlement.
pub(super) fn apply(done: &Done, memory: &mut Memory) {
    let Done { key: (number, position), now: _, decided, settled, course, standing } = done;
    let Some(endpoint) = memory.endpoints.get_mut(number) else { return };
    let Some(push) = &mut endpoint.push else { return };
    push.heard_of(*position);
    let mut was_kept = false;
    if let Some(Course { entry, was_open, due }) = course {
        // What is in flight keeps its body also without a row.
        was_kept = push.unclaim(*position).is_some() || *was_open;
        endpoint.queue.remove(*position);
        endpoint.again.remove(*position);
        match (due, settled) {
            (Some(due), _) => {
                endpoint.again.insert(*entry);
                push.put_off(*position, *due, *decided);
            }
            (None, Settled::In(state)) => {
                push.end(*position, *state);
                endpoint.ended.add(*state, 1);
            }
            (None, Settled::Gone) => {}
        }
    }
    if let Some(standing) = standing {
        push.stand(standing.clone());
    }
    endpoint.arrival.notify_waiters();
    let Some(Course { due, .. }) = course else { return };
    memory.queued -= u64::from(due.is_none());
    match (was_kept, due.is_some()) {
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
