//! A page of notifications, each the event in the V2 shape (contracts/polling.md, "Poll").
//!
//! Written by hand: the values of the members of `data` go out byte for byte as they came in, and nothing is built
//! between the record and the answer.

use std::collections::HashMap;

use utoipa::ToSchema;

use crate::api::instant;
use crate::base::clock::Timestamp;
use crate::engine::Handed;
use crate::model::catalogue::Catalogue;
use crate::model::event::Event;

/// The members of the envelope: they win over members of `data` with the same name.
const ENVELOPE: [&str; 5] = ["version", "event_type_id", "event_type_details", "timestamp", "id"];

/// Bytes of a result besides its data, roughly.
const ENVELOPE_BYTES: usize = 256;

/// Notifications that are handed out and consumed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the bytes are written by hand")]
#[expect(clippy::struct_field_names, reason = "the contract calls it so")]
pub(super) struct Page {
    /// Always 1: what was handed out is gone, the next page is the first again.
    #[schema(minimum = 1, maximum = 1)]
    page: u64,
    /// The page size in force, not the number of results.
    #[schema(minimum = 1, maximum = 1000)]
    size: u64,
    /// The oldest notifications that waited.
    #[schema(max_items = 1000)]
    results: Vec<Notification>,
}

/// An event. The members of its data lie beside these, in their own form; data that is no object appears whole as
/// `data`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the bytes are written by hand")]
struct Notification {
    /// The version of this form.
    #[schema(pattern = "^V2$")]
    version: String,
    /// What kind of event it is.
    event_type_id: String,
    event_type_details: EventTypeDetails,
    /// When it happened, else when it was accepted.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The producer's id of the event, else ours.
    id: String,
    #[schema(additional_properties)]
    #[serde(flatten)]
    data: HashMap<String, serde_json::Value>,
}

/// The catalogue's words for the event type.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the bytes are written by hand")]
struct EventTypeDetails {
    /// Its category; empty if the catalogue has none.
    category: String,
    /// Its name; its id if the catalogue has none.
    name: String,
}

/// The body of a page; `size` is the page size in force.
pub(super) fn body(size: usize, notifications: &[Handed], catalogue: &Catalogue) -> Vec<u8> {
    let data: usize = notifications.iter().map(|n| n.event.data().len() + ENVELOPE_BYTES).sum();
    let mut out = Vec::with_capacity(data + 64);
    out.extend_from_slice(b"{\"page\":1,\"size\":");
    out.extend_from_slice(size.to_string().as_bytes());
    out.extend_from_slice(b",\"results\":[");
    for (index, handed) in notifications.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_event(&mut out, &handed.event, catalogue);
    }
    out.extend_from_slice(b"]}");
    out
}

fn write_event(out: &mut Vec<u8>, event: &Event, catalogue: &Catalogue) {
    let id = event.draft.event_type.as_str();
    let (category, name) = catalogue.get(id).map_or(("", id), |t| (&t.category, &t.name));
    out.extend_from_slice(b"{\"version\":\"V2\",\"event_type_id\":");
    write_string(out, id);
    out.extend_from_slice(b",\"event_type_details\":{\"category\":");
    write_string(out, category);
    out.extend_from_slice(b",\"name\":");
    write_string(out, name);
    out.extend_from_slice(b"},\"timestamp\":\"");
    instant::write_micros(out, happened(event));
    out.extend_from_slice(b"\",\"id\":");
    match &event.draft.id {
        Some(id) => write_string(out, id),
        None => write_string(out, &event.id.to_string()),
    }
    write_data(out, event);
    out.push(b'}');
}

/// When it happened, else when it was accepted.
fn happened(event: &Event) -> jiff::Timestamp {
    let at = |t: Timestamp| jiff::Timestamp::from_millisecond(t.as_millis()).unwrap_or_default();
    match &event.draft.time {
        // The text is finer than the milliseconds beside it.
        Some(time) => instant::parse(&time.text).unwrap_or_else(|| at(time.instant)),
        None => at(event.accepted),
    }
}

