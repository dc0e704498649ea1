//! The request that carries a notification.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::super::Message;
use super::binary;
use super::registration;
use super::signature::Signed;
use crate::base::ed25519::SignAll;
use crate::base::trace::TraceContext;
use crate::model::cloud_event;
use crate::model::target::{ContentMode, Shape, WebhookTarget};

/// The header with the generation of the store: after a restore it is another one, and what was sent meanwhile may be
/// sent again under other ids.
pub const EPOCH_HEADER: &str = "tidings-epoch";

/// The headers and the body of the request for `message`; `None` if nothing signs it. Those of registrations show their
/// secret in the header `shown_in`, where there is one, and are not signed then.
pub(super) fn write(
    target: &WebhookTarget,
    message: &Message,
    keys: &dyn SignAll,
    shown_in: Option<&HeaderName>,
) -> Option<(HeaderMap, Bytes)> {
    let mut headers = HeaderMap::with_capacity(24);
    let (id, seconds) = (message.id.to_string(), message.now.as_millis().div_euclid(1000));
    let body = body(&mut headers, target, message, &id);
    set(&mut headers, "webhook-id", &id);
    headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(seconds));
    match shown_in.filter(|_| target.shape == Shape::Registration) {
        Some(name) => registration::show_secret(&mut headers, name, target, message)?,
        None => {
            let signatures = Signed { id: &id, seconds, body: &body }.signatures(target, keys, message.now)?;
            set(&mut headers, "webhook-signature", &signatures);
        }
    }
    headers.insert(HeaderName::from_static(EPOCH_HEADER), HeaderValue::from(message.epoch.get()));
    if let Some(trace) = &message.event.draft.trace {
        hand_on(&mut headers, trace);
    }
    Some((headers, body))
}

fn body(headers: &mut HeaderMap, target: &WebhookTarget, message: &Message, id: &str) -> Bytes {
    if target.shape == Shape::Registration {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return registration::body(message, id).into();
    }
    match target.content_mode {
        ContentMode::Structured => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
            let mut body = Vec::with_capacity(cloud_event::size_hint(&message.event));
            cloud_event::write(&mut body, &message.event);
            body.into()
        }
        ContentMode::Binary => {
            binary::write(headers, &message.event);
            message.event.data()
        }
    }
}

/// The trace goes on as it came: as W3C trace context, and as B3 (several headers) for those who know that.
fn hand_on(headers: &mut HeaderMap, trace: &TraceContext) {
    set(headers, "traceparent", &trace.parent);
    if let Some(state) = &trace.state {
        set(headers, "tracestate", state);
    }
    set(headers, "x-b3-traceid", trace.trace_id());
    set(headers, "x-b3-spanid", trace.span_id());
    set(headers, "x-b3-sampled", if trace.is_sampled() { "1" } else { "0" });
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Each of them is printable ASCII: ids, digits, base64, and traces that were checked.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
