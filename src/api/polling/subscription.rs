//! A subscription as this contract shows it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::PollingSettings;
use crate::base::clock::Timestamp;
use crate::engine::SubscriptionView;
use crate::model::id::EventTypeId;
use crate::model::subscription::Subscription;

/// What is not percent-encoded in a segment of a path, besides letters and digits (RFC 3986, 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Serialize)]
struct Wire<'a> {
    id: &'a str,
    subscription: Details<'a>,
    subscription_status: Status,
}

#[derive(Serialize)]
struct Details<'a> {
    client_id: &'a str,
    event_type_ids: Vec<&'a str>,
    subscribed_by: &'a str,
    subscription_date: String,
    notification_url: String,
    notification_page_size: usize,
}

#[derive(Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_request_date: Option<String>,
    number_of_remaining_notifications: u64,
}

/// The JSON of a subscription.
pub(super) fn body(view: &SubscriptionView, settings: &PollingSettings) -> Vec<u8> {
    let SubscriptionView { subscription, queue } = view;
    // What is left out is nobody's business outside: contract, origin, intake, endpoints.
    let Subscription {
        id,
        contract: _,
        client_id,
        event_types,
        created_by,
        created_at,
        origin: _,
        intake: _,
        owners: _,
        holds: _,
        endpoints: _,
    } = &**subscription;
    let wire = Wire {
        id: id.as_str(),
        subscription: Details {
            client_id: client_id.as_str(),
            event_type_ids: event_types.iter().map(EventTypeId::as_str).collect(),
            subscribed_by: created_by,
            subscription_date: created_at.to_rfc3339_seconds(),
            notification_url: format!("{}/notifications", url(id.as_str(), settings)),
            notification_page_size: settings.page_size,
        },
        subscription_status: Status {
            last_request_date: queue.last_polled.map(Timestamp::to_rfc3339_seconds),
            number_of_remaining_notifications: queue.waiting,
        },
    };
    serde_json::to_vec(&wire).expect("strings and numbers always have a JSON form")
}

/// Where the subscription with this id is found.
pub(super) fn url(id: &str, settings: &PollingSettings) -> String {
    format!("{}{}/subscriptions/{}", settings.public_url, settings.mount, utf8_percent_encode(id, SEGMENT))
}
