//! What the documents show of the operator half's answers.

use serde::Serialize;
use serde_json::{Value, json};

use super::looking::not_stored;
use crate::http::contract::Response;

/// The id of the notification that is shown.
pub(super) const NOTIFICATION: &str = "0198f0c2-7c1e-7a32-9f6b-000000040001";
/// The id of its event.
pub(super) const EVENT: &str = "0198f0c2-7c1e-7a32-9f6b-000000040000";

/// An answer that shows `body`.
pub(super) fn shown(body: &impl Serialize) -> Response {
    not_stored(serde_json::to_vec(body).expect("JSON has a JSON form"))
}

/// A notification in this state.
pub(super) fn notification(state: &str) -> Value {
    let mut notification = json!({
        "id": NOTIFICATION, "event": EVENT, "type": "301", "subscription": "crm-accounts", "kind": "poll",
        "state": state, "accepted": "2018-01-23T04:56:22.123Z", "deadline": "2018-01-23T10:56:22.123Z",
        "handouts": 0, "round": 1,
    });
    if state != "queued" {
        notification["ended"] = "2018-01-23T04:57:00.000Z".into();
    }
    notification
}

/// A subscription, paused or not.
pub(super) fn subscription(paused: bool) -> Value {
    let holds = if paused { json!([{"reason": "paused", "since": "2018-01-23T05:00:00.000Z"}]) } else { json!([]) };
    json!({
        "id": "crm-accounts", "contract": "polling", "client": "crm", "eventTypes": ["301"], "owners": ["1001"],
        "origin": "configuration", "intake": "open", "createdBy": "configuration",
        "createdAt": "2018-01-23T04:00:00.000Z", "endpoints": ["poll"], "holds": holds,
        "queue": {"waiting": 0, "leased": 0, "held": 0, "lastPolled": "2018-01-23T04:57:00.000Z"},
        "sums": {"created": 1, "queued": 0, "leased": 0, "held": 0, "delivered": 0, "consumed": 1, "failed": 0,
                 "expired": 0, "cancelled": 0},
    })
}
