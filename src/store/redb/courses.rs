//! The tables of notifications with a row of their own, within a transaction.
//!
//! A notification has a row in OPEN or one in OUTCOMES or none, never two. One below the settled point is in its
//! endpoint's tally while it is not open.

use redb::{ReadableTable, Table, WriteTransaction};

use super::course::{OpenRow, OutcomeRow};
use super::record::{self, Tally};
use super::storage;
use super::tables::{OPEN, OUTCOMES, TALLIES};
use crate::base::clock::Timestamp;
use crate::model::notification::State;
use crate::store::StoreError;

type Rows<'txn> = Table<'txn, (u32, u64), &'static [u8]>;

/// Endpoint and position.
pub(super) type CourseKey = (u32, u64);

/// The tables, opened when they are needed.
pub(super) struct Courses<'txn> {
    write: &'txn WriteTransaction,
    open: Option<Rows<'txn>>,
    outcomes: Option<Rows<'txn>>,
}

impl<'txn> Courses<'txn> {
    pub(super) fn new(write: &'txn WriteTransaction) -> Self {
        Self { write, open: None, outcomes: None }
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

    /// The row of an open notification.
    pub(super) fn open_row(&mut self, key: CourseKey) -> Result<Option<OpenRow>, StoreError> {
        let row = self.open()?.get(key).map_err(storage)?;
        row.map(|row| OpenRow::decode(row.value())).transpose()
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
        self.open()?.remove(key).map_err(storage)?;
        self.keep_outcome(key, &row.end(state, reason, at))?;
        if key.1 < settled_to { self.tally(key.0, |tally| tally.count(state)) } else { Ok(()) }
    }

    /// Writes how a notification has ended.
    pub(super) fn keep_outcome(&mut self, key: CourseKey, row: &OutcomeRow) -> Result<(), StoreError> {
        self.outcomes()?.insert(key, row.encode().as_slice()).map_err(storage)?;
        Ok(())
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
