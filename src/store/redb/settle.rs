//! Counting what has ended into the tallies of its endpoints: a part of the sweep.

use std::ops::Range;

use hashbrown::HashMap;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::account;
use super::course::OutcomeRow;
use super::memory::{Memory, Removed};
use super::record::{self, Entrance, Group, Head, Tally};
use super::storage;
use super::tables::{OUTCOMES, PAGES, TALLIES};
use crate::model::notification::State;
use crate::store::StoreError;

/// What is counted of one endpoint.
#[derive(Default)]
struct Counted {
    /// What has a row of its own, and the state that it says.
    own: HashMap<u64, State>,
    /// All but what was consumed by pages or has expired.
    tally: Tally,
    /// How many of those there are.
    plain: u64,
}

/// Adds the notifications of `events`, which are all in `positions` and have ended, to the tallies.
pub(super) fn count(
    write: &WriteTransaction,
    events: &[(u64, Head)],
    memory: &Memory,
    positions: Range<u64>,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut counted: HashMap<u32, Counted> = HashMap::new();
    for number in events.iter().flat_map(|(_, head)| head.groups.iter().flat_map(Group::endpoints)) {
        counted.entry(number).or_default();
    }
    read_own(write, &mut counted, &positions)?;
    for (position, head) in events {
        for group in &head.groups {
            for number in group.endpoints() {
                counted.entry(number).or_default().add(*position, group, memory.removed.get(&number));
            }
        }
    }
    write_tallies(write, &counted, &positions)
}

/// Reads the rows of single notifications.
fn read_own(
    write: &WriteTransaction,
    counted: &mut HashMap<u32, Counted>,
    positions: &Range<u64>,
) -> Result<(), StoreError> {
    let outcomes = write.open_table(OUTCOMES).map_err(storage)?;
    if outcomes.is_empty().map_err(storage)? {
        return Ok(());
    }
    for (number, counted) in counted {
        for row in outcomes.range((*number, positions.start)..(*number, positions.end)).map_err(storage)? {
            let (key, row) = row.map_err(storage)?;
            counted.own.insert(key.value().1, OutcomeRow::state_in(row.value())?);
        }
    }
    Ok(())
}

impl Counted {
    fn add(&mut self, position: u64, group: &Group, removed: Option<&Removed>) {
        if let Some(state) = self.own.get(&position) {
            return self.tally.count(*state);
        }
        match removed {
            _ if group.entrance == Entrance::QueueFull => self.tally.count(State::Failed),
            Some(removed) if position > removed.cursor && group.deadline() > removed.time => {
                self.tally.count(removed.ends);
            }
            _ => self.plain += 1,
        }
    }
}

/// Adds what was counted to the tallies.
fn write_tallies(
    write: &WriteTransaction,
    counted: &HashMap<u32, Counted>,
    positions: &Range<u64>,
) -> Result<(), StoreError> {
    let pages = write.open_table(PAGES).map_err(storage)?;
    let mut tallies = write.open_table(TALLIES).map_err(storage)?;
    for (number, Counted { own, tally: counted, plain }) in counted {
        let counts = |position| !own.contains_key(&position);
        let consumed = account::taken_in(&pages, *number, positions.start, positions.end, counts)?;
        let expired = plain.checked_sub(consumed).ok_or_else(|| StoreError::Corrupt {
            detail: format!(
                "endpoint {number}: more notifications were taken before position {} than made",
                positions.end
            ),
        })?;
        let mut tally: Tally = match tallies.get(*number).map_err(storage)? {
            Some(row) => record::decode(row.value(), "a tally")?,
            None => Tally::default(),
        };
        tally.merge(counted);
        tally.merge(&Tally { created: *plain, consumed, expired, ..Tally::default() });
        tallies.insert(*number, record::encode(&tally).as_slice()).map_err(storage)?;
    }
    Ok(())
}
