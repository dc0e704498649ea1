//! Appending events within a group.

use hashbrown::HashMap;
use parking_lot::RwLockWriteGuard;
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::course::{Granted, OpenRow};
use super::leases::Leased;
use super::memory::Memory;
use super::queue::Entry;
use super::receivers::ReceiverKey;
use super::record::{self, Entrance, EventRow, Group, Head};
use super::tables::{EVENTS, REPEATS};
use super::writer::GroupTables;
use super::{Shared, storage};
use crate::base::clock::Timestamp;
use crate::model::event::Identity;
use crate::model::id::{EndpointNumber, EventTypeId, Position};
use crate::model::notification::{ByKind, EndpointKind};
use crate::model::subscription::SetVersion;
use crate::store::{
    Append, AppendError, KeptCondition, NewEvent, Receipt, Repeated, Repeats, StoreError, StoreSettings, TargetGroup,
};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// An append whose bodies have been encoded, outside the writer.
pub(super) struct Prepared {
    matched_against: SetVersion,
    events: Vec<PreparedEvent>,
    /// See [`Append::own`].
    pub(super) own: bool,
    keep: Option<KeptCondition>,
}

struct PreparedEvent {
    identity: Option<Identity>,
    repeats: Repeats,
    matched: u32,
    expiry: Option<Timestamp>,
    event_type: EventTypeId,
    targets: Vec<TargetGroup>,
    body: Vec<u8>,
}

impl Prepared {
    pub(super) fn new(append: Append) -> Self {
        let Append { matched_against, events, own, keep } = append;
        let events = events.into_iter().map(PreparedEvent::new).collect();
        Self { matched_against, events, own, keep }
    }

    /// How many events it has.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Bytes of all bodies.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(|e| e.body.len()).sum()
    }
}

impl PreparedEvent {
    fn new(event: NewEvent) -> Self {
        let NewEvent { draft, identity, repeats, matched, targets } = event;
        let body = record::encode_body(&draft);
        Self { identity, repeats, matched, expiry: draft.expiry, event_type: draft.event_type, targets, body }
    }
}

/// How often an event was repeated, and when last, in milliseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct RepeatsRow(u64, i64);

impl RepeatsRow {
    pub(super) const fn into_repeated(self) -> Repeated {
        Repeated { times: self.0, last: Timestamp::from_millis(self.1) }
    }
}

impl GroupTables<'_> {
    /// Notes a repeat of the event at `position`.
    fn count_repeat(&self, position: u64, now: Timestamp) -> Result<(), StoreError> {
        let mut repeats = self.write.open_table(REPEATS).map_err(storage)?;
        let before = match repeats.get(position).map_err(storage)? {
            // It is told, and nothing depends on it.
            Some(row) => record::decode::<RepeatsRow>(row.value(), "the repeats of an event").map_or(0, |row| row.0),
            None => 0,
        };
        let row = RepeatsRow(before.saturating_add(1), now.as_millis());
        repeats.insert(position, record::encode(&row).as_slice()).map_err(storage)?;
        Ok(())
    }
}

/// An append that is in the transaction.
pub(super) struct Stored {
    pub(super) receipts: Vec<Receipt>,
    events: Vec<StoredEvent>,
    duplicates: u64,
}

struct StoredEvent {
    position: Position,
    head: Head,
    /// Until when the notifications of its groups are held; empty where none are.
    begins: Vec<Option<Timestamp>>,
}

/// What earlier appends of the same group have brought, which memory does not know yet.
#[derive(Default)]
pub(super) struct Overlay {
    /// With the first answers.
    identities: Seen<Receipt>,
    queued: u64,
    /// Events in the group: no queue grows by more.
    events: u64,
    /// The last numbers that were given out.
    numbers: HashMap<ReceiverKey, u64>,
    /// Only of endpoints whose queue the group could fill.
    queued_to: HashMap<u32, u64>,
}

impl Overlay {
    /// The last numbers that were given out.
    pub(super) const fn numbers(&mut self) -> &mut HashMap<ReceiverKey, u64> {
        &mut self.numbers
    }

    /// For a group of so many events.
    pub(super) fn new(events: usize) -> Self {
        Self { events: events as u64, ..Self::default() }
    }
}

/// What is known of an event before it is stored.
enum Repeat {
    No,
    /// Of an event that was stored before.
    Known(Receipt),
    /// Of the event at this place in the same append.
    Of(usize),
}

