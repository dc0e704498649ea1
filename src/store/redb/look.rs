//! Looking at notifications: lists by position, and single stories (contracts/events.md, "Look and act").

use hashbrown::HashSet;
use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase};

use super::append::RepeatsRow;
use super::course::Past;
use super::courses::CourseKey;
use super::judge::{Judge, OwnRow, Standing};
use super::record::{self, EventRow, Group, Head};
use super::tables::{EVENTS, HEADS, PageAt, REPEATS};
use super::{Shared, storage};
use crate::base::clock::Timestamp;
use crate::model::id::{EndpointNumber, EventTypeId, LedgerId, Position, SubscriptionId};
use crate::model::notification::{EndpointKind, State};
use crate::store::{
    HandedOut, LOOK_RECORDS, Look, LookCursor, Looked, NotificationView, PushView, Repeated, StoreError, Story,
};

type Rows = ReadOnlyTable<u64, &'static [u8]>;

/// What is asked of memory before the file is read: it is not locked while that is done.
pub(super) struct Asked {
    look: Look,
    /// The endpoints of the subscriptions that are looked for, removed ones included.
    endpoints: Option<HashSet<u32>>,
    /// Where it begins at the earliest.
    from: u64,
    unwritten: Unwritten,
    now: Timestamp,
}

impl Asked {
    pub(super) fn new(shared: &Shared, look: Look) -> Self {
        let unwritten = Unwritten::of(shared);
        let now = shared.now();
        let memory = shared.memory.read();
        let one = look.subscription.as_ref().map(std::slice::from_ref);
        let endpoints = one.or(look.any_of.as_deref()).map(|ids| {
            let live = ids.iter().filter_map(|id| memory.subscriptions.get(id.as_str())).flat_map(|s| &s.endpoints);
            let removed = memory.removed.iter().filter(|(_, removed)| ids.contains(&removed.subscription));
            live.map(|endpoint| endpoint.number.0).chain(removed.map(|(number, _)| *number)).collect()
        });
        // What has not ended is behind the settled point, or is open.
        let from = match look.state {
            Some(State::Queued | State::Leased | State::Held) => {
                let first_open = memory.open.first_key_value().map_or(u64::MAX, |(position, _)| *position);
                memory.meta.settled_to.min(first_open)
            }
            _ => 0,
        };
        Self { look, endpoints, from, unwritten, now }
    }
}

/// What memory knows and the file does not. To be asked for before the file is.
#[derive(Default)]
pub(super) struct Unwritten {
    /// Pages that have been answered, and that a transaction is yet to mark so.
    pub(super) confirmed: HashSet<PageAt>,
    /// Endpoint and position of what is being sent.
    pub(super) in_flight: HashSet<CourseKey>,
}

impl Unwritten {
    pub(super) fn of(shared: &Shared) -> Self {
        let in_flight = shared.memory.read().in_flight().collect();
        let pending = shared.pending.lock();
        let confirmed = pending.confirmed.iter().chain(&pending.marking).copied().collect();
        Self { confirmed, in_flight }
    }
}

/// The heads and bodies of one snapshot of the file.
pub(super) struct Events {
    heads: Rows,
    rows: Rows,
    filed_to: u64,
}

impl Events {
    pub(super) fn new(read: &ReadTransaction, filed_to: u64) -> Result<Self, StoreError> {
        let heads = read.open_table(HEADS).map_err(storage)?;
        Ok(Self { heads, rows: read.open_table(EVENTS).map_err(storage)?, filed_to })
    }

    /// The first event at or behind `position`, its head only.
    fn head_from(&self, position: u64) -> Result<Option<(u64, Head)>, StoreError> {
        if let Some(row) = self.heads.range(position..).map_err(storage)?.next() {
            let (at, row) = row.map_err(storage)?;
            return Ok(Some((at.value(), Head::decode(row.value())?)));
        }
        let Some(row) = self.rows.range(position.max(self.filed_to)..).map_err(storage)?.next() else {
            return Ok(None);
        };
        let (at, row) = row.map_err(storage)?;
        Ok(Some((at.value(), record::split_head(row.value())?.1)))
    }