/// The members of an object lie beside the envelope; anything else appears whole under `data`.
fn write_data(out: &mut Vec<u8>, event: &Event) {
    let Some(data) = &event.draft.data else { return };
    let Some(members) = data.members() else {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
        return;
    };
    for (name, value) in members {
        if !ENVELOPE.contains(&&*name) {
            out.push(b',');
            write_string(out, &name);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string can always be written to memory");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::model::catalogue::EventType;
    use crate::model::event::{EventDraft, EventTime};
    use crate::model::id::LedgerId;
    use crate::model::json::RawJson;
    use crate::model::notification::ByKind;

    fn event(data: Option<&str>, time: Option<&str>, id: Option<&str>) -> Event {
        let text = |t: &str| EventTime { text: t.to_owned(), instant: Timestamp::parse_rfc3339(t).unwrap() };
        Event {
            id: LedgerId::parse("0198f0c2-1111-7000-8000-000000040000").unwrap(),
            accepted: Timestamp::from_millis(1_516_683_382_007),
            draft: EventDraft {
                publisher: "crm".into(),
                id: id.map(str::to_owned),
                source: "/s".to_owned(),
                event_type: "301".into(),
                subject: None,
                time: time.map(text),
                data_schema: None,
                audience: None,
                expiry: None,
                trace: None,
                extensions: Vec::new(),
                data: data.map(|d| RawJson::parse(&Bytes::copy_from_slice(d.as_bytes())).unwrap()),
            },
        }
    }

    fn catalogue(types: Vec<EventType>) -> Catalogue {
        Catalogue::new(
            false,
            ByKind { poll: Duration::ZERO, webhook: Duration::ZERO, email: Duration::ZERO },
            false,
            types,
        )
    }

    fn rendered(event: &Event, catalogue: &Catalogue) -> String {
        let mut out = Vec::new();
        write_event(&mut out, event, catalogue);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_members_of_data_lie_beside_the_envelope_byte_for_byte() {
        let declared = EventType {
            id: "301".into(),
            name: "create \"account\"".to_owned(),
            category: "IDENTITY_LIFECYCLE".to_owned(),
            channels: None,
            contracts: None,
            ttl: ByKind::default(),
            audience_required: false,
            mandatory: Vec::new(),
            attributes: Vec::new(),
            urgent: false,
        };
        let data = r#"{ "user" : { "id":"\u0061" , "n": 1.00e+2 }, "id":"mine","version" :1,"big":123456789012345678901,"data":[ ]}"#;
        let event = event(Some(data), Some("2018-01-23T05:56:22.123456+01:00"), Some("p-1"));
        assert_eq!(
            rendered(&event, &catalogue(vec![declared])),
            concat!(
                r#"{"version":"V2","event_type_id":"301","event_type_details":{"category":"IDENTITY_LIFECYCLE","#,
                r#""name":"create \"account\""},"timestamp":"2018-01-23T04:56:22.123456Z","id":"p-1","#,
                r#""user":{ "id":"\u0061" , "n": 1.00e+2 },"big":123456789012345678901,"data":[ ]}"#
            )
        );
    }

    #[test]
    fn what_the_producer_left_out_is_filled_in() {
        assert_eq!(
            rendered(&event(None, None, None), &catalogue(Vec::new())),
            concat!(
                r#"{"version":"V2","event_type_id":"301","event_type_details":{"category":"","name":"301"},"#,
                r#""timestamp":"2018-01-23T04:56:22.007000Z","id":"0198f0c2-1111-7000-8000-000000040000"}"#
            )
        );
    }

    #[test]
    fn data_that_is_no_object_appears_whole() {
        for data in ["[ 1, 2.50 ]", "\"\\u00e9\"", "null", "-0.0", "true"] {
            let text = rendered(&event(Some(data), None, None), &catalogue(Vec::new()));
            assert!(text.ends_with(&format!(",\"data\":{data}}}")), "{text}");
        }
        let text = rendered(&event(Some("{}"), None, None), &catalogue(Vec::new()));
        assert!(text.ends_with("000000040000\"}"), "{text}");
    }

    #[test]
    fn a_page_names_the_size_in_force() {
        assert_eq!(body(7, &[], &catalogue(Vec::new())), br#"{"page":1,"size":7,"results":[]}"#);
    }
}
