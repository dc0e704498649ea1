//! Writing down what time, or the removal of its endpoint, has made of open notifications: a part of the sweep.

use redb::{ReadableTable, WriteTransaction};

use super::course::{OpenRow, SUBSCRIPTION_REMOVED};
use super::courses::{CourseKey, Courses};
use super::memory::{Memory, Removed};
use super::record::Meta;
use super::storage;
use crate::base::clock::Timestamp;
use crate::model::notification::State;
use crate::store::StoreError;

/// What was written down.
#[derive(Default)]
pub(super) struct Lapsed {
    /// What was looked at, and whether its row of an open one is gone.
    ended: Vec<(CourseKey, bool)>,
    /// Removed endpoints that have nothing open any more.
    emptied: Vec<u32>,
    pub(super) more: bool,
}

/// Whether there is anything to write down.
pub(super) fn is_due(memory: &Memory) -> bool {
    !memory.lapsed.is_empty() || memory.removed.values().any(|removed| removed.open)
}

/// Writes down what has ended, at most so many `rows`.
pub(super) fn run(write: &WriteTransaction, meta: &Meta, memory: &Memory, rows: usize) -> Result<Lapsed, StoreError> {
    let mut courses = Courses::new(write);
    let mut lapsed = Lapsed::default();
    for &key in memory.lapsed.iter().take(rows) {
        lapsed.end(key, &mut courses, meta, memory)?;
    }
    for (number, _) in memory.removed.iter().filter(|(_, removed)| removed.open) {
        let left = rows.saturating_sub(lapsed.ended.len());
        let keys = open_of(*number, left, &mut courses)?;
        if keys.len() < left {
            lapsed.emptied.push(*number);
        } else {
            lapsed.more = true;
        }
        for key in keys {
            lapsed.end(key, &mut courses, meta, memory)?;
        }
    }
    // What was written down can be settled, and may have kept a body, as the next step finds.
    lapsed.more |= !lapsed.ended.is_empty();
    Ok(lapsed)
}

/// The first open notifications of an endpoint.
fn open_of(number: u32, most: usize, courses: &mut Courses<'_>) -> Result<Vec<CourseKey>, StoreError> {
    let rows = courses.open()?.range((number, 0)..=(number, u64::MAX)).map_err(storage)?;
    rows.take(most).map(|row| Ok(row.map_err(storage)?.0.value())).collect()
}

impl Lapsed {
    fn end(
        &mut self,
        key: CourseKey,
        courses: &mut Courses<'_>,
        meta: &Meta,
        memory: &Memory,
    ) -> Result<(), StoreError> {
        let row = courses.open_row(key)?;
        let is_open = row.is_some();
        if let Some(row) = row {
            let end = end_of(&row, memory.removed.get(&key.0));
            courses.end(key, row, end, meta.settled_to)?;
        }
        self.ended.push((key, is_open));
        Ok(())
    }

    /// Brings memory behind the commit.
    pub(super) fn apply(&self, memory: &mut Memory) {
        for (key, was_open) in &self.ended {
            memory.lapsed.remove(key);
            if *was_open {
                memory.close(key.1);
            }
        }
        for number in &self.emptied {
            if let Some(removed) = memory.removed.get_mut(number) {
                removed.open = false;
            }
        }
    }
}

/// How an open notification has ended, of which memory says that it has: with its endpoint, where that was removed
/// before.
fn end_of(row: &OpenRow, removed: Option<&Removed>) -> (State, &'static str, Timestamp) {
    let ended = |as_state, at| (row.ends_as(as_state), SUBSCRIPTION_REMOVED, at);
    match removed {
        Some(removed) => row.ended_by(removed.time).unwrap_or(ended(removed.ends, removed.time)),
        // What time has ended it does not end otherwise later, so any late time will do; and in the end it ends all.
        None => row.ended_by(Timestamp::MAX).unwrap_or(ended(State::Cancelled, Timestamp::MAX)),
    }
}
