//! The wall clock, on the admin listener only: whether it is in doubt, and that it is trusted as it is. Beyond the
//! contract: `tidings clock accept` (design.md, promise 10 and "Command line").

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
use crate::engine::{ClockDoubt, Engine};
use crate::http::contract::{Request, Response, Route};

/// What can be done with the clock.
#[derive(Clone, Copy, Debug)]
pub(in crate::api::events) enum Operation {
    Show,
    Accept,
}

/// The routes of the clock.
pub(super) const ROUTES: [Route<Operation>; 2] =
    [look("/clock", Operation::Show, "clock"), act("/clock/accept", Operation::Accept, "accept_clock", "clock.accept")];

/// The answer of `GET /clock`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Clock {
    /// Whether it is in doubt.
    in_doubt: bool,
    /// What it shows, what the ledger goes by, since when and why; absent while it is trusted.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<Doubt>,
}

/// The doubt about the clock.
#[derive(Serialize, ToSchema)]
struct Doubt {
    /// What the wall clock shows.
    wall: String,
    /// The ledger's time.
    ledger: String,
    /// The ledger's time when the doubt arose.
    since: String,
    /// Why, for people.
    cause: String,
}

/// The answer of `POST /clock/accept`.
#[derive(Serialize, ToSchema)]
struct Accepted {
    /// Whether it was in doubt; if not, nothing was changed.
    accepted: bool,
}

/// Answers a request.
pub(super) async fn call(operation: Operation, request: &Request, engine: &Engine) -> Result<Response, Error> {
    Given::query(request).finish()?;
    match operation {
        Operation::Show => {
            let doubt = engine.clock_doubt().map(Doubt::of);
            answer(&Clock { in_doubt: doubt.is_some(), doubt })
        }
        Operation::Accept => {
            Given::body(request)?.finish()?;
            answer(&Accepted { accepted: engine.accept_clock().await? })
        }
    }
}

/// What the document says of an operation; problems are explained at `public_url`.
pub(in crate::api::events) fn describe(operation: Operation, public_url: &str) -> Description {
    let part = Part { public_url };
    match operation {
        Operation::Show => {
            let told = Description::new("Show the clock", "Whether the wall clock is in doubt, and why.");
            let example = json!({"inDoubt": false});
            part.strict(told.answers("clock", "The clock.", Shape::of::<Clock>(), &shown(&example)))
        }
        Operation::Accept => {
            let text =
                "Trusts the wall clock as it is: what has expired by it ends now. Without a doubt nothing changes.";
            let told = Description::new("Accept the clock", text);
            let example = json!({"accepted": true});
            part.with_body(told.answers("accepted", "What came of it.", Shape::of::<Accepted>(), &shown(&example)))
        }
    }
}

impl Doubt {
    fn of(doubt: ClockDoubt) -> Self {
        let ClockDoubt { wall, ledger, since, cause } = doubt;
        Self {
            wall: wall.to_rfc3339_millis(),
            ledger: ledger.to_rfc3339_millis(),
            since: since.to_rfc3339_millis(),
            cause: cause.to_string(),
        }
    }
}
