//! The contract's OpenAPI document.

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};

use super::contract::{Operation, not_stored, routes};
use super::error::{Body as ErrorBody, Error, NO_NOTIFICATION, NO_SUBSCRIPTION};
use super::given::MAX_ITEMS;
use super::replay::{Answer, One};
use super::settings::ManagementSettings;
use super::subscription::Wire;
use crate::api::openapi::{self, Description, Outline, Shape, path};
use crate::http::contract::Response;
use crate::model::id::MAX_NAME;

const ID: &str = "0198f0c2-7c1e-7a32-9f6b-1d5c6a0e4b21";

/// The document of the contract with these settings; without a public URL it holds wherever it is found.
#[must_use]
pub fn document(settings: &ManagementSettings) -> String {
    let outline = Outline {
        title: "Notification subscriptions",
        text: "Subscribe to an event type with filters and an end, by webhook and mail, and have notifications sent \
               again. The caller is known by the parties of its token (`partyId`). Members that a request's body has \
               besides the described ones are ignored, or refused where the configuration says so; in `filters` they \
               are always refused. An answer may get further members in a later release.",
        server: format!("{}{}", settings.public_url, settings.mount),
        public_url: &settings.public_url,
        token_url: format!("{}{}", settings.public_url, settings.token_path),
        routes: &routes(settings.scopes),
        describe: &|operation| describe(operation, settings),
        refuse: &|refusal| Error::from(refusal).response(),
        error: Shape::of::<ErrorBody>(),
    };
    outline.write()
}

fn describe(operation: Operation, settings: &ManagementSettings) -> Description {
    match operation {
        Operation::List => list(),
        Operation::Create => create(settings),
        Operation::Read => read(),
        Operation::Change => change(),
        Operation::Delete => delete(),
        Operation::ReplayAll => replay_all(settings),
        Operation::ReplayOne => replay_one(),
        Operation::Document => openapi::describe(),
    }
}

/// A subscription that is to be made.
#[derive(ToSchema)]
#[schema(as = CreateSubscription)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
struct CreateBody {
    /// The event type.
    #[schema(min_length = 1, max_length = 255)]
    event_type: String,
    #[schema(schema_with = filters)]
    filters: Option<Value>,
    /// Who is told of the subscription itself: 30, 7 and 1 days before it ends, and when an endpoint of it is disabled.
    #[schema(min_items = 1, max_items = 100)]
    contact_emails: Vec<CreateEmail>,
    #[schema(schema_with = expires_on)]
    expires_on: Option<String>,
    notification_channels: CreateChannels,
}

/// An address.
#[derive(ToSchema)]
#[schema(as = CreateEmail)]
#[expect(dead_code, reason = "only its schema is used")]
struct CreateEmail {
    /// The address, without a name and without brackets.
    email: String,
}

/// Where events go: at least one of these, with at least one entry.
#[derive(ToSchema)]
#[schema(as = CreateChannels)]
#[expect(dead_code, reason = "only its schema is used")]
struct CreateChannels {
    #[schema(max_items = 100, nullable = false)]
    email: Option<Vec<CreateEmailChannel>>,
    #[schema(max_items = 100, nullable = false)]
    webhook: Option<Vec<CreateWebhookChannel>>,
}

/// Addresses that events are mailed to.
#[derive(ToSchema)]
#[schema(as = CreateEmailChannel)]
#[expect(dead_code, reason = "only its schema is used")]
struct CreateEmailChannel {
    #[schema(min_items = 1, max_items = 100)]
    email: Vec<CreateEmail>,
}

/// URLs that events are posted to.
#[derive(ToSchema)]
#[schema(as = CreateWebhookChannel)]
#[expect(dead_code, reason = "only its schema is used")]
struct CreateWebhookChannel {
    #[schema(min_items = 1, max_items = 100)]
    webhook: Vec<CreateWebhook>,
}

/// A webhook.
#[derive(ToSchema)]
#[schema(as = CreateWebhook)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct CreateWebhook {
    /// The URL, each once in a subscription; the server's egress policy for the client has to allow it.
    #[schema(format = "uri")]
    callback_uri: String,
    /// `retry`: what it does not take is tried again by the schedule. `ignore`: it has one try.
    #[schema(pattern = "^(retry|ignore)$", default = "retry", nullable = false)]
    error_strategy: Option<String>,
    #[schema(nullable = false)]
    auth: Option<CreateAuth>,
}