    /// The first position whose event, and all behind it, was accepted at or after `from`: instants rise with positions.
    fn first_since(&self, from: Timestamp, end: u64) -> Result<u64, StoreError> {
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.head_from(middle)? {
                Some((position, head)) if position < high && head.accepted() < from => low = position + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The notification with this id: its event's position and head, its group and its endpoint.
    pub(super) fn find(&self, id: LedgerId) -> Result<Option<(u64, Head, usize, u32)>, StoreError> {
        let (position, target) = (id.parts().position.get(), id.parts().target);
        let Some((_, head)) = self.head_from(position)?.filter(|(at, _)| *at == position) else { return Ok(None) };
        let found = targets(&head).nth((target as usize).wrapping_sub(1));
        Ok(found.filter(|_| head.id(position, target) == id).map(|(group, number)| (position, head, group, number)))
    }

    /// Calls `work` with the event's row; `None` once its body has gone.
    pub(super) fn body<T>(
        &self,
        position: u64,
        work: impl FnOnce(&EventRow<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Some(row) = self.rows.get(position).map_err(storage)? else { return Ok(None) };
        work(&EventRow::decode(row.value())?).map(Some)
    }

    fn event_type(&self, position: u64) -> Result<Option<EventTypeId>, StoreError> {
        self.body(position, record::event_type)
    }
}

/// The place of each notification's group, and its endpoint, in the order of their numbers from 1.
fn targets(head: &Head) -> impl Iterator<Item = (usize, u32)> {
    head.groups.iter().enumerate().flat_map(|(index, group)| group.endpoints().map(move |number| (index, number)))
}

/// Lists notifications (see [`crate::store::Store::notifications`]).
pub(super) fn list(db: &Database, asked: Asked) -> Result<Looked, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let Asked { look, endpoints, from, unwritten, now } = asked;
    let judge = Judge::new(&read, unwritten, now)?;
    let events = Events::new(&read, judge.meta().filed_to)?;
    let mut next = from.max(look.cursor.map_or(0, |cursor| cursor.position.get()));
    if let Some(from) = look.from {
        next = next.max(events.first_since(from, judge.meta().next_position)?);
    }
    let mut walk = Walk { look, endpoints, events, judge, left: LOOK_RECORDS, found: Vec::new() };
    while let Some((position, head)) = walk.events.head_from(next)? {
        if walk.look.to.is_some_and(|to| head.accepted() >= to) {
            break;
        }
        if let Some(target) = walk.event(position, &head)? {
            let position = Position::new(position).unwrap_or_default();
            return Ok(Looked { notifications: walk.found, cursor: Some(LookCursor { position, target }) });
        }
        next = position + 1;
    }
    Ok(Looked { notifications: walk.found, cursor: None })
}

/// A look on its way.
struct Walk {
    look: Look,
    endpoints: Option<HashSet<u32>>,
    events: Events,
    judge: Judge,
    /// Records that may still be read.
    left: usize,
    found: Vec<NotificationView>,
}

impl Walk {
    /// Lists what is looked for of one event; answers behind which of its targets the look ends, if it does.
    fn event(&mut self, position: u64, head: &Head) -> Result<Option<u32>, StoreError> {
        let seen = match self.look.cursor {
            Some(cursor) if cursor.position.get() == position => cursor.target,
            _ => 0,
        };
        if !self.read() {
            return Ok(Some(seen));
        }
        let mut event_type = None;
        if let Some(wanted) = self.look.event_type.clone() {
            if !self.read() {
                return Ok(Some(seen));
            }
            event_type = self.events.event_type(position)?;
            if event_type.as_ref() != Some(&wanted) {
                return Ok(None);
            }
        }
        for (target, (group, number)) in (1..).zip(targets(head)).skip(seen as usize) {
            if !self.read() {
                return Ok(Some(target - 1));
            }
            if self.endpoints.as_ref().is_some_and(|endpoints| !endpoints.contains(&number)) {
                continue;
            }
            let Some(standing) = self.wanted(position, head, &head.groups[group], number)? else { continue };
            if event_type.is_none() {
                event_type = self.events.event_type(position)?;
            }
            let subscription = self.judge.addressee(number)?.map(|addressee| addressee.subscription.clone());
            let at = (position, target, number);
            self.found.push(view(at, head, &head.groups[group], standing, subscription, event_type.clone())?);
            if self.found.len() >= self.look.limit {
                return Ok(Some(target));
            }
        }
        Ok(None)
    }

    /// Where the notification stands, if that is looked for.
    fn wanted(
        &mut self,
        position: u64,
        head: &Head,
        group: &Group,
        number: u32,
    ) -> Result<Option<Standing>, StoreError> {
        let Some(standing) = self.judge.stand(position, head, group, number)? else { return Ok(None) };
        let is_in_state = self.look.state.is_none_or(|state| state == standing.state);
        let is_for_reason = self.look.reason.is_none() || self.look.reason == standing.reason;
        Ok(Some(standing).filter(|_| is_in_state && is_for_reason))
    }

    /// Counts one more record; `false` if that is too many.
    fn read(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

fn view(
    (position, target, number): (u64, u32, u32),
    head: &Head,
    group: &Group,
    standing: Standing,
    subscription: Option<SubscriptionId>,
    event_type: Option<EventTypeId>,
) -> Result<NotificationView, StoreError> {
    let kind: EndpointKind = record::kind_from_byte(group.kind)?;
    let Standing { state, reason, ended, deadline, handouts, leased_until, row } = standing;
    Ok(NotificationView {
        endpoint: EndpointNumber(number),
        id: head.id(position, target),
        event: head.id(position, 0),
        event_type,
        subscription,
        kind,
        state,
        reason,
        accepted: head.accepted(),
        deadline,
        ended,
        handouts,
        leased_until,
        round: row.past().rounds_before.saturating_add(1),
        number: head.number_of(target),
    })
}

/// The whole story of a notification (see [`crate::store::Store::story`]).
pub(super) fn story(
    db: &Database,
    id: LedgerId,
    unwritten: Unwritten,
    now: Timestamp,
) -> Result<Option<Story>, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let mut judge = Judge::new(&read, unwritten, now)?;
    let events = Events::new(&read, judge.meta().filed_to)?;
    let Some((position, head, group, number)) = events.find(id)? else { return Ok(None) };
    let group = &head.groups[group];
    let Some(standing) = judge.stand(position, &head, group, number)? else { return Ok(None) };
    let event = events.body(position, |row| record::event(position, row))?;
    let past = standing.row.past();
    let attempts = judge.attempts(number, position, &standing.row)?;
    let recovered = judge.addressee(number)?.and_then(|addressee| addressee.recovered);
    let due = match &standing.row {
        // What time has ended has its row until a sweep meets it.
        OwnRow::Open(row) if standing.ended.is_none() => {
            row.held_until(now).or_else(|| row.wait(recovered).map(|(due, _)| due))
        }
        OwnRow::Open(_) | OwnRow::None(_) | OwnRow::Outcome(_) => None,
    };
    let in_flight = judge.is_in_flight(number, position);
    let push = PushView { attempts, due, tried: standing.handouts, in_flight };
    let subscription = judge.addressee(number)?.map(|addressee| addressee.subscription.clone());
    let event_type = event.as_ref().map(|event| event.draft.event_type.clone());
    let view = view((position, id.parts().target, number), &head, group, standing, subscription, event_type)?;
    let handed_out = handed_out(&judge, &past, number)?;
    Ok(Some(Story { view, event, handed_out, rounds: past.rounds()?, push, repeated: repeated(&read, position)? }))
}

/// How often the event was repeated.
fn repeated(read: &ReadTransaction, position: u64) -> Result<Option<Repeated>, StoreError> {
    let repeats = read.open_table(REPEATS).map_err(storage)?;
    let Some(row) = repeats.get(position).map_err(storage)? else { return Ok(None) };
    let row: RepeatsRow = record::decode(row.value(), "the repeats of an event")?;
    Ok(Some(row.into_repeated()))
}

/// The times that it was handed out, as far as their pages are still there.
fn handed_out(judge: &Judge, past: &Past, number: u32) -> Result<Vec<HandedOut>, StoreError> {
    let mut handed_out = Vec::new();
    for at in past.pages(number) {
        let Some(page) = judge.page(at)? else { continue };
        handed_out.push(HandedOut {
            at: Timestamp::from_millis(page.time),
            confirmed: judge.is_confirmed(at, &page),
            client: page.client.as_str().into(),
            request_id: page.request_id,
            leased_until: page.until.map(Timestamp::from_millis),
        });
    }
    Ok(handed_out)
}
