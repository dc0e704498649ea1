//! An answer that the documents do not describe is noticed, and the test that sees it fails.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::support::openapi::Exchange;

const RECEIPT: &str = r#"{"id":"0198f0c2-7c1e-7a32-9f6b-000000040000","duplicate":false,"matched":0,
    "notifications":{"poll":0,"webhook":0,"email":0}}"#;
const PROBLEM: &str = r#"{"type":"/problems/internal","title":"T","status":500,"detail":"d"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");
const ID: (&str, &str) = ("x-request-id", "r-1");

type Headers<'a> = &'a [(&'static str, &'static str)];

/// What is wrong with this answer.
fn fault(method: &str, target: &str, status: u16, headers: Headers<'_>, body: &str) -> Option<String> {
    let pair =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let headers: HeaderMap = headers.iter().map(pair).collect();
    Exchange { method, target, status, headers: &headers, body: body.as_bytes() }.fault()
}

fn published(status: u16, headers: Headers<'_>, body: &str) -> Option<String> {
    fault("POST", "/v1/events?x=1", status, headers, body)
}

fn deleted(headers: Headers<'_>, body: &str) -> Option<String> {
    fault("DELETE", "/notification/v1/subscriptions/x", 204, headers, body)
}

#[test]
fn what_is_described_is_let_through() {
    assert_eq!(published(202, &[ID, JSON, ("content-length", "1")], RECEIPT), None);
    let charset = ("content-type", "application/json; charset=utf-8");
    assert_eq!(published(202, &[ID, charset], &format!("[{RECEIPT}]")), None);
    assert_eq!(published(500, &[ID, ("content-type", "application/problem+json")], PROBLEM), None);
    assert_eq!(deleted(&[ID], ""), None);
}

#[test]
fn another_status_header_or_media_type_is_noticed() {
    for (fault, place) in [
        (published(200, &[ID, JSON], RECEIPT), "POST /events does not describe this status"),
        (published(202, &[ID, ("content-type", "text/plain")], RECEIPT), "the media type text/plain"),
        (published(202, &[ID], RECEIPT), "no Content-Type"),
        (published(202, &[JSON], RECEIPT), "X-Request-Id is missing"),
        (published(503, &[ID, JSON], "{}"), "Retry-After is missing"),
        (published(503, &[ID, ("retry-after", "soon")], "{}"), "Retry-After is no number"),
        (deleted(&[ID, ("etag", "e")], ""), "the header etag"),
        (deleted(&[ID], "x"), "a body is not described"),
        (fault("PUT", "/v1/events", 200, &[ID], ""), "no such operation"),
        (fault("GET", "/v1/nothing", 200, &[ID], ""), "no such operation"),
        (fault("GET", "/v1x/events", 200, &[ID], ""), "config/openapi/root.json"),
    ] {
        assert!(fault.as_ref().is_some_and(|fault| fault.contains(place)), "{place} is not in {fault:?}");
    }
}

#[test]
fn another_body_is_noticed_and_its_place_is_said() {
    let problem = |from: &str, to: &str| {
        published(500, &[ID, ("content-type", "application/problem+json")], &PROBLEM.replace(from, to))
    };
    for (fault, place) in [
        (problem("{", ""), "no JSON"),
        (problem("\"detail\"", "\"more\""), "more"),
        (problem("\"detail\":\"d\"", "\"errors\":[]"), "\"detail\" is a required property"),
        (problem("500", "\"500\""), "`/status`"),
        (problem("\"d\"}", "\"d\",\"errors\":[{\"pointer\":\"/a\",\"detail\":1}]}"), "`/errors/0/detail`"),
        (published(202, &[ID, JSON], &RECEIPT.replace("0198", "zzzz")), "events.json: its body"),
        (published(202, &[ID, JSON], &RECEIPT.replace("\"matched\":0,", "")), "events.json: its body"),
    ] {
        assert!(fault.as_ref().is_some_and(|fault| fault.contains(place)), "{place} is not in {fault:?}");
    }
}

#[test]
#[should_panic(expected = "POST /v1/events was answered 200, but config/openapi/events.json")]
fn a_test_that_sees_one_fails() {
    Exchange { method: "POST", target: "/v1/events", status: 200, headers: &HeaderMap::new(), body: b"" }.check();
}
