//! The headers of answers: which the server adds, and what each of them says.

use std::collections::BTreeSet;

use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Object, ObjectBuilder};

use super::description::Sample;

/// Whether an answer that may have a header always has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Presence {
    Sometimes,
    Always,
}

/// The header that every answer has.
pub(super) const REQUEST_ID: &str = "X-Request-Id";

/// What is said of [`REQUEST_ID`], once for all.
pub(super) fn request_id() -> Header {
    let text = "The request's id, under which the server's log tells of it.";
    header(Presence::Always, Object::with_type(Type::String), text)
}

/// The headers of an answer with `status` that can be any of `samples`, besides [`REQUEST_ID`]: name and description.
pub(super) fn of(status: u16, samples: &[&Sample]) -> Vec<(String, Header)> {
    let own: BTreeSet<&str> = samples.iter().flat_map(|sample| &sample.headers).map(String::as_str).collect();
    let added = added(status);
    let own = own.into_iter().filter(|name| !added.contains(name)).map(|name| {
        let on_all = samples.iter().all(|sample| sample.headers.iter().any(|header| header == name));
        (name, if on_all { Presence::Always } else { Presence::Sometimes })
    });
    let added = added.iter().map(|&name| (name, Presence::Always));
    added.chain(own).map(|(name, at_most)| describe(name, status, at_most)).collect()
}

/// What the server adds to an answer with `status` (`http::answer`).
const fn added(status: u16) -> &'static [&'static str] {
    match status {
        401 | 403 => &["www-authenticate"],
        405 => &["allow"],
        429 | 503 | 507 => &["retry-after"],
        _ => &[],
    }
}

fn describe(name: &str, status: u16, at_most: Presence) -> (String, Header) {
    use Presence::{Always, Sometimes};
    let (shown, presence, text) = match name {
        "retry-after" => ("Retry-After", Always, "When to try again, in seconds from now."),
        "www-authenticate" if status == 401 => ("WWW-Authenticate", Always, "The challenge (RFC 9110, 11.6.1)."),
        "www-authenticate" => ("WWW-Authenticate", Sometimes, "The scope that is missing, if it is one (RFC 6750, 3)."),
        "allow" => ("Allow", Always, "The methods that the path has."),
        "etag" => ("ETag", Always, "The version of what is shown (RFC 9110, 8.8.3)."),
        "location" => ("Location", Always, "The URL of what was made."),
        "cache-control" => ("Cache-Control", Always, "Whether and for how long the answer may be kept."),
        "pragma" => ("Pragma", Always, "`no-cache`, for caches of HTTP/1.0."),
        "x-b3-traceid" => ("X-B3-TraceId", Sometimes, "The trace's id, if the request named one that is valid."),
        "preference-applied" => ("Preference-Applied", Sometimes, "`wait`, if the preference was heeded (RFC 7240)."),
        // A test finds it.
        other => (other, Always, ""),
    };
    (shown.to_owned(), header(presence.min(at_most), schema(name), text))
}

fn schema(name: &str) -> Object {
    match name {
        "retry-after" => ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build(),
        _ => Object::with_type(Type::String),
    }
}

fn header(presence: Presence, schema: Object, text: &str) -> Header {
    // utoipa does not know that a header has this member.
    let required = (presence == Presence::Always).then(|| Extensions::from_iter([("required", true)]));
    HeaderBuilder::new().schema(Some(schema)).description(Some(text)).extensions(required).build()
}