/// Stores one append, all or nothing.
pub(super) fn run(
    append: &mut Prepared,
    overlay: &mut Overlay,
    memory: &Memory,
    settings: &StoreSettings,
    tables: &mut GroupTables<'_>,
    meta: &mut record::Meta,
) -> Result<Stored, AppendError> {
    if append.matched_against != memory.subscriptions.version() {
        return Err(AppendError::Stale);
    }
    let now = Timestamp::from_millis(meta.ledger_time);
    let repeats = find_repeats(append, overlay, memory, tables, (now, settings.duplicate_window))?;
    if !append.own {
        check_room(append, &repeats, overlay, memory, settings, now)?;
    }

    if let Some(condition) = &append.keep {
        tables.keep_condition(condition)?;
    }
    let mut stored = Stored { receipts: Vec::with_capacity(append.events.len()), events: Vec::new(), duplicates: 0 };
    for (event, repeat) in append.events.iter_mut().zip(repeats) {
        let receipt = match repeat {
            Repeat::Known(receipt) => Receipt { duplicate: true, ..receipt },
            Repeat::Of(index) => Receipt { duplicate: true, ..stored.receipts[index].clone() },
            Repeat::No => {
                let (mut head, begins) = head(event, overlay, memory, settings, meta.epoch, now);
                if !memory.receivers.is_empty() {
                    head.numbers = overlay.number(&head, &event.event_type, &memory.receivers, tables)?;
                }
                store(event, (head, begins), overlay, tables, meta, &mut stored.events)?
            }
        };
        if receipt.duplicate {
            stored.duplicates += 1;
            if matches!(event.repeats, Repeats::Loose(_)) {
                tables.count_repeat(receipt.id.parts().position.get(), now)?;
            }
        }
        stored.receipts.push(receipt);
    }
    Ok(stored)
}

/// What each event is a repeat of, if it is one. `duplicate_window`: for those that are [`Repeats::Strict`].
fn find_repeats(
    append: &Prepared,
    overlay: &Overlay,
    memory: &Memory,
    tables: &GroupTables<'_>,
    (now, duplicate_window): (Timestamp, Duration),
) -> Result<Vec<Repeat>, AppendError> {
    let mut own = Seen::default();
    let mut repeats = Vec::with_capacity(append.events.len());
    for (index, event) in append.events.iter().enumerate() {
        let Some(identity) = event.identity.filter(|_| event.repeats != Repeats::Loose(Duration::ZERO)) else {
            repeats.push(Repeat::No);
            continue;
        };
        let known = if let Some((content, first)) = own.find(&identity, event.repeats) {
            Some((content, Repeat::Of(*first)))
        } else if let Some((content, receipt)) = overlay.identities.find(&identity, event.repeats) {
            Some((content, Repeat::Known(receipt.clone())))
        } else {
            let window = if let Repeats::Loose(window) = event.repeats { window } else { duplicate_window };
            stored_identity(&identity, event.repeats, memory, tables, now.minus(window))?
        };
        match known {
            Some((content, _)) if event.repeats == Repeats::Strict && content != identity.content => {
                return Err(AppendError::Conflict { index });
            }
            Some((_, repeat)) => repeats.push(repeat),
            None => {
                own.add(identity, event.repeats, index);
                repeats.push(Repeat::No);
            }
        }
    }
    Ok(repeats)
}

/// Identities that are not in memory yet, each with something.
struct Seen<T> {
    strict: HashMap<[u8; 16], ([u8; 16], T)>,
    /// Those of [`Repeats::Loose`]: of these several may have one fingerprint, and there are few.
    loose: Vec<(Identity, T)>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { strict: HashMap::new(), loose: Vec::new() }
    }
}

impl<T> Seen<T> {
    fn add(&mut self, identity: Identity, repeats: Repeats, with: T) {
        match repeats {
            Repeats::Strict => drop(self.strict.insert(identity.fingerprint, (identity.content, with))),
            Repeats::Loose(_) => self.loose.push((identity, with)),
        }
    }

    /// The content of the one that is repeated, and what it is with.
    fn find(&self, identity: &Identity, repeats: Repeats) -> Option<([u8; 16], &T)> {
        if repeats == Repeats::Strict {
            return self.strict.get(&identity.fingerprint).map(|(content, with)| (*content, with));
        }
        let is_it = |(earlier, _): &&(Identity, T)| {
            earlier.fingerprint == identity.fingerprint && repeats.is_repeat(&identity.content, &earlier.content)
        };
        self.loose.iter().find(is_it).map(|(earlier, with)| (earlier.content, with))
    }
}

impl Repeats {
    /// Whether an event with `content` repeats, or contradicts, an earlier one with the same fingerprint.
    fn is_repeat(self, content: &[u8; 16], earlier: &[u8; 16]) -> bool {
        const NOTHING: [u8; 16] = [0; 16];
        self == Self::Strict || content == earlier || *content == NOTHING || *earlier == NOTHING
    }
}

