//! Credentials, on the admin listener only: when they were last used and when they end; another key that signs tokens.
//! Beyond the contract: `tidings status` and `tidings rotate-keys` (design.md, "Command line").

use serde::Serialize;

use super::given::Given;
use super::looking::answer;
use super::routes::{act, look};
use crate::api::events::error::Error;
use crate::api::problem::Problem;
use crate::auth::{Caretaker, CredentialReport, Rotated, SigningKeyError};
use crate::base::clock::Timestamp;
use crate::http::contract::{Request, Response, Route};

/// What can be done with credentials.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    List,
    Rotate,
}

/// The routes of credentials.
pub(super) const ROUTES: [Route<Operation>; 2] = [
    look("/credentials", Operation::List, "credentials"),
    act("/signing-keys/rotations", Operation::Rotate, "rotate_keys", "signing-keys.rotate"),
];

/// The answer of `GET /credentials`.
#[derive(Serialize)]
struct Credentials {
    credentials: Vec<CredentialReport>,
}

/// The answer of `POST /signing-keys/rotations`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rotation {
    /// The `kid` of the key that signs now.
    key_id: String,
    /// The `kid` of the one before.
    replaced: String,
    /// Until when the tokens of that one are accepted; absent if they are not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_until: Option<String>,
}

/// Answers a request.
pub(super) async fn call(operation: Operation, request: &Request, caretaker: &Caretaker) -> Result<Response, Error> {
    match operation {
        Operation::List => list(request, caretaker),
        Operation::Rotate => rotate(request, caretaker).await,
    }
}

fn list(request: &Request, caretaker: &Caretaker) -> Result<Response, Error> {
    Given::query(request).finish()?;
    answer(&Credentials { credentials: caretaker.report() })
}

async fn rotate(request: &Request, caretaker: &Caretaker) -> Result<Response, Error> {
    let mut given = Given::body(request)?;
    let forget_old = given.flag("forgetOld");
    given.finish()?;
    let Rotated { key_id, replaced, accepted_until } = caretaker.rotate(forget_old).await.map_err(not_rotated)?;
    let accepted_until = accepted_until.map(Timestamp::to_rfc3339_seconds);
    Ok(answer(&Rotation { key_id: key_id.clone(), replaced, accepted_until })?.about(key_id))
}

fn not_rotated(error: SigningKeyError) -> Error {
    match error {
        SigningKeyError::TooOften { .. } => Error::new(Problem::LimitReached, format!("Nothing was changed: {error}.")),
        SigningKeyError::Store(error) => error.into(),
        error => Error::inside(error.to_string()),
    }
}
