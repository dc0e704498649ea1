//! Room: what is free on the volume, and what the file has but does not use (design.md, `limits.disk_reserve`).
//!
//! redb knows which of its pages are free, but tells only after a walk through every tree (`stats()`): minutes on a cold
//! disk, on which a reader would keep the pages that are freed meanwhile. So what is used is reckoned from above, from
//! figures that cost nothing: rows and their bytes, and how full redb's pages are at least. What is free inside is the
//! rest of the blocks that the file has.
//!
//! A hole in the file has no blocks: they come from the volume. redb doubles the file to grow it and may write into the
//! hole before it uses pages that were freed. So what is free inside counts only while the volume could fill the hole.
//! Before it comes to less, the hole is given its blocks ([`Gauge::wants_blocks`]); afterwards a file that is nearly
//! empty can be made small ([`super::compact`]).

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::record::{self, Meta};
use super::storage;
use super::tables::{ATTEMPTS, EVENTS, HEADS, OPEN, OUTCOMES, PAGES};
use crate::store::{Room, StoreError};

/// What the data file's volume has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Bytes that are free for us.
    pub free: u64,
    /// Bytes of the blocks that the file has.
    pub taken: u64,
    /// Bytes of the file that have no blocks.
    pub hole: u64,
}

impl Volume {
    /// That of `file`; `None` if the system does not say.
    pub(super) fn of(file: &File) -> Option<Self> {
        /// What stat(2) counts blocks in.
        const BLOCK: u64 = 512;
        let free = rustix::fs::fstatvfs(file).ok()?;
        let file = file.metadata().ok()?;
        let taken = file.blocks().saturating_mul(BLOCK);
        let hole = file.len().saturating_sub(taken);
        Some(Self { free: free.f_bavail.saturating_mul(free.f_frsize), taken, hole })
    }
}

/// Bytes of a row besides what its table knows of it: key, offset, and the table's share of branches.
const ROW: u64 = 20;
/// Bytes of the rows where there are none to look at: of an event besides its body, of a head, of a page.
const USUAL: Lengths = Lengths { event: 160, head: 96, page: 144, course: 0, attempt: 0 };
/// Room that everything else takes: other tables, redb's own.
const ELSE: u64 = MIB;
const MIB: u64 = 1 << 20;

/// How long rows are, with [`ROW`].
#[derive(Clone, Copy, Debug)]
struct Lengths {
    /// Of events, besides their bodies.
    event: u64,
    head: u64,
    page: u64,
    /// Of single notifications; 0 where there are none, as nobody leases or is sent to.
    course: u64,
    /// Of attempts; 0 where there are none, as nobody is sent to.
    attempt: u64,
}

/// What is used inside the file, reckoned from above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    bytes: u64,
    lengths: Lengths,
    /// The state that it was reckoned with.
    accepted: u64,
    body_bytes: u64,
}

impl Used {
    /// Nothing is known yet.
    const NONE: Self = Self { bytes: ELSE, lengths: USUAL, accepted: 0, body_bytes: 0 };

    /// Reckons. Bodies are counted in the state, the rest by the number of rows and a look at the oldest and newest.
    pub(super) fn count(db: &Database, meta: &Meta) -> Result<Self, StoreError> {
        let read = db.begin_read().map_err(storage)?;
        let events = read.open_table(EVENTS).map_err(storage)?;
        let heads = read.open_table(HEADS).map_err(storage)?;
        let pages = read.open_table(PAGES).map_err(storage)?;
        let open = read.open_table(OPEN).map_err(storage)?;
        let outcomes = read.open_table(OUTCOMES).map_err(storage)?;
        let attempts = read.open_table(ATTEMPTS).map_err(storage)?;
        let (open_row, outcome) = (mean_of(&open, COURSE)?.unwrap_or(0), mean_of(&outcomes, COURSE)?.unwrap_or(0));
        let lengths = Lengths {
            course: open_row.max(outcome),
            attempt: mean_of(&attempts, ATTEMPT)?.unwrap_or(USUAL.attempt),
            event: mean(&events, besides_body)?.unwrap_or(USUAL.event),
            head: mean(&heads, whole)?.unwrap_or(USUAL.head),
            page: mean(&pages, whole)?.unwrap_or(USUAL.page),
        };
        let rows = events.len().map_err(storage)?;
        let first = events.first().map_err(storage)?.map_or(meta.next_position, |(position, _)| position.value());
        let heads = heads.len().map_err(storage)?;
        let bytes = spread(meta.body_bytes + rows * lengths.event, rows, meta.next_position.saturating_sub(first))
            + spread(heads * lengths.head, heads, heads)
            + inserted(pages.len().map_err(storage)? * lengths.page)
            + inserted(open.len().map_err(storage)? * open_row + outcomes.len().map_err(storage)? * outcome)
            + inserted(attempts.len().map_err(storage)? * lengths.attempt)
            + ELSE;
        Ok(Self { bytes, lengths, accepted: meta.accepted, body_bytes: meta.body_bytes })
    }

