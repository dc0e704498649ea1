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
    let poll = json!({
        "kind": "poll", "state": if paused { "paused" } else { "up" }, "failures": 0, "ramping": false, "waiting": 0,
        "held": 0, "inFlight": 0,
    });
    json!({
        "id": "crm-accounts", "contract": "polling", "client": "crm", "eventTypes": ["301"], "owners": ["1001"],
        "origin": "configuration", "intake": "open", "createdBy": "configuration",
        "createdAt": "2018-01-23T04:00:00.000Z", "endpoints": [poll, webhook()], "holds": holds,
        "queue": {"waiting": 0, "leased": 0, "held": 0, "lastPolled": "2018-01-23T04:57:00.000Z"},
        "sums": {"created": 1, "queued": 0, "leased": 0, "held": 0, "delivered": 0, "consumed": 1, "failed": 0,
                 "expired": 0, "cancelled": 0},
    })
}

/// A webhook that is held.
pub(super) fn webhook() -> Value {
    json!({
        "kind": "webhook", "target": "https://10.0.0.7/hook", "policy": "plant", "ordering": "relaxed", "state": "held",
        "reason": "circuit-open", "since": "2018-01-23T04:57:00.000Z", "nextProbe": "2018-01-23T04:58:00.000Z",
        "failures": 6, "failingSince": "2018-01-23T04:56:30.000Z", "lastFault": "status 503", "ramping": false,
        "waiting": 0, "held": 3, "inFlight": 0,
    })
}

/// The story of what that webhook did not take.
pub(super) fn pushed() -> Value {
    let mut story = notification("held");
    story.as_object_mut().map(|members| members.remove("ended"));
    story["kind"] = "webhook".into();
    story["reason"] = "circuit-open".into();
    story["why"] = json!({
        "words": ["the subscription crm-accounts lists the type 301"],
        "client": "crm", "typeListed": true, "owners": ["1001"], "shared": [],
    });
    story["endpoint"] = webhook();
    story["attempts"] = json!([{
        "number": 1, "at": "2018-01-23T04:56:22.200Z", "tookMillis": 120, "connectMillis": 14, "answerMillis": 105,
        "bodyMillis": 1, "outcome": "fault", "reason": "status-503", "status": 503, "detail": "it answered 503",
        "answer": "try later", "probe": false,
    }]);
    story["rounds"] = json!([]);
    story["next"] = json!({
        "words": "its endpoint is held (circuit-open)", "what": "probe", "at": "2018-01-23T04:58:00.000Z",
    });
    story
}
