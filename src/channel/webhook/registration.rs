//! The body of a webhook of the registrations contract (contracts/registrations.md, "The webhook").

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::Message;
use crate::model::target::WebhookTarget;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'m> {
    notification_id: &'m str,
    event_type: &'m str,
    event_timestamp: String,
    subscriber_id: &'m str,
    registration_id: String,
    data: Cow<'m, RawValue>,
}

/// The body of `message`, whose id is `id`. An event without data has an empty object.
pub(super) fn body(message: &Message, id: &str) -> Vec<u8> {
    let Message { subscription, event, .. } = message;
    let time = event.draft.time.as_ref().map_or(event.accepted, |time| time.instant);
    let data = event.draft.data.as_ref().and_then(|data| serde_json::from_slice::<&RawValue>(data.as_bytes()).ok());
    let body = Body {
        notification_id: id,
        event_type: event.draft.event_type.as_str(),
        event_timestamp: time.to_rfc3339_millis(),
        subscriber_id: subscription.holders.first().map_or("", String::as_str),
        registration_id: subscription.id.to_uuid().to_string(),
        data: data.map_or_else(|| Cow::Owned(empty()), Cow::Borrowed),
    };
    serde_json::to_vec(&body).expect("strings and JSON always have a JSON form")
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("it is JSON")
}

/// Adds the secret itself, in the header `name`: that which was given out last of those that are valid. `None` if none
/// is.
pub(super) fn show_secret(
    headers: &mut HeaderMap,
    name: &HeaderName,
    target: &WebhookTarget,
    message: &Message,
) -> Option<()> {
    let secret = target.secrets.iter().rev().find(|secret| secret.is_valid(message.now))?;
    let mut value = HeaderValue::from_str(&secret.to_text()).ok()?;
    value.set_sensitive(true);
    headers.insert(name.clone(), value);
    Some(())
}
