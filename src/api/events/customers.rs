//! Customers: their routes, and from request to use case and back. Each caller sees those of its own organisation.

mod given;
mod openapi;
mod shown;

use hyper::StatusCode;

pub(super) use self::openapi::describe;
use super::error::Error;
use super::problems::Problems;
use crate::api::media_type::MediaType;
use crate::api::problem::Problem;
use crate::auth::{Principal, scope};
use crate::engine::{CustomerError, CustomerKept, Engine, UnsubscribeError};
use crate::http::contract::{Access, BodyRule, Request, Response, Route, Trace, Verb};
use crate::model::id::is_name;

/// What can be done with a customer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Put,
    Read,
    Erase,
}

/// The part's table.
pub(super) const ROUTES: [Route<Operation>; 3] = [
    route(Verb::Put, Operation::Put, "put_customer", BodyRule::Ordinary, Trace::Change("customer.put")),
    route(Verb::Get, Operation::Read, "customer", BodyRule::None, Trace::None),
    route(Verb::Delete, Operation::Erase, "erase_customer", BodyRule::None, Trace::Change("customer.erase")),
];

const fn route(
    method: Verb,
    operation: Operation,
    label: &'static str,
    body: BodyRule,
    trace: Trace,
) -> Route<Operation> {
    Route { method, path: "/customers/{id}", operation, label, access: Access::Scope(scope::CUSTOMERS), body, trace }
}

/// Answers a request.
pub(super) async fn call(
    operation: Operation,
    request: &Request,
    caller: &Principal,
    engine: &Engine,
) -> Result<Response, Error> {
    let id = request.param("id");
    let organisation = caller.affiliation.organisation.as_deref();
    match operation {
        Operation::Put => put(request, caller, engine).await,
        Operation::Read => {
            let customer = engine.customer(organisation, id).ok_or_else(no_customer)?;
            Ok(shown::answer(StatusCode::OK, id, &customer))
        }
        Operation::Erase => {
            engine.erase_customer(organisation, id).await.map_err(|error| not_erased(error, id))?;
            Ok(Response::empty(StatusCode::NO_CONTENT))
        }
    }
}

async fn put(request: &Request, caller: &Principal, engine: &Engine) -> Result<Response, Error> {
    let id = request.param("id");
    if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
        return Err(no_json());
    }
    if !is_name(id) {
        return Err(Error::new(
            Problem::InvalidRequest,
            "The id of a customer is 1 to 255 letters, digits, dots, underscores and hyphens.",
        ));
    }
    let draft = given::read(&request.body, id, caller, engine)?;
    let CustomerKept { customer, is_new } = engine.keep_customer(draft).await.map_err(|error| not_kept(error, id))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(shown::answer(status, id, &customer))
}

/// The body is not said to be JSON.
fn no_json() -> Error {
    Error::new(Problem::UnsupportedMediaType, "Content-Type must be application/json, in UTF-8.")
}

/// There is no such customer, or it is another organisation's.
fn no_customer() -> Error {
    Error::new(Problem::NotFound, "There is no such customer.")
}

fn declared(id: &str) -> Error {
    Error::new(
        Problem::Declared,
        format!("The configuration declares the customer {id}: change it in [[customers]] there."),
    )
}

fn not_kept(error: CustomerError, id: &str) -> Error {
    match error {
        CustomerError::Declared => declared(id),
        CustomerError::Taken(names) => {
            let mut problems = Problems::default();
            for name in names {
                problems.invalid(
                    given::pointer(&["keys", &name]),
                    "is that of another customer: nobody could tell who is meant",
                );
            }
            Error::listing(problems)
        }
        CustomerError::Unsettled => Error::new(Problem::Unavailable, format!("Nothing was changed: {error}.")),
        CustomerError::Store(error) => error.into(),
    }
}

fn not_erased(error: UnsubscribeError, id: &str) -> Error {
    match error {
        UnsubscribeError::NotFound => no_customer(),
        UnsubscribeError::Declared(_) => declared(id),
        UnsubscribeError::Store(error) => error.into(),
    }
}
