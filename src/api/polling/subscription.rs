//! A subscription as this contract shows it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::ToSchema;

use super::PollingSettings;
use crate::base::clock::Timestamp;
use crate::engine::SubscriptionView;
use crate::model::id::EventTypeId;
use crate::model::subscription::Subscription;

/// What is not percent-encoded in a segment of a path, besides letters and digits (RFC 3986, 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A subscription and what there is of it now.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(super) struct Wire<'a> {
    /// Its id, under which it is polled.
    #[schema(pattern = r"^[\p{L}0-9\._\-]+$")]
    id: &'a str,
    subscription: Details<'a>,
    subscription_status: Status,
}

/// What was asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionDetails)]
struct Details<'a> {
    /// The client that it is for: no other can see it or poll it.
    #[schema(pattern = r"^[\p{L}0-9\._\-]+$", max_length = 255)]
    client_id: &'a str,
    /// The event types that it wants.
    #[schema(min_items = 1)]
    event_type_ids: Vec<&'a str>,
    /// The subject of the token that it was made with, or `configuration`.
    subscribed_by: &'a str,
    /// When it was made.
    #[schema(format = DateTime)]
    subscription_date: String,
    /// Where its notifications are polled.
    #[schema(format = "uri-reference")]
    notification_url: String,
    /// How many notifications a page has at most, if a poll asks for no other number.
    #[schema(minimum = 1, maximum = 1000)]
    notification_page_size: usize,
}

/// How it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionStatus)]
struct Status {
    /// When it was last polled; left out before the first poll.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_request_date: Option<String>,
    /// How many notifications wait in its queue, of those that have not expired.
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
        filter: _,
        expires_at: _,
        ended_at: _,
        holders: _,
        organisation: _,
        profile: _,
        updated_at: _,
        origin: _,
        intake: _,
        owners: _,
        holds: _,
        on_remove: _,
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
