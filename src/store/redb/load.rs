//! Start: memory rebuilt from the file.
//!
//! Heads are read from the older of the first unsettled event and the oldest remembered identity; bodies are not read.

use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable};

use super::account::{self, EndpointTables, Known, Standing};
use super::course::OpenRow;
use super::endpoint::EndpointMemory;
use super::memory::Memory;
use super::page_keys::{KeptPage, PageKey, page_key};
use super::queue::Entry;
use super::record::{self, EventRow, Head, Meta, PageRow};
use super::standing_row::StandingRow;
use super::subscription_row;
use super::tables::{
    ENDPOINTS, ERASING, EVENTS, HEADS, META, OPEN, OUTCOMES, PAGES, POLLED, PageAt, SECRETS, STANDINGS, SUBSCRIPTIONS,
    TALLIES,
};
use super::target_row::open_secrets;
use super::{Opening, Progress, storage};
use crate::base::clock::Timestamp;
use crate::base::seal::SealKey;
use crate::model::id::{ClientId, EndpointNumber, Position, SubscriptionId};
use crate::model::notification::EndpointKind;
use crate::model::subscription::SubscriptionSet;
use crate::store::{IdempotencyKey, StoreError, StoreSettings};

type Rows<K> = ReadOnlyTable<K, &'static [u8]>;

/// The tables of a file that tell of endpoints.
pub(super) type Tables = EndpointTables<Rows<u32>, Rows<u32>, Rows<PageAt>, Rows<(u32, u64)>>;

/// Reads all that memory needs. `now` is the ledger's time.
pub(super) fn load(
    db: &Database,
    settings: &StoreSettings,
    seal: &SealKey,
    now: Timestamp,
    progress: &Progress,
) -> Result<Memory, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let meta = read_meta(&read)?;
    let now = now.max(Timestamp::from_millis(meta.ledger_time));
    let mut memory = Memory::empty(meta);
    memory.subscriptions = Arc::new(read_subscriptions(&read, Some(seal))?);

    let mut known = endpoint_tables(&read)?.known(memory.meta.settled_to, now)?;
    for (number, known) in &known {
        if known.removed.is_none() {
            let id = SubscriptionId::new(&known.subscription);
            let held = memory.subscriptions.get(id.as_str()).is_some_and(|subscription| subscription.is_held());
            memory.endpoints.insert(*number, EndpointMemory { held, ..EndpointMemory::new(id, known.kind) });
        }
    }
    for subscription in Arc::clone(&memory.subscriptions).iter() {
        memory.note_receivers(subscription);
    }
    read_older_identities(&read, &mut memory, settings, now)?;
    read_heads(&read, &mut memory, &mut known, settings, now, progress)?;
    settle_sums(&mut memory, known)?;
    read_standings(&read, &mut memory)?;
    read_open(&read, &mut memory, now)?;
    read_polled(&read, &mut memory)?;
    for row in read.open_table(ERASING).map_err(storage)?.iter().map_err(storage)? {
        let (number, next) = row.map_err(storage)?;
        memory.erasing.insert(number.value(), next.value());
    }
    read_kept_pages(&read, &mut memory, now.minus(settings.page_key_lifetime))?;
    Ok(memory)
}

/// The format of a file that a later release has written.
pub(super) fn later_format(read: &ReadTransaction) -> Option<u32> {
    let row = read.open_table(META).ok()?.get("state").ok()??;
    record::format_of(row.value()).filter(|format| *format > record::FORMAT)
}

/// The store's state: the row of META or, if that is younger, what the last event's row holds.
pub(super) fn read_meta(read: &ReadTransaction) -> Result<Meta, StoreError> {
    let meta = state_row(read)?;
    let events = read.open_table(EVENTS).map_err(storage)?;
    let Some((_, row)) = events.last().map_err(storage)? else { return Ok(meta) };
    let row = EventRow::decode(row.value())?;
    Ok(row.meta.filter(|kept| kept.sequence > meta.sequence).unwrap_or(meta))
}

