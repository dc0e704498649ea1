//! What the rows of the file say has become of notifications: the basis of start and of `verify`.
//!
//! Nothing is written for an expiry or a match, so the state of a notification follows from its event's head, its
//! endpoint's cursor and pages, and the time: taken is consumed; not taken and before the cursor has expired; behind
//! the cursor it waits until its deadline, or was cancelled when its endpoint was removed. Where it has a row of its
//! own, that one holds instead.

use hashbrown::HashMap;
use redb::ReadableTable;

use super::course::{OpenRow, OutcomeRow, Phase};
use super::memory::Removed;
use super::own_rows::OwnRows;
use super::record::{self, EndpointRow, Entrance, Head, PageRow, Tally};
use super::tables::PageAt;
use crate::base::clock::Timestamp;
use crate::model::id::SubscriptionId;
use crate::model::notification::{EndpointKind, State};
use crate::store::StoreError;

/// What is known of an endpoint before the heads are read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) subscription: String,
    pub(super) kind: EndpointKind,
    pub(super) removed: Option<Removed>,
    pub(super) cursor: u64,
    /// Positions taken at or behind the start of the scan that have no row of their own.
    pub(super) taken: u64,
    /// Notifications at or behind the start of the scan that have a row of their own, and what it says of them. What is
    /// left after the scan has no event.
    pub(super) own: OwnRows,
    /// Of the heads read so far.
    pub(super) rows: RowCounts,
    /// Settled before.
    pub(super) settled: Tally,
}

/// Counts of one endpoint's notifications in the heads read; what is in none of the others has expired.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowCounts {
    pub(super) created: u64,
    pub(super) delivered: u64,
    pub(super) consumed: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    pub(super) waiting: u64,
    pub(super) leased: u64,
    pub(super) held: u64,
}

/// Where one notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be handed out; `open`: it has a row of its own.
    Waiting {
        /// Whether it is in OPEN.
        open: bool,
    },
    /// Its lease runs.
    Leased,
    /// Nobody may have it before its time.
    Held,
    /// It has ended.
    Ended(State),
}

impl Known {
    /// Counts the notification of the event at `position` for this endpoint. To be asked in rising order.
    pub(super) fn count(&mut self, position: u64, deadline: Timestamp, entrance: Entrance, now: Timestamp) -> Standing {
        let standing = self.own.walk(position).unwrap_or_else(|| self.plain(position, deadline, entrance, now));
        self.add(standing);
        standing
    }

    /// What head, cursor and time say. Whether it was taken is counted from the pages.
    fn plain(&self, position: u64, deadline: Timestamp, entrance: Entrance, now: Timestamp) -> Standing {
        if entrance == Entrance::QueueFull {
            return Standing::Ended(State::Failed);
        }
        match &self.removed {
            Some(removed) if position > self.cursor && deadline > removed.time => Standing::Ended(removed.ends),
            None if position > self.cursor && deadline > now => Standing::Waiting { open: false },
            _ => Standing::Ended(State::Expired),
        }
    }

    /// What the row of an open notification says.
    fn open(&self, row: &OpenRow, now: Timestamp) -> Standing {
        match (row.phase(self.removed.as_ref().map_or(now, |removed| removed.time)), &self.removed) {
            (Phase::Leased | Phase::Held | Phase::Waiting, Some(removed)) => Standing::Ended(row.ends_as(removed.ends)),
            (Phase::Leased, None) => Standing::Leased,
            (Phase::Held, None) => Standing::Held,
            (Phase::Waiting, None) => Standing::Waiting { open: true },
            (Phase::Expired(_), _) => Standing::Ended(row.ends_as(State::Expired)),
            (Phase::Abandoned(_), _) => Standing::Ended(row.ends_as(State::Failed)),
        }
    }

    fn add(&mut self, standing: Standing) {
        let rows = &mut self.rows;
        rows.created += 1;
        match standing {
            Standing::Waiting { .. } => rows.waiting += 1,
            Standing::Leased => rows.leased += 1,
            Standing::Held => rows.held += 1,
            Standing::Ended(State::Delivered) => rows.delivered += 1,
            Standing::Ended(State::Consumed) => rows.consumed += 1,
            Standing::Ended(State::Failed) => rows.failed += 1,
            Standing::Ended(State::Cancelled) => rows.cancelled += 1,
            Standing::Ended(_) => {}
        }
    }

    /// What has ended, in all, and how many were made.
    pub(super) fn tally(&self) -> Result<Tally, StoreError> {
        let RowCounts { created, delivered, consumed, failed, cancelled, waiting, leased, held } = self.rows;
        let consumed = consumed + self.taken;
        let others = delivered + consumed + failed + cancelled + waiting + leased + held;
        let expired = created.checked_sub(others).ok_or_else(|| {
            let detail = format!(
                "subscription {}: {} notifications were taken, but only {created} made",
                self.subscription, self.taken
            );
            StoreError::Corrupt { detail }
        })?;
        let mut tally = self.settled;
        tally.merge(&Tally { created, delivered, consumed, failed, expired, cancelled });
        Ok(tally)
    }
}

