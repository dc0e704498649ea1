//! Suppressed addresses, conditions that last and the domains of webhooks: small tables of their own, each row whole.

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::course::cut;
use super::rows::table;
use super::tables::{CONDITIONS, SUPPRESSED, WEBHOOK_DOMAINS};
use super::verify::Finding;
use super::writer::Writer;
use super::{record, storage};
use crate::base::clock::Timestamp;
use crate::store::{KeptCondition, StoreError, Suppression};

/// What is to be noted.
pub(super) enum Note {
    Suppression { address: String, suppression: Option<Suppression> },
    Condition(KeptCondition),
    ConditionEnd { name: String, subject: String },
}

/// A domain of a subscriber that comes, or goes.
pub(super) struct DomainNote {
    pub(super) subscriber: String,
    pub(super) domain: String,
    pub(super) there: bool,
}

/// Since when, and what the relay said.
#[derive(Serialize, Deserialize)]
struct SuppressionRow(i64, String);

/// Since when, how often it was told, when last, and what was.
#[derive(Serialize, Deserialize)]
struct ConditionRow(i64, u32, i64, String);

/// Writes it down in a transaction of its own.
pub(super) fn run(writer: &mut Writer, note: &Note) -> Result<(), StoreError> {
    let written = writer.transaction("note", false, |write, _, _| {
        let mut suppressed = write.open_table(SUPPRESSED).map_err(storage)?;
        match note {
            Note::Suppression { address, suppression: None } => suppressed.remove(address.as_str()).map(drop),
            Note::Suppression { address, suppression: Some(Suppression { address: _, since, reply }) } => {
                let row = SuppressionRow(since.as_millis(), cut(reply).to_owned());
                suppressed.insert(address.as_str(), record::encode(&row).as_slice()).map(drop)
            }
            Note::Condition(condition) => return keep_condition(write, condition),
            Note::ConditionEnd { name, subject } => {
                let mut conditions = write.open_table(CONDITIONS).map_err(storage)?;
                conditions.remove((name.as_str(), subject.as_str())).map(drop)
            }
        }
        .map_err(storage)
    });
    written.map(drop)
}

/// Writes down a condition, in a transaction that has more to do.
pub(super) fn keep_condition(write: &WriteTransaction, condition: &KeptCondition) -> Result<(), StoreError> {
    let KeptCondition { name, subject, since, told, detail } = condition;
    let row = ConditionRow(since.as_millis(), told.0, told.1.as_millis(), cut(detail).to_owned());
    let mut conditions = write.open_table(CONDITIONS).map_err(storage)?;
    conditions.insert((name.as_str(), subject.as_str()), record::encode(&row).as_slice()).map_err(storage)?;
    Ok(())
}

/// Adds a domain or takes one away; answers whether that changed anything.
pub(super) fn note_domain(writer: &mut Writer, note: &DomainNote) -> Result<bool, StoreError> {
    let DomainNote { subscriber, domain, there } = note;
    let mut changed = false;
    writer.transaction("note", false, |write, _, _| {
        let mut domains = write.open_table(WEBHOOK_DOMAINS).map_err(storage)?;
        let key = (subscriber.as_str(), domain.as_str());
        let before = if *there { domains.insert(key, ()) } else { domains.remove(key) };
        changed = before.map_err(storage)?.is_some() != *there;
        Ok(())
    })?;
    Ok(changed)
}

/// The domains of a subscriber.
pub(super) fn domains(db: &Database, subscriber: &str) -> Result<Vec<String>, StoreError> {
    let table = db.begin_read().map_err(storage)?.open_table(WEBHOOK_DOMAINS).map_err(storage)?;
    let mut found = Vec::new();
    for row in table.range((subscriber, "")..).map_err(storage)? {
        let key = row.map_err(storage)?.0;
        let (of, domain) = key.value();
        if of != subscriber {
            break;
        }
        found.push(domain.to_owned());
    }
    Ok(found)
}

fn read_suppression(address: &str, row: &[u8]) -> Result<Suppression, StoreError> {
    let SuppressionRow(since, reply) = record::decode(row, "a suppressed address")?;
    Ok(Suppression { address: address.to_owned(), since: Timestamp::from_millis(since), reply })
}

/// The suppression of an address that is younger than `since`.
pub(super) fn suppression(db: &Database, address: &str, since: Timestamp) -> Result<Option<Suppression>, StoreError> {
    let table = db.begin_read().map_err(storage)?.open_table(SUPPRESSED).map_err(storage)?;
    let Some(row) = table.get(address).map_err(storage)? else { return Ok(None) };
    Ok(Some(read_suppression(address, row.value())?).filter(|suppression| suppression.since > since))
}

/// Looks for rows that cannot be read.
pub(super) fn check(read: &ReadTransaction, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    if let Some(suppressed) = table(read, SUPPRESSED)? {
        for row in suppressed.iter().map_err(storage)? {
            let (address, row) = row.map_err(storage)?;
            findings.extend(read_suppression(address.value(), row.value()).err().map(|error| error.to_string()));
        }
    }
    if let Some(conditions) = table(read, CONDITIONS)? {
        for row in conditions.iter().map_err(storage)? {
            let (key, row) = row.map_err(storage)?;
            findings.extend(read_condition(key.value(), row.value()).err().map(|error| error.to_string()));
        }
    }
    Ok(())
}

/// Suppressions behind `after`.
pub(super) fn suppressions(db: &Database, after: Option<&str>, limit: usize) -> Result<Vec<Suppression>, StoreError> {
    let table = db.begin_read().map_err(storage)?.open_table(SUPPRESSED).map_err(storage)?;
    let rows = table.range(after.unwrap_or("")..).map_err(storage)?;
    let is_behind = |address: &str| after.is_none_or(|after| address > after);
    let mut found = Vec::new();
    for row in rows {
        let (address, row) = row.map_err(storage)?;
        if found.len() == limit {
            break;
        }
        if is_behind(address.value()) {
            found.push(read_suppression(address.value(), row.value())?);
        }
    }
    Ok(found)
}

/// The conditions that last.
pub(super) fn conditions(db: &Database) -> Result<Vec<KeptCondition>, StoreError> {
    let table = db.begin_read().map_err(storage)?.open_table(CONDITIONS).map_err(storage)?;
    let mut found = Vec::new();
    for row in table.iter().map_err(storage)? {
        let (key, row) = row.map_err(storage)?;
        found.push(read_condition(key.value(), row.value())?);
    }
    Ok(found)
}

fn read_condition((name, subject): (&str, &str), row: &[u8]) -> Result<KeptCondition, StoreError> {
    let ConditionRow(since, times, last, detail) = record::decode(row, "a condition")?;
    Ok(KeptCondition {
        name: name.to_owned(),
        subject: subject.to_owned(),
        since: Timestamp::from_millis(since),
        told: (times, Timestamp::from_millis(last)),
        detail,
    })
}
