//! What has arrived, as it is printed.

use std::fmt::Write as _;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::behaviour::Course;
use super::signature::{Finding, instant};
use crate::base::clock::Timestamp;

/// A message.
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    pub(super) from: SocketAddr,
    /// The path with its query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What is made of a message.
pub(super) struct Judged<'a> {
    pub(super) arrival: &'a Arrival,
    pub(super) finding: &'a Finding,
    /// How often its id has been seen, with this time; `None` where it has none.
    pub(super) seen: Option<u32>,
    pub(super) course: Course,
}

/// The part of a `CloudEvent` in JSON that is looked at.
#[derive(Deserialize)]
struct Typed {
    r#type: String,
}

impl Arrival {
    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// What repeats are known by.
    pub(super) fn id(&self) -> Option<String> {
        self.header("webhook-id")
    }

    /// The event's type: of a `CloudEvent` in binary mode in a header (HTTP binding 1.0.2, 3.1.3.2), else in the body.
    fn event_type(&self) -> Option<String> {
        let in_header = self.header("ce-type").map(|text| percent_decode_str(&text).decode_utf8_lossy().into_owned());
        in_header.or_else(|| serde_json::from_slice::<Typed>(&self.body).ok().map(|typed| typed.r#type))
    }

    fn timestamp(&self) -> Option<String> {
        let text = self.header("webhook-timestamp")?;
        Some(instant(&text).map_or(text, Timestamp::to_rfc3339_seconds))
    }
}

impl Judged<'_> {
    /// A line of JSON.
    pub(super) fn as_json(&self) -> String {
        let Self { arrival, finding, seen, course } = self;
        let (verified, reason) = match finding {
            Finding::Verified { .. } => (Value::Bool(true), None),
            Finding::Wrong(reason) => (Value::Bool(false), Some(reason)),
            Finding::Unchecked => (Value::Null, None),
        };
        let signature = match finding {
            Finding::Verified { version, key } => json!({ "version": version, "key": key }),
            Finding::Wrong(_) | Finding::Unchecked => Value::Null,
        };
        let text = std::str::from_utf8(&arrival.body).ok();
        let report = json!({
            "at": arrival.at.to_rfc3339_millis(),
            "id": arrival.id(),
            "seen": seen,
            "timestamp": arrival.timestamp(),
            "verified": verified,
            "reason": reason,
            "signature": signature,
            "type": arrival.event_type(),
            "path": arrival.path,
            "contentType": arrival.header(CONTENT_TYPE.as_str()),
            "answer": course.answer.map(|(status, _)| status.as_u16()),
            "body": text,
            "bodyBase64": text.is_none().then(|| STANDARD.encode(&arrival.body)),
        });
        format!("{report}\n")
    }

    /// A block that a person reads.
    pub(super) fn as_text(&self) -> String {
        let Self { arrival, finding, course, .. } = self;
        let mut out = format!("{} POST {} from {}\n", arrival.at.to_rfc3339_millis(), arrival.path, arrival.from);
        let mut line = |title: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {title:<10} {value}");
        };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        line("id", &format!("{}{}", or_none(arrival.id()), self.again()));
        line("timestamp", &or_none(arrival.timestamp()));
        line("signature", &in_words(finding));
        line("type", &or_none(arrival.event_type()));
        line("content", &or_none(arrival.header(CONTENT_TYPE.as_str())));
        line("answer", &course.answer.map_or_else(|| "hung up".to_owned(), |(status, _)| status.to_string()));
        line("body", &String::from_utf8_lossy(&arrival.body));
        out
    }

    fn again(&self) -> String {
        match self.seen {
            Some(times) if times > 1 => format!(" (seen {times} times)"),
            _ => String::new(),
        }
    }
}

fn in_words(finding: &Finding) -> String {
    match finding {
        Finding::Verified { version, key } => format!("verified: {version} with key {key}"),
        Finding::Wrong(reason) => format!("NOT verified: {reason}"),
        Finding::Unchecked => "not checked: give --secret, --secret-file or --public-key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::cli::receiver::behaviour::{Behaviour, Pace};

    fn arrival(headers: &[(&'static str, &'static str)], body: &'static [u8]) -> Arrival {
        let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        Arrival {
            at: Timestamp::from_millis(1_614_265_330_250),
            from: "127.0.0.1:5".parse().unwrap(),
            path: "/hook?x=1".to_owned(),
            headers: headers.iter().copied().map(header).collect(),
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn a_message_is_told_in_a_block_and_in_a_line() {
        let arrival = arrival(
            &[("webhook-id", "n-1"), ("webhook-timestamp", "1614265330"), ("content-type", "application/json")],
            br#"{"type":"301"}"#,
        );
        let finding = Finding::Verified { version: "v1", key: 2 };
        let course = Behaviour::default().course(1, true);
        let judged = Judged { arrival: &arrival, finding: &finding, seen: Some(2), course };
        let text = judged.as_text();
        for expected in [
            "POST /hook?x=1 from 127.0.0.1:5\n",
            "id         n-1 (seen 2 times)\n",
            "timestamp  2021-02-25T15:02:10Z\n",
            "verified: v1 with key 2\n",
            "type       301\n",
            "204 No Content\n",
            "body       {\"type\":\"301\"}\n",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
        let line = judged.as_json();
        assert_eq!(line.matches('\n').count(), 1);
        let told: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&told["verified"], &told["seen"]), (&json!(true), &json!(2)));
        assert_eq!(told["signature"], json!({"version": "v1", "key": 2}));
        assert_eq!((&told["type"], &told["answer"]), (&json!("301"), &json!(204)));
        assert_eq!(told["body"], "{\"type\":\"301\"}");
    }

    #[test]
    fn bytes_and_a_type_in_a_header_are_told_too() {
        let arrival = arrival(&[("ce-type", "a%20b%C3%A9")], b"\xff\xfe");
        let finding = Finding::Wrong("because".to_owned());
        let course = Course { delay: std::time::Duration::ZERO, answer: None };
        let judged = Judged { arrival: &arrival, finding: &finding, seen: None, course };
        let told: Value = serde_json::from_str(&judged.as_json()).unwrap();
        assert_eq!((&told["type"], &told["body"], &told["bodyBase64"]), (&json!("a bé"), &Value::Null, &json!("//4=")));
        assert_eq!((&told["verified"], &told["reason"]), (&json!(false), &json!("because")));
        assert!(judged.as_text().contains("NOT verified: because\n") && judged.as_text().contains("hung up"));
        let unchecked = Judged {
            finding: &Finding::Unchecked,
            course: Course { answer: Some((StatusCode::OK, Pace::Whole)), ..course },
            ..judged
        };
        assert!(unchecked.as_json().contains("\"verified\":null"));
    }
}
