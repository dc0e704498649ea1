//! The table of a group as this contract shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::RecipientTable;

/// Every known notification with the addresses that it is mailed to.
#[derive(Serialize, ToSchema)]
#[schema(as = Table, example = json!({"order_confirm": ["admin@example.com", "order@example.com"], "change_status": []}))]
pub(super) struct Wire<'a>(#[schema(inline)] BTreeMap<&'a str, &'a [String]>);

/// The JSON of a table. One and the same table always has the same.
pub(super) fn body(table: &RecipientTable) -> Vec<u8> {
    let RecipientTable(rows) = table;
    let rows = rows.iter().map(|(event_type, addresses)| (event_type.as_str(), &**addresses));
    serde_json::to_vec(&Wire(rows.collect())).expect("texts always have a JSON form")
}