/// The remembered event with this identity, confirmed by its row: of those that it repeats.
fn stored_identity(
    identity: &Identity,
    repeats: Repeats,
    memory: &Memory,
    tables: &GroupTables<'_>,
    since: Timestamp,
) -> Result<Option<([u8; 16], Repeat)>, StoreError> {
    for position in memory.identities.candidates(&identity.fingerprint, since) {
        let Some(head) = tables.head(position)? else { continue };
        if let Some((fingerprint, content)) = head.identity
            && fingerprint == identity.fingerprint
            && repeats.is_repeat(&identity.content, &content)
        {
            return Ok(Some((content, Repeat::Known(receipt(position, &head)))));
        }
    }
    Ok(None)
}

/// Refuses the append where it would bring more than `limits.queue_total` to wait.
fn check_room(
    append: &Prepared,
    repeats: &[Repeat],
    overlay: &Overlay,
    memory: &Memory,
    settings: &StoreSettings,
    now: Timestamp,
) -> Result<(), AppendError> {
    let new: usize = append
        .events
        .iter()
        .zip(repeats)
        .filter(|(_, repeat)| matches!(repeat, Repeat::No))
        .map(|(event, _)| event.targets.iter().map(|g| g.endpoints.len()).sum::<usize>())
        .sum();
    let more = overlay.queued + new as u64;
    if new == 0 || memory.queued + more <= settings.queue_total {
        return Ok(());
    }
    // Some of what is in the queues may have expired.
    let waiting = memory.live(now) + overlay.queued;
    if waiting + new as u64 <= settings.queue_total { Ok(()) } else { Err(AppendError::Full { waiting }) }
}

/// The head of a new event: its deadlines are fixed, and what does not fit into a queue fails here.
fn head(
    event: &mut PreparedEvent,
    overlay: &mut Overlay,
    memory: &Memory,
    settings: &StoreSettings,
    epoch: u16,
    now: Timestamp,
) -> (Head, Vec<Option<Timestamp>>) {
    let mut groups = Vec::with_capacity(event.targets.len());
    let mut begins = Vec::new();
    for target in &event.targets {
        let from = target.from.filter(|from| *from > now);
        let latest = from.unwrap_or(now).plus(target.ttl);
        let deadline = event.expiry.map_or(latest, |expiry| latest.min(expiry));
        let (mut queued, mut full) = (Vec::with_capacity(target.endpoints.len()), Vec::new());
        for &EndpointNumber(number) in &target.endpoints {
            let into = if overlay.has_room(number, memory, settings, now) { &mut queued } else { &mut full };
            into.push(number);
        }
        overlay.queued += queued.len() as u64;
        for (entrance, endpoints) in [(Entrance::Queued, queued), (Entrance::QueueFull, full)] {
            if !endpoints.is_empty() {
                if from.is_some() && entrance == Entrance::Queued {
                    begins.resize(groups.len(), None);
                    begins.push(from);
                }
                groups.push(Group::new(target.kind, entrance, deadline, &endpoints));
            }
        }
    }
    let head = Head {
        epoch,
        accepted: now.as_millis(),
        body_len: u32::try_from(event.body.len()).unwrap_or(u32::MAX),
        matched: event.matched,
        identity: event.identity.map(|i| (i.fingerprint, i.content)),
        groups,
        numbers: Vec::new(),
    };
    (head, begins)
}

impl Overlay {
    /// Whether one more fits into the endpoint's queue, which is then counted.
    fn has_room(&mut self, number: u32, memory: &Memory, settings: &StoreSettings, now: Timestamp) -> bool {
        let Some(endpoint) = memory.endpoints.get(&number) else { return true };
        if endpoint.entries() + self.events < settings.queue_depth {
            return true;
        }
        let own = self.queued_to.entry(number).or_default();
        let fits = endpoint.entries() + *own < settings.queue_depth || endpoint.live(now) + *own < settings.queue_depth;
        *own += u64::from(fits);
        fits
    }
}

fn store(
    event: &PreparedEvent,
    (head, begins): (Head, Vec<Option<Timestamp>>),
    overlay: &mut Overlay,
    tables: &mut GroupTables<'_>,
    meta: &mut record::Meta,
    events: &mut Vec<StoredEvent>,
) -> Result<Receipt, StoreError> {
    let position = Position::new(meta.next_position).ok_or_else(|| StoreError::Unavailable {
        detail: "all positions have been given out; restore into a new file to go on".to_owned(),
    })?;
    let row = EventRow { head, meta: None, body: &event.body };
    tables.events.insert(position.get(), row.encode().as_slice()).map_err(storage)?;
    let head = row.head;
    meta.next_position += 1;
    meta.accepted += 1;
    meta.matched += u64::from(head.matched > 0);
    meta.body_bytes += event.body.len() as u64;
    meta.created += head.groups.iter().map(|g| g.endpoints.len() as u64).sum::<u64>();
    let receipt = receipt(position.get(), &head);
    if let Some((fingerprint, content)) = head.identity {
        overlay.identities.add(Identity { fingerprint, content }, event.repeats, receipt.clone());
    }
    let stored = StoredEvent { position, head, begins };
    for (number, leased) in stored.held() {
        let row = OpenRow::held(leased);
        tables.courses.keep_open((number, position.get()), &row)?;
    }
    events.push(stored);
    Ok(receipt)
}

