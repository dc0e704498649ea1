//! Consuming pages within a group.

use redb::{ReadableTable, Table};

use super::course::{OpenRow, POLLED};
use super::hand::{Choice, Overlay, choose};
use super::memory::Memory;
use super::page_keys::{KeptPage, PageKey, page_key};
use super::record::{self, Meta, PageRow};
use super::runs::Runs;
use super::tables::PageAt;
use super::writer::GroupTables;
use super::{Shared, storage};
use crate::base::clock::Timestamp;
use crate::model::notification::State;
use crate::store::{IdempotencyKey, StoreError, StoreSettings, Take};

/// A page that is in the transaction, or one that was before.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) at: PageAt,
    /// Rising.
    pub(super) positions: Vec<u64>,
    /// Those of them that had been handed out before.
    pub(super) again: Vec<u64>,
    /// The last of the others.
    pub(super) last_fresh: Option<u64>,
    pub(super) repeated: bool,
    pub(super) key: Option<PageKey>,
}

/// Whether the writer has to be asked: something waits, or the page may be a repeated one.
pub(super) fn is_worth_asking(shared: &Shared, take: &Take) -> bool {
    let memory = shared.memory.read();
    let Some(endpoint) = memory.endpoints.get(&take.endpoint.0) else { return false };
    endpoint.has_waiting(shared.now(), shared.time.withheld_to())
        || take.key.as_ref().is_some_and(|k| memory.page_keys.get(&page_key(take.endpoint, &take.client, k)).is_some())
}

/// Takes a page. `wanted`: whether the caller still waits; if not, nothing is taken. The inner error is the caller's
/// own and nothing was written for it; the outer one is everybody's in the group.
pub(super) fn run(
    take: &Take,
    wanted: bool,
    overlay: &mut Overlay,
    memory: &Memory,
    tables: &mut GroupTables<'_>,
    meta: &mut Meta,
    settings: &StoreSettings,
) -> Result<Result<Option<Taken>, StoreError>, StoreError> {
    if !wanted {
        return Ok(Ok(None));
    }
    let now = Timestamp::from_millis(meta.ledger_time);
    let key = take.key.as_ref().map(|key| page_key(take.endpoint, &take.client, key));
    if let Some(key) = &key {
        match repeated(key, overlay, memory, tables, now.minus(settings.page_key_lifetime)) {
            Ok(None) => {}
            repeated => return super::own(repeated),
        }
    }
    let number = take.endpoint.0;
    let Some(endpoint) = memory.endpoints.get(&number) else { return Ok(Ok(None)) };
    let times = (now, overlay.withheld_to);
    let staged = overlay.of(number);
    let choice = choose(endpoint, staged, take.max, take.max_bytes, times);
    if choice.len() == 0 {
        return Ok(Ok(None));
    }
    let rows = match open_rows(number, &choice, tables) {
        Ok(rows) => rows,
        Err(error) => return super::own(Err(error)),
    };
    let at = choice.page_at(number, endpoint, staged, tables.pages()?)?;
    write(take, &choice, rows, at, tables, meta)?;
    staged.hand_out(&choice);
    let again = choice.again.iter().map(|entry| entry.position()).collect();
    let (positions, last_fresh) = (choice.positions(), choice.last_fresh());
    let taken = Taken { at, positions, again, last_fresh, repeated: false, key };
    if let Some(key) = key {
        overlay.by_key.insert(key, taken.clone());
    }
    Ok(Ok(Some(taken)))
}

/// The page that this key stands for already, unless it was taken at or before `since`.
fn repeated(
    key: &PageKey,
    overlay: &Overlay,
    memory: &Memory,
    tables: &mut GroupTables<'_>,
    since: Timestamp,
) -> Result<Option<Taken>, StoreError> {
    if let Some(taken) = overlay.by_key.get(key) {
        return Ok(Some(Taken { repeated: true, ..taken.clone() }));
    }
    let Some(KeptPage { at, .. }) = memory.page_keys.get(key) else { return Ok(None) };
    let Some(row) = tables.pages()?.get(at).map_err(storage)? else { return Ok(None) };
    let page: PageRow = record::decode(row.value(), "a page")?;
    if page.time <= since.as_millis() {
        return Ok(None);
    }
    let positions = page.positions();
    Ok(Some(Taken { at, positions, again: Vec::new(), last_fresh: None, repeated: true, key: None }))
}