    /// With what has been appended since.
    fn at(&self, meta: &Meta) -> u64 {
        let rows = meta.accepted.saturating_sub(self.accepted);
        self.bytes + self.appended(meta.body_bytes.saturating_sub(self.body_bytes), rows)
    }

    /// Room that will be taken by what must go on: the sweep files the heads of new events, and polls may take what
    /// waits one by one, or lease it, or it is sent.
    fn owed(&self, meta: &Meta, waiting: u64) -> u64 {
        let Lengths { event: _, head, page, course, attempt } = self.lengths;
        let heads = meta.next_position.saturating_sub(meta.filed_to);
        // What is polled is not sent.
        spread(heads * head, heads, heads) + inserted(waiting * (page.max(attempt) + course))
    }

    /// Room that new events of so many bytes take at most.
    fn appended(&self, bodies: u64, rows: u64) -> u64 {
        (bodies + rows * (self.lengths.event + self.lengths.head)).saturating_mul(5) / 2
    }
}

/// How long the rows of a table are on average, as far as its first and last ones tell; `None` without any.
fn mean<K: redb::Key + 'static>(
    table: &ReadOnlyTable<K, &'static [u8]>,
    length: impl Fn(&[u8]) -> u64,
) -> Result<Option<u64>, StoreError> {
    let first = table.iter().map_err(storage)?.take(AT_EACH_PLACE);
    let last = table.iter().map_err(storage)?.rev().take(AT_EACH_PLACE);
    let rows = first.chain(last).map(|row| Ok(length(row.map_err(storage)?.1.value()) + ROW));
    Ok(average(&rows.collect::<Result<Vec<_>, StoreError>>()?))
}

/// How many rows are looked at in one place, and in how many places of a table with the rows of many endpoints.
const AT_EACH_PLACE: usize = 8;
const PLACES: u32 = 16;

/// The endpoint of a key, and the first key of an endpoint.
type ByEndpoint<K> = (fn(K) -> u32, fn(u32) -> K);
const COURSE: ByEndpoint<(u32, u64)> = (|key| key.0, |number| (number, 0));
const ATTEMPT: ByEndpoint<(u32, u64, u32)> = (|key| key.0, |number| (number, 0, 0));

/// The same of a table whose rows differ from endpoint to endpoint: it looks at some of those between the ends, too.
fn mean_of<K: redb::Key + Copy + for<'a> redb::Value<SelfType<'a> = K> + 'static>(
    table: &ReadOnlyTable<K, &'static [u8]>,
    (endpoint, first_of): ByEndpoint<K>,
) -> Result<Option<u64>, StoreError> {
    let (Some((first, _)), Some((last, _))) = (table.first().map_err(storage)?, table.last().map_err(storage)?) else {
        return Ok(None);
    };
    let (first, last) = (endpoint(first.value()), endpoint(last.value()));
    let mut lengths = Vec::new();
    for place in 0..=PLACES {
        let between = u64::from(last - first) * u64::from(place) / u64::from(PLACES);
        let from = first_of(first.saturating_add(u32::try_from(between).unwrap_or(u32::MAX)));
        for row in table.range(from..).map_err(storage)?.take(AT_EACH_PLACE) {
            lengths.push(whole(row.map_err(storage)?.1.value()) + ROW);
        }
    }
    for row in table.iter().map_err(storage)?.rev().take(AT_EACH_PLACE) {
        lengths.push(whole(row.map_err(storage)?.1.value()) + ROW);
    }
    Ok(average(&lengths))
}

fn average(lengths: &[u64]) -> Option<u64> {
    let rows = lengths.len() as u64;
    (rows > 0).then(|| lengths.iter().sum::<u64>().div_ceil(rows))
}

fn whole(row: &[u8]) -> u64 {
    row.len() as u64
}

fn besides_body(row: &[u8]) -> u64 {
    let body = record::split_head(row).map_or(0, |(_, head)| u64::from(head.body_len));
    whole(row).saturating_sub(body)
}

