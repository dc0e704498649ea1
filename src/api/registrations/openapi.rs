//! The contract's OpenAPI document.

use hyper::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use super::RegistrationsSettings;
use super::contract::{Operation, ROUTES, not_stored};
use super::domains::{Domain, Domains};
use super::error::{Body as ErrorBody, Error, Problem, What};
use super::notifications::{List as Notifications, Retried};
use super::paging::{LIMIT, MAX_LIMIT};
use super::place::URI;
use super::reading::List;
use super::registration::Wire;
use super::request::Body;
use super::subscriber::PARAMETER;
use super::writing::rotated_shape;
use crate::api::openapi::{self, Description, Outline, Shape, path, query};
use crate::http::contract::Response;

const REGISTRATION: &str = "28e5d78c-d642-42d1-8064-0082dc87c4e5";
const SUBSCRIBER: &str = "28e5d22c-d642-42d1-8064-1182dc87c4e5";
const NOTIFICATION: &str = "0198f0c2-7c1e-7a32-9f6b-000000040001";

/// The document of the contract with these settings; without a public URL it holds wherever it is found.
#[must_use]
pub fn document(settings: &RegistrationsSettings) -> String {
    let outline = Outline {
        title: "Registrations",
        text: "WEBHOOK and EMAIL registrations of a subscriber, their notifications, and retrying those that have \
               failed. Members that a request's body has besides the described ones are ignored, or refused where the \
               configuration says so; an answer may get further members in a later release.",
        server: format!("{}{}", settings.public_url, settings.mount),
        public_url: &settings.public_url,
        token_url: format!("{}{}", settings.public_url, settings.token_path),
        routes: &ROUTES,
        describe: &|operation| describe(operation, settings),
        refuse: &|refusal| Error::from(refusal).response(),
        error: Shape::of::<ErrorBody>(),
    };
    outline.write()
}

fn describe(operation: Operation, settings: &RegistrationsSettings) -> Description {
    match operation {
        Operation::Create => create(settings),
        Operation::List => list(),
        Operation::Update => update(),
        Operation::Delete => delete(),
        Operation::Rotate => rotate(settings),
        Operation::Notifications => notifications(),
        Operation::Retry => retry(),
        Operation::AddDomain => add_domain(),
        Operation::Domains => domains(),
        Operation::RemoveDomain => remove_domain(),
        Operation::Document => openapi::describe(),
    }
}