/// The tables that tell of endpoints.
pub(super) struct EndpointTables<E, T, P, C> {
    pub(super) endpoints: E,
    pub(super) tallies: T,
    pub(super) pages: P,
    pub(super) open: C,
    pub(super) outcomes: C,
}

impl<E, T, P, C> EndpointTables<E, T, P, C>
where
    E: ReadableTable<u32, &'static [u8]>,
    T: ReadableTable<u32, &'static [u8]>,
    P: ReadableTable<PageAt, &'static [u8]>,
    C: ReadableTable<(u32, u64), &'static [u8]>,
{
    /// Reads what is known of all endpoints; positions below `from` are settled, unless they are open.
    pub(super) fn known(&self, from: u64, now: Timestamp) -> Result<HashMap<u32, Known>, StoreError> {
        let mut known = HashMap::new();
        for row in self.endpoints.iter().map_err(super::storage)? {
            let (number, row) = row.map_err(super::storage)?;
            let row = EndpointRow::decode(row.value())?;
            known.insert(number.value(), self.one(number.value(), row, from, now)?);
        }
        Ok(known)
    }

    fn one(&self, number: u32, row: EndpointRow, from: u64, now: Timestamp) -> Result<Known, StoreError> {
        let EndpointRow { subscription, kind, removed } = row;
        let cursor = cursor(&self.pages, number)?;
        let open = self.open.range((number, 0)..=(number, u64::MAX)).map_err(super::storage)?.next().is_some();
        let removed = removed.map(|(at, time, failed)| {
            let subscription = SubscriptionId::new(&subscription);
            let ends = if failed { State::Failed } else { State::Cancelled };
            Removed { subscription, at, time: Timestamp::from_millis(time), ends, cursor, open }
        });
        let settled = match self.tallies.get(number).map_err(super::storage)? {
            Some(row) => record::decode(row.value(), "a tally")?,
            None => Tally::default(),
        };
        let kind = record::kind_from_byte(kind)?;
        let (own, rows) = (OwnRows::default(), RowCounts::default());
        let mut known = Known { subscription, kind, removed, cursor, taken: 0, own, rows, settled };
        self.read_own(number, &mut known, from, now)?;
        known.taken = taken_in(&self.pages, number, from, u64::MAX, |p| !known.own.contains(p))?;
        Ok(known)
    }

    /// Reads the rows of single notifications. Those of open ones below `from` are counted at once: no head of theirs
    /// is read.
    fn read_own(&self, number: u32, known: &mut Known, from: u64, now: Timestamp) -> Result<(), StoreError> {
        for row in self.open.range((number, 0)..=(number, u64::MAX)).map_err(super::storage)? {
            let (key, row) = row.map_err(super::storage)?;
            let standing = known.open(&OpenRow::decode(row.value())?, now);
            if key.value().1 < from {
                known.add(standing);
            } else {
                known.own.add(key.value().1, standing);
            }
        }
        for row in self.outcomes.range((number, from)..=(number, u64::MAX)).map_err(super::storage)? {
            let (key, row) = row.map_err(super::storage)?;
            let state = OutcomeRow::state_in(row.value())?;
            known.own.add(key.value().1, Standing::Ended(state));
        }
        known.own.sort();
        Ok(())
    }
}

/// The last position that was handed out from the endpoint's queue; 0 before the first.
pub(super) fn cursor(pages: &impl ReadableTable<PageAt, &'static [u8]>, endpoint: u32) -> Result<u64, StoreError> {
    let last = pages.range((endpoint, 0, 0)..=(endpoint, u64::MAX, u32::MAX)).map_err(super::storage)?.next_back();
    Ok(last.transpose().map_err(super::storage)?.map_or(0, |(key, _)| key.value().1))
}

/// How many positions at or behind `from` and before `to` were taken from the endpoint's queue, of those that `counts`.
pub(super) fn taken_in(
    pages: &impl ReadableTable<PageAt, &'static [u8]>,
    endpoint: u32,
    from: u64,
    to: u64,
    counts: impl Fn(u64) -> bool,
) -> Result<u64, StoreError> {
    let mut taken = 0;
    for row in pages.range((endpoint, from, 0)..=(endpoint, u64::MAX, u32::MAX)).map_err(super::storage)? {
        let (_, row) = row.map_err(super::storage)?;
        let page: PageRow = record::decode(row.value(), "a page")?;
        if page.fresh.first().is_some_and(|first| first >= to) {
            break;
        }
        if page.until.is_none() {
            taken += page.fresh.positions().filter(|p| (from..to).contains(p) && counts(*p)).count() as u64;
        }
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
        each(position.value(), Head::decode(row.value())?)?;
    }
    for row in events.range(from.max(filed_to)..).map_err(super::storage)? {
        let (position, row) = row.map_err(super::storage)?;
        each(position.value(), record::split_head(row.value())?.1)?;
    }
    Ok(())
}
