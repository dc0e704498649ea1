//! An event as the operator sees it.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::notification::Notification;
use crate::base::clock::Timestamp;
use crate::engine::EventReport;
use crate::model::event::{Event, EventDraft};
use crate::model::owners::Owners;

/// What the producer told, in its own texts, and what became of it. What was not told is absent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told<'e> {
    /// Our id.
    #[schema(format = "uuid")]
    id: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    accepted: String,
    /// The client or key that published it.
    publisher: &'e str,
    /// Its type.
    #[serde(rename = "type")]
    event_type: &'e str,
    /// The producer's own id.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    producer_id: Option<&'e str>,
    /// Its source.
    source: &'e str,
    /// Its subject.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'e str>,
    /// When it happened.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'e str>,
    /// The schema of its data.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    dataschema: Option<&'e str>,
    /// The owners that it is for; absent where it is for everyone.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<Vec<&'e str>>,
    /// When it is worth nothing any more.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    expirytime: Option<String>,
    /// Its W3C trace.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'e str>,
    /// Further attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<Extension<'e>>,
    /// Its data, byte for byte.
    #[schema(value_type = Value, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'e RawValue>,
    /// Its notifications, the first 100.
    #[schema(max_items = 100)]
    notifications: Vec<Notification>,
    /// Whether it has more.
    more: bool,
}

/// A further attribute of an event.
#[derive(Debug, Serialize, ToSchema)]
struct Extension<'e> {
    /// Its name.
    name: &'e str,
    /// Its value: a string, a number or a boolean.
    #[schema(value_type = Value)]
    value: Option<&'e RawValue>,
}

impl<'e> Told<'e> {
    pub(super) fn of(report: &'e EventReport) -> Self {
        let EventReport { event: Event { id, accepted, draft }, notifications, more } = report;
        let EventDraft {
            publisher,
            id: producer_id,
            source,
            event_type,
            subject,
            time,
            data_schema,
            audience,
            expiry,
            trace,
            extensions,
            data,
        } = draft;
        Self {
            id: id.to_string(),
            accepted: accepted.to_rfc3339_millis(),
            publisher: publisher.as_str(),
            event_type: event_type.as_str(),
            producer_id: producer_id.as_deref(),
            source,
            subject: subject.as_deref(),
            time: time.as_ref().map(|time| time.text.as_str()),
            dataschema: data_schema.as_deref(),
            audience: audience.as_ref().map(|audience| Owners::iter(audience).collect()),
            expirytime: expiry.map(Timestamp::to_rfc3339_millis),
            traceparent: trace.as_ref().map(|trace| trace.parent.as_str()),
            extensions: extensions
                .iter()
                .map(|e| Extension { name: &e.name, value: raw(e.value.as_bytes()) })
                .collect(),
            data: data.as_ref().and_then(|data| raw(data.as_bytes())),
            notifications: notifications.iter().map(Notification::of).collect(),
            more: *more,
        }
    }
}

/// What the ledger keeps was JSON when it came in.
fn raw(json: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(json).ok()
}
