//! Reading events and secrets, for those who are answered.

use redb::{Database, ReadOnlyTable, ReadableDatabase};

use super::record::{self, EventRow, Head};
use super::storage;
use super::tables::{EVENTS, SECRETS};
use crate::base::clock::Timestamp;
use crate::base::seal::SealKey;
use crate::model::event::Event;
use crate::model::id::{EndpointNumber, LedgerId};
use crate::store::{Handed, StoreError};

type Rows = ReadOnlyTable<u64, &'static [u8]>;

/// The notifications at `positions` for `endpoint`.
pub(super) fn read(db: &Database, endpoint: EndpointNumber, positions: &[u64]) -> Result<Vec<Handed>, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let events = read.open_table(EVENTS).map_err(storage)?;
    positions
        .iter()
        .map(|&position| {
            let missing = || StoreError::Corrupt { detail: format!("the event at {position} is not there") };
            let (head, event) = event_at(&events, position)?.ok_or_else(missing)?;
            let id = head.id(position, head.target_of(endpoint).ok_or_else(missing)?);
            Ok(Handed { id, event })
        })
        .collect()
}

pub(super) fn event_at(events: &Rows, position: u64) -> Result<Option<(Head, Event)>, StoreError> {
    let Some(row) = events.get(position).map_err(storage)? else { return Ok(None) };
    let row = EventRow::decode(row.value())?;
    let event = record::event(position, &row)?;
    Ok(Some((row.head, event)))
}

/// The event with this id.
pub(super) fn event(db: &Database, id: LedgerId) -> Result<Option<Event>, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let events = read.open_table(EVENTS).map_err(storage)?;
    let found = event_at(&events, id.parts().position.get())?;
    Ok(found.map(|(_, event)| event).filter(|event| event.id == id))
}

/// Those of `reports` that are notifications for `endpoint`, each with its position. Their events have bodies.
pub(super) fn only_of<T>(
    db: &Database,
    endpoint: EndpointNumber,
    reports: Vec<(LedgerId, T)>,
) -> Result<Vec<(u64, T)>, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let events = read.open_table(EVENTS).map_err(storage)?;
    let mut found = Vec::with_capacity(reports.len());
    for (id, report) in reports {
        let position = id.parts().position.get();
        let Some(row) = events.get(position).map_err(storage)? else { continue };
        let (_, head) = record::split_head(row.value())?;
        if head.target_of(endpoint).is_some_and(|target| head.id(position, target) == id) {
            found.push((position, report));
        }
    }
    Ok(found)
}

/// When the event at `position`, which waits, was accepted; `None` if that cannot be read.
pub(super) fn accepted(db: &Database, position: u64) -> Option<Timestamp> {
    let events = db.begin_read().ok()?.open_table(EVENTS).ok()?;
    let row = events.get(position).ok()??;
    record::split_head(row.value()).ok().map(|(_, head)| head.accepted())
}

/// The secret of this name, opened.
pub(super) fn secret(db: &Database, seal: &SealKey, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let table = db.begin_read().map_err(storage)?.open_table(SECRETS).map_err(storage)?;
    let Some(row) = table.get(name).map_err(storage)? else { return Ok(None) };
    open(seal, name, row.value()).map(Some)
}

/// Opens a sealed secret.
pub(super) fn open(seal: &SealKey, name: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let opened = seal.open(name, sealed);
    opened.map(|value| value.to_vec()).map_err(|e| StoreError::Corrupt { detail: format!("the secret {name}: {e}") })
}
