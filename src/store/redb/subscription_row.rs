//! A subscription, as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{self, hold_from_byte, hold_to_byte, kind_from_byte, kind_to_byte};
use super::target_row::TargetRow;
use crate::base::clock::Timestamp;
use crate::model::filter::{Clause, Filter};
use crate::model::id::{ClientId, EndpointNumber, EventTypeId};
use crate::model::owners::Owners;
use crate::model::profile::{Hours, Profile};
use crate::model::subscription::{ContractName, Endpoint, Hold, Intake, OnRemove, Origin, Subscription};
use crate::store::StoreError;

/// The version that is written. 1 and 2 knew the polling contract alone, and 1 did not know what becomes of what waits.
const VERSION: u8 = 3;

const WHAT: &str = "a subscription";

/// The bytes of a subscription's row.
pub(super) fn encode(subscription: &Subscription) -> Vec<u8> {
    record::encode_as(VERSION, &Row::new(subscription))
}

/// The subscription `id` of a row of any version.
pub(super) fn decode(id: &str, row: &[u8]) -> Result<Subscription, StoreError> {
    let row = match row.first() {
        Some(1) => record::decode_as::<First>(1, row, WHAT)?.into_row(),
        Some(2) => record::decode_as::<Second>(2, row, WHAT)?.into_row(),
        _ => record::decode_as(VERSION, row, WHAT)?,
    };
    row.into_subscription(id)
}

/// The first version.
#[derive(Deserialize)]
struct First {
    contract: u8,
    client_id: String,
    event_types: Vec<String>,
    created_by: String,
    created_at: i64,
    declared: bool,
    draining: bool,
    owners: Option<Vec<String>>,
    /// Reason and since when.
    holds: Vec<(u8, i64)>,
    endpoints: Vec<(u32, TargetRow)>,
}

/// The second version.
#[derive(Deserialize)]
struct Second {
    contract: u8,
    client_id: String,
    event_types: Vec<String>,
    created_by: String,
    created_at: i64,
    declared: bool,
    draining: bool,
    on_remove: u8,
    owners: Option<Vec<String>>,
    /// Reason and since when.
    holds: Vec<(u8, i64)>,
    endpoints: Vec<(u32, TargetRow)>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    contract: u8,
    client_id: String,
    event_types: Vec<String>,
    filter: Option<FilterRow>,
    expires_at: Option<i64>,
    ended_at: Option<i64>,
    holders: Vec<String>,
    organisation: Option<String>,
    profile: Option<ProfileRow>,
    created_by: String,
    created_at: i64,
    updated_at: i64,
    declared: bool,
    intake: u8,
    on_remove: u8,
    owners: Option<Vec<String>>,
    /// Reason and since when.
    holds: Vec<(u8, i64)>,
    endpoints: Vec<(u32, TargetRow)>,
}

type Attributes = BTreeMap<String, String>;

#[derive(Serialize, Deserialize)]
struct FilterRow {
    mine: bool,
    any: Vec<(Attributes, Option<Attributes>)>,
}

#[derive(Serialize, Deserialize)]
struct ProfileRow {
    keys: BTreeMap<String, String>,
    channels: Vec<u8>,
    locale: Option<String>,
    time_zone: Option<String>,
    hours: Option<(u16, u16)>,
}

impl First {
    fn into_row(self) -> Row {
        let Self { contract, client_id, event_types, created_by, created_at, declared, draining, .. } = self;
        let (on_remove, owners, holds, endpoints) = (0, self.owners, self.holds, self.endpoints);
        Second {
            contract,
            client_id,
            event_types,
            created_by,
            created_at,
            declared,
            draining,
            on_remove,
            owners,
            holds,
            endpoints,
        }
        .into_row()
    }
}

impl Second {
    fn into_row(self) -> Row {
        let Self { contract, client_id, event_types, created_by, created_at, declared, draining, on_remove, .. } = self;
        Row {
            contract,
            client_id,
            event_types,
            filter: None,
            expires_at: None,
            ended_at: None,
            holders: Vec::new(),
            organisation: None,
            profile: None,
            created_by,
            created_at,
            updated_at: created_at,
            declared,
            intake: u8::from(draining),
            on_remove,
            owners: self.owners,
            holds: self.holds,
            endpoints: self.endpoints,
        }
    }
}

