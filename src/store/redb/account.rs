//! What the rows of the file say has become of notifications: the basis of start and of `verify`.
//!
//! Nothing is written for an expiry or a match, so the state of a notification follows from its event's head, its
//! endpoint's cursor and pages, and the time: taken is consumed; not taken and before the cursor has expired; behind
//! the cursor it waits until its deadline, or was cancelled when its endpoint was removed.

use hashbrown::HashMap;
use redb::ReadableTable;

use super::memory::Removed;
use super::record::{self, EndpointRow, Entrance, Head, PageRow, Tally};
use crate::base::clock::Timestamp;
use crate::model::notification::EndpointKind;
use crate::store::StoreError;

/// What is known of an endpoint before the heads are read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) subscription: String,
    pub(super) kind: EndpointKind,
    pub(super) removed: Option<Removed>,
    pub(super) cursor: u64,
    /// Positions taken at or behind the start of the scan.
    pub(super) taken: u64,
    /// Of the heads read so far.
    pub(super) rows: RowCounts,
    /// Settled before.
    pub(super) settled: Tally,
}

/// Counts of one endpoint's notifications in the heads read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowCounts {
    pub(super) created: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    pub(super) waiting: u64,
}

/// Where one notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be handed out.
    Waiting,
    /// It has ended.
    Ended,
}

impl Known {
    /// Counts the notification of the event at `position` for this endpoint.
    pub(super) fn count(&mut self, position: u64, deadline: Timestamp, entrance: Entrance, now: Timestamp) -> Standing {
        self.rows.created += 1;
        if entrance == Entrance::QueueFull {
            self.rows.failed += 1;
        } else if position > self.cursor {
            match self.removed {
                Some(removed) if deadline > removed.time => self.rows.cancelled += 1,
                None if deadline > now => {
                    self.rows.waiting += 1;
                    return Standing::Waiting;
                }
                _ => {}
            }
        }
        Standing::Ended
    }

    /// What has ended, in all.
    pub(super) fn tally(&self) -> Result<Tally, StoreError> {
        let RowCounts { created, failed, cancelled, waiting } = self.rows;
        let expired = created.checked_sub(failed + cancelled + waiting + self.taken).ok_or_else(|| {
            let detail = format!(
                "subscription {}: {} notifications were taken, but only {created} made",
                self.subscription, self.taken
            );
            StoreError::Corrupt { detail }
        })?;
        let mut tally = self.settled;
        tally.merge(&Tally { created, delivered: 0, consumed: self.taken, failed, expired, cancelled });
        Ok(tally)
    }
}

/// Reads what is known of all endpoints; positions below `from` are settled.
pub(super) fn known_endpoints(
    endpoints: &impl ReadableTable<u32, &'static [u8]>,
    tallies: &impl ReadableTable<u32, &'static [u8]>,
    pages: &impl ReadableTable<(u32, u64), &'static [u8]>,
    from: u64,
) -> Result<HashMap<u32, Known>, StoreError> {
    let mut known = HashMap::new();
    for row in endpoints.iter().map_err(super::storage)? {
        let (number, row) = row.map_err(super::storage)?;
        let number = number.value();
        let EndpointRow { subscription, kind, removed } = record::decode(row.value(), "an endpoint")?;
        let cursor = cursor(pages, number)?;
        let removed = removed.map(|(at, time)| Removed { at, time: Timestamp::from_millis(time), cursor });
        let settled = match tallies.get(number).map_err(super::storage)? {
            Some(row) => record::decode(row.value(), "a tally")?,
            None => Tally::default(),
        };
        let taken = taken_in(pages, number, from, u64::MAX)?;
        let kind = record::kind_from_byte(kind)?;
        let rows = RowCounts::default();
        known.insert(number, Known { subscription, kind, removed, cursor, taken, rows, settled });
    }
    Ok(known)
}

/// The last position that was taken from the endpoint's queue; 0 before the first.
pub(super) fn cursor(pages: &impl ReadableTable<(u32, u64), &'static [u8]>, endpoint: u32) -> Result<u64, StoreError> {
    let last = pages.range((endpoint, 0)..=(endpoint, u64::MAX)).map_err(super::storage)?.next_back();
    Ok(last.transpose().map_err(super::storage)?.map_or(0, |(key, _)| key.value().1))
}

/// How many positions at or behind `from` and before `to` were taken from the endpoint's queue.
pub(super) fn taken_in(
    pages: &impl ReadableTable<(u32, u64), &'static [u8]>,
    endpoint: u32,
    from: u64,
    to: u64,
) -> Result<u64, StoreError> {
    let mut taken = 0;
    for row in pages.range((endpoint, from)..=(endpoint, u64::MAX)).map_err(super::storage)? {
        let (_, row) = row.map_err(super::storage)?;
        let page: PageRow = record::decode(row.value(), "a page")?;
        if page.first >= to {
            break;
        }
        taken += page.count_in(from, to);
    }
    Ok(taken)
}

/// Calls `each` for every head from `from` on, in order: filed ones first, then those in the events' own rows.
pub(super) fn heads_from(
    heads: &impl ReadableTable<u64, &'static [u8]>,
    events: &impl ReadableTable<u64, &'static [u8]>,
    from: u64,
    filed_to: u64,
    mut each: impl FnMut(u64, Head) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for row in heads.range(from..).map_err(super::storage)? {
        let (position, row) = row.map_err(super::storage)?;
        each(position.value(), record::decode(row.value(), "an event's head")?)?;
    }
    for row in events.range(from.max(filed_to)..).map_err(super::storage)? {
        let (position, row) = row.map_err(super::storage)?;
        each(position.value(), record::split_head(row.value())?.1)?;
    }
    Ok(())
}