/// What it is called with as HTTP Basic (RFC 7617).
#[derive(ToSchema)]
#[schema(as = Auth)]
#[expect(dead_code, reason = "only its schema is used")]
struct CreateAuth {
    /// No colon and no control characters.
    #[schema(pattern = r"^[^:\u0000-\u001f\u007f-\u009f]*$")]
    username: String,
    /// No control characters. It is not shown again.
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    password: String,
}

/// What is to be changed.
#[derive(ToSchema)]
#[schema(as = ChangeSubscription)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct ChangeBody {
    #[schema(schema_with = expires_on)]
    expires_on: String,
}

/// Which notifications are to be sent again.
#[derive(ToSchema)]
#[schema(as = ReplayRequest)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct ReplayBody {
    /// This one alone.
    #[schema(format = "uuid", nullable = false)]
    id: Option<String>,
    /// `sent`: those that were delivered. `fail`: those that failed or expired.
    #[schema(pattern = "^(sent|fail)$", default = "fail", nullable = false)]
    status: Option<String>,
    #[schema(schema_with = event)]
    event: Option<Value>,
    #[schema(schema_with = limit)]
    limit: u64,
    /// Whose subscriptions; the token's client where it is left out. Another's is for administrators.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Which organisation's; the token's where it is left out. Another's is for administrators.
    #[schema(nullable = false)]
    organisation: Option<String>,
    /// Whether they are only to be counted.
    dry_run: bool,
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// Of no format: however large it is, it is taken.
fn limit() -> Object {
    let builder = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    described(builder, "The most of them; where it is more than the server's maximum, that is used.")
}

fn described(builder: ObjectBuilder, text: &str) -> Object {
    builder.description(Some(text)).build()
}

/// A schema by its JSON, where the builders have no words for it.
fn value() -> RefOr<Schema> {
    let kinds = [Type::String, Type::Number, Type::Boolean];
    let scalar = kinds
        .into_iter()
        .fold(OneOfBuilder::new(), |one, kind| one.item(RefOr::<Schema>::from(Object::with_type(kind))));
    Schema::OneOf(scalar.build()).into()
}

/// Members of any name with these values.
fn members(values: RefOr<Schema>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(AdditionalProperties::RefOr(values)))
}

fn attributes() -> Array {
    let not = members(value()).description(Some("Not all of these may hold."));
    let entry = members(value()).property("__not__", not);
    let text = "Attributes of the event, of those that its type declares, and their values, compared as text. One of \
                the entries has to hold; all members of an entry have to.";
    ArrayBuilder::new().items(entry).max_items(Some(MAX_ITEMS)).description(Some(text)).build()
}

/// `filters`, in requests and answers.
pub(super) fn filters() -> Object {
    let target = described(text().pattern(Some("^my$")), "Only events that are addressed to the caller's parties.");
    let object = ObjectBuilder::new().schema_type(Type::Object).property("target", target);
    let object = object.property("attributes", attributes());
    // What is not known is refused.
    let object = object.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    described(object, "Which events are wanted; without it all of the type that the caller may see.")
}

fn expires_on() -> Object {
    // A date is one of its forms.
    described(
        text().pattern(Some(r"^\d{4}-\d{2}-\d{2}")).examples([
            "2027-08-24",
            "2027-08-24Z",
            "2027-08-24T10:00:00+12:00",
        ]),
        "The last day, in the time zone of the server's configuration; or a date with `Z` or an offset, or an instant \
         (RFC 3339), which lies in that day. Not in the past. Later than a year ahead means a year ahead.",
    )
}

fn event_members(bound: fn(&'static str) -> Object) -> ObjectBuilder {
    let event_type = text().min_length(Some(1)).max_length(Some(MAX_NAME));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("eventType", described(event_type, "Of this type."))
        .property("from", bound("Accepted then or later; a date means its beginning."))
        .property("to", bound("Accepted before then; a date means its end."))
        .property("attributes", attributes())
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn event() -> Object {
    let bound = |what| described(text().pattern(Some(r"^\d{4}-\d{2}-\d{2}")), what);
    described(event_members(bound), "What the event has to be like.")
}

/// `event` as it was understood.
pub(super) fn used_event() -> Object {
    let bound = |what| described(text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))), what);
    described(event_members(bound), "What the event had to be like.")
}

