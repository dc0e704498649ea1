//! Consuming pages within a group.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use hashbrown::HashMap;
use redb::{ReadableTable, Table};

use super::memory::Memory;
use super::page_keys::{KeptPage, PageKey, page_key};
use super::record::{self, Meta, PageRow};
use super::writer::GroupTables;
use super::{Shared, storage};
use crate::base::clock::Timestamp;
use crate::model::id::EndpointNumber;
use crate::store::{PageId, StoreError, StoreSettings, Take};

/// A page that is in the transaction, or one that was before.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    endpoint: u32,
    positions: Vec<u64>,
    /// The last position: the page's number.
    last: u64,
    repeated: bool,
    key: Option<PageKey>,
}

/// What earlier takes of the same group have taken, which memory does not know yet.
#[derive(Default)]
pub(super) struct Overlay {
    taken_to: HashMap<u32, u64>,
    by_key: HashMap<PageKey, Taken>,
    /// What has its deadline until then is withheld, and all behind it: it looks expired by a wall clock in doubt.
    pub(super) withheld_to: Timestamp,
}

/// Whether the writer has to be asked: something waits, or the page may be a repeated one.
pub(super) fn is_worth_asking(shared: &Shared, take: &Take) -> bool {
    let memory = shared.memory.read();
    let Some(endpoint) = memory.endpoints.get(&take.endpoint.0) else { return false };
    endpoint.queue.has_ready(shared.now(), shared.time.withheld_to())
        || take.key.as_ref().is_some_and(|k| memory.page_keys.get(&page_key(take.endpoint, &take.client, k)).is_some())
}

/// Takes a page. `wanted`: whether the caller still waits; if not, nothing is taken.
pub(super) fn run(
    take: &Take,
    wanted: bool,
    overlay: &mut Overlay,
    memory: &Memory,
    tables: &mut GroupTables<'_>,
    meta: &mut Meta,
    settings: &StoreSettings,
) -> Result<Option<Taken>, StoreError> {
    if !wanted {
        return Ok(None);
    }
    let now = Timestamp::from_millis(meta.ledger_time);
    let key = take.key.as_ref().map(|key| page_key(take.endpoint, &take.client, key));
    if let Some(key) = &key
        && let Some(repeated) = repeated(key, overlay, memory, tables, now.minus(settings.page_key_lifetime))?
    {
        return Ok(Some(repeated));
    }
    let positions = select(take, overlay, memory, now);
    let Some(&last) = positions.last() else { return Ok(None) };
    let row = PageRow::new(
        now,
        &take.client,
        &take.request_id,
        take.key.as_ref().map(crate::store::IdempotencyKey::as_str),
        &positions,
    );
    tables.pages()?.insert((take.endpoint.0, last), record::encode(&row).as_slice()).map_err(storage)?;
    meta.consumed += positions.len() as u64;
    overlay.taken_to.insert(take.endpoint.0, last);
    let taken = Taken { endpoint: take.endpoint.0, positions, last, repeated: false, key };
    if let Some(key) = key {
        overlay.by_key.insert(key, taken.clone());
    }
    Ok(Some(taken))
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
    let Some(KeptPage { endpoint, last, .. }) = memory.page_keys.get(key) else { return Ok(None) };
    let Some(row) = tables.pages()?.get((endpoint, last)).map_err(storage)? else { return Ok(None) };
    let page: PageRow = record::decode(row.value(), "a page")?;
    if page.time <= since.as_millis() {
        return Ok(None);
    }
    Ok(Some(Taken { endpoint, positions: page.positions(), last, repeated: true, key: None }))
}

/// The oldest that may be handed out, as many as fit.
fn select(take: &Take, overlay: &Overlay, memory: &Memory, now: Timestamp) -> Vec<u64> {
    let Some(endpoint) = memory.endpoints.get(&take.endpoint.0) else { return Vec::new() };
    let taken_to = overlay.taken_to.get(&take.endpoint.0).copied();
    let mut bytes = 0;
    let mut positions = Vec::new();
    for entry in endpoint.queue.live_after(taken_to, now) {
        if positions.len() == take.max || bytes >= take.max_bytes as u64 || !entry.is_live(overlay.withheld_to) {
            break;
        }
        bytes += entry.size();
        positions.push(entry.position());
    }
    positions
}

/// Brings memory behind a committed page.
pub(super) fn apply(taken: &Taken, memory: &mut Memory, meta: &Meta) {
    if taken.repeated {
        return;
    }
    if let Some(endpoint) = memory.endpoints.get_mut(&taken.endpoint) {
        let gone = endpoint.take_through(taken.last, taken.positions.len() as u64);
        memory.queued -= gone as u64;
    }
    if let Some(key) = taken.key {
        let first = taken.positions.first().copied().unwrap_or(taken.last);
        let page = KeptPage { endpoint: taken.endpoint, last: taken.last, first };
        memory.page_keys.keep(key, page, Timestamp::from_millis(meta.ledger_time));
    }
}

/// Forgets pages that are not kept for their keys any more.
pub(super) fn forget(memory: &mut Memory, settings: &StoreSettings, meta: &Meta) {
    memory.page_keys.forget(Timestamp::from_millis(meta.ledger_time).minus(settings.page_key_lifetime));
}

/// A committed page on its way to who asked for it. As long as it is here the sweep leaves its events alone; dropped
/// before it is handed over, it counts as unconfirmed.
pub(super) struct Unread {
    shared: Arc<Shared>,
    pub(super) id: PageId,
    pub(super) positions: Vec<u64>,
    pub(super) repeated: bool,
    first: u64,
    /// What is lost if it is dropped.
    notifications: u64,
}

impl Unread {
    pub(super) fn new(taken: Taken, shared: &Arc<Shared>) -> Self {
        let Taken { endpoint, positions, last, repeated, key: _ } = taken;
        let first = positions.first().copied().unwrap_or(last);
        let notifications = if repeated { 0 } else { positions.len() as u64 };
        *shared.unread.lock().entry(first).or_default() += 1;
        let id = PageId { endpoint: EndpointNumber(endpoint), number: last };
        Self { shared: Arc::clone(shared), id, positions, repeated, first, notifications }
    }

    /// It has been read: the rest is the caller's.
    pub(super) fn hand_over(mut self) {
        self.notifications = 0;
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if let Entry::Occupied(mut pages) = self.shared.unread.lock().entry(self.first) {
            *pages.get_mut() -= 1;
            if *pages.get() == 0 {
                pages.remove();
            }
        }
        if self.notifications > 0 {
            self.shared.count_unconfirmed(self.id, self.notifications);
        }
    }
}

/// Marks a page's answer as written whole; answers how many notifications that is news of.
pub(super) fn confirm(pages: &mut Table<'_, (u32, u64), &'static [u8]>, key: (u32, u64)) -> Result<u64, StoreError> {
    let row = match pages.get(key).map_err(storage)? {
        Some(row) => record::decode::<PageRow>(row.value(), "a page"),
        // The endpoint was removed meanwhile.
        None => return Ok(0),
    };
    match row {
        Ok(row) if !row.confirmed => {
            let row = PageRow { confirmed: true, ..row };
            pages.insert(key, record::encode(&row).as_slice()).map_err(storage)?;
            Ok(row.count())
        }
        Ok(_) => Ok(0),
        // Others' transactions must not fail for it, and it would come again with each.
        Err(error) => {
            tracing::error!(endpoint = key.0, page = key.1, %error, "a page cannot be marked as answered");
            Ok(0)
        }
    }
}
