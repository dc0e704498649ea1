//! Acknowledging and leasing within a group (contracts/events.md, "Poll safely").

use std::sync::Arc;

use hashbrown::HashSet;

use super::course::{ACKNOWLEDGED, OpenRow, Past, Phase, cut};
use super::hand::{Choice, Overlay, choose};
use super::leases::Leased;
use super::memory::Memory;
use super::page;
use super::pin::Pin;
use super::queue::Entry;
use super::record::{self, Meta, PageRow};
use super::runs::Runs;
use super::tables::PageAt;
use super::take::open_rows;
use super::writer::{GroupTables, Operation};
use super::{RedbStore, Shared, storage};
use crate::base::clock::Timestamp;
use crate::model::id::LedgerId;
use crate::model::notification::State;
use crate::store::{Lease, StoreError};

/// A request whose ids have been found.
pub(super) struct Order {
    lease: Lease,
    /// What is acknowledged or reported: its position and, where it is reported as an error, the reason.
    reports: Vec<(u64, Option<String>)>,
}

/// What a request has come to, and is in the transaction.
#[derive(Debug, Default)]
pub(super) struct Done {
    endpoint: u32,
    /// What has ended and as what.
    ended: Vec<(u64, State)>,
    leased: Vec<Leased>,
    /// The last of them that nobody had before, and how many these are.
    fresh: Option<(u64, u64)>,
    until: Option<Timestamp>,
    more: bool,
}

/// What the caller is answered once the leased events have been read.
pub(super) struct Answer {
    /// Keeps the events; `None` where nothing was leased.
    pin: Option<Pin>,
    positions: Vec<u64>,
    leased: crate::store::Leased,
}

/// Acknowledges and leases (see [`crate::store::Store::lease`]).
pub(super) async fn run_on(store: &RedbStore, lease: Lease) -> Result<crate::store::Leased, StoreError> {
    let candidates = candidates(&store.shared, &lease);
    let more = has_waiting(&store.shared, &lease);
    if candidates.is_empty() && (lease.max == 0 || !more) {
        return Ok(crate::store::Leased { more, ..Default::default() });
    }
    let endpoint = lease.endpoint;
    let reports = if candidates.is_empty() {
        Vec::new()
    } else {
        store.reading(move |db| page::only_of(db, endpoint, candidates)).await?
    };
    let order = Box::new(Order { lease, reports });
    let Answer { pin, positions, leased } = store.submit(|reply| Operation::Lease { order, reply }).await??;
    if positions.is_empty() {
        return Ok(leased);
    }
    let notifications = store.reading(move |db| page::read(db, endpoint, &positions)).await?;
    drop(pin);
    Ok(crate::store::Leased { notifications, ..leased })
}

/// The acknowledged and reported ones at whose positions the queue has something open.
fn candidates(shared: &Shared, lease: &Lease) -> Vec<(LedgerId, Option<String>)> {
    let memory = shared.memory.read();
    let Some(endpoint) = memory.endpoints.get(&lease.endpoint.0) else { return Vec::new() };
    let acks = lease.acks.iter().map(|id| (*id, None));
    let errors = lease.errors.iter().map(|(id, reason)| (*id, Some(cut(reason).to_owned())));
    acks.chain(errors).filter(|(id, _)| endpoint.is_open(id.parts().position.get())).collect()
}

fn has_waiting(shared: &Shared, lease: &Lease) -> bool {
    let memory = shared.memory.read();
    memory
        .endpoints
        .get(&lease.endpoint.0)
        .is_some_and(|endpoint| endpoint.has_waiting(shared.now(), shared.time.withheld_to()))
}

/// Acknowledges, then leases. `wanted`: whether the caller still waits; if not, nothing is done. The inner error is the
/// caller's own and nothing was written for it; the outer one is everybody's in the group.
pub(super) fn run(
    order: &Order,
    wanted: bool,
    overlay: &mut Overlay,
    memory: &Memory,
    tables: &mut GroupTables<'_>,
    meta: &mut Meta,
) -> Result<Result<Done, StoreError>, StoreError> {
    let number = order.lease.endpoint.0;
    let (true, Some(endpoint)) = (wanted, memory.endpoints.get(&number)) else { return Ok(Ok(Done::default())) };
    let now = Timestamp::from_millis(meta.ledger_time);
    let times = (now, overlay.withheld_to);
    let staged = overlay.of(number);
    let ends = match ends(order, tables, now) {
        Ok(ends) => ends,
        Err(error) => return super::own(Err(error)),
    };
    for end in &ends {
        staged.end(end.position);
    }
    let choice = choose(endpoint, staged, order.lease.max, order.lease.max_bytes, times);
    let rows = match open_rows(number, &choice, tables) {
        Ok(rows) => rows,
        Err(error) => return super::own(Err(error)),
    };
    let mut done = Done { endpoint: number, more: choice.more, ..Done::default() };
    write_ends(ends, number, tables, meta, &mut done)?;
    if choice.len() > 0 {
        let at = choice.page_at(number, endpoint, staged, tables.pages()?)?;
        write_leases(&order.lease, &choice, rows, at, tables, meta, &mut done)?;
        staged.hand_out(&choice);
    }
    Ok(Ok(done))
}

