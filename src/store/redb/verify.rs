//! `tidings verify`: the sums recomputed from the file, and the file's structure.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use redb::{Database, ReadableDatabase, ReadableTable};

use super::account::{self, Known, Standing};
use super::backend::GrowingFile;
use super::load::{endpoint_tables, read_meta, read_subscriptions};
use super::record::{self, Body, EventRow, Meta, Tally};
use super::rows::Rows;
use super::tables::{EVENTS, HEADS, PageAt};
use super::{OpenError, Opening, Progress, notes, open, storage};
use crate::base::clock::Timestamp;
use crate::model::notification::{ByKind, EndpointKind, State, Sums};
use crate::store::{StoreError, SubscriptionSums};

/// Something that is not as it must be.
pub type Finding = String;

/// What the file holds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Events ever accepted.
    pub accepted: u64,
    /// Those that matched a subscription.
    pub matched: u64,
    /// Notifications by state, for each kind, at the ledger's time of the last transaction.
    pub sums: ByKind<Sums>,
    /// The same for each subscription that is there.
    pub subscriptions: Vec<SubscriptionSums>,
    /// Notifications of pages whose answer is not known to have reached the socket whole, as far as the history goes.
    pub answer_unconfirmed: u64,
    /// What is wrong; empty where all is well.
    pub findings: Vec<Finding>,
}

/// Checks the data file of a stopped appliance.
pub fn verify(path: &Path, progress: &Progress) -> Result<Report, OpenError> {
    let damaged = |detail: String| OpenError::Damaged { path: path.to_owned(), detail };
    let file = File::options().read(true).write(true).open(path).map_err(|e| open::io_error(path, &e))?;
    let mut db = open::open_database(path, GrowingFile::new(Arc::new(file), 0, None), progress)?;
    open::refuse_newer(&db, path)?;
    let mut report = Report::default();
    match db.check_integrity() {
        Ok(true) => {}
        Ok(false) => report.findings.push("the file's trees had to be repaired".to_owned()),
        Err(e) => return Err(damaged(e.to_string())),
    }
    recompute(&db, &mut report, progress).map_err(|e| damaged(e.to_string()))?;
    Ok(report)
}

fn recompute(db: &Database, report: &mut Report, progress: &Progress) -> Result<(), StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let meta = read_meta(&read)?;
    let now = Timestamp::from_millis(meta.ledger_time);
    let tables = endpoint_tables(&read)?;
    let mut known = tables.known(meta.settled_to, now)?;
    let heads = read.open_table(HEADS).map_err(storage)?;
    let events = read.open_table(EVENTS).map_err(storage)?;

    (report.accepted, report.matched) = (meta.settled_accepted, meta.settled_matched);
    let mut next = meta.settled_to;
    let mut findings = Vec::new();
    account::heads_from(&heads, &events, meta.settled_to, meta.filed_to, |position, head| {
        if position != next {
            findings.push(format!("events from position {next} to {position} are missing"));
        }
        next = position + 1;
        report.accepted += 1;
        report.matched += u64::from(head.matched > 0);
        let mut waits = false;
        for group in &head.groups {
            for number in group.endpoints() {
                match known.get_mut(&number) {
                    Some(known) => {
                        let standing = known.count(position, group.deadline(), group.entrance, now);
                        waits |= !matches!(standing, Standing::Ended(_));
                    }
                    None => {
                        findings.push(format!("the event at {position} goes to endpoint {number}, which is not there"));
                    }
                }
            }
        }
        match events.get(position).map_err(storage)? {
            Some(row) => {
                let row = EventRow::decode(row.value())?;
                drop(record::decode::<Body<'_>>(row.body, "an event's body")?);
            }
            None if waits => findings.push(format!("the event at {position} waits, but its body is gone")),
            None => {}
        }
        if report.accepted.is_multiple_of(100_000) {
            progress(Opening::Reading { events: report.accepted });
        }
        Ok(())
    })?;
    if next != meta.next_position && meta.next_position != meta.settled_to {
        findings.push(format!("events from position {next} to {} are missing", meta.next_position));
    }
    report.findings.append(&mut findings);
    count_unconfirmed(&tables.pages, report)?;
    let mut rows =
        Rows { tables: &tables, known: &known, meta: &meta, heads: &heads, events: &events, findings: Vec::new() };
    rows.check_courses()?;
    rows.check_attempts(&read)?;
    let shut = rows.check_standings(&read)?;
    report.findings.append(&mut rows.findings);
    notes::check(&read, &mut report.findings)?;
    let subscriptions = read_subscriptions(&read, None)?;
    let held = subscriptions.iter().filter(|s| s.is_held()).map(|s| s.id.as_str().to_owned()).collect();
    sum_up(&meta, known, &held, &shut, report)?;
    compare(&meta, &events, report)
}

fn count_unconfirmed(pages: &impl ReadableTable<PageAt, &'static [u8]>, report: &mut Report) -> Result<(), StoreError> {
    for row in pages.iter().map_err(storage)? {
        let (_, row) = row.map_err(storage)?;
        let page: record::PageRow = record::decode(row.value(), "a page")?;
        if !page.confirmed {
            report.answer_unconfirmed += page.consumed();
        }
    }
    Ok(())
}

fn sum_up(
    meta: &Meta,
    known: HashMap<u32, Known>,
    held: &HashSet<String>,
    shut: &HashSet<u32>,
    report: &mut Report,
) -> Result<(), StoreError> {
    for (kind, gone) in EndpointKind::ALL.into_iter().zip(meta.gone) {
        report.sums.get_mut(kind).merge(&gone.to_sums());
    }
    for (number, known) in known {
        let tally: Tally = known.tally()?;
        let mut sums = tally.to_sums();
        // Nothing of a removed one waits.
        let is_held = held.contains(&known.subscription) || shut.contains(&number);
        sums.add(if is_held { State::Held } else { State::Queued }, known.rows.waiting);
        sums.add(State::Leased, known.rows.leased);
        sums.add(State::Held, known.rows.held);
        if !sums.is_conserved() {
            report.findings.push(format!("subscription {}: the states do not add up: {sums:?}", known.subscription));
        }
        report.sums.get_mut(known.kind).merge(&sums);
        if known.removed.is_none() {
            report.subscriptions.push(SubscriptionSums { id: known.subscription.as_str().into(), sums, queue_full: 0 });
        }
    }
    report.subscriptions = SubscriptionSums::of_endpoints(std::mem::take(&mut report.subscriptions));
    report.subscriptions.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(())
}

/// What was counted from the rows against what every transaction has counted.
fn compare(
    meta: &Meta,
    events: &redb::ReadOnlyTable<u64, &'static [u8]>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut total = Sums::default();
    for kind in EndpointKind::ALL {
        total.merge(report.sums.get(kind));
    }
    let mut body_bytes = 0;
    for row in events.iter().map_err(storage)? {
        let (_, row) = row.map_err(storage)?;
        body_bytes += EventRow::decode(row.value())?.body.len() as u64;
    }
    for (what, counted, noted) in [
        ("events accepted", report.accepted, meta.accepted),
        ("events matched", report.matched, meta.matched),
        ("notifications made", total.created, meta.created),
        ("notifications consumed", total.get(State::Consumed), meta.consumed),
        ("bytes of bodies", body_bytes, meta.body_bytes),
    ] {
        if counted != noted {
            report.findings.push(format!("{what}: {counted} in the rows, but {noted} were noted"));
        }
    }
    if !total.is_conserved() {
        report.findings.push(format!("the states of all notifications do not add up: {total:?}"));
    }
    Ok(())
}
