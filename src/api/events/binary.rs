//! One event in `ce-` headers (`CloudEvents` HTTP protocol binding 1.0, 3.1); the body is its data.

use std::borrow::Cow;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

use super::attributes::{Attributes, Value};
use super::form::Context;
use super::problems::Problems;
use crate::http::contract::Request;
use crate::model::event::EventDraft;
use crate::model::json::RawJson;

/// What precedes the name of an attribute.
const PREFIX: &str = "ce-";

/// The event of `request`. Problems of an attribute stand at `/name`, those of the data at the body as a whole.
pub(super) fn read(request: &Request, context: &Context<'_>, problems: &mut Problems) -> Option<EventDraft> {
    let mut attributes = Attributes::new(context, String::new(), problems);
    for name in request.headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        match value(&request.headers, name.as_str()) {
            Ok(_) if attribute == "datacontenttype" => problems.invalid(
                attributes.pointer_to(attribute),
                "is said by the Content-Type header in binary mode (CloudEvents HTTP binding 3.1.1)",
            ),
            Ok(text) => attributes.set(attribute, Value::Header(text), problems),
            Err(detail) => attributes.refuse(attribute, format!("the header {name} {detail}"), problems),
        }
    }
    if request.headers.contains_key(CONTENT_TYPE) {
        match value(&request.headers, CONTENT_TYPE.as_str()) {
            Ok(text) => attributes.set("datacontenttype", Value::Header(text), problems),
            Err(detail) => {
                problems.media_type(attributes.pointer_to("datacontenttype"), format!("Content-Type {detail}"));
            }
        }
    }
    let data = read_data(request, problems);
    attributes.finish(data, problems)
}

/// The body as data; an empty one is none.
fn read_data(request: &Request, problems: &mut Problems) -> Option<RawJson> {
    if request.body.is_empty() {
        return None;
    }
    RawJson::parse(&request.body)
        .map_err(|error| problems.invalid(String::new(), format!("is not acceptable JSON: {error}")))
        .ok()
}

/// The value of the one header `name`, decoded; or what is wrong with it.
fn value<'a>(headers: &'a HeaderMap, name: &str) -> Result<Cow<'a, str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if name.starts_with(PREFIX) => decode(value),
        (Some(value), None) => value.to_str().map(Cow::Borrowed).map_err(|_| "must be ASCII"),
        _ => Err("must be there once"),
    }
}

/// Undoes the quotes and the percent-encoding of a header's value (HTTP protocol binding, 3.1.3.2).
fn decode(value: &HeaderValue) -> Result<Cow<'_, str>, &'static str> {
    let text = value.to_str().map_err(|_| "must be printable ASCII, all else percent-encoded")?;
    let text = unquote(text);
    if !text.contains('%') {
        return Ok(text);
    }
    if !has_whole_escapes(text.as_bytes()) {
        return Err("has a % that two hexadecimal digits do not follow");
    }
    let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| "is not UTF-8 when it is percent-decoded")?;
    Ok(Cow::Owned(decoded.into_owned()))
}

/// The text of a quoted string (RFC 9110, 5.6.4), or the text itself.
fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inside) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else { return Cow::Borrowed(text) };
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut escaped = false;
    let is_text = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    Cow::Owned(inside.chars().filter(is_text).collect())
}

fn has_whole_escapes(text: &[u8]) -> bool {
    text.iter()
        .enumerate()
        .filter(|(_, b)| **b == b'%')
        .all(|(at, _)| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Result<String, &'static str> {
        decode(&HeaderValue::from_bytes(text.as_bytes()).unwrap()).map(Cow::into_owned)
    }

    #[test]
    fn values_are_decoded_as_the_binding_says() {
        for (text, expected) in [
            ("plain", "plain"),
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("%25", "%"),
            ("%2525", "%25"),
            ("\"quoted \\\"x\\\\\"", "quoted \"x\\"),
            ("a\"b", "a\"b"),
            ("\"", "\""),
        ] {
            assert_eq!(decoded(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for bad in ["%", "50%", "%2", "%zz", "%C3%28", "%ff", "é"] {
            assert!(decoded(bad).is_err(), "{bad}");
        }
    }
}