fn state_row(read: &ReadTransaction) -> Result<Meta, StoreError> {
    let table = read.open_table(META).map_err(storage)?;
    let row = table.get("state").map_err(storage)?;
    let row = row.ok_or_else(|| StoreError::Corrupt { detail: "the data file has no state row".to_owned() })?;
    record::decode(row.value(), "the state row")
}

/// All subscriptions; their secrets too, where there is a key to open them with.
pub(super) fn read_subscriptions(
    read: &ReadTransaction,
    seal: Option<&SealKey>,
) -> Result<SubscriptionSet, StoreError> {
    let mut set = SubscriptionSet::default();
    let secrets = read.open_table(SECRETS).map_err(storage)?;
    for row in read.open_table(SUBSCRIPTIONS).map_err(storage)?.iter().map_err(storage)? {
        let (id, row) = row.map_err(storage)?;
        let mut subscription = subscription_row::decode(id.value(), row.value())?;
        for endpoint in &mut subscription.endpoints {
            if let Some(seal) = seal {
                open_secrets(endpoint, seal, &secrets)?;
            }
        }
        set.insert(Arc::new(subscription));
    }
    Ok(set)
}

/// Identities of events before the first unsettled one, oldest first.
fn read_older_identities(
    read: &ReadTransaction,
    memory: &mut Memory,
    settings: &StoreSettings,
    now: Timestamp,
) -> Result<(), StoreError> {
    let since = now.minus(settings.identities_kept_for());
    let mut older = Vec::new();
    let heads = read.open_table(HEADS).map_err(storage)?;
    for row in heads.range(..memory.meta.settled_to).map_err(storage)?.rev() {
        let (position, row) = row.map_err(storage)?;
        let head = Head::decode(row.value())?;
        if head.accepted() <= since || older.len() >= settings.duplicate_events {
            break;
        }
        if let Some((fingerprint, _)) = head.identity {
            older.push((fingerprint, position.value(), head.accepted()));
        }
    }
    for (fingerprint, position, accepted) in older.into_iter().rev() {
        memory.identities.remember(&fingerprint, position, accepted);
    }
    Ok(())
}

fn read_heads(
    read: &ReadTransaction,
    memory: &mut Memory,
    known: &mut hashbrown::HashMap<u32, Known>,
    settings: &StoreSettings,
    now: Timestamp,
    progress: &Progress,
) -> Result<(), StoreError> {
    let since = now.minus(settings.identities_kept_for());
    let mut count = 0_u64;
    let from = memory.meta.settled_to;
    let filed_to = memory.meta.filed_to;
    let heads = read.open_table(HEADS).map_err(storage)?;
    let events = read.open_table(EVENTS).map_err(storage)?;
    account::heads_from(&heads, &events, from, filed_to, |position, head| {
        if let Some((fingerprint, _)) = &head.identity
            && head.accepted() > since
        {
            memory.identities.remember(fingerprint, position, head.accepted());
            memory.identities.forget(since, settings.duplicate_events);
        }
        queue_targets(memory, known, position, &head, now);
        count += 1;
        if count.is_multiple_of(100_000) {
            progress(Opening::Reading { events: count });
        }
        Ok(())
    })
}

/// The tables that tell of endpoints.
pub(super) fn endpoint_tables(read: &ReadTransaction) -> Result<Tables, StoreError> {
    Ok(EndpointTables {
        endpoints: read.open_table(ENDPOINTS).map_err(storage)?,
        tallies: read.open_table(TALLIES).map_err(storage)?,
        pages: read.open_table(PAGES).map_err(storage)?,
        open: read.open_table(OPEN).map_err(storage)?,
        outcomes: read.open_table(OUTCOMES).map_err(storage)?,
    })
}

