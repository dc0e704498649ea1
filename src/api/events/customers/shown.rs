//! A customer as this contract takes it and shows it.

use std::collections::BTreeMap;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::contract::Response;
use crate::model::notification::EndpointKind;
use crate::model::subscription::Subscription;
use crate::model::target::Target;

/// A customer, who is told what an upstream system triggers.
#[derive(Serialize, ToSchema)]
#[schema(as = Customer)]
pub(super) struct Wire {
    /// The customer's id.
    #[schema(pattern = r"^[\p{L}0-9\._\-]+$", max_length = 255)]
    id: String,
    /// What the customer is found by.
    keys: BTreeMap<String, String>,
    /// In order: the first that has an address is used.
    #[schema(min_items = 1)]
    channels: Vec<&'static str>,
    /// Where mail goes.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Webhook>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<Poll>,
    /// The language of the customer's mail.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    /// The IANA time zone of the hours.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// When the customer may be told: from one time of the day to another, perhaps over midnight.
    #[schema(nullable = false, min_items = 2, max_items = 2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<Vec<String>>,
    /// The organisation that the customer is of.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
}

/// Where requests go.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerWebhook)]
struct Webhook {
    /// Where requests go.
    #[schema(format = "uri")]
    url: String,
}

/// Who polls for the customer.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerPoll)]
struct Poll {
    /// The client.
    client_id: String,
}

/// The answer with a customer; secrets are not shown.
pub(super) fn answer(status: StatusCode, id: &str, customer: &Subscription) -> Response {
    let body = serde_json::to_vec(&Wire::of(id, customer)).expect("texts always have a JSON form");
    Response::json(status, body).header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

impl Wire {
    fn of(id: &str, customer: &Subscription) -> Self {
        let profile = customer.profile.clone().unwrap_or_default();
        let targets = || customer.endpoints.iter().map(|endpoint| &endpoint.target);
        let email = targets().find_map(|target| match target {
            Target::Email(email) => Some(email.address.clone()),
            Target::Poll | Target::Webhook(_) => None,
        });
        let webhook = targets().find_map(|target| match target {
            Target::Webhook(webhook) => Some(Webhook { url: webhook.url.clone() }),
            Target::Poll | Target::Email(_) => None,
        });
        let poll = customer.poll_endpoint().map(|_| Poll { client_id: customer.client_id.as_str().to_owned() });
        let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        Self {
            id: id.to_owned(),
            keys: profile.keys,
            channels: profile.channels.into_iter().map(EndpointKind::as_str).collect(),
            email,
            webhook,
            poll,
            locale: profile.locale,
            time_zone: profile.time_zone,
            hours: profile.hours.map(|hours| vec![time(hours.from), time(hours.to)]),
            organisation: customer.organisation.clone(),
        }
    }
}
