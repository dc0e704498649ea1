//! The contract's OpenAPI document.

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use serde_json::json;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::PollingSettings;
use super::contract::{MAX_SIZE, Operation, ROUTES, not_stored};
use super::create::Body as CreateBody;
use super::error::{Body as ErrorBody, Error, no_such_subscription};
use super::page::Page;
use super::subscription::Wire;
use crate::api::openapi::{self, Description, Outline, Shape, header, path, query};
use crate::api::prefer;
use crate::http::contract::Response;
use crate::model::id::MAX_NAME;

/// The document of the contract with these settings; without a public URL it holds wherever it is found.
#[must_use]
pub fn document(settings: &PollingSettings) -> String {
    let outline = Outline {
        title: "Polling notifications",
        text: "Subscribe to event types, then poll and consume the notifications. What a poll has handed out it does \
               not hand out again. Members that a request's body has besides the described ones are ignored, or \
               refused where the configuration says so; an answer may get further members in a later release.",
        server: format!("{}{}", settings.public_url, settings.mount),
        public_url: &settings.public_url,
        token_url: format!("{}{}", settings.public_url, settings.token_path),
        routes: &ROUTES,
        describe: &|operation| describe(operation, settings),
        refuse: &|refusal| Error::from(refusal).response(),
        error: Shape::of::<ErrorBody<'_>>(),
    };
    outline.write()
}

fn describe(operation: Operation, settings: &PollingSettings) -> Description {
    match operation {
        Operation::Subscribe => subscribe(),
        Operation::Read => read(),
        Operation::Unsubscribe => unsubscribe(),
        Operation::Poll => poll(settings),
        Operation::Document => openapi::describe(),
    }
}

fn subscribe() -> Description {
    let made = Response::json(StatusCode::CREATED, subscription(false)).header(
        LOCATION,
        HeaderValue::from_static("/notification/v1/subscriptions/0198f0c2-7c1e-7a32-9f6b-1d5c6a0e4b21"),
    );
    let invalid = ["event_type_ids: must not be empty", "client_id: is missing"].map(str::to_owned);
    let limit = "The client has 100 subscriptions, which is the limit; delete one.";
    Description::new(
        "Subscribe a client to event types",
        "The subscription is for the client that the body names, which alone can see and poll it. A client may have \
         several with the same event types: each gets every event.",
    )
    .takes(
        "application/json",
        Shape::of::<CreateBody>(),
        &[("two types", json!({"event_type_ids": ["301", "404"], "client_id": "crm"}))],
    )
    .answers("made", "The subscription has been made.", Shape::of::<Wire<'_>>(), &made)
    .fails(
        "invalid",
        "The body is not valid, or names an event type that cannot be polled here.",
        &Error::Invalid(invalid.to_vec()).response(),
    )
    .fails("limit-reached", "A limit of number is reached.", &Error::Limit(limit.to_owned()).response())
    .fails("media-type", "The body is not said to be `application/json`.", &Error::MediaType.response())
}

fn read() -> Description {
    Description::new("Read a subscription", "Its settings, and how many notifications wait in it.")
        .parameter(id())
        .answers(
            "subscription",
            "The subscription.",
            Shape::of::<Wire<'_>>(),
            &not_stored(Response::json(StatusCode::OK, subscription(true))),
        )
        .fails("no-such-subscription", NO_SUCH_SUBSCRIPTION, &nobody_s().response())
}

fn unsubscribe() -> Description {
    Description::new("Delete a subscription", "What waits in it is not handed out any more.")
        .parameter(id())
        .ends("It has been deleted.", StatusCode::NO_CONTENT)
        .fails("no-such-subscription", "There is no such subscription.", &nobody_s().response())
        .fails(
            "declared",
            "The configuration declares it: only the operator can change it, there.",
            &Error::Declared("quickstart".into()).response(),
        )
}

fn poll(settings: &PollingSettings) -> Description {
    let page = json!({"page": 1, "size": settings.page_size, "results": [{
        "version": "V2",
        "event_type_id": "301",
        "event_type_details": {"category": "IDENTITY_LIFECYCLE", "name": "create account"},
        "timestamp": "2018-01-23T04:56:22.123456Z",
        "id": "0198f0c2-7c1e-7a32-9f6b-000000040000",
        "user": {"id": "42"},
    }]});
    let page = not_stored(Response::json(StatusCode::OK, page.to_string()))
        .header(prefer::APPLIED, HeaderValue::from_static("wait"));
    let invalid = format!("size: must be a whole number from 1 to {MAX_SIZE}");
    Description::new(
        "Poll and consume",
        "Hands out the oldest notifications that wait, and consumes them: this GET is not idempotent. Repeat it until \
         `results` is empty; a page with fewer results than its size may be followed by further ones. A notification \
         is never handed out after its deadline, and nothing is handed out twice, but to who repeats an \
         `Idempotency-Key`.",
    )
    .parameter(id())
    .parameter(query(
        "size",
        "The most results of this page.",
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX_SIZE as u64))
            .default(Some(settings.page_size.into())),
    ))
    .parameter(header("Prefer", &prefer(settings), text().examples(["wait=30"])))
    .parameter(header(
        "Idempotency-Key",
        "Repeats the page that was handed out under this key within the last 10 minutes, so that a lost answer is no \
         lost notification.",
        text().min_length(Some(1)).max_length(Some(64)).pattern(Some("^[!-~]+$")),
    ))
    .answers("page", "A page, which may be empty.", Shape::of::<Page>(), &page)
    .fails("invalid", "A parameter or header is not valid.", &Error::Invalid(vec![invalid]).response())
    .fails("no-such-subscription", NO_SUCH_SUBSCRIPTION, &nobody_s().response())
}

fn prefer(settings: &PollingSettings) -> String {
    let longest = settings.max_wait.as_secs();
    format!(
        "`wait=N` (RFC 7240): an empty subscription holds the request until something arrives, for at most N seconds, \
         and never more than {longest}. Other preferences are ignored, what is malformed too."
    )
}

const NO_SUCH_SUBSCRIPTION: &str = "There is no such subscription, or it is another client's.";

fn nobody_s() -> Error {
    no_such_subscription("x", "crm")
}

fn id() -> Parameter {
    let schema = text().min_length(Some(1)).max_length(Some(MAX_NAME)).pattern(Some(r"^[\p{L}0-9\._\-]+$"));
    path("id", "The subscription's id.", schema, "0198f0c2-7c1e-7a32-9f6b-1d5c6a0e4b21")
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// The JSON of a subscription that has been polled, or not yet.
fn subscription(polled: bool) -> String {
    let url = "/notification/v1/subscriptions/0198f0c2-7c1e-7a32-9f6b-1d5c6a0e4b21/notifications";
    let mut example = json!({
        "id": "0198f0c2-7c1e-7a32-9f6b-1d5c6a0e4b21",
        "subscription": {
            "client_id": "crm",
            "event_type_ids": ["301", "404"],
            "subscribed_by": "notification-admin",
            "subscription_date": "2018-01-23T04:56:22Z",
            "notification_url": url,
            "notification_page_size": 100,
        },
        "subscription_status": {"number_of_remaining_notifications": 0},
    });
    if polled {
        example["subscription_status"]["last_request_date"] = "2018-01-23T04:56:22Z".into();
    }
    example.to_string()
}