/// The rows of what waited again, in order. What the page holds of them is a promise of memory.
pub(super) fn open_rows(
    number: u32,
    choice: &Choice,
    tables: &mut GroupTables<'_>,
) -> Result<Vec<OpenRow>, StoreError> {
    let row = |position| {
        let missing =
            || StoreError::Corrupt { detail: format!("endpoint {number}: what waits at {position} has no row") };
        tables.courses.open_row((number, position))?.ok_or_else(missing)
    };
    choice.again.iter().map(|entry| entry.position()).map(row).collect()
}

/// Writes the page, and the end of what waited again.
fn write(
    take: &Take,
    choice: &Choice,
    rows: Vec<OpenRow>,
    at: PageAt,
    tables: &mut GroupTables<'_>,
    meta: &mut Meta,
) -> Result<(), StoreError> {
    let now = Timestamp::from_millis(meta.ledger_time);
    let page = PageRow {
        time: meta.ledger_time,
        client: take.client.as_str().to_owned(),
        request_id: take.request_id.clone(),
        key: take.key.as_ref().map(IdempotencyKey::as_str).map(str::to_owned),
        confirmed: false,
        until: None,
        fresh: Runs::new(choice.fresh.iter().map(|entry| entry.position())),
        again: Runs::new(choice.again.iter().map(|entry| entry.position())),
    };
    tables.pages()?.insert(at, record::encode(&page).as_slice()).map_err(storage)?;
    for (entry, mut row) in choice.again.iter().zip(rows) {
        row.past.handed_out(at);
        let end = (State::Consumed, POLLED, now);
        tables.courses.end((at.0, entry.position()), row, end, meta.settled_to)?;
    }
    meta.consumed += choice.len() as u64;
    meta.paged += choice.len() as u64;
    Ok(())
}

/// Brings memory behind a committed page.
pub(super) fn apply(taken: &Taken, memory: &mut Memory, meta: &Meta) {
    if taken.repeated {
        return;
    }
    let number = taken.at.0;
    if let (Some(last), Some(endpoint)) = (taken.last_fresh, memory.endpoints.get_mut(&number)) {
        let fresh = (taken.positions.len() - taken.again.len()) as u64;
        let expired = endpoint.pass(last, fresh);
        endpoint.ended.add(State::Consumed, fresh);
        memory.queued -= fresh + expired;
    }
    for position in &taken.again {
        memory.end_open(number, *position, State::Consumed);
    }
    if let Some(key) = taken.key {
        let first = taken.positions.first().copied().unwrap_or_default();
        memory.page_keys.keep(key, KeptPage { at: taken.at, first }, Timestamp::from_millis(meta.ledger_time));
    }
}

/// Forgets pages that are not kept for their keys any more.
pub(super) fn forget(memory: &mut Memory, settings: &StoreSettings, meta: &Meta) {
    memory.page_keys.forget(Timestamp::from_millis(meta.ledger_time).minus(settings.page_key_lifetime));
}

/// Marks a page's answer as written whole; answers how many notifications that is news of.
pub(super) fn confirm(pages: &mut Table<'_, PageAt, &'static [u8]>, key: PageAt) -> Result<u64, StoreError> {
    let row = match pages.get(key).map_err(storage)? {
        Some(row) => record::decode::<PageRow>(row.value(), "a page"),
        // The endpoint was removed meanwhile.
        None => return Ok(0),
    };
    match row {
        Ok(row) if !row.confirmed => {
            let row = PageRow { confirmed: true, ..row };
            pages.insert(key, record::encode(&row).as_slice()).map_err(storage)?;
            Ok(row.consumed())
        }
        Ok(_) => Ok(0),
        // Others' transactions must not fail for it, and it would come again with each.
        Err(error) => {
            tracing::error!(endpoint = key.0, page = key.1, %error, "a page cannot be marked as answered");
            Ok(0)
        }
    }
}
