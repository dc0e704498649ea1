//! The request that carries a notification.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::super::Message;
use super::binary;
use super::management;
use super::registration;
use super::signature::Signed;
use crate::base::ed25519::SignAll;
use crate::base::secret::SecretString;
use crate::base::trace::TraceContext;
use crate::model::cloud_event;
use crate::model::target::{BasicAuth, ContentMode, Shape, WebhookTarget};

/// The header with the generation of the store: after a restore it is another one, and what was sent meanwhile may be
/// sent again under other ids.
pub const EPOCH_HEADER: &str = "tidings-epoch";

/// What the files say of requests of some contracts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras<'a> {
    /// The header in which those of registrations show their secret.
    pub(super) shown_in: Option<&'a HeaderName>,
    /// The `x-api-key` of those of the client's management subscriptions.
    pub(super) api_key: Option<&'a SecretString>,
}

/// The notification's id, and the `x-api-key` that goes with it.
type Named<'a> = (&'a str, Option<&'a SecretString>);

/// The headers and the body of the request for `message`; `None` if nothing signs it. Those of registrations show their
/// secret in a header, where `extras` name one, and are not signed then.
pub(super) fn write(
    target: &WebhookTarget,
    message: &Message,
    keys: &dyn SignAll,
    extras: &Extras<'_>,
) -> Option<(HeaderMap, Bytes)> {
    let mut headers = HeaderMap::with_capacity(24);
    let (id, seconds) = (message.id.to_string(), message.now.as_millis().div_euclid(1000));
    let body = body(&mut headers, target, message, (&id, extras.api_key));
    set(&mut headers, "webhook-id", &id);
    headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(seconds));
    if let Some(name) = extras.shown_in.filter(|_| target.shape == Shape::Registration) {
        registration::show_secret(&mut headers, name, target, message)?;
    } else {
        let signatures = Signed { id: &id, seconds, body: &body }.signatures(target, keys, message.now)?;
        set(&mut headers, "webhook-signature", &signatures);
    }
    headers.insert(HeaderName::from_static(EPOCH_HEADER), HeaderValue::from(message.epoch.get()));
    if let Some(basic) = &target.basic {
        headers.insert(AUTHORIZATION, credentials(basic)?);
    }
    if let Some(trace) = &message.event.draft.trace {
        hand_on(&mut headers, trace);
    }
    Some((headers, body))
}

fn body(headers: &mut HeaderMap, target: &WebhookTarget, message: &Message, (id, api_key): Named<'_>) -> Bytes {
    match target.shape {
        Shape::CloudEvent => {}
        Shape::Registration => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            return registration::body(message, id).into();
        }
        Shape::Management => return management::write(headers, message, id, api_key),
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

/// HTTP Basic (RFC 7617), in UTF-8.
fn credentials(basic: &BasicAuth) -> Option<HeaderValue> {
    let BasicAuth { username, password } = basic;
    let pair = Zeroizing::new(format!("{username}:{}", password.as_str()));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    secret(&value)
}

/// A header's value that is never shown; `None` if it is none.
pub(super) fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
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

pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Each of them is printable ASCII: ids, digits, base64, and traces that were checked.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