fn create(settings: &RegistrationsSettings) -> Description {
    let mut made = shown(&webhook());
    made.status = StatusCode::from_u16(settings.created_status).unwrap_or(StatusCode::CREATED);
    for_subscriber(Description::new(
        "Create a registration",
        "It is for the caller's subscriber. The secret of a WEBHOOK registration is shown in this answer, and where the \
         configuration does not say otherwise in no later one.",
    ))
    .takes("application/json", Shape::of::<Body>(), &requests())
    .answers("made", "The registration has been made.", Shape::of::<Wire<'_>>(), &made)
    .fails("invalid", "The body is not valid: all that is wrong.", &invalid())
    .fails("same-url", "The subscriber has a registration with this URL.", &same_url())
    .fails("limit-reached", "A limit of number is reached.", &limit())
    .fails("media-type", "The body is not said to be `application/json`.", &Error::MediaType.response())
}

fn list() -> Description {
    let page = json!({"page": 1, "totalRecords": 2, "pageRecords": 2, "limit": 20});
    let body = json!({"page": page, "records": [email(), read(webhook())]});
    paged(for_subscriber(Description::new("List registrations", "Those that were changed last come first.")))
        .parameter(query(
            "registrationId",
            "Only this one; `page` and `limit` are ignored then.",
            text().format(Some(uuid())),
        ))
        .answers("registrations", "A page, which may be empty.", Shape::of::<List<'_>>(), &shown(&body))
        .fails("invalid", "A parameter is not valid.", &invalid_page())
        .fails("no-such-registration", NO_SUCH, &Error::NotFound(What::Registration).response())
}

fn update() -> Description {
    for_subscriber(Description::new(
        "Change a registration",
        "It is as the body says afterwards. Its type stays, and its secret. Members that only answers have are ignored.",
    ))
    .parameter(registration_id())
    .takes("application/json", Shape::of::<Body>(), &requests())
    .answers("changed", "The registration has been changed.", Shape::of::<Wire<'_>>(), &shown(&read(webhook())))
    .fails("invalid", "The body is not valid: all that is wrong.", &invalid())
    .fails("no-such-registration", NO_SUCH, &Error::NotFound(What::Registration).response())
    .fails("same-url", "The subscriber has another registration with this URL.", &same_url())
    .fails("declared", DECLARED, &declared())
    .fails("media-type", "The body is not said to be `application/json`.", &Error::MediaType.response())
}

fn delete() -> Description {
    for_subscriber(Description::new("Delete a registration", "What waits for it is cancelled."))
        .parameter(registration_id())
        .ends("It has been deleted.", StatusCode::NO_CONTENT)
        .fails("invalid", NOT_VALID, &not_a_uuid())
        .fails("no-such-registration", NO_SUCH, &Error::NotFound(What::Registration).response())
        .fails("declared", DECLARED, &declared())
}

fn rotate(settings: &RegistrationsSettings) -> Description {
    let longest = settings.rotation_overlap.as_secs();
    let body = json!({"sharedSecret": SECRET, "expiry": "2024-02-28T06:12:42Z"});
    let none = Error::Conflict(Problem { field: None, message: "An EMAIL registration has no secret.".to_owned() });
    for_subscriber(Description::new(
        "Make a new secret",
        "The old one goes on to sign besides the new one for a while, so that a receiver can change over.",
    ))
    .parameter(registration_id())
    .parameter(query(
        "overlap",
        "For how many seconds the old secret goes on to sign; 0 ends it at once.",
        number(0, longest).default(Some(longest.into())),
    ))
    .answers("rotated", "The new secret.", rotated_shape(), &shown(&body))
    .fails("invalid", "A parameter is not valid.", &not_a_uuid())
    .fails("no-such-registration", NO_SUCH, &Error::NotFound(What::Registration).response())
    .fails("no-secret", "It is an EMAIL registration, or has too many valid secrets.", &none.response())
    .fails("declared", DECLARED, &declared())
}

fn notifications() -> Description {
    let attempts = json!([
        {"responseCode": 500, "responseBody": "", "attemptTime": "2023-12-18T20:38:59Z"},
        {"responseBody": "", "attemptTime": "2023-12-18T20:39:04Z"},
    ]);
    let event = json!({"notificationId": NOTIFICATION, "subscriberId": SUBSCRIBER, "attempts": attempts});
    let body = json!({"notificationEvents": [event], "totalPages": 1});
    paged(for_subscriber(Description::new(
        "List notifications with their attempts",
        "Those of the subscriber's registrations that the history has, the newest first.",
    )))
    .parameter(query("status", "Only those that stand so.", text().enum_values(Some(["SENT", "FAILED", "PENDING"]))))
    .parameter(query("registrationId", "Only those of this registration.", text().format(Some(uuid()))))
    .answers("notifications", "A page, which may be empty.", Shape::of::<Notifications>(), &shown(&body))
    .fails("invalid", "A parameter is not valid.", &invalid_page())
    .fails("no-such-registration", NO_SUCH, &Error::NotFound(What::Registration).response())
}

fn retry() -> Description {
    let details = "The notification is queued before those that wait, and is tried again.";
    let body = json!({"notificationId": NOTIFICATION, "notificationStatus": "PENDING", "details": details});
    let message = "Only a notification that is FAILED can be retried: it is SENT.";
    let conflict = Error::Conflict(Problem { field: None, message: message.to_owned() });
    let id = path("notificationId", "The notification's id.", text().format(Some(uuid())), NOTIFICATION);
    for_subscriber(Description::new(
        "Retry a notification that has failed",
        "It is queued at the front under the same id, with a new deadline.",
    ))
    .parameter(id)
    .answers("retried", "It is going to be tried again.", Shape::of::<Retried>(), &shown(&body))
    .fails("invalid", NOT_VALID, &not_a_uuid())
    .fails("no-such-notification", NO_SUCH_NOTIFICATION, &Error::NotFound(What::Notification).response())
    .fails("not-failed", "It has not failed, or cannot be tried any more.", &conflict.response())
}

fn add_domain() -> Description {
    let domain = json!({"webhookDomain": "example.com"});
    let mut made = shown(&domain);
    made.status = StatusCode::CREATED;
    let problem = Problem::of("webhookDomain", "must be a domain such as example.com");
    for_subscriber(Description::new(
        "Add a webhook domain",
        "Where a subscriber has any, the host of a webhook that is made or changed is one of them or below one.",
    ))
    .takes("application/json", Shape::of::<Domain<'_>>(), &[("domain", domain)])
    .answers("added", "The domain is there.", Shape::of::<Domain<'_>>(), &made)
    .fails("invalid", "The body is not valid.", &Error::Invalid(vec![problem]).response())
    .fails("limit-reached", "A limit of number is reached.", &limit())
    .fails("media-type", "The body is not said to be `application/json`.", &Error::MediaType.response())
}

fn domains() -> Description {
    let body = json!({"webhookDomains": ["example.com"]});
    for_subscriber(Description::new("List webhook domains", "All of the subscriber's."))
        .answers("domains", "The domains, which may be none.", Shape::of::<Domains<'_>>(), &shown(&body))
        .fails("invalid", NOT_VALID, &not_a_uuid())
}

fn remove_domain() -> Description {
    let domain = text().min_length(Some(1)).max_length(Some(253));
    for_subscriber(Description::new("Delete a webhook domain", "Registrations that there are stay as they are."))
        .parameter(path("webhookDomain", "The domain.", domain, "example.com"))
        .ends("It has been deleted.", StatusCode::NO_CONTENT)
        .fails("invalid", NOT_VALID, &not_a_uuid())
        .fails("no-such-domain", "The subscriber has no such domain.", &Error::NotFound(What::Domain).response())
}

const NO_SUCH: &str = "There is no such registration, or it is another subscriber's.";
const NO_SUCH_NOTIFICATION: &str = "There is no such notification, or it is another subscriber's.";
const DECLARED: &str = "The configuration declares it: only the operator can change it, there.";
const NOT_VALID: &str = "`subscriberId` is not valid.";
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn for_subscriber(description: Description) -> Description {
    let refused = Error::NotAllowed(format!(
        "{PARAMETER} names another subscriber, which only administrators may; leave it out."
    ));
    description
        .parameter(query(
            PARAMETER,
            "Another subscriber than the caller's own; for administrators only.",
            text().format(Some(uuid())),
        ))
        .fails("not-an-administrator", "The caller may not act for this subscriber.", &refused.response())
}

fn paged(description: Description) -> Description {
    let limit = number(1, MAX_LIMIT as u64).default(Some(LIMIT.into()));
    description
        .parameter(query("page", "Which page; `page` times `limit` is at most 10,000.", number(1, 10_000)))
        .parameter(query("limit", "The most of a page.", limit))
}

fn registration_id() -> Parameter {
    path("registrationId", "The registration's id.", text().format(Some(uuid())), REGISTRATION)
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn uuid() -> SchemaFormat {
    SchemaFormat::Custom("uuid".to_owned())
}

fn number(least: u64, most: u64) -> ObjectBuilder {
    let whole =
        ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)));
    whole.minimum(Some(least)).maximum(Some(most))
}

fn shown(body: &Value) -> Response {
    not_stored(Response::json(StatusCode::OK, body.to_string()))
}

fn webhook() -> Value {
    json!({
        "notificationType": "WEBHOOK",
        "eventTypes": ["WORKSPACE_LODGED", "SECRET_EXPIRY"],
        "integratorId": "344a6eb8-1201-4b80-a279-084713e300ef",
        "integratorType": "BROKER",
        "registrationId": REGISTRATION,
        "subscriberId": SUBSCRIBER,
        "webhookURI": "https://example.com/webhook",
        "sharedSecret": SECRET,
        "sharedSecretExpiry": "2025-03-13 04:12:51.574000 +00:00",
    })
}

/// The same as it is shown later.
fn read(mut registration: Value) -> Value {
    if let Some(members) = registration.as_object_mut() {
        members.remove("sharedSecret");
    }
    registration
}

fn email() -> Value {
    json!({
        "notificationType": "EMAIL",
        "eventTypes": ["LODGEMENT_CASE_REQUISITIONED"],
        "integratorId": "344a6eb8-1201-4b80-a279-084713e300ef",
        "registrationId": "38e5d22c-d642-42d1-8064-1182dc87c4e5",
        "subscriberId": SUBSCRIBER,
        "email": "myTeam@company.com",
    })
}

fn requests() -> [(&'static str, Value); 2] {
    let webhook = json!({
        "notificationType": "WEBHOOK",
        "eventTypes": ["WORKSPACE_LODGED", "SECRET_EXPIRY"],
        "attributes": {"webhookURI": "https://example.com/webhook"},
    });
    let email = json!({
        "notificationType": "EMAIL",
        "eventTypes": ["LODGEMENT_CASE_REQUISITIONED"],
        "attributes": {"email": "myTeam@Company.com"},
    });
    [("webhook", webhook), ("email", email)]
}

fn invalid() -> Response {
    let problems =
        [("eventTypes[2]", "the event type [WORKSPACE_OPENED] is unknown"), (URI, "must begin with https://")];
    Error::Invalid(problems.map(|(field, message)| Problem::of(field, message)).to_vec()).response()
}

fn invalid_page() -> Response {
    let problem = Problem::of("limit", format!("must be a whole number from 1 to {MAX_LIMIT}"));
    Error::Invalid(vec![problem]).response()
}

fn not_a_uuid() -> Response {
    Error::Invalid(vec![Problem::of(PARAMETER, "must be a UUID")]).response()
}

fn same_url() -> Response {
    let message = "the subscriber has a registration with the URL https://example.com/webhook already: change that one";
    Error::Conflict(Problem::of(URI, message)).response()
}

fn limit() -> Response {
    Error::Limit("The client has 100 registrations, which is the limit; delete one.".to_owned()).response()
}

fn declared() -> Response {
    Error::Declared("quickstart".into()).response()
}
