//! What is refused, as problem+json with all that is wrong.

use super::{BATCH, EVENTS, STRUCTURED, nothing_stored, post, problem};
use crate::support::client::Call;
use crate::support::{Appliance, Setup, event_type};

/// A whole `CloudEvent` with `more` members.
fn event(more: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"301"{more}}}"#)
}

async fn invalid(appliance: &Appliance, content_type: &str, body: &str) -> Vec<String> {
    problem(post(appliance, content_type, body).await, 400, "invalid-request")
}

#[tokio::test]
async fn malformed_json_is_400() {
    let appliance = Appliance::plain().await;
    let deep = |levels: usize| event(&format!(",\"data\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    for (body, expected) in [
        (Vec::new(), "not acceptable JSON"),
        (b"{\"type\":\"301\"".to_vec(), "not acceptable JSON"),
        (b"{\"type\":\"301\"} x".to_vec(), "not acceptable JSON"),
        (b"{\"type\":\"\xff\"}".to_vec(), "invalid UTF-8"),
        (event(r#","data":{"a":{"b":1,"\u0062":2}}"#).into_bytes(), "is there twice"),
        (event(r#","id":"2""#).into_bytes(), "is there twice"),
        (event(",\"data\":1e400").into_bytes(), "out of range"),
        (deep(65).into_bytes(), "nested deeper"),
        (vec![b'['; 100_000], "nested deeper"),
    ] {
        for (content_type, body) in [(STRUCTURED, body.clone()), (BATCH, [b"[", body.as_slice(), b"]"].concat())] {
            if body == b"[]" {
                continue;
            }
            let answer = appliance.send(Call::post_as(EVENTS, "crm", content_type, body)).await;
            let errors = problem(answer, 400, "invalid-request");
            assert!(errors[0].starts_with(": ") && errors[0].contains(expected), "{errors:?}");
        }
    }
    nothing_stored(&appliance);
    post(&appliance, STRUCTURED, &deep(64)).await.expect(202);
    post(&appliance, BATCH, &format!("[{}]", deep(64).replace("\"id\":\"1\"", "\"id\":\"2\""))).await.expect(202);
}

#[tokio::test]
async fn a_body_of_another_shape_is_400() {
    let appliance = Appliance::plain().await;
    assert_eq!(invalid(&appliance, STRUCTURED, "[]").await, [": must be a JSON object"]);
    assert_eq!(invalid(&appliance, "application/json", "null").await, [": must be a JSON object"]);
    assert_eq!(invalid(&appliance, BATCH, "{}").await, [": must be an array of events"]);
    assert_eq!(invalid(&appliance, BATCH, "[]").await, [": has 0 events; a batch has 1 to 1000"]);
    assert_eq!(invalid(&appliance, BATCH, &format!("[{},7]", event(""))).await, ["/1: must be a JSON object"]);
}

#[tokio::test]
async fn cloud_events_need_their_four_attributes() {
    let appliance = Appliance::plain().await;
    let required = ["/specversion: is required", "/id: is required", "/source: is required", "/type: is required"];
    assert_eq!(invalid(&appliance, STRUCTURED, "{}").await, required);
    assert_eq!(invalid(&appliance, STRUCTURED, r#"{"id":null,"type":null}"#).await, required);
    assert_eq!(invalid(&appliance, "application/json", "{}").await, ["/type: is required"]);
    let bare = Call::new(hyper::Method::POST, EVENTS, "crm").header("ce-specversion", "1.0");
    let errors = problem(appliance.send(bare).await, 400, "invalid-request");
    assert_eq!(errors, required[1..]);
}

#[tokio::test]
async fn every_attribute_has_its_rules_and_all_that_is_wrong_is_listed() {
    let appliance = Appliance::plain().await;
    let body = format!(
        r#"{{"specversion":"0.3","id":"","source":7,"type":"{}","subject":"","time":"yesterday","datacontenttype":"",
        "dataschema":"","expirytime":"2026-11-22","audience":" , ","Upper":1,"with~sl/ash":1,"obj":{{}},"arr":[1],"ctl":"\u0007"}}"#,
        "é".repeat(256)
    );
    let errors = invalid(&appliance, STRUCTURED, &body).await;
    let expected = [
        "/specversion: must be \"1.0\"",
        "/id: must not be empty",
        "/source: must be a string",
        "/type: must be at most 255 characters",
        "/subject: must not be empty",
        "/time: must be an RFC 3339",
        "/datacontenttype: must not be empty",
        "/dataschema: must not be empty",
        "/expirytime: must be an RFC 3339",
        "/audience: must name at least one owner",
        "/Upper: attribute names",
        "/with~0sl~1ash: attribute names",
        "/obj: must be a string, a number or a boolean",
        "/arr: must be a string, a number or a boolean",
        "/ctl: must not contain control characters",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}");
    }
    nothing_stored(&appliance);
}

#[tokio::test]
async fn one_bad_event_refuses_the_batch_and_each_has_its_place() {
    let appliance =
        Appliance::start(Setup { closed: true, event_types: vec![event_type("301")], ..Setup::default() }).await;
    let unknown = event("").replace("301", "nobody's");
    let body = format!("[{},{},{},{}]", event(""), event(",\"time\":1"), unknown, "{}");
    let errors = invalid(&appliance, BATCH, &body).await;
    assert_eq!(
        errors,
        [
            "/1/time: must be a string",
            "/3/specversion: is required",
            "/3/id: is required",
            "/3/source: is required",
            "/3/type: is required",
            "/2/type: is not in the catalogue, which is closed: declare it in [[event_types]]",
        ]
    );
    nothing_stored(&appliance);
}

#[tokio::test]
async fn unknown_members_of_the_plain_form_are_400() {
    let appliance = Appliance::plain().await;
    let errors =
        invalid(&appliance, "application/json", r#"{"type":"301","colour":"red","Type":null,"id":null}"#).await;
    assert_eq!(
        errors,
        ["/colour: is not a member of an event in this form", "/Type: is not a member of an event in this form"]
    );
}

#[tokio::test]
async fn the_catalogue_decides_what_may_be_published() {
    let mut private = event_type("302");
    private.audience_required = true;
    let setup = Setup { closed: true, event_types: vec![event_type("301"), private], ..Setup::default() };
    let appliance = Appliance::start(setup).await;
    let plain = async |body: &str| invalid(&appliance, "application/json", body).await;
    assert!(plain(r#"{"type":"404"}"#).await[0].starts_with("/type: is not in the catalogue"));
    assert_eq!(plain(r#"{"type":"302"}"#).await, ["/audience: is required for events of this type"]);
    for built_in in ["tidings.", "tidings.delivery.failed", "SECRET_EXPIRY"] {
        let errors = plain(&format!(r#"{{"type":"{built_in}","time":"x"}}"#)).await;
        assert_eq!(errors[1], "/type: is a built-in type, which cannot be published");
    }
    nothing_stored(&appliance);
    post(&appliance, "application/json", r#"{"type":"302","audience":"1"}"#).await.expect(202);
}

#[tokio::test]
async fn headers_that_cannot_be_decoded_are_400() {
    let appliance = Appliance::plain().await;
    let call = Call::new(hyper::Method::POST, EVENTS, "crm")
        .header("ce-specversion", "1.0")
        .header("ce-id", "50%")
        .header("ce-source", "%C3%28")
        .header("ce-type", "301")
        .header("ce-my-attribute", "x")
        .header("ce-datacontenttype", "application/json")
        .header("ce-subject", "one")
        .header("ce-subject", "two")
        .header("ce-data", "x")
        .body("{");
    let errors = problem(appliance.send(call).await, 400, "invalid-request");
    for expected in [
        "/id: the header ce-id has a %",
        "/source: the header ce-source is not UTF-8",
        "/my-attribute: attribute names",
        "/datacontenttype: is said by the Content-Type",
        "/subject: the header ce-subject must be there once",
        "/data: no attribute can have this name",
        ": is not acceptable JSON",
    ] {
        assert!(errors.iter().any(|e| e.starts_with(expected)), "{expected}: {errors:#?}");
    }
    assert_eq!(errors.len(), 7, "what is there is not also missing: {errors:#?}");
    nothing_stored(&appliance);
}

#[tokio::test]
async fn what_is_not_json_is_415() {
    let appliance = Appliance::plain().await;
    for other in ["text/plain", "application/xml", "application/cloudevents+xml", "application/json; charset=utf-16"] {
        let errors = problem(post(&appliance, other, r#"{"type":"301"}"#).await, 415, "unsupported-media-type");
        assert!(errors.is_empty());
    }
    let none = Call::new(hyper::Method::POST, EVENTS, "crm").body("{}");
    problem(appliance.send(none).await, 415, "unsupported-media-type");
    for (member, pointer) in [
        (r#","datacontenttype":"text/xml","data":"<x/>""#, "/datacontenttype: "),
        (r#","data_base64":"AAAA""#, "/data_base64: "),
    ] {
        let errors = problem(post(&appliance, STRUCTURED, &event(member)).await, 415, "unsupported-media-type");
        assert!(errors[0].starts_with(pointer), "{errors:?}");
    }
    let plain = post(&appliance, "application/json", r#"{"type":"301","data_base64":"AAAA"}"#).await;
    problem(plain, 415, "unsupported-media-type");
    let binary = Call::post_as(EVENTS, "crm", "text/plain", "x").header("ce-specversion", "1.0");
    problem(appliance.send(binary).await, 415, "unsupported-media-type");
    nothing_stored(&appliance);
}

#[tokio::test]
async fn what_the_server_refuses_is_problem_json_too() {
    let appliance = Appliance::plain().await;
    let body = r#"{"type":"301"}"#;
    let without = appliance.send(Call::post(EVENTS, "crm", body).without_token()).await;
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    problem(without, 401, "unauthenticated");
    let forbidden = appliance.send(Call::post(EVENTS, "watcher", body)).await;
    assert!(forbidden.text().contains("events:publish"));
    problem(forbidden, 403, "forbidden");
    problem(appliance.send(Call::get("/v1/nothing", "crm")).await, 404, "not-found");
    let get = appliance.send(Call::get(EVENTS, "crm")).await;
    assert_eq!(get.header("allow"), Some("POST"));
    problem(get, 405, "method-not-allowed");
    problem(appliance.send(Call::get("/elsewhere", "crm")).await, 404, "not-found");
    let page = appliance.send(Call::get("/problems/invalid-request", "crm").without_token()).await.expect(200);
    assert!(page.text().contains("JSON Pointer"), "{}", page.text());
}
