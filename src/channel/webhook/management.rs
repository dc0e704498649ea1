//! The body and the headers that the receivers of management subscriptions know (contracts/management.md, "The webhook").

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::super::Message;
use super::request;
use crate::base::secret::{ExposeSecret as _, SecretString};
use crate::model::json::RawJson;
use crate::model::message::{message_bytes, payload_bytes};

/// Bytes of a body besides what the event says, roughly.
const ENVELOPE_BYTES: usize = 160;

/// Adds the headers of `message`, and gives its body.
pub(super) fn write(headers: &mut HeaderMap, message: &Message, id: &str, api_key: Option<&SecretString>) -> Bytes {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request::set(headers, "x-transaction-id", id);
    if let Some(key) = api_key.and_then(|key| request::secret(key.expose_secret())) {
        headers.insert(HeaderName::from_static("x-api-key"), key);
    }
    body(message).into()
}

fn body(message: &Message) -> Vec<u8> {
    let draft = &message.event.draft;
    let data = draft.data.as_ref();
    let mut out = Vec::with_capacity(ENVELOPE_BYTES + data.map_or(0, |data| data.as_bytes().len()));
    out.push(b'{');
    // What is sent to a receiver that counts has a number from the transaction that stored it.
    if let Some(number) = message.number {
        member(&mut out, "eventId", number.to_string().as_str().into());
    }
    let time = draft.time.as_ref().map_or(message.event.accepted, |time| time.instant);
    member(&mut out, "eventTimestamp", time.to_rfc3339_millis().as_str().into());
    member(&mut out, "eventType", draft.event_type.as_str().into());
    member(&mut out, "message", Part::Json(data.map_or(b"{}", message_bytes)));
    member(&mut out, "payload", Part::Json(data.and_then(payload_bytes).unwrap_or(b"{}")));
    out.push(b'}');
    out
}

/// The value of a member.
#[derive(Clone, Copy)]
enum Part<'a> {
    Text(&'a str),
    Json(&'a [u8]),
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

fn member(out: &mut Vec<u8>, name: &str, value: Part<'_>) {
    if out.len() > 1 {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        Part::Text(text) => out.extend_from_slice(RawJson::string(text).as_bytes()),
        Part::Json(json) => out.extend_from_slice(json),
    }
}
