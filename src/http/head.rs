//! What a request's head has to be beyond what hyper checks, and the words for heads that cannot be read.

use std::time::Duration;

use hyper::Version;
use hyper::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;

use super::contract::Refusal;

/// The largest head in bytes, request line included; also the largest trailer section.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// How many headers hyper reads (its default; setting it would cost an allocation for each request).
const MAX_HEADERS: usize = 100;

/// Refuses what makes it doubtful where a request is for or where its body ends.
pub(super) fn check(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let detail = match (hosts.next(), hosts.next()) {
        // RFC 9112 §3.2.
        (None, _) if head.version >= Version::HTTP_11 => "the request has no Host header",
        (_, Some(_)) => "the request has more than one Host header",
        (Some(host), _) if !of_one_mind(head, host) => "the request names one host and has another in its Host header",
        _ if !plainly_chunked(head) => "of the transfer codings only `chunked` is taken, and only once",
        _ => return Ok(()),
    };
    Err(Refusal::BadRequest { detail: detail.to_owned() })
}

/// RFC 9113 §8.3.1: `:authority` is what `Host` is in HTTP/1.1, and contracts know the latter only.
pub(super) fn name_host(head: &mut Parts) {
    if !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
}

/// Whether a request of HTTP/2 that has both says the same with them.
fn of_one_mind(head: &Parts, host: &HeaderValue) -> bool {
    let authority = head.uri.authority().filter(|_| head.version == Version::HTTP_2);
    authority.is_none_or(|authority| authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()))
}

/// RFC 9112 §6.1: a coding that we do not undo must not reach a contract as if it were the body.
fn plainly_chunked(head: &Parts) -> bool {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}

/// A head that hyper could not read.
pub(super) fn unreadable(error: &hyper::Error) -> Refusal {
    let detail = if error.is_parse_too_large() {
        format!("the request's head is larger than {MAX_HEAD} bytes or has more than {MAX_HEADERS} headers")
    } else if error.is_parse_version_h2() {
        "it begins like HTTP/2, but not as that does (RFC 9113, 3.4)".to_owned()
    } else {
        format!("the request's head cannot be read: {error}")
    };
    Refusal::BadRequest { detail }
}

/// A head that did not come in time.
pub(super) fn late(limit: Duration) -> Refusal {
    Refusal::BadRequest { detail: format!("the request's head did not arrive within {limit:?} of its first byte") }
}
