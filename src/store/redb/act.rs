//! What an operator does to single notifications: ending them, and beginning new rounds of what has ended.

use std::sync::Arc;

use hashbrown::HashSet;
use redb::{Database, ReadableDatabase, WriteTransaction};

use super::course::{OpenRow, Past, cut};
use super::courses::{CourseKey, Courses};
use super::judge::{Judge, OwnRow, Standing};
use super::look::{Events, Unwritten};
use super::memory::Memory;
use super::queue::Entry;
use super::record::{self, Head, Meta};
use super::storage;
use super::writer::{RELEASED_AT_ONCE, Writer};
use crate::base::clock::Timestamp;
use crate::model::id::{LedgerId, Position};
use crate::model::notification::State;
use crate::store::{Act, Action, NotDone, StoreError};

pub(super) type Answers = Vec<Result<(), NotDone>>;

/// One item that can be done.
enum Deed {
    /// `row`: that of an open one.
    Cancel { row: Option<OpenRow>, deadline: Timestamp },
    /// The state, and the row, that it leaves; and the row that it gets.
    Reopen { was: State, left: OwnRow, row: OpenRow },
}

/// What is to be done, and what each item is answered.
#[derive(Default)]
pub(super) struct Plan {
    deeds: Vec<(CourseKey, Deed)>,
    pub(super) answers: Answers,
}

/// Acts in a transaction of its own.
pub(super) fn run(writer: &mut Writer, act: &Act) -> Result<Answers, StoreError> {
    let shared = Arc::clone(&writer.shared);
    let mut plan = Plan::default();
    writer.transaction("act", false, |write, meta, now| {
        // Memory must not hold a lease for what the file says has ended with it.
        shared.memory.write().release(now, RELEASED_AT_ONCE);
        // The writer is alone: the last commit is what this transaction begins with.
        plan = Plan::new(&*shared.database()?, act, Unwritten::of(&shared), now)?;
        plan.write(write, meta, act, now)
    })?;
    let mut memory = shared.memory.write();
    for ((number, position), deed) in &plan.deeds {
        deed.apply(*number, *position, &mut memory);
    }
    Ok(plan.answers)
}

impl Plan {
    /// What of `act` can be done at `now`, as the file is.
    pub(super) fn new(db: &Database, act: &Act, unwritten: Unwritten, now: Timestamp) -> Result<Self, StoreError> {
        let read = db.begin_read().map_err(storage)?;
        let mut judge = Judge::new(&read, unwritten, now)?;
        let events = Events::new(&read, judge.meta().filed_to)?;
        let mut plan = Self::default();
        let mut seen = HashSet::new();
        for (id, action) in &act.items {
            if !seen.insert(*id) {
                // It is asked for twice: the first has it.
                plan.answers.push(Err(if *action == Action::Cancel { NotDone::Ended } else { NotDone::Waiting }));
                continue;
            }
            let answer = match deed(*id, *action, &act.by, &mut judge, &events, now)? {
                Ok((key, deed)) => {
                    plan.deeds.push((key, deed));
                    Ok(())
                }
                Err(refused) => Err(refused),
            };
            plan.answers.push(answer);
        }
        Ok(plan)
    }

    fn write(&self, write: &WriteTransaction, meta: &mut Meta, act: &Act, now: Timestamp) -> Result<(), StoreError> {
        let mut courses = Courses::new(write);
        let reason = format!("cancelled by {}", act.by);
        for (key, deed) in &self.deeds {
            match deed {
                Deed::Cancel { row: Some(row), .. } => {
                    let end = (row.ends_as(State::Cancelled), cut(&reason), now);
                    courses.end(*key, row.clone(), end, meta.settled_to)?;
                }
                Deed::Cancel { row: None, deadline } => {
                    let row = OpenRow::new(*deadline, 0, Past::default());
                    courses.keep_outcome(*key, &row.end(State::Cancelled, cut(&reason), now))?;
                }
                Deed::Reopen { was, left, row } => {
                    reopen(*key, *was, left, row, &mut courses, meta)?;
                }
            }
        }
        Ok(())
    }
}

/// What one item comes to; the inner error is its own.
fn deed(
    id: LedgerId,
    action: Action,
    by: &str,
    judge: &mut Judge,
    events: &Events,
    now: Timestamp,
) -> Result<Result<(CourseKey, Deed), NotDone>, StoreError> {
    let Some((position, head, group, number)) = events.find(id)? else { return Ok(Err(NotDone::NotFound)) };
    let Some(standing) = judge.stand(position, &head, &head.groups[group], number)? else {
        return Ok(Err(NotDone::NotFound));
    };
    let key = (number, position);
    let has_ended = standing.ended.is_some();
    match action {
        Action::Cancel if has_ended => Ok(Err(NotDone::Ended)),
        Action::Cancel => {
            let deadline = standing.deadline;
            let row = if let OwnRow::Open(row) = standing.row { Some(row) } else { None };
            Ok(Ok((key, Deed::Cancel { row, deadline })))
        }
        Action::Reopen { .. } if judge.addressee(number)?.is_none_or(|addressee| addressee.removed.is_some()) => {
            Ok(Err(NotDone::SubscriptionGone))
        }
        Action::Reopen { .. } if !has_ended => Ok(Err(NotDone::Waiting)),
        Action::Reopen { ttl } => {
            let Some(event) = events.body(position, |row| record::event(position, row))? else {
                return Ok(Err(NotDone::BodyGone));
            };
            let expiry = event.draft.expiry.unwrap_or(Timestamp::MAX);
            if expiry <= now {
                return Ok(Err(NotDone::EventExpired));
            }
            Ok(Ok((key, next_round(standing, &head, now.plus(ttl).min(expiry), by, now))))
        }
    }
}

/// The round after the one that has ended.
fn next_round(standing: Standing, head: &Head, deadline: Timestamp, by: &str, now: Timestamp) -> Deed {
    let Standing { state, reason, row: left, .. } = standing;
    let past = left.past().next_round(now, by, (state, reason));
    Deed::Reopen { was: state, left, row: OpenRow::new(deadline, u64::from(head.body_len), past) }
}

/// Writes a new round: what has ended is counted so no more.
fn reopen(
    key: CourseKey,
    was: State,
    left: &OwnRow,
    row: &OpenRow,
    courses: &mut Courses<'_>,
    meta: &mut Meta,
) -> Result<(), StoreError> {
    let was_open = matches!(left, OwnRow::Open(_));
    if !was_open && key.1 < meta.settled_to {
        courses.tally(key.0, |tally| tally.discount(was))?;
    }
    if let OwnRow::Outcome(outcome) = left {
        courses.outcomes()?.remove(key).map_err(storage)?;
        if let Some(attempt) = &outcome.attempt {
            courses.keep_attempt(key, outcome.past.attempts, attempt)?;
        }
    }
    meta.consumed -= u64::from(was == State::Consumed);
    courses.keep_open(key, row)
}

impl Deed {
    /// Brings memory behind the commit.
    fn apply(&self, number: u32, position: u64, memory: &mut Memory) {
        match self {
            Self::Cancel { row: Some(_), .. } => memory.end_open(number, position, State::Cancelled),
            Self::Cancel { row: None, .. } => memory.cancel(number, position),
            Self::Reopen { was, left, row } => {
                let Some(at) = Position::new(position) else { return };
                let was_open = matches!(left, OwnRow::Open(_));
                memory.reopen(number, Entry::new(at, row.size, row.deadline()), *was, was_open, row.past.delivered);
            }
        }
    }
}
