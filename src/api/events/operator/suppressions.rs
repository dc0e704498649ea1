//! Addresses that are not mailed to for a while, on the admin listener only: which they are, and that one is mailed to
//! again. Beyond the contract: `tidings suppressions`.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::cursor;
use super::given::Given;
use super::looking::{LIMIT, MAX_LIMIT, answer};
use super::openapi::{Part, text_of_path};
use super::routes::{act, look};
use super::samples::shown;
use crate::api::events::error::Error;
use crate::api::openapi::{Description, Shape, path};
use crate::api::problem::Problem;
use crate::base::clock::Timestamp;
use crate::engine::{Engine, Suppressed, Suppression};
use crate::http::contract::{Request, Response, Route, Verb};
use crate::model::address::Address;

/// What can be done with suppressions.
#[derive(Clone, Copy, Debug)]
pub(in crate::api::events) enum Operation {
    List,
    Lift,
}

/// The routes of suppressions.
pub(super) const ROUTES: [Route<Operation>; 2] = [
    look("/suppressions", Operation::List, "suppressions"),
    Route {
        method: Verb::Delete,
        ..act("/suppressions/{address}", Operation::Lift, "lift_suppression", "suppression.lift")
    },
];

/// The answer of `GET /suppressions`.
#[derive(Serialize, ToSchema)]
struct Suppressions {
    /// The addresses, in order.
    suppressions: Vec<SuppressedAddress>,
    /// Where to go on; absent at the end.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// An address that is not mailed to.
#[derive(Serialize, ToSchema)]
#[schema(as = Suppression)]
struct SuppressedAddress {
    /// The address.
    address: String,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// Until when.
    #[schema(format = DateTime)]
    until: String,
    /// What the relay said.
    reply: String,
}

/// The answer of `DELETE /suppressions/{address}`.
#[derive(Serialize, ToSchema)]
struct Lifted {
    /// Whether it was suppressed; if not, nothing was changed.
    lifted: bool,
}

/// Answers a request.
pub(super) async fn call(operation: Operation, request: &Request, engine: &Engine) -> Result<Response, Error> {
    let mut given = Given::query(request);
    match operation {
        Operation::List => {
            let after = given.text("cursor", cursor::read_text);
            let limit = given.number("limit", 1..=MAX_LIMIT).unwrap_or(LIMIT);
            given.finish()?;
            answer(&Suppressions::of(engine.suppressions(after.as_deref(), limit).await?))
        }
        Operation::Lift => {
            given.finish()?;
            Given::body(request)?.finish()?;
            let address = Address::parse(request.param("address")).ok_or_else(no_address)?;
            answer(&Lifted { lifted: engine.lift_suppression(&address).await? })
        }
    }
}

fn no_address() -> Error {
    Error::new(Problem::NotFound, "That is no mail address: there is none such that could be mailed to.")
}

/// What the document says of an operation; problems are explained at `public_url`.
pub(in crate::api::events) fn describe(operation: Operation, public_url: &str) -> Description {
    let part = Part { public_url };
    match operation {
        Operation::List => {
            let about =
                "Addresses that are not mailed to for a while, because a relay has said that they do not exist.";
            let address = json!({
                "address": "jane@example.com", "since": "2018-01-23T04:56:22.123Z",
                "until": "2018-02-22T04:56:22.123Z", "reply": "550 5.1.1 no such user",
            });
            let told = part.paged(Description::new("List suppressed addresses", about));
            let example = json!({"suppressions": [address]});
            told.answers("page", "The addresses.", Shape::of::<Suppressions>(), &shown(&example))
        }
        Operation::Lift => {
            let about = "The address is mailed to again. One that is not suppressed is no error.";
            let told = Description::new("Lift the suppression of an address", about)
                .parameter(path("address", "The address.", text_of_path(), "jane@example.com"))
                .answers("lifted", "What came of it.", Shape::of::<Lifted>(), &shown(&json!({"lifted": true})))
                .fails("no-address", "It is no mail address.", &part.fault(&no_address()));
            part.with_body(told)
        }
    }
}

impl Suppressions {
    fn of(suppressed: Suppressed) -> Self {
        let Suppressed { addresses, after } = suppressed;
        let shown = |(suppression, until): (Suppression, Timestamp)| {
            let Suppression { address, since, reply } = suppression;
            let until = until.to_rfc3339_millis();
            SuppressedAddress { address, since: since.to_rfc3339_millis(), until, reply }
        };
        Self {
            suppressions: addresses.into_iter().map(shown).collect(),
            cursor: after.as_deref().map(cursor::write_text),
        }
    }
}
