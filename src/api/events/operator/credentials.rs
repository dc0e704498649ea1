//! Credentials, on the admin listener only: when they were last used and when they end; another key that signs tokens or
//! webhooks.
//! Beyond the contract: `tidings status` and `tidings rotate-keys` (design.md, "Command line").

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::given::Given;
use super::looking::answer;
use super::openapi::Part;
use super::routes::{act, look};
use super::samples::shown;
use crate::api::events::error::Error;
use crate::api::openapi::{Description, Shape};
use crate::api::problem::Problem;
use crate::auth::{Caretaker, CredentialReport, Rotated, SigningKeyError, WebhookKeyError};
use crate::base::clock::Timestamp;
use crate::http::contract::{Request, Response, Route};

/// What can be done with credentials.
#[derive(Clone, Copy, Debug)]
pub(in crate::api::events) enum Operation {
    List,
    Rotate,
    RotateWebhookKeys,
}

/// The routes of credentials.
pub(super) const ROUTES: [Route<Operation>; 3] = [
    look("/credentials", Operation::List, "credentials"),
    act("/signing-keys/rotations", Operation::Rotate, "rotate_keys", "signing-keys.rotate"),
    act("/webhook-keys/rotations", Operation::RotateWebhookKeys, "rotate_webhook_keys", "webhook-keys.rotate"),
];

/// All clients and API keys, without their secrets.
#[derive(Serialize, ToSchema)]
struct Credentials {
    #[schema(value_type = Vec<Credential>)]
    credentials: Vec<CredentialReport>,
}

/// What a [`CredentialReport`] is on the wire: a client or an API key.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used: the report is written by itself")]
struct Credential {
    /// What it is.
    #[schema(pattern = "^(client|api_key)$")]
    kind: String,
    /// Its id.
    id: String,
    /// Whether it is enabled.
    enabled: bool,
    /// When it was last used; absent where it has not been since that is kept.
    #[schema(format = DateTime, nullable = false)]
    last_used: Option<String>,
    /// Which of its secrets was shown last, from 1 in the order of the files.
    #[schema(minimum = 1, nullable = false)]
    last_secret: Option<u64>,
    /// Its secrets or keys, in the order of the files.
    secrets: Vec<Secret>,
}

/// When a secret or key ends; never the secret itself.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used: the report is written by itself")]
struct Secret {
    /// The public part of an API key.
    #[schema(nullable = false)]
    public: Option<String>,
    /// The last instant at which it is right.
    #[schema(format = DateTime, nullable = false)]
    not_after: Option<String>,
}

/// What a rotation may say of the keys before.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
struct Rotate {
    /// Whether no old key is to be good for anything any more.
    #[schema(default = false, nullable = false)]
    forget_old: Option<bool>,
}

/// The key that signs from now on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Rotation {
    /// The `kid` of the key that signs now; of webhooks, the public key.
    key_id: String,
    /// The same of the one before.
    replaced: String,
    /// Until when the tokens of that one are accepted, or it signs webhooks too; absent if that is over.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_until: Option<String>,
}

/// Answers a request.
pub(super) async fn call(operation: Operation, request: &Request, caretaker: &Caretaker) -> Result<Response, Error> {
    match operation {
        Operation::List => list(request, caretaker),
        Operation::Rotate => rotate(request, caretaker).await,
        Operation::RotateWebhookKeys => rotate_webhook_keys(request, caretaker).await,
    }
}

/// What the document says of an operation; problems are explained at `public_url`.
pub(in crate::api::events) fn describe(operation: Operation, public_url: &str) -> Description {
    let part = Part { public_url };
    match operation {
        Operation::List => describe_list(&part),
        Operation::Rotate => describe_rotate(&part),
        Operation::RotateWebhookKeys => describe_rotate_webhook_keys(&part),
    }
}