fn queue_targets(
    memory: &mut Memory,
    known: &mut hashbrown::HashMap<u32, Known>,
    position: u64,
    head: &Head,
    now: Timestamp,
) {
    let Some(at) = Position::new(position) else { return };
    for group in &head.groups {
        for number in group.endpoints() {
            let Some(known) = known.get_mut(&number) else { continue };
            if known.count(position, group.deadline(), group.entrance, now) == (Standing::Waiting { open: false })
                && let Some(endpoint) = memory.endpoints.get_mut(&number)
            {
                endpoint.push(at, u64::from(head.body_len), group.deadline());
                memory.queued += 1;
            }
        }
    }
}

fn settle_sums(memory: &mut Memory, known: hashbrown::HashMap<u32, Known>) -> Result<(), StoreError> {
    for (kind, tally) in EndpointKind::ALL.into_iter().zip(memory.meta.gone) {
        memory.gone.get_mut(kind).merge(&tally.to_sums());
    }
    for (number, known) in known {
        let sums = known.tally()?.to_sums();
        match (memory.endpoints.get_mut(&number), known.removed) {
            (Some(endpoint), _) => {
                // The tally counts all that was made, also what waits.
                endpoint.ended = sums;
                endpoint.cursor = known.cursor;
            }
            (None, Some(removed)) => {
                memory.gone.get_mut(known.kind).merge(&sums);
                memory.removed.insert(number, removed);
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// How what is sent to stands.
fn read_standings(read: &ReadTransaction, memory: &mut Memory) -> Result<(), StoreError> {
    for row in read.open_table(STANDINGS).map_err(storage)?.iter().map_err(storage)? {
        let (number, row) = row.map_err(storage)?;
        let row: StandingRow = record::decode(row.value(), "how an endpoint stands")?;
        if let Some(push) = memory.endpoints.get_mut(&number.value()).and_then(|endpoint| endpoint.push.as_mut()) {
            push.stand(row.into_standing()?);
        }
    }
    Ok(())
}

/// What is leased or waits again; the sums have it already.
fn read_open(read: &ReadTransaction, memory: &mut Memory, now: Timestamp) -> Result<(), StoreError> {
    for row in read.open_table(OPEN).map_err(storage)?.iter().map_err(storage)? {
        let (key, row) = row.map_err(storage)?;
        let (number, position) = key.value();
        let row = OpenRow::decode(row.value())?;
        memory.keep_open(position);
        if let Some(at) = Position::new(position) {
            memory.load_open(number, Entry::new(at, row.size, row.deadline()), &row, now);
        }
    }
    Ok(())
}

fn read_polled(read: &ReadTransaction, memory: &mut Memory) -> Result<(), StoreError> {
    for row in read.open_table(POLLED).map_err(storage)?.iter().map_err(storage)? {
        let (number, at) = row.map_err(storage)?;
        if let Some(endpoint) = memory.endpoints.get(&number.value()) {
            endpoint.last_polled.note(Timestamp::from_millis(at.value()));
        }
    }
    Ok(())
}

/// The pages that were taken after `since` with a key.
fn read_kept_pages(read: &ReadTransaction, memory: &mut Memory, since: Timestamp) -> Result<(), StoreError> {
    let pages = read.open_table(PAGES).map_err(storage)?;
    let mut kept: Vec<(Timestamp, PageKey, KeptPage)> = Vec::new();
    for number in memory.endpoints.keys() {
        for row in pages.range((*number, 0, 0)..=(*number, u64::MAX, u32::MAX)).map_err(storage)?.rev() {
            let (key, row) = row.map_err(storage)?;
            let page: PageRow = record::decode(row.value(), "a page")?;
            let taken = Timestamp::from_millis(page.time);
            if taken <= since {
                break;
            }
            if let Some(text) = page.key.as_deref().and_then(IdempotencyKey::parse) {
                let hash = page_key(EndpointNumber(*number), &ClientId::new(&page.client), &text);
                kept.push((taken, hash, KeptPage { at: key.value(), first: page.first() }));
            }
        }
    }
    kept.sort_by_key(|(taken, ..)| *taken);
    for (taken, key, page) in kept {
        memory.page_keys.keep(key, page, taken);
    }
    Ok(())
}