fn list() -> Description {
    let body = Value::Array(vec![shown()]).to_string();
    Description::new("List the subscriptions", "All that are for one of the caller's parties, oldest first.").answers(
        "subscriptions",
        "The subscriptions.",
        Shape::of::<Vec<Wire<'_>>>(),
        &not_stored(Response::json(StatusCode::OK, body)),
    )
}

fn create(settings: &ManagementSettings) -> Description {
    let location = format!("{}/subscriptions/{ID}", settings.mount);
    let location = HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static("/"));
    let made = not_stored(Response::json(StatusCode::CREATED, shown().to_string())).header(LOCATION, location);
    let invalid = ["contactEmails: is missing", "filters.attributes[0].state: is not an attribute of the event type"];
    let limit = "The client has 100 subscriptions, which is the limit; delete one.";
    Description::new(
        "Subscribe to an event type",
        "The subscription is for the parties of the token, and lives through the day `expiresOn`; where that is left \
         out, for a year.",
    )
    .takes("application/json", Shape::of::<CreateBody>(), &[("all channels", asked())])
    .answers("made", "The subscription has been made.", Shape::of::<Wire<'_>>(), &made)
    .fails("invalid", "The body is not valid.", &Error::Invalid(invalid.map(str::to_owned).to_vec()).response())
    .fails("no-party", NO_PARTY, &no_party())
    .fails("limit-reached", "A limit of number is reached.", &Error::Conflict(limit.to_owned()).response())
    .fails("media-type", MEDIA_TYPE, &Error::MediaType.response())
}

fn read() -> Description {
    Description::new("Read a subscription", "One that has ended can be read for 30 days more.")
        .parameter(id("The subscription's id."))
        .answers(
            "subscription",
            "The subscription.",
            Shape::of::<Wire<'_>>(),
            &not_stored(Response::json(StatusCode::OK, shown().to_string())),
        )
        .fails("no-such-subscription", NO_SUCH_SUBSCRIPTION, &NO_SUBSCRIPTION.response())
}

fn change() -> Description {
    let invalid = vec!["expiresOn: must not be in the past".to_owned()];
    let declared = "The subscription is declared in the server's configuration as noc; only its operator can change \
                    it, there.";
    Description::new("Change the end of a subscription", "What an answer shows besides may be sent along.")
        .parameter(id("The subscription's id."))
        .takes("application/json", Shape::of::<ChangeBody>(), &[("another day", json!({"expiresOn": "2027-08-24"}))])
        .answers(
            "subscription",
            "The subscription as it is now.",
            Shape::of::<Wire<'_>>(),
            &not_stored(Response::json(StatusCode::OK, shown().to_string())),
        )
        .fails("invalid-change", "The body is not valid.", &Error::Invalid(invalid).response())
        .fails("no-such-subscription", NOT_ALL_PARTIES, &NO_SUBSCRIPTION.response())
        .fails(
            "declared",
            "The configuration declares it, or it has ended.",
            &Error::Conflict(declared.to_owned()).response(),
        )
        .fails("media-type", MEDIA_TYPE, &Error::MediaType.response())
}

fn delete() -> Description {
    let declared = "The subscription is declared in the server's configuration as noc; only its operator can change \
                    it, there.";
    Description::new("Delete a subscription", "What waits for it is not sent any more.")
        .parameter(id("The subscription's id."))
        .ends("It has been deleted.", StatusCode::NO_CONTENT)
        .fails("no-such-subscription", NOT_ALL_PARTIES, &NO_SUBSCRIPTION.response())
        .fails("declared", "The configuration declares it.", &Error::Conflict(declared.to_owned()).response())
}