fn describe_list(part: &Part<'_>) -> Description {
    let secrets = json!([{"notAfter": "2027-01-01T00:00:00Z"}]);
    let example = json!({"credentials": [{"kind": "client", "id": "crm", "enabled": true, "secrets": secrets}]});
    let text = "All clients and API keys: when they were last used, and when they end. Nothing of it is a secret.";
    let told = Description::new("List credentials", text);
    part.strict(told.answers("credentials", "The credentials.", Shape::of::<Credentials>(), &shown(&example)))
}

fn describe_rotate(part: &Part<'_>) -> Description {
    let example = json!({"keyId": "k-2", "replaced": "k-1", "acceptedUntil": "2027-01-01T00:00:00Z"});
    let text = "Makes another key that signs the built-in tokens from now on. Tokens of the old one are accepted as long \
                as they live, unless it is to be forgotten.";
    let often =
        part.fault(&Error::new(Problem::LimitReached, "Nothing was changed: too many keys have been replaced."));
    let asked = Description::new("Rotate the signing key", text)
        .may_take("application/json", Shape::of::<Rotate>(), &[("forget the old one", json!({"forgetOld": true}))])
        .answers("rotated", "The new key.", Shape::of::<Rotation>(), &shown(&example))
        .fails("too-often", "The tokens of too many replaced keys are still good.", &often);
    part.with_body(asked)
}

fn describe_rotate_webhook_keys(part: &Part<'_>) -> Description {
    let key = |key: &str| format!("whpk_{key}");
    let example = json!({
        "keyId": key("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
        "replaced": key("PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="),
        "acceptedUntil": "2027-01-01T00:00:00Z",
    });
    let text = "Makes another key that signs webhooks from now on. The old one signs too for a week, in which receivers \
                learn the new one, unless it is to be forgotten.";
    let often = part.fault(&Error::new(Problem::LimitReached, "Nothing was changed: too many keys sign already."));
    let asked = Description::new("Rotate the key of webhooks", text)
        .may_take("application/json", Shape::of::<Rotate>(), &[("forget the old one", json!({"forgetOld": true}))])
        .answers("rotated", "The new key.", Shape::of::<Rotation>(), &shown(&example))
        .fails("too-often", "Too many replaced keys still sign.", &often);
    part.with_body(asked)
}

fn list(request: &Request, caretaker: &Caretaker) -> Result<Response, Error> {
    Given::query(request).finish()?;
    answer(&Credentials { credentials: caretaker.report() })
}

async fn rotate(request: &Request, caretaker: &Caretaker) -> Result<Response, Error> {
    rotated(caretaker.rotate(forget_old(request)?).await.map_err(not_rotated)?)
}

async fn rotate_webhook_keys(request: &Request, caretaker: &Caretaker) -> Result<Response, Error> {
    let rotation = caretaker.rotate_webhook_keys(forget_old(request)?).await;
    rotated(rotation.map_err(|error| match error {
        WebhookKeyError::TooOften { .. } => too_often(&error),
        WebhookKeyError::Store(error) => error.into(),
        error @ WebhookKeyError::Unreadable { .. } => Error::inside(error.to_string()),
    })?)
}

fn forget_old(request: &Request) -> Result<bool, Error> {
    let mut given = Given::body(request)?;
    let forget_old = given.flag("forgetOld");
    given.finish()?;
    Ok(forget_old)
}

fn rotated(Rotated { key_id, replaced, accepted_until }: Rotated) -> Result<Response, Error> {
    let accepted_until = accepted_until.map(Timestamp::to_rfc3339_seconds);
    Ok(answer(&Rotation { key_id: key_id.clone(), replaced, accepted_until })?.about(key_id))
}

fn not_rotated(error: SigningKeyError) -> Error {
    match error {
        SigningKeyError::TooOften { .. } => too_often(&error),
        SigningKeyError::Store(error) => error.into(),
        error => Error::inside(error.to_string()),
    }
}

fn too_often(error: &dyn std::error::Error) -> Error {
    Error::new(Problem::LimitReached, format!("Nothing was changed: {error}."))
}
