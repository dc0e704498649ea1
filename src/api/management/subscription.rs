//! A subscription as this contract shows it, and who it is shown to (contracts/management.md, "Subscription").

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::create::HIDDEN;
use super::{ManagementSettings, expiry, filters, openapi};
use crate::base::clock::Timestamp;
use crate::model::id::uuid_v5;
use crate::model::subscription::{Endpoint, Subscription};
use crate::model::target::{EmailTarget, Role, Target, WebhookTarget};

/// How long a subscription that has ended can be read.
const READABLE: Duration = Duration::from_hours(30 * 24);

/// A subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire<'a> {
    #[schema(format = "uuid")]
    id: String,
    /// The event type that it is to.
    event_type: &'a str,
    #[schema(schema_with = openapi::filters)]
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<Value>,
    /// Who is told of the subscription itself.
    contact_emails: Vec<Address<'a>>,
    /// The last day on which it takes in events.
    #[schema(format = "date")]
    expires_on: String,
    /// The client that made it.
    client_id: &'a str,
    /// The organisation that it was made for; left out where the token named none.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<&'a str>,
    /// The parties that it was made for.
    party_ids: &'a [String],
    notification_channels: Channels<'a>,
}

/// Where events go.
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationChannels)]
struct Channels<'a> {
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Vec<EmailChannel<'a>>>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Vec<WebhookChannel<'a>>>,
}

/// An address that events are mailed to.
#[derive(Serialize, ToSchema)]
#[schema(as = EmailChannel)]
struct EmailChannel<'a> {
    #[schema(format = "uuid")]
    id: String,
    email: [Address<'a>; 1],
}

/// An address.
#[derive(Serialize, ToSchema)]
#[schema(as = Email)]
struct Address<'a> {
    email: &'a str,
}

/// A URL that events are posted to.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookChannel)]
struct WebhookChannel<'a> {
    #[schema(format = "uuid")]
    id: String,
    webhook: [Webhook<'a>; 1],
}

/// A webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
#[serde(rename_all = "camelCase")]
struct Webhook<'a> {
    /// The URL.
    #[schema(format = "uri")]
    callback_uri: &'a str,
    /// `retry`: what it does not take is tried again by the schedule. `ignore`: it has one try.
    #[schema(pattern = "^(retry|ignore)$")]
    error_strategy: &'static str,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Auth<'a>>,
}

/// What it is called with as HTTP Basic.
#[derive(Serialize, ToSchema)]
#[schema(as = ShownAuth)]
struct Auth<'a> {
    username: &'a str,
    /// Never shown: stars.
    #[schema(pattern = r"^\*{8}$")]
    password: &'static str,
}

impl<'a> Wire<'a> {
    /// As it is shown.
    pub(super) fn of(subscription: &'a Subscription, settings: &ManagementSettings) -> Self {
        // What is left out is nobody's business outside.
        let Subscription {
            id,
            contract: _,
            client_id,
            event_types,
            filter,
            expires_at,
            ended_at: _,
            holders,
            organisation,
            profile: _,
            created_by: _,
            created_at,
            updated_at: _,
            origin: _,
            intake: _,
            owners: _,
            holds: _,
            on_remove: _,
            endpoints,
        } = subscription;
        let (id, zone) = (id.to_uuid(), &settings.time_zone);
        // One that the files declare may have no end: it is shown as if it were made anew.
        let end = expires_at.unwrap_or_else(|| expiry::a_year_ahead(zone, *created_at));
        Self {
            id: id.to_string(),
            event_type: event_types.first().map_or("", |event_type| event_type.as_str()),
            filters: filter.as_ref().map(filters::shown),
            contact_emails: endpoints.iter().filter_map(contact).collect(),
            expires_on: expiry::shown(end, zone),
            client_id: client_id.as_str(),
            organisation: organisation.as_deref(),
            party_ids: holders,
            notification_channels: Channels {
                email: some(endpoints.iter().filter_map(|endpoint| email(id, endpoint)).collect()),
                webhook: some(endpoints.iter().filter_map(|endpoint| webhook(id, endpoint)).collect()),
            },
        }
    }

    /// The JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and lists always have a JSON form")
    }
}

fn some<T>(entries: Vec<T>) -> Option<Vec<T>> {
    (!entries.is_empty()).then_some(entries)
}

fn contact(endpoint: &Endpoint) -> Option<Address<'_>> {
    match &endpoint.target {
        Target::Email(EmailTarget { address, role: Role::Contact, .. }) => Some(Address { email: address }),
        Target::Poll | Target::Webhook(_) | Target::Email(_) => None,
    }
}

fn email(id: Uuid, endpoint: &Endpoint) -> Option<EmailChannel<'_>> {
    match &endpoint.target {
        Target::Email(EmailTarget { address, role: Role::Subscriber, .. }) => {
            Some(EmailChannel { id: channel_id(id, endpoint), email: [Address { email: address }] })
        }
        Target::Poll | Target::Webhook(_) | Target::Email(_) => None,
    }
}

fn webhook(id: Uuid, endpoint: &Endpoint) -> Option<WebhookChannel<'_>> {
    let Target::Webhook(WebhookTarget { url, basic, retries, .. }) = &endpoint.target else { return None };
    let auth = basic.as_ref().map(|basic| Auth { username: &basic.username, password: HIDDEN });
    let error_strategy = if *retries { "retry" } else { "ignore" };
    Some(WebhookChannel {
        id: channel_id(id, endpoint),
        webhook: [Webhook { callback_uri: url, error_strategy, auth }],
    })
}

/// An endpoint's number is never another's: its id is made of that, and stays.
fn channel_id(subscription: Uuid, endpoint: &Endpoint) -> String {
    uuid_v5(subscription, &format!("{}/{}", endpoint.kind().as_str(), endpoint.number.0)).to_string()
}

/// Whether a caller of these parties may read it at `now`.
pub(super) fn is_readable(subscription: &Subscription, parties: &[String], now: Timestamp) -> bool {
    let is_kept = subscription.expires_at.is_none_or(|end| now < end.plus(READABLE));
    is_kept && subscription.holders.iter().any(|holder| parties.contains(holder))
}

/// Whether a caller of these parties may change it, too: it has to be of all of its parties.
pub(super) fn is_changeable(subscription: &Subscription, parties: &[String]) -> bool {
    !subscription.holders.is_empty() && subscription.holders.iter().all(|holder| parties.contains(holder))
}
