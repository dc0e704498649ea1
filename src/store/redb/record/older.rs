//! The rows of subscriptions and endpoints as they were before a subscription said what becomes of what waits for it
//! when the files do not name it any more: version 1.

use serde::Deserialize;

use super::{ENDPOINT, SUBSCRIPTION, TargetRow, decode_as};
use crate::store::StoreError;

pub(super) const VERSION: u8 = 1;

#[derive(Deserialize)]
struct EndpointRow {
    subscription: String,
    kind: u8,
    removed: Option<(u64, i64)>,
}

/// What waited for one that was removed was always cancelled.
pub(super) fn endpoint(bytes: &[u8]) -> Result<super::EndpointRow, StoreError> {
    let EndpointRow { subscription, kind, removed } = decode_as(VERSION, bytes, ENDPOINT)?;
    Ok(super::EndpointRow { subscription, kind, removed: removed.map(|(at, time)| (at, time, false)) })
}

#[derive(Deserialize)]
struct SubscriptionRow {
    contract: u8,
    client_id: String,
    event_types: Vec<String>,
    created_by: String,
    created_at: i64,
    declared: bool,
    draining: bool,
    owners: Option<Vec<String>>,
    holds: Vec<(u8, i64)>,
    endpoints: Vec<(u32, TargetRow)>,
}

/// All were drained.
pub(super) fn subscription(bytes: &[u8]) -> Result<super::SubscriptionRow, StoreError> {
    let row = decode_as(VERSION, bytes, SUBSCRIPTION)?;
    let SubscriptionRow {
        contract,
        client_id,
        event_types,
        created_by,
        created_at,
        declared,
        draining,
        owners,
        holds,
        endpoints,
    } = row;
    Ok(super::SubscriptionRow {
        contract,
        client_id,
        event_types,
        created_by,
        created_at,
        declared,
        draining,
        on_remove: 0,
        owners,
        holds,
        endpoints,
    })
}
