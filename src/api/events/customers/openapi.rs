//! Customers, as the document describes them.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::shown::Wire;
use super::{Operation, declared, no_customer, no_json};
use crate::api::events::EventsSettings;
use crate::api::events::error::Error;
use crate::api::events::problems::Problems;
use crate::api::openapi::{Description, Shape, path};
use crate::http::contract::Response;
use crate::model::id::MAX_NAME;

/// A customer to be kept.
#[derive(ToSchema)]
#[schema(as = CustomerBody)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
struct Body {
    /// The id of the path.
    #[schema(nullable = false)]
    id: Option<String>,
    /// What the customer is found by, by name; no other customer of the organisation has one of them.
    keys: std::collections::BTreeMap<String, String>,
    /// In order: the first of `email`, `webhook` and `poll` that has an address is used.
    #[schema(min_items = 1)]
    channels: Vec<String>,
    /// Where mail goes.
    #[schema(nullable = false)]
    email: Option<String>,
    #[schema(nullable = false)]
    webhook: Option<WebhookBody>,
    #[schema(nullable = false)]
    poll: Option<PollBody>,
    /// The language of the customer's mail.
    #[schema(nullable = false)]
    locale: Option<String>,
    /// The IANA time zone of the hours; without it the site's.
    #[schema(nullable = false)]
    time_zone: Option<String>,
    /// When the customer may be told: from one time of the day to another, perhaps over midnight. Without it at all hours.
    #[schema(nullable = false, min_items = 2, max_items = 2)]
    hours: Option<Vec<String>>,
    /// The caller's own.
    #[schema(nullable = false)]
    organisation: Option<String>,
}

/// Where requests go, and what they are signed with.
#[derive(ToSchema)]
#[schema(as = CustomerWebhookBody)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct WebhookBody {
    /// Where requests go.
    url: String,
    /// What they are signed with; without any, with the appliance's own key.
    #[schema(nullable = false, min_items = 1, max_items = 2)]
    secrets: Option<Vec<String>>,
}

/// Who polls for the customer.
#[derive(ToSchema)]
#[schema(as = CustomerPollBody)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct PollBody {
    /// The client.
    client_id: String,
}

/// What the document says of an operation with a customer.
pub(in crate::api::events) fn describe(operation: Operation, settings: &EventsSettings) -> Description {
    let fault = |error: Error| error.answer(&settings.public_url, "");
    let own = |description: Description| description.parameter(id());
    let of_configuration = "The configuration declares the customer.";
    match operation {
        Operation::Put => {
            let mut problems = Problems::default();
            problems.invalid("/email".to_owned(), "must be an address such as \"jane@example.com\"");
            own(Description::new(
                "Keep a customer",
                "Makes the customer, or puts it in the place of the one that there is. Every caller has customers of its own \
                 organisation alone.",
            ))
            .takes("application/json", Shape::of::<Body>(), &[("by mail, by day", example())])
            .answers("made", "The customer has been made.", Shape::of::<Wire>(), &shown(StatusCode::CREATED))
            .answers("kept", "The customer has been changed.", Shape::of::<Wire>(), &shown(StatusCode::OK))
            .fails("invalid", "Something in the body is not valid, or unknown.", &fault(Error::listing(problems)))
            .fails("declared", of_configuration, &fault(declared("c-1")))
            .fails("media-type", "The body is not said to be `application/json`.", &fault(no_json()))
        }
        Operation::Read => own(Description::new("Read a customer", "Secrets are not shown."))
            .answers("customer", "The customer.", Shape::of::<Wire>(), &shown(StatusCode::OK))
            .fails("no-such-customer", NO_CUSTOMER, &fault(no_customer())),
        Operation::Erase => own(Description::new(
            "Erase a customer",
            "What waits is cancelled; the address, and what the customer was told, are erased from the history.",
        ))
        .ends("It has been erased.", StatusCode::NO_CONTENT)
        .fails("no-such-customer", NO_CUSTOMER, &fault(no_customer()))
        .fails("declared", of_configuration, &fault(declared("c-1"))),
    }
}

const NO_CUSTOMER: &str = "There is no such customer, or it is another organisation's.";

fn id() -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_NAME));
    path("id", "The customer's id.", schema.pattern(Some(r"^[\p{L}0-9\._\-]+$")), "c-1")
}

fn example() -> Value {
    json!({
        "keys": {"accountId": "42", "msisdn": "+3361234"},
        "channels": ["email"],
        "email": "jane@example.com",
        "locale": "fr-CA",
        "time_zone": "America/Toronto",
        "hours": ["08:00", "20:00"],
    })
}

fn shown(status: StatusCode) -> Response {
    let mut customer = example();
    customer["id"] = "c-1".into();
    Response::json(status, customer.to_string()).header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
