//! The four forms of a body, and what is kept of it.

use serde_json::json;

use super::{BATCH, EVENTS, STRUCTURED, post, stored};
use crate::support::Appliance;
use crate::support::client::Call;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const DATA: &str = r#"{ "n":1.50E+3 , "big":123456789012345678901234567890, "s":"\u00e9\/" }"#;

#[tokio::test]
async fn the_plain_form_needs_a_type_and_no_more() {
    let appliance = Appliance::plain().await;
    let receipt = post(&appliance, "application/json", r#"{"type":"301"}"#).await.expect(202).json();
    let event = stored(&appliance, &receipt).await;
    assert_eq!(
        receipt,
        json!({"id": event.id.to_string(), "duplicate": false, "matched": 0, "notifications": {"poll": 0, "webhook": 0, "email": 0}})
    );
    assert_eq!(event.draft.source, "urn:tidings:client:crm");
    assert_eq!(event.draft.publisher.as_str(), "crm");
    assert_eq!((event.draft.id, event.draft.time, event.draft.data), (None, None, None));
    assert_eq!(appliance.store_figures().unmatched, 1);
}

#[tokio::test]
async fn a_structured_event_is_kept_with_its_extensions_and_data_byte_for_byte() {
    let appliance = Appliance::plain().await;
    let body = format!(
        r#"{{"specversion":"1.0","id":"a-1","source":"/crm","type":"301","subject":"s é","time":"2018-01-23T05:56:22.5+01:00",
        "datacontenttype":"application/vnd.x+json; charset=UTF-8","dataschema":"urn:x","expirytime":"2026-11-22T11:00:00Z",
        "audience":"1001, 7","traceparent":"{PARENT}","tracestate":"a=1","text":"\u0061 b","number":1.0,"yes":true,"none":null,"data": {DATA} }}"#
    );
    let receipt = post(&appliance, STRUCTURED, &body).await.expect(202).json();
    let draft = stored(&appliance, &receipt).await.draft;
    assert_eq!((draft.id.as_deref(), draft.source.as_str(), draft.event_type.as_str()), (Some("a-1"), "/crm", "301"));
    assert_eq!((draft.subject.as_deref(), draft.data_schema.as_deref()), (Some("s é"), Some("urn:x")));
    assert_eq!(draft.time.unwrap().text, "2018-01-23T05:56:22.5+01:00");
    assert_eq!(draft.expiry.unwrap().to_rfc3339_millis(), "2026-11-22T11:00:00.000Z");
    assert_eq!(draft.audience.unwrap().to_audience(), "1001,7");
    let trace = draft.trace.unwrap();
    assert_eq!((trace.parent.as_str(), trace.state.as_deref()), (PARENT, Some("a=1")));
    let extensions: Vec<_> = draft.extensions.iter().map(|e| format!("{}={:?}", e.name, e.value)).collect();
    assert_eq!(
        extensions,
        [
            r#"datacontenttype=RawJson("application/vnd.x+json; charset=UTF-8")"#,
            r#"text=RawJson("\u0061 b")"#,
            "number=RawJson(1.0)",
            "yes=RawJson(true)"
        ]
    );
    assert_eq!(draft.data.unwrap().as_bytes(), DATA);
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["302"]).await;
    let event = |id: &str, kind: &str| format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"{kind}"}}"#);
    let body = format!(" [{} , {}]", event("a", "301"), event("b", "302"));
    let receipts = post(&appliance, BATCH, &body).await.expect(202).json();
    assert_eq!(receipts.as_array().unwrap().len(), 2);
    assert_eq!((&receipts[0]["matched"], &receipts[1]["matched"]), (&0.into(), &1.into()));
    assert_eq!(stored(&appliance, &receipts[0]).await.draft.id.as_deref(), Some("a"));
    assert_eq!(receipts[1]["expires"], "2026-11-22T16:00:00.250Z");
    assert_eq!(appliance.poll(&id).await[0]["id"], "b");
}

#[tokio::test]
async fn binary_mode_takes_the_attributes_from_headers() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let call = Call::post_as(EVENTS, "crm", "application/json; charset=utf-8", DATA)
        .header("ce-specversion", "1.0")
        .header("ce-id", "a%20%E2%82%AC")
        .header("ce-source", "\"/quo\\\"ted\"")
        .header("ce-type", "301")
        .header("CE-Extra1", "1.0")
        .header("traceparent", PARENT);
    let receipt = appliance.send(call).await.expect(202).json();
    let draft = stored(&appliance, &receipt).await.draft;
    assert_eq!((draft.id.as_deref(), draft.source.as_str()), (Some("a €"), "/quo\"ted"));
    assert_eq!(format!("{:?}", draft.extensions[0].value), "RawJson(\"1.0\")");
    assert_eq!(draft.extensions.len(), 1);
    assert_eq!(draft.trace.unwrap().parent, PARENT);
    assert_eq!(draft.data.unwrap().as_bytes(), DATA);
    let text = appliance.poll_text(&id).await;
    assert!(text.contains(r#""n":1.50E+3,"big":123456789012345678901234567890,"s":"\u00e9\/"}"#), "{text}");
}

#[tokio::test]
async fn ce_specversion_decides_before_the_content_type() {
    let appliance = Appliance::plain().await;
    let call = Call::post_as(EVENTS, "crm", STRUCTURED, r#"{"type":"not the envelope"}"#)
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/s")
        .header("ce-type", "301");
    let receipt = appliance.send(call).await.expect(202).json();
    let draft = stored(&appliance, &receipt).await.draft;
    assert_eq!(draft.event_type.as_str(), "301");
    assert_eq!(draft.data.unwrap().as_bytes(), r#"{"type":"not the envelope"}"#);
}

#[tokio::test]
async fn binary_mode_without_a_body_is_an_event_without_data() {
    let appliance = Appliance::plain().await;
    let call = Call::new(hyper::Method::POST, EVENTS, "crm")
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/s")
        .header("ce-type", "301");
    let receipt = appliance.send(call).await.expect(202).json();
    assert_eq!(stored(&appliance, &receipt).await.draft.data, None);
}

#[tokio::test]
async fn an_event_s_own_trace_counts_before_that_of_the_request_and_a_malformed_one_not_at_all() {
    let appliance = Appliance::plain().await;
    let own = PARENT.replace("4bf9", "0000");
    for (member, header, expected) in [
        (own.as_str(), PARENT, Some(own.as_str())),
        ("nonsense", PARENT, Some(PARENT)),
        ("nonsense", "nonsense", None),
        (&PARENT.to_uppercase(), "", None),
    ] {
        let body = format!(r#"{{"type":"301","traceparent":"{member}"}}"#);
        let call = Call::post(EVENTS, "crm", body).header("traceparent", header).header("tracestate", "h=1");
        let receipt = appliance.send(call).await.expect(202).json();
        let trace = stored(&appliance, &receipt).await.draft.trace;
        assert_eq!(trace.as_ref().map(|t| t.parent.as_str()), expected);
        assert_eq!(trace.and_then(|t| t.state).is_some(), expected == Some(PARENT));
    }
}