impl StoredEvent {
    /// The endpoints whose notifications are held at first, each with what is held and until when. What ends before that
    /// ends then.
    fn held(&self) -> impl Iterator<Item = (u32, Leased)> {
        let groups = self.head.groups.iter().zip(&self.begins);
        groups.filter_map(|(group, begin)| Some((group, (*begin)?))).flat_map(|(group, from)| {
            let entry = Entry::new(self.position, u64::from(self.head.body_len), group.deadline());
            let leased = Leased { entry, lease: Granted::held(from.min(group.deadline())) };
            group.endpoints().map(move |number| (number, leased))
        })
    }
}

/// Keeps the state in the row of the transaction's last event.
pub(super) fn keep_meta(write: &WriteTransaction, meta: &record::Meta) -> Result<(), StoreError> {
    let mut events = write.open_table(EVENTS).map_err(storage)?;
    let last = meta.next_position - 1;
    let Some(kept) = events.get(last).map_err(storage)?.map(|row| row.value().to_vec()) else {
        return Err(StoreError::Corrupt { detail: format!("the event at {last} is not there") });
    };
    let row = EventRow { meta: Some(meta.clone()), ..EventRow::decode(&kept)? };
    events.insert(last, row.encode().as_slice()).map_err(storage)?;
    Ok(())
}

/// The first answer, from the event's head.
fn receipt(position: u64, head: &Head) -> Receipt {
    let mut notifications = ByKind::default();
    for group in &head.groups {
        let kind = record::kind_from_byte(group.kind).unwrap_or(EndpointKind::Poll);
        *notifications.get_mut(kind) += u32::try_from(group.endpoints.len()).unwrap_or(u32::MAX);
    }
    Receipt {
        id: head.id(position, 0),
        duplicate: false,
        matched: head.matched,
        notifications,
        expires: head.expires(),
    }
}

/// Notifications that are queued before those who wait for memory get it: a group may bring millions.
const QUEUED_AT_ONCE: usize = 10_000;

/// Brings memory behind a committed append. `queued` counts the group's notifications since memory was yielded.
pub(super) fn apply(stored: &Stored, memory: &mut RwLockWriteGuard<'_, Memory>, shared: &Shared, queued: &mut usize) {
    shared.duplicates.fetch_add(stored.duplicates, Ordering::Relaxed);
    for event in &stored.events {
        let StoredEvent { position, head, begins } = event;
        if let Some((fingerprint, _)) = &head.identity {
            memory.identities.remember(fingerprint, position.get(), head.accepted());
        }
        for (number, leased) in event.held() {
            memory.hold_new(number, leased);
        }
        for (index, group) in head.groups.iter().enumerate() {
            *queued += group.endpoints.len();
            if begins.get(index).is_some_and(Option::is_some) {
                continue;
            }
            let full = queue_group(group, *position, head.body_len, memory);
            shared.queue_full.fetch_add(full, Ordering::Relaxed);
        }
        if *queued >= QUEUED_AT_ONCE {
            *queued = 0;
            RwLockWriteGuard::bump(memory);
        }
    }
}

/// Queues the notifications of a group; answers how many failed as `queue-full`.
fn queue_group(group: &Group, position: Position, size: u32, memory: &mut Memory) -> u64 {
    let mut full = 0;
    for number in group.endpoints() {
        let Some(endpoint) = memory.endpoints.get_mut(&number) else { continue };
        match group.entrance {
            Entrance::Queued => {
                endpoint.push(position, u64::from(size), group.deadline());
                memory.queued += 1;
            }
            Entrance::QueueFull => {
                endpoint.queue_full += 1;
                endpoint.ended.created += 1;
                endpoint.ended.add(crate::model::notification::State::Failed, 1);
                full += 1;
            }
        }
    }
    full
}

/// Forgets identities that are too old or too many.
pub(super) fn forget(memory: &mut Memory, settings: &StoreSettings, meta: &record::Meta) {
    let since = Timestamp::from_millis(meta.ledger_time).minus(settings.identities_kept_for());
    memory.identities.forget(since, settings.duplicate_events);
}
