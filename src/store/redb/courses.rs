//! The tables of notifications with a row of their own, within a transaction.
//!
//! A notification has a row in OPEN or one in OUTCOMES or none, never two. One below the settled point is in its
//! endpoint's tally while it is not open.

use redb::{ReadableTable, Table, WriteTransaction};

use super::attempt_row::AttemptRow;
use super::course::{OpenRow, OutcomeRow};
use super::record::{self, Tally};
use super::storage;
use super::tables::{ATTEMPTS, OPEN, OUTCOMES, TALLIES};
use crate::base::clock::Timestamp;
use crate::model::notification::State;
use crate::store::{KEPT_ATTEMPTS, StoreError};

/// How many of the kept attempts are the first ones.
const FIRST_ATTEMPTS: u32 = 16;

/// The table of attempts to send.
pub(super) type Attempts<'txn> = Table<'txn, (u32, u64, u32), &'static [u8]>;

type Rows<'txn> = Table<'txn, (u32, u64), &'static [u8]>;

/// Endpoint and position.
pub(super) type CourseKey = (u32, u64);

/// The tables, opened when they are needed.
pub(super) struct Courses<'txn> {
    write: &'txn WriteTransaction,
    open: Option<Rows<'txn>>,
    outcomes: Option<Rows<'txn>>,
    attempts: Option<Attempts<'txn>>,
}

impl<'txn> Courses<'txn> {
    pub(super) fn new(write: &'txn WriteTransaction) -> Self {
        Self { write, open: None, outcomes: None, attempts: None }
    }

    pub(super) fn open(&mut self) -> Result<&mut Rows<'txn>, StoreError> {
        match &mut self.open {
            Some(open) => Ok(open),
            empty => Ok(empty.insert(self.write.open_table(OPEN).map_err(storage)?)),
        }
    }

    pub(super) fn outcomes(&mut self) -> Result<&mut Rows<'txn>, StoreError> {
        match &mut self.outcomes {
            Some(outcomes) => Ok(outcomes),
            empty => Ok(empty.insert(self.write.open_table(OUTCOMES).map_err(storage)?)),
        }
    }

    /// Attempts to send.
    pub(super) fn attempts(&mut self) -> Result<&mut Attempts<'txn>, StoreError> {
        match &mut self.attempts {
            Some(attempts) => Ok(attempts),
            empty => Ok(empty.insert(self.write.open_table(ATTEMPTS).map_err(storage)?)),
        }
    }

    /// The row of an open notification.
    pub(super) fn open_row(&mut self, key: CourseKey) -> Result<Option<OpenRow>, StoreError> {
        let row = self.open()?.get(key).map_err(storage)?;
        row.map(|row| OpenRow::decode(row.value())).transpose()
    }

    /// The row of an ended notification.
    pub(super) fn outcome(&mut self, key: CourseKey) -> Result<Option<OutcomeRow>, StoreError> {
        let row = self.outcomes()?.get(key).map_err(storage)?;
        row.map(|row| OutcomeRow::decode(row.value())).transpose()
    }

    /// Writes the row of an open notification.
    pub(super) fn keep_open(&mut self, key: CourseKey, row: &OpenRow) -> Result<(), StoreError> {
        self.open()?.insert(key, row.encode().as_slice()).map_err(storage)?;
        Ok(())
    }

    /// Writes how a notification has ended that was open with `row`.
    pub(super) fn end(
        &mut self,
        key: CourseKey,
        row: OpenRow,
        (state, reason, at): (State, &str, Timestamp),
        settled_to: u64,
    ) -> Result<(), StoreError> {
        self.close(key, &row.end(state, reason, at), state, settled_to)
    }

    /// Writes how a notification has ended that was open: as `state`, which its row says.
    pub(super) fn close(
        &mut self,
        key: CourseKey,
        row: &OutcomeRow,
        state: State,
        settled_to: u64,
    ) -> Result<(), StoreError> {
        self.open()?.remove(key).map_err(storage)?;
        self.keep_outcome(key, row)?;
        if key.1 < settled_to { self.tally(key.0, |tally| tally.count(state)) } else { Ok(()) }
    }

    /// Writes how a notification has ended.
    pub(super) fn keep_outcome(&mut self, key: CourseKey, row: &OutcomeRow) -> Result<(), StoreError> {
        self.outcomes()?.insert(key, row.encode().as_slice()).map_err(storage)?;
        Ok(())
    }

    /// Writes an attempt, and forgets one that is neither among the first nor among the last.
    pub(super) fn keep_attempt(&mut self, key: CourseKey, number: u32, row: &AttemptRow) -> Result<(), StoreError> {
        let row = record::encode(row);
        self.attempts()?.insert((key.0, key.1, number), row.as_slice()).map_err(storage)?;
        self.forget_attempt(key, number)
    }

    /// Forgets the attempt that is not among those to keep any more once there is the one with this number.
    pub(super) fn forget_attempt(&mut self, key: CourseKey, number: u32) -> Result<(), StoreError> {
        let last = u32::try_from(KEPT_ATTEMPTS).unwrap_or(u32::MAX) - FIRST_ATTEMPTS;
        if let Some(old) = number.checked_sub(last).filter(|old| *old > FIRST_ATTEMPTS) {
            self.attempts()?.remove((key.0, key.1, old)).map_err(storage)?;
        }
        Ok(())
    }

    /// The number of the last attempt that has a row; 0 if none has.
    pub(super) fn last_attempt(&mut self, (number, position): CourseKey) -> Result<u32, StoreError> {
        let keys = (number, position, 0)..=(number, position, u32::MAX);
        let last = self.attempts()?.range(keys).map_err(storage)?.next_back();
        Ok(last.transpose().map_err(storage)?.map_or(0, |(key, _)| key.value().2))
    }

    /// Changes the endpoint's tally of what is settled.
    pub(super) fn tally(&self, endpoint: u32, change: impl FnOnce(&mut Tally)) -> Result<(), StoreError> {
        let mut tallies = self.write.open_table(TALLIES).map_err(storage)?;
        let mut tally: Tally = match tallies.get(endpoint).map_err(storage)? {
            Some(row) => record::decode(row.value(), "a tally")?,
            None => Tally::default(),
        };
        change(&mut tally);
        tallies.insert(endpoint, record::encode(&tally).as_slice()).map_err(storage)?;
        Ok(())
    }
}
