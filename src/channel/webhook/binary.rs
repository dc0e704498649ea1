//! An event in `ce-` headers, its data in the body (`CloudEvents` HTTP protocol binding 1.0.2, 3.1).

use std::borrow::Cow;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::base::clock::Timestamp;
use crate::model::event::{Event, EventDraft, Extension};
use crate::model::json::RawJson;

/// 3.1.3.2: blank, quote, percent, and what is not printable ASCII, to which all beyond ASCII is added by the encoder.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Adds the headers of `event`. An event whose producer gave it no `id` goes by ours; for whom else it is, is nobody's
/// business.
pub(super) fn write(headers: &mut HeaderMap, event: &Event) {
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
    let id = id.as_deref().map_or_else(|| Cow::Owned(event.id.to_string()), Cow::Borrowed);
    let expiry = expiry.map(Timestamp::to_rfc3339_millis);
    let attributes = [
        ("ce-specversion", Some("1.0")),
        ("ce-id", Some(&*id)),
        ("ce-source", Some(source)),
        ("ce-type", Some(event_type.as_str())),
        ("ce-subject", subject.as_deref()),
        ("ce-time", time.as_ref().map(|time| time.text.as_str())),
        ("ce-dataschema", data_schema.as_deref()),
        ("ce-expirytime", expiry.as_deref()),
        ("ce-traceparent", trace.as_ref().map(|trace| trace.parent.as_str())),
        ("ce-tracestate", trace.as_ref().and_then(|trace| trace.state.as_deref())),
    ];
    for (name, value) in attributes {
        set(headers, HeaderName::from_static(name), value);
    }
    for Extension { name, value } in extensions.iter().filter(|extension| extension.name != "datacontenttype") {
        // Names are lower-case letters and digits, which every header's name can have.
        if let Ok(name) = HeaderName::try_from(format!("ce-{name}")) {
            set(headers, name, Some(&plain(value)));
        }
    }
    if data.is_some() {
        headers.insert(CONTENT_TYPE, content_type(extensions));
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    let encoded = value.map(|value| utf8_percent_encode(value, ENCODED).to_string());
    if let Some(value) = encoded.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}

/// A string as its characters, a number or a boolean as it stands.
fn plain(value: &RawJson) -> Cow<'_, str> {
    let string = serde_json::from_slice::<String>(value.as_bytes());
    string.map_or_else(|_| String::from_utf8_lossy(value.as_bytes()), Cow::Owned)
}

fn content_type(extensions: &[Extension]) -> HeaderValue {
    let own = extensions.iter().find(|extension| extension.name == "datacontenttype");
    let own = own.and_then(|own| HeaderValue::from_str(&plain(&own.value)).ok());
    own.unwrap_or(HeaderValue::from_static("application/json"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::trace::TraceContext;
    use crate::model::event::EventTime;
    use crate::model::id::LedgerId;
    use crate::model::owners::Owners;

    fn raw(text: &'static str) -> RawJson {
        RawJson::parse(&Bytes::from_static(text.as_bytes())).unwrap()
    }

    fn plain_event() -> Event {
        Event {
            id: LedgerId::parse("0198f0c2-1111-7000-8000-000000040000").unwrap(),
            accepted: Timestamp::from_millis(1_516_683_382_007),
            draft: EventDraft {
                publisher: "crm".into(),
                id: None,
                source: "/crm".to_owned(),
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

    fn written(event: &Event) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        write(&mut headers, event);
        let shown = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
        headers.iter().map(shown).collect()
    }

    fn expect(event: &Event, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(written(event), expected);
    }

    #[test]
    fn an_event_without_data_has_no_content_type() {
        expect(
            &plain_event(),
            &[
                ("ce-specversion", "1.0"),
                ("ce-id", "0198f0c2-1111-7000-8000-000000040000"),
                ("ce-source", "/crm"),
                ("ce-type", "301"),
            ],
        );
    }

    #[test]
    fn all_that_the_producer_told_goes_out_encoded_but_the_audience() {
        let mut event = plain_event();
        let (parent, time) = ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "2018-01-23T04:56:22.1+13:00");
        event.draft = EventDraft {
            id: Some("a \"1\" 100%".to_owned()),
            subject: Some("Euro € 😀\r\nX-Forged: 1".to_owned()),
            time: Some(EventTime { text: time.to_owned(), instant: Timestamp::parse_rfc3339(time).unwrap() }),
            data_schema: Some("https://example.com/s".to_owned()),
            audience: Some(Owners::new(["1001".to_owned()])),
            expiry: Some(Timestamp::from_millis(1_516_683_382_007)),
            trace: Some(TraceContext { parent: parent.to_owned(), state: Some("a=1".to_owned()) }),
            extensions: vec![
                Extension { name: "text".to_owned(), value: raw("\"a\\u00e9\"") },
                Extension { name: "flag".to_owned(), value: raw("true") },
                Extension { name: "number".to_owned(), value: raw("-7") },
                Extension { name: "datacontenttype".to_owned(), value: raw("\"application/vnd.x+json\"") },
            ],
            data: Some(raw("{ \"n\": 1.00 }")),
            ..event.draft
        };
        expect(
            &event,
            &[
                ("ce-specversion", "1.0"),
                ("ce-id", "a%20%221%22%20100%25"),
                ("ce-source", "/crm"),
                ("ce-type", "301"),
                ("ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80%0D%0AX-Forged:%201"),
                ("ce-time", time),
                ("ce-dataschema", "https://example.com/s"),
                ("ce-expirytime", "2018-01-23T04:56:22.007Z"),
                ("ce-traceparent", parent),
                ("ce-tracestate", "a=1"),
                ("ce-text", "a%C3%A9"),
                ("ce-flag", "true"),
                ("ce-number", "-7"),
                ("content-type", "application/vnd.x+json"),
            ],
        );
    }
}