/// Room that `rows` rows of so many bytes take at most, which were once `span` rows in order of their keys.
///
/// Rows are only ever appended, and redb then fills its pages until the next row does not fit. Small rows leave a third
/// of a page free at most; of large ones each may leave half a page, or as much of its own power of two of pages, and
/// more where small ones are among them. Where rows in between have gone, pages stay that are filled to a third at least.
fn spread(stored: u64, rows: u64, span: u64) -> u64 {
    const SMALL: u64 = 1024;
    let packed = if stored <= rows * SMALL { stored.saturating_mul(3) / 2 } else { stored.saturating_mul(5) / 2 };
    let thinned = u128::from(packed) * u128::from(span.max(rows)) / u128::from(rows.max(1));
    u64::try_from(thinned).unwrap_or(u64::MAX).min(packed.max(stored.saturating_mul(3)))
}

/// Room that rows of so many bytes take which are inserted in the midst of others: redb halves a page that is full.
fn inserted(stored: u64) -> u64 {
    stored.saturating_mul(2)
}

/// Keeps watch over the room.
#[derive(Debug)]
pub(super) struct Gauge {
    /// `limits.disk_reserve`; 0: it is not watched.
    reserve: AtomicU64,
    used: Mutex<Used>,
    bytes: AtomicU64,
    low: AtomicBool,
}

impl Gauge {
    pub(super) fn new(reserve: u64) -> Self {
        let (bytes, low) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
        Self { reserve: AtomicU64::new(reserve), used: Mutex::new(Used::NONE), bytes, low }
    }

    /// Keeps so many bytes from now on; what follows from that is found at the next look.
    pub(super) fn set_reserve(&self, reserve: u64) {
        self.reserve.store(reserve, Ordering::Relaxed);
    }

    fn reserve(&self) -> u64 {
        self.reserve.load(Ordering::Relaxed)
    }

    /// What was last found.
    pub(super) fn room(&self) -> Room {
        let (bytes, low) = (self.bytes.load(Ordering::Relaxed), self.low.load(Ordering::Acquire));
        Room { bytes, reserve: self.reserve(), low }
    }

    /// Takes on a new reckoning.
    pub(super) fn reckon(&self, used: Used) {
        *self.used.lock() = used;
    }

    /// Looks at the volume, while so many notifications wait; answers what has changed since the last look, if anything has.
    pub(super) fn look(&self, volume: Volume, meta: &Meta, waiting: u64) -> Option<Room> {
        let used = *self.used.lock();
        let safe = volume.free >= volume.hole;
        let inside = if safe { volume.taken.saturating_sub(used.at(meta)) } else { 0 };
        let bytes = volume.free.saturating_add(inside).saturating_sub(used.owed(meta, waiting));
        let was_low = self.low.load(Ordering::Acquire);
        let low = bytes < if was_low { self.reserve().saturating_mul(2) } else { self.reserve() };
        self.bytes.store(bytes, Ordering::Relaxed);
        self.low.store(low, Ordering::Release);
        (low != was_low).then(|| self.room())
    }

    /// Whether an append of so many bytes of bodies and events may be stored: it leaves half of the reserve at least, one of
    /// the appliance's own a quarter.
    pub(super) fn takes(&self, bodies: u64, rows: u64, own: bool) -> bool {
        let Room { bytes, reserve, low } = self.room();
        let left = bytes.saturating_sub(self.used.lock().appended(bodies, rows));
        reserve == 0 || if own { left >= reserve / 4 } else { !low && left >= reserve / 2 }
    }

    /// Whether publishing would be taken again if the file were as small as what is used in it, and that is so little
    /// that it is moved in no time.
    pub(super) fn wants_compaction(&self, volume: Volume, meta: &Meta) -> bool {
        const MOVED_AT_MOST: u64 = 64 * MIB;
        let used = self.used.lock().at(meta);
        let room = volume.free.saturating_add(volume.taken.saturating_sub(used));
        self.room().low && volume.free < volume.hole && used <= MOVED_AT_MOST && room / 2 >= self.reserve()
    }

    /// Whether the hole in the file should be given blocks now: later there might be too few for it and the reserve.
    pub(super) fn wants_blocks(&self, volume: Volume) -> bool {
        let reserve = self.reserve();
        let least = volume.hole.saturating_add(reserve);
        volume.hole > 0 && (least..least.saturating_add(reserve)).contains(&volume.free)
    }
}
