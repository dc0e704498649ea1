//! The rows of endpoints as they were before a subscription said what becomes of what waits for it when the files do not
//! name it any more: version 1.

use serde::Deserialize;

use super::{ENDPOINT, decode_as};
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
