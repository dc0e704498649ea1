//! An event as a structured `CloudEvent` 1.0 in JSON (CloudEvents JSON event format 1.0.2).
//!
//! The producer's `id`, `source`, `time` and `data` go out as they came in. Left out is the `audience`: for whom else an
//! event is, is nobody's business.

use std::io::Write as _;

use super::event::{Event, EventDraft};

/// Bytes of an event besides its data, roughly.
const ENVELOPE_BYTES: usize = 320;

/// How many bytes [`write`] will write, roughly.
#[must_use]
pub fn size_hint(event: &Event) -> usize {
    event.draft.data.as_ref().map_or(0, |data| data.as_bytes().len()) + ENVELOPE_BYTES
}

/// Writes the event. An event whose producer gave it no `id` goes by ours.
pub fn write(out: &mut Vec<u8>, event: &Event) {
    let EventDraft {
        publisher: _,
        id,
        source,
        event_type,
        subject,
        time,
        data_schema,
        audience: _,
        expiry,
        trace,
        extensions,
        data,
    } = &event.draft;
    out.extend_from_slice(b"{\"specversion\":\"1.0\"");
    match id {
        Some(id) => text(out, "id", id),
        None => text(out, "id", &event.id.to_string()),
    }
    text(out, "source", source);
    text(out, "type", event_type.as_str());
    optional(out, "subject", subject.as_deref());
    optional(out, "time", time.as_ref().map(|time| time.text.as_str()));
    optional(out, "dataschema", data_schema.as_deref());
    optional(out, "expirytime", expiry.map(crate::base::clock::Timestamp::to_rfc3339_millis).as_deref());
    optional(out, "traceparent", trace.as_ref().map(|trace| trace.parent.as_str()));
    optional(out, "tracestate", trace.as_ref().and_then(|trace| trace.state.as_deref()));
    for extension in extensions {
        member(out, &extension.name, extension.value.as_bytes());
    }
    if let Some(data) = data {
        if extensions.iter().all(|extension| extension.name != "datacontenttype") {
            text(out, "datacontenttype", "application/json");
        }
        member(out, "data", data.as_bytes());
    }
    out.push(b'}');
}

fn optional(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(out, name, value);
    }
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    name_of(out, name);
    serde_json::to_writer(out, value).expect("a string can always be written to memory");
}

fn member(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    name_of(out, name);
    out.extend_from_slice(json);
}

/// Names are lower-case letters and digits: nothing in them has to be escaped.
fn name_of(out: &mut Vec<u8>, name: &str) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, ",\"{name}\":");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::trace::TraceContext;
    use crate::model::event::{EventTime, Extension};
    use crate::model::id::LedgerId;
    use crate::model::json::RawJson;
    use crate::model::owners::Owners;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn raw(text: &str) -> RawJson {
        RawJson::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn plain() -> Event {
        Event {
            id: LedgerId::parse("0198f0c2-1111-7000-8000-000000040000").unwrap(),
            accepted: Timestamp::from_millis(1_516_683_382_007),
            draft: EventDraft {
                publisher: "crm".into(),
                id: None,
                source: "urn:tidings:client:crm".to_owned(),
                event_type: "301".into(),
                subject: None,
                time: None,
                data_schema: None,
                audience: None,
                expiry: None,
                trace: None,
                extensions: Vec::new(),
                data: None,
            },
        }
    }

    fn written(event: &Event) -> String {
        let mut out = Vec::new();
        write(&mut out, event);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_without_an_id_of_its_own_goes_by_ours() {
        assert_eq!(
            written(&plain()),
            r#"{"specversion":"1.0","id":"0198f0c2-1111-7000-8000-000000040000","source":"urn:tidings:client:crm","type":"301"}"#
        );
    }

    #[test]
    fn all_that_the_producer_told_goes_out_but_the_audience() {
        let mut event = plain();
        let text = "2018-01-23T04:56:22.1234567+13:00";
        event.draft = EventDraft {
            id: Some("a \"1\"".to_owned()),
            subject: Some("s".to_owned()),
            time: Some(EventTime { text: text.to_owned(), instant: Timestamp::parse_rfc3339(text).unwrap() }),
            data_schema: Some("https://example.com/s".to_owned()),
            audience: Some(Owners::new(["1001".to_owned()])),
            expiry: Some(Timestamp::from_millis(1_516_683_382_007)),
            trace: Some(TraceContext { parent: PARENT.to_owned(), state: Some("a=1".to_owned()) }),
            extensions: vec![Extension { name: "comexampleextension1".to_owned(), value: raw("true") }],
            data: Some(raw("{ \"n\": 1.00 }")),
            ..event.draft
        };
        let out = written(&event);
        assert!(out.contains("\"data\":{ \"n\": 1.00 }"), "{out}");
        assert!(!out.contains("1001"), "{out}");
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            value,
            json!({
                "specversion": "1.0", "id": "a \"1\"", "source": "urn:tidings:client:crm", "type": "301", "subject": "s",
                "time": text, "dataschema": "https://example.com/s", "expirytime": "2018-01-23T04:56:22.007Z",
                "traceparent": PARENT, "tracestate": "a=1", "comexampleextension1": true,
                "datacontenttype": "application/json", "data": {"n": 1.00},
            })
        );
    }

    #[test]
    fn a_content_type_of_the_producer_s_own_is_not_doubled() {
        let mut event = plain();
        event.draft.extensions =
            vec![Extension { name: "datacontenttype".to_owned(), value: RawJson::string("text/json") }];
        event.draft.data = Some(raw("[]"));
        assert_eq!(written(&event).matches("datacontenttype").count(), 1);
    }
}
