//! What became of a cancellation or replay of many.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::cursor;
use super::story::name;
use crate::engine::BulkDone;

/// What became of a cancellation or replay of many.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    /// Whether nothing was changed, and the rest says what would have been.
    dry_run: bool,
    /// How many notifications the filter means, as far as was looked.
    matched: u64,
    /// With how many of them it was done.
    done: u64,
    /// With how many it was not, by reason: `event-expired`, `body-gone`, `subscription-gone`, `ended`, `waiting`,
    /// `not-found`.
    refused: BTreeMap<&'static str, u64>,
    /// The ids of those that it was done with, the first 1000.
    #[schema(max_items = 1000)]
    notifications: Vec<String>,
    /// Where to go on: the limit was reached, or it has been enough for one call. Absent if all were looked at.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl Outcome {
    pub(super) fn of(done: &BulkDone, dry_run: bool) -> Self {
        let BulkDone { matched, done, refused, ids, cursor } = done;
        Self {
            dry_run,
            matched: *matched,
            done: *done,
            refused: refused.iter().map(|&(reason, count)| (name(reason), count)).collect(),
            notifications: ids.iter().map(ToString::to_string).collect(),
            cursor: cursor.map(cursor::write),
        }
    }
}
