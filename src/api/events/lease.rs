//! The safe poll: its route, and from request to use case and back.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};

use super::EventsSettings;
use super::error::Error;
use super::safe_poll::{self, Body};
use crate::api::admission;
use crate::api::media_type::MediaType;
use crate::api::prefer;
use crate::api::problem::Problem;
use crate::auth::{Principal, scope};
use crate::engine::{Admission, Engine, LeaseRequest};
use crate::http::contract::{Access, BodyRule, Request, Response, Route, Trace, Verb};

/// An operation of this part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Lease,
}

/// The part's table.
pub(super) const ROUTES: [Route<Operation>; 1] = [Route {
    method: Verb::Post,
    path: "/subscriptions/{id}/poll",
    operation: Operation::Lease,
    label: "lease",
    access: Access::Scope(scope::CONSUMER),
    body: BodyRule::Ordinary,
    trace: Trace::None,
}];

/// How long a poll waits that does not say (contracts/events.md).
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// Answers a request.
pub(super) async fn call(
    operation: Operation,
    request: &Request,
    caller: &Principal,
    settings: &EventsSettings,
    engine: &Engine,
) -> Result<Response, Error> {
    match operation {
        Operation::Lease => lease(request, caller, settings, engine).await,
    }
}

/// The body is not said to be JSON.
pub(super) fn no_json() -> Error {
    Error::new(Problem::UnsupportedMediaType, "Content-Type must be application/json, in UTF-8.")
}

async fn lease(
    request: &Request,
    caller: &Principal,
    settings: &EventsSettings,
    engine: &Engine,
) -> Result<Response, Error> {
    if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
        return Err(no_json());
    }
    let Body { max, return_immediately, acks, errors, duration } = safe_poll::read(&request.body)?;
    let preferred = prefer::wait(&request.headers, settings.max_wait);
    let wait = preferred.unwrap_or_else(|| DEFAULT_WAIT.min(settings.max_wait));
    let asked = LeaseRequest {
        subscription: request.param("id").to_owned(),
        client: caller.client_id.clone(),
        acks,
        errors,
        max,
        duration,
        max_handouts: settings.max_handouts,
        wait: (!return_immediately).then_some(wait),
        request_id: request.id.clone(),
        admission: if return_immediately { Admission::default() } else { admission::of(request) },
    };
    let leased = engine.lease(asked).await.map_err(Error::not_leased)?;
    let response = Response::json(StatusCode::OK, safe_poll::answer(&leased))
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(match preferred {
        Some(_) if !return_immediately => response.header(prefer::APPLIED, HeaderValue::from_static("wait")),
        _ => response,
    })
}
