//! Erasing what was sent to a subscription that is gone, in bounded steps: a part of the sweep (contracts/trigger.md).
//!
//! The change that ends the subscription lists its endpoints in ERASING, those of its past included. From then on each
//! sweep looks at some heads: of events that only such endpoints got, all that the producer told goes but type, source,
//! ids and times; of each notification, what was answered to its attempts. Heads, states, instants and sums stay. An
//! endpoint stays listed for as long as it is remembered, as an attempt may be settled late.
//!
//! What was written before is in no row any more; the file's free pages have it until they are written anew.

use std::collections::HashSet;

use hashbrown::HashMap;
use redb::{ReadableTable, Table, WriteTransaction};

use super::attempt_row::AttemptRow;
use super::course::OutcomeRow;
use super::courses::{CourseKey, Courses};
use super::memory::Memory;
use super::record::{self, EndpointRow, EventRow, Group, Head, Meta};
use super::storage;
use super::tables::{ENDPOINTS, ERASING, EVENTS, HEADS};
use crate::model::id::SubscriptionId;
use crate::store::StoreError;

/// Where an endpoint is of which all is erased.
pub(super) const DONE: u64 = u64::MAX;

/// Heads looked at, and events erased, in one transaction.
const LOOKED_AT: usize = 8192;
const ERASED: usize = 512;

/// What a step has come to: how far each endpoint is.
#[derive(Default)]
pub(super) struct Erased(Vec<(u32, u64)>);

/// Lists the endpoints of `subscriptions`; answers them.
pub(super) fn begin(write: &WriteTransaction, subscriptions: &HashSet<SubscriptionId>) -> Result<Vec<u32>, StoreError> {
    let mut numbers = Vec::new();
    for row in write.open_table(ENDPOINTS).map_err(storage)?.iter().map_err(storage)? {
        let (number, row) = row.map_err(storage)?;
        if subscriptions.contains(EndpointRow::decode(row.value())?.subscription.as_str()) {
            numbers.push(number.value());
        }
    }
    let mut erasing = write.open_table(ERASING).map_err(storage)?;
    for number in &numbers {
        erasing.insert(number, 0).map_err(storage)?;
    }
    Ok(numbers)
}

/// Whether there is anything to erase.
pub(super) fn is_due(memory: &Memory) -> bool {
    memory.erasing.values().any(|next| *next != DONE)
}

/// Erases some of it.
pub(super) fn run(write: &WriteTransaction, meta: &mut Meta, memory: &Memory) -> Result<Erased, StoreError> {
    let left: HashMap<u32, u64> =
        memory.erasing.iter().map(|(n, next)| (*n, *next)).filter(|(_, n)| *n != DONE).collect();
    let Some(from) = left.values().min().copied() else { return Ok(Erased::default()) };
    let (found, next) = find(write, meta, &left, from)?;
    let mut courses = Courses::new(write);
    let mut heads = write.open_table(HEADS).map_err(storage)?;
    let mut events = write.open_table(EVENTS).map_err(storage)?;
    for Found { position, head, numbers } in found {
        let is_listed = |number: u32| memory.erasing.contains_key(&number);
        if head.groups.iter().flat_map(Group::endpoints).all(is_listed) {
            erase_event(position, head, &mut heads, &mut events, meta)?;
        }
        for number in numbers {
            erase_attempts((number, position), &mut courses)?;
        }
    }
    let mut erasing = write.open_table(ERASING).map_err(storage)?;
    let mut erased = Vec::with_capacity(left.len());
    for (number, before) in left {
        let end = memory.removed.get(&number).map_or(0, |removed| removed.at);
        let next = if next >= end { DONE } else { next.max(before) };
        erasing.insert(number, next).map_err(storage)?;
        erased.push((number, next));
    }
    Ok(Erased(erased))
}

/// An event that was for endpoints that are erased.
struct Found {
    position: u64,
    head: Head,
    numbers: Vec<u32>,
}

/// The next events for the endpoints in `left`, and where the next step looks on.
fn find(
    write: &WriteTransaction,
    meta: &Meta,
    left: &HashMap<u32, u64>,
    from: u64,
) -> Result<(Vec<Found>, u64), StoreError> {
    let mut found = Vec::new();
    let heads = write.open_table(HEADS).map_err(storage)?;
    for (looked, row) in heads.range(from..).map_err(storage)?.enumerate() {
        let (position, row) = row.map_err(storage)?;
        let position = position.value();
        if looked == LOOKED_AT || found.len() == ERASED {
            return Ok((found, position));
        }
        let head = Head::decode(row.value())?;
        let numbers: Vec<u32> =
            head.groups.iter().flat_map(Group::endpoints).filter(|number| left.contains_key(number)).collect();
        if !numbers.is_empty() {
            found.push(Found { position, head, numbers });
        }
    }
    // All that is filed has been looked at.
    Ok((found, meta.filed_to))
}

type Rows<'txn> = Table<'txn, u64, &'static [u8]>;

fn erase_event(
    position: u64,
    head: Head,
    heads: &mut Rows<'_>,
    events: &mut Rows<'_>,
    meta: &mut Meta,
) -> Result<(), StoreError> {
    let Some(kept) = events.get(position).map_err(storage)?.map(|row| row.value().to_vec()) else {
        // The body has gone already.
        let head = Head { identity: None, ..head };
        heads.insert(position, head.encode().as_slice()).map_err(storage)?;
        return Ok(());
    };
    let row = EventRow::decode(&kept)?;
    let body = record::erased_body(row.body)?;
    meta.body_bytes = meta.body_bytes.saturating_sub(row.body.len() as u64).saturating_add(body.len() as u64);
    let body_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let head = Head { identity: None, body_len, ..head };
    heads.insert(position, head.encode().as_slice()).map_err(storage)?;
    let row = EventRow { head, meta: row.meta, body: &body };
    events.insert(position, row.encode().as_slice()).map_err(storage)?;
    Ok(())
}

/// Erases what was answered to the attempts of a notification.
fn erase_attempts(key: CourseKey, courses: &mut Courses<'_>) -> Result<(), StoreError> {
    let (number, position) = key;
    let mut rows = Vec::new();
    for row in courses.attempts()?.range((number, position, 0)..=(number, position, u32::MAX)).map_err(storage)? {
        let (key, row) = row.map_err(storage)?;
        rows.push((key.value(), record::decode::<AttemptRow>(row.value(), "an attempt")?.erased()));
    }
    for (key, row) in rows {
        courses.attempts()?.insert(key, record::encode(&row).as_slice()).map_err(storage)?;
    }
    if let Some(row @ OutcomeRow { attempt: Some(_), .. }) = courses.outcome(key)? {
        courses.keep_outcome(key, &row.erased())?;
    }
    Ok(())
}

impl Erased {
    /// Brings memory behind the commit.
    pub(super) fn apply(&self, memory: &mut Memory) {
        for (number, next) in &self.0 {
            if let Some(of_endpoint) = memory.erasing.get_mut(number) {
                *of_endpoint = *next;
            }
        }
    }
}