/// An open notification that is acknowledged or reported.
struct End {
    position: u64,
    row: OpenRow,
    /// Why it is failed; `None`: it is consumed.
    error: Option<String>,
}

/// What of the request may end now: its lease runs, or it waits again after one.
fn ends(order: &Order, tables: &mut GroupTables<'_>, now: Timestamp) -> Result<Vec<End>, StoreError> {
    let number = order.lease.endpoint.0;
    let mut seen = HashSet::new();
    let mut ends = Vec::new();
    for (position, error) in &order.reports {
        if !seen.insert(*position) {
            continue;
        }
        let Some(row) = tables.courses.open_row((number, *position))? else { continue };
        let may_end = match row.phase(now) {
            Phase::Leased => true,
            // What was put back and nobody has had since cannot have arrived.
            Phase::Waiting => row.handouts > 0,
            Phase::Held | Phase::Expired(_) | Phase::Abandoned(_) => false,
        };
        if may_end {
            ends.push(End { position: *position, row, error: error.clone() });
        }
    }
    Ok(ends)
}

fn write_ends(
    ends: Vec<End>,
    number: u32,
    tables: &mut GroupTables<'_>,
    meta: &mut Meta,
    done: &mut Done,
) -> Result<(), StoreError> {
    let now = Timestamp::from_millis(meta.ledger_time);
    for End { position, row, error } in ends {
        let (state, reason) = match &error {
            None => (State::Consumed, ACKNOWLEDGED),
            Some(reason) => (State::Failed, reason.as_str()),
        };
        tables.courses.end((number, position), row, (state, reason, now), meta.settled_to)?;
        meta.consumed += u64::from(state == State::Consumed);
        done.ended.push((position, state));
    }
    Ok(())
}

/// Writes the page and the rows of what it leases.
fn write_leases(
    lease: &Lease,
    choice: &Choice,
    rows: Vec<OpenRow>,
    at: PageAt,
    tables: &mut GroupTables<'_>,
    meta: &Meta,
    done: &mut Done,
) -> Result<(), StoreError> {
    let until = Timestamp::from_millis(meta.ledger_time).plus(lease.duration);
    let page = PageRow {
        time: meta.ledger_time,
        client: lease.client.as_str().to_owned(),
        request_id: lease.request_id.clone(),
        key: None,
        confirmed: false,
        until: Some(until.as_millis()),
        fresh: Runs::new(choice.fresh.iter().map(|entry| entry.position())),
        again: Runs::new(choice.again.iter().map(|entry| entry.position())),
    };
    tables.pages()?.insert(at, record::encode(&page).as_slice()).map_err(storage)?;
    let new = |entry: &Entry| (*entry, OpenRow::new(entry.deadline(), entry.size(), Past::default()));
    for (entry, mut row) in choice.fresh.iter().map(new).chain(choice.again.iter().copied().zip(rows)) {
        let granted = row.grant(until, lease.max_handouts, at);
        tables.courses.keep_open((at.0, entry.position()), &row)?;
        done.leased.push(Leased { entry, lease: granted });
    }
    done.fresh = choice.last_fresh().map(|last| (last, choice.fresh.len() as u64));
    done.until = Some(until);
    Ok(())
}

/// Brings memory behind a committed request.
pub(super) fn apply(done: &Done, memory: &mut Memory) {
    let number = done.endpoint;
    for (position, state) in &done.ended {
        memory.end_open(number, *position, *state);
    }
    if let (Some((last, count)), Some(endpoint)) = (done.fresh, memory.endpoints.get_mut(&number)) {
        memory.queued -= endpoint.pass(last, count);
    }
    for leased in &done.leased {
        memory.lease(number, *leased);
    }
}

impl Answer {
    pub(super) fn new(done: Done, shared: &Arc<Shared>) -> Self {
        let Done { endpoint: _, ended, leased, fresh: _, until, more } = done;
        let mut positions: Vec<u64> = leased.iter().map(|leased| leased.entry.position()).collect();
        positions.sort_unstable();
        let count = |state| ended.iter().filter(|(_, ended)| *ended == state).count() as u64;
        let (consumed, failed) = (count(State::Consumed), count(State::Failed));
        let pin = positions.first().map(|first| Pin::new(shared, *first));
        let leased = crate::store::Leased { notifications: Vec::new(), until, more, consumed, failed };
        Self { pin, positions, leased }
    }
}
