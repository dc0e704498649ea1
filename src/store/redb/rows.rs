//! Rows that belong to nothing, contradict one another or cannot be read: a part of `verify`.

use hashbrown::{HashMap, HashSet};
use redb::{Key, ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableError};

use super::account::Known;
use super::attempt_row::AttemptRow;
use super::course::OutcomeRow;
use super::courses::CourseKey;
use super::load::Tables;
use super::record::{self, Head, Meta, PageRow};
use super::standing_row::StandingRow;
use super::storage;
use super::tables::{ATTEMPTS, STANDINGS};
use super::verify::Finding;
use crate::model::id::EndpointNumber;
use crate::model::notification::EndpointKind;
use crate::store::StoreError;

type Events = ReadOnlyTable<u64, &'static [u8]>;

/// What the rows of a file are held against, and what is found.
pub(super) struct Rows<'a> {
    pub(super) tables: &'a Tables,
    /// After all heads have been counted.
    pub(super) known: &'a HashMap<u32, Known>,
    pub(super) meta: &'a Meta,
    pub(super) heads: &'a Events,
    pub(super) events: &'a Events,
    pub(super) findings: Vec<Finding>,
}

/// A table that a file of an earlier release may not have.
pub(super) fn table<K: Key + 'static>(
    read: &ReadTransaction,
    definition: TableDefinition<'_, K, &'static [u8]>,
) -> Result<Option<ReadOnlyTable<K, &'static [u8]>>, StoreError> {
    match read.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(storage(error)),
    }
}

impl Rows<'_> {
    /// Looks at the rows of single notifications.
    pub(super) fn check_courses(&mut self) -> Result<(), StoreError> {
        for (number, known) in self.known {
            let strays = known.own.strays().map(|position| {
                format!("endpoint {number}: there is a row of the notification at {position}, which was never made")
            });
            self.findings.extend(strays);
        }
        self.check_open()?;
        self.check_leased()?;
        self.check_ended()
    }

    fn check_open(&mut self) -> Result<(), StoreError> {
        for row in self.tables.open.iter().map_err(storage)? {
            let (number, position) = row.map_err(storage)?.0.value();
            if self.tables.outcomes.get((number, position)).map_err(storage)?.is_some() {
                self.findings.push(format!("endpoint {number}: the notification at {position} is open and has ended"));
            }
            if !self.known.contains_key(&number) {
                self.findings.push(format!("an open notification is for endpoint {number}, which is not there"));
            } else if !self.has_body_for((number, position))? {
                self.findings.push(format!("endpoint {number}: the open notification at {position} has no event"));
            }
        }
        Ok(())
    }

    /// What a page has leased has a row of its own.
    fn check_leased(&mut self) -> Result<(), StoreError> {
        for row in self.tables.pages.iter().map_err(storage)? {
            let (at, row) = row.map_err(storage)?;
            let page: PageRow = record::decode(row.value(), "a page")?;
            let number = at.value().0;
            let leased = page.fresh.positions().filter(|p| page.until.is_some() && *p >= self.meta.settled_to);
            for key in leased.map(|position| (number, position)) {
                let is_open = self.tables.open.get(key).map_err(storage)?.is_some();
                if !is_open && self.tables.outcomes.get(key).map_err(storage)?.is_none() {
                    self.findings.push(format!("endpoint {number}: what was leased at {} is nowhere", key.1));
                }
            }
        }
        Ok(())
    }

    fn check_ended(&mut self) -> Result<(), StoreError> {
        for row in self.tables.outcomes.iter().map_err(storage)? {
            let (key, row) = row.map_err(storage)?;
            let (number, position) = key.value();
            if !self.known.contains_key(&number) {
                self.findings.push(format!("an ended notification is for endpoint {number}, which is not there"));
            } else if position >= self.meta.next_position {
                self.findings
                    .push(format!("endpoint {number}: a notification ended at {position}, ahead of all events"));
            }
            let read =
                OutcomeRow::decode(row.value()).and_then(|row| row.attempt.map(|a| a.into_attempt()).transpose());
            if let Err(error) = read {
                self.findings.push(format!("endpoint {number}: the end of the notification at {position}: {error}"));
            }
        }
        Ok(())
    }

    /// Looks at the attempts.
    pub(super) fn check_attempts(&mut self, read: &ReadTransaction) -> Result<(), StoreError> {
        let Some(attempts) = table(read, ATTEMPTS)? else { return Ok(()) };
        let mut last: Option<CourseKey> = None;
        for row in attempts.iter().map_err(storage)? {
            let (key, row) = row.map_err(storage)?;
            let (number, position, n) = key.value();
            if last.replace((number, position)) != Some((number, position)) {
                self.check_owner((number, position))?;
            }
            let attempt = record::decode::<AttemptRow>(row.value(), "an attempt").and_then(AttemptRow::into_attempt);
            if let Err(error) = attempt {
                self.findings
                    .push(format!("endpoint {number}: attempt {n} of the notification at {position}: {error}"));
            }
        }
        Ok(())
    }

    /// Looks for the notification that has attempts.
    fn check_owner(&mut self, (number, position): CourseKey) -> Result<(), StoreError> {
        match self.known.get(&number).map(|known| known.kind) {
            None => self.findings.push(format!("an attempt is for endpoint {number}, which is not there")),
            Some(EndpointKind::Poll) => {
                self.findings.push(format!("an attempt is for endpoint {number}, which is polled"));
            }
            Some(_) => {
                // Before that, heads go with the history, and what is known of their notifications a little later.
                let is_remembered = position >= self.meta.settled_to;
                let is_there =
                    self.head(position)?.is_some_and(|head| head.target_of(EndpointNumber(number)).is_some());
                if is_remembered && !is_there {
                    self.findings.push(format!(
                        "endpoint {number}: there is an attempt of the notification at {position}, which was never made"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Looks at how endpoints stand; answers those that hold themselves.
    pub(super) fn check_standings(&mut self, read: &ReadTransaction) -> Result<HashSet<u32>, StoreError> {
        let mut shut = HashSet::new();
        let Some(standings) = table(read, STANDINGS)? else { return Ok(shut) };
        for row in standings.iter().map_err(storage)? {
            let (number, row) = row.map_err(storage)?;
            let number = number.value();
            let is_sent_to = |known: &Known| known.removed.is_none() && known.kind != EndpointKind::Poll;
            if !self.known.get(&number).is_some_and(is_sent_to) {
                self.findings.push(format!("there is how endpoint {number} stands, which is not sent to"));
            }
            let standing = record::decode::<StandingRow>(row.value(), "its row").and_then(StandingRow::into_standing);
            match standing {
                Ok(standing) => shut.extend(standing.hold.map(|_| number)),
                Err(error) => self.findings.push(format!("endpoint {number}: how it stands: {error}")),
            }
        }
        Ok(shut)
    }

    /// Whether the event has its body and goes to the endpoint.
    fn has_body_for(&self, (number, position): CourseKey) -> Result<bool, StoreError> {
        let Some(row) = self.events.get(position).map_err(storage)? else { return Ok(false) };
        let (_, head) = record::split_head(row.value())?;
        Ok(head.target_of(EndpointNumber(number)).is_some())
    }

    fn head(&self, position: u64) -> Result<Option<Head>, StoreError> {
        if let Some(row) = self.heads.get(position).map_err(storage)? {
            return Head::decode(row.value()).map(Some);
        }
        let row = self.events.get(position).map_err(storage)?;
        row.map(|row| record::split_head(row.value()).map(|(_, head)| head)).transpose()
    }
}