fn replay_all(settings: &ManagementSettings) -> Description {
    let max = settings.replay_max;
    let used = |dry_run: bool| json!({"status": "fail", "limit": max, "clientId": "noc", "dryRun": dry_run});
    let dry = json!({"id": ID, "request": used(true), "results": {"matched": 1, "queued": 0, "notifications": []}});
    let one = json!({"id": ID, "replayId": REPLAY, "status": "Queued"});
    let real =
        json!({"id": ID, "request": used(false), "results": {"matched": 1, "queued": 1, "notifications": [one]}});
    let answer = |status, body: &Value| not_stored(Response::json(status, body.to_string()));
    let invalid = ["limit: is missing", "dryRun: is missing"].map(str::to_owned).to_vec();
    let much = Error::Conflict(
        "0 notifications were replayed; the history is too large to be looked through at once: \
                                say event.from, and go on from there."
            .to_owned(),
    );
    let other = Error::NotAllowed(
        "clientId and organisation must be those of the token: those of others are for \
                                   administrators."
            .to_owned(),
    );
    Description::new(
        "Replay notifications",
        format!(
            "Sends the oldest notifications again that are meant, {max} at most. Each keeps its id and its number. Only \
             those of subscriptions all of whose parties are the caller's."
        ),
    )
    .takes(
        "application/json",
        Shape::of::<ReplayBody>(),
        &[("dry run", json!({"status": "fail", "limit": 1000, "dryRun": true}))],
    )
    .answers("counted", "A dry run: they have been counted.", Shape::of::<Answer>(), &answer(StatusCode::OK, &dry))
    .answers("queued", "They are sent again.", Shape::of::<Answer>(), &answer(StatusCode::ACCEPTED, &real))
    .fails("invalid-replay", "The body is not valid.", &Error::Invalid(invalid).response())
    .fails("others", "The token names no party, or another's notifications are meant.", &other.response())
    .fails("too-much", "The history is too large to be looked through at once.", &much.response())
    .fails("media-type", MEDIA_TYPE, &Error::MediaType.response())
}

fn replay_one() -> Description {
    let body = json!({"id": ID, "replayId": REPLAY, "status": "Queued"}).to_string();
    let waiting = Error::Conflict("The notification was not replayed: it has not ended yet.".to_owned());
    Description::new("Replay a notification", "Sends it again, whether it was delivered or not.")
        .parameter(id("The notification's id, which its webhook has as `X-Transaction-Id`."))
        .answers(
            "queued-one",
            "It is sent again.",
            Shape::of::<One>(),
            &not_stored(Response::json(StatusCode::ACCEPTED, body)),
        )
        .fails(
            "no-such-notification",
            "There is no such notification, or it is another's.",
            &NO_NOTIFICATION.response(),
        )
        .fails("not-replayed", "It waits, was cancelled, or cannot be sent any more.", &waiting.response())
}

const REPLAY: &str = "0d5cc1a1-fd6f-40b1-9fbf-46e483869cd7";
const NO_PARTY: &str = "The token names no party.";
const MEDIA_TYPE: &str = "The body is not said to be `application/json`.";
const NO_SUCH_SUBSCRIPTION: &str = "There is no such subscription, or it is for none of the caller's parties.";
const NOT_ALL_PARTIES: &str = "There is no such subscription, or one of its parties is not the caller's.";

fn no_party() -> Response {
    let detail = "The token names no party: the claim partyId is missing, or the client has no parties.";
    Error::NotAllowed(detail.to_owned()).response()
}

fn id(what: &str) -> Parameter {
    path("id", what, text().format(Some(SchemaFormat::Custom("uuid".to_owned()))), ID)
}

/// The JSON of a request.
fn asked() -> Value {
    json!({
        "eventType": "ONTActivation",
        "filters": {"target": "my", "attributes": [{"status": "Success", "__not__": {"opticalStatus": "Good"}}]},
        "contactEmails": [{"email": "noc@example.com"}],
        "expiresOn": "2027-08-24",
        "notificationChannels": {
            "email": [{"email": [{"email": "user@example.com"}]}],
            "webhook": [{"webhook": [{
                "callbackUri": "https://example.com/cb",
                "errorStrategy": "ignore",
                "auth": {"username": "u", "password": "p"},
            }]}],
        },
    })
}

/// The JSON of the subscription that is made of it.
fn shown() -> Value {
    let mut shown = asked();
    shown["id"] = ID.into();
    shown["clientId"] = "noc".into();
    shown["organisation"] = "Example Fibre".into();
    shown["partyIds"] = json!(["1001"]);
    let channels = &mut shown["notificationChannels"];
    channels["email"][0]["id"] = "6f8f2bd0-6e0e-5b0c-9d52-5d2b4c1f7a10".into();
    channels["webhook"][0]["id"] = "b8a1d8c4-31f6-5d6e-8f2a-0c9d1e7b6a54".into();
    channels["webhook"][0]["webhook"][0]["auth"]["password"] = super::create::HIDDEN.into();
    shown
}