impl Row {
    fn new(subscription: &Subscription) -> Self {
        let Subscription {
            id: _,
            contract,
            client_id,
            event_types,
            filter,
            expires_at,
            ended_at,
            holders,
            organisation,
            profile,
            created_by,
            created_at,
            updated_at,
            origin,
            intake,
            on_remove,
            owners,
            holds,
            endpoints,
        } = subscription;
        Self {
            contract: to_byte(&ContractName::ALL, contract),
            client_id: client_id.as_str().to_owned(),
            event_types: event_types.iter().map(|t| t.as_str().to_owned()).collect(),
            filter: filter.as_ref().map(|Filter { mine, any }| FilterRow {
                mine: *mine,
                any: any.iter().map(|Clause { all, not }| (all.clone(), not.clone())).collect(),
            }),
            expires_at: expires_at.map(Timestamp::as_millis),
            ended_at: ended_at.map(Timestamp::as_millis),
            holders: holders.clone(),
            organisation: organisation.clone(),
            profile: profile.as_ref().map(profile_row),
            created_by: created_by.clone(),
            created_at: created_at.as_millis(),
            updated_at: updated_at.as_millis(),
            declared: *origin == Origin::Configuration,
            intake: to_byte(&INTAKES, intake),
            on_remove: to_byte(&OnRemove::ALL, on_remove),
            owners: owners.as_ref().map(|owners| owners.iter().map(str::to_owned).collect()),
            holds: holds.iter().map(|hold| (hold_to_byte(hold.reason), hold.since.as_millis())).collect(),
            endpoints: endpoints.iter().map(|e| (e.number.0, TargetRow::new(&e.target))).collect(),
        }
    }

    fn into_subscription(self, id: &str) -> Result<Subscription, StoreError> {
        let Self {
            contract,
            client_id,
            event_types,
            filter,
            expires_at,
            ended_at,
            holders,
            organisation,
            profile,
            created_by,
            created_at,
            updated_at,
            declared,
            intake,
            on_remove,
            owners,
            holds,
            endpoints,
        } = self;
        Ok(Subscription {
            id: id.into(),
            contract: from_byte(&ContractName::ALL, contract, id, "contract")?,
            client_id: ClientId::new(&client_id),
            event_types: event_types.iter().map(|t| EventTypeId::new(t)).collect(),
            filter: filter.map(|FilterRow { mine, any }| Filter {
                mine,
                any: any.into_iter().map(|(all, not)| Clause { all, not }).collect(),
            }),
            expires_at: expires_at.map(Timestamp::from_millis),
            ended_at: ended_at.map(Timestamp::from_millis),
            holders,
            organisation,
            profile: profile.map(profile_of).transpose()?,
            created_by,
            created_at: Timestamp::from_millis(created_at),
            updated_at: Timestamp::from_millis(updated_at),
            origin: if declared { Origin::Configuration } else { Origin::Api },
            intake: from_byte(&INTAKES, intake, id, "intake")?,
            on_remove: from_byte(&OnRemove::ALL, on_remove, id, "removal")?,
            owners: owners.map(Owners::new),
            holds: holds
                .into_iter()
                .map(|(reason, since)| {
                    Ok(Hold { reason: hold_from_byte(reason)?, since: Timestamp::from_millis(since) })
                })
                .collect::<Result<_, StoreError>>()?,
            endpoints: endpoints
                .into_iter()
                .map(|(number, row)| Endpoint { number: EndpointNumber(number), target: row.into_target() })
                .collect(),
        })
    }
}

const INTAKES: [Intake; 3] = [Intake::Open, Intake::Draining, Intake::Ended];

fn profile_row(profile: &Profile) -> ProfileRow {
    let Profile { keys, channels, locale, time_zone, hours } = profile;
    ProfileRow {
        keys: keys.clone(),
        channels: channels.iter().map(|&kind| kind_to_byte(kind)).collect(),
        locale: locale.clone(),
        time_zone: time_zone.clone(),
        hours: hours.map(|Hours { from, to }| (from, to)),
    }
}

fn profile_of(row: ProfileRow) -> Result<Profile, StoreError> {
    let ProfileRow { keys, channels, locale, time_zone, hours } = row;
    Ok(Profile {
        keys,
        channels: channels.into_iter().map(kind_from_byte).collect::<Result<_, _>>()?,
        locale,
        time_zone,
        hours: hours.map(|(from, to)| Hours { from, to }),
    })
}

/// The place of `one` among `all`: the arrays only ever grow at their end.
fn to_byte<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn from_byte<T: Copy>(all: &[T], byte: u8, id: &str, what: &str) -> Result<T, StoreError> {
    let unknown = || StoreError::Corrupt { detail: format!("subscription {id}: {what} {byte} is not known") };
    all.get(usize::from(byte)).copied().ok_or_else(unknown)
}
