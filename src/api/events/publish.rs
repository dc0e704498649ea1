//! Publishing: its routes, and from a body to events and their receipts.

use hyper::StatusCode;

use super::error::Error;
use super::form::{Context, Form};
use super::{EventsSettings, bounds, receipt};
use crate::api::problem::Problem;
use crate::auth::{Principal, scope};
use crate::engine::Engine;
use crate::http::contract::{Access, BodyRule, Request, Response, Route, Trace, Verb};

/// What a producer can do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Publish,
}

/// The routes of producers.
pub(super) const ROUTES: [Route<Operation>; 1] = [Route {
    method: Verb::Post,
    path: "/events",
    operation: Operation::Publish,
    label: "publish",
    access: Access::ScopeOrKey(scope::PUBLISH),
    body: BodyRule::Large,
    trace: Trace::None,
}];

/// Answers a request of a producer.
pub(super) async fn call(
    operation: Operation,
    request: &Request,
    caller: &Principal,
    settings: &EventsSettings,
    engine: &Engine,
) -> Result<Response, Error> {
    match operation {
        Operation::Publish => publish(request, caller, settings, engine).await,
    }
}

async fn publish(
    request: &Request,
    caller: &Principal,
    settings: &EventsSettings,
    engine: &Engine,
) -> Result<Response, Error> {
    let form = Form::of(&request.headers).ok_or_else(no_form)?;
    let limit = form.max_body(settings);
    if request.body.len() > limit {
        return Err(Error::too_large(limit));
    }
    let context = Context::new(form, request, &caller.client_id, settings, engine);
    let drafts = context.read(request)?;
    bounds::check(form, &drafts, caller.publish.as_deref())?;
    match engine.publish(drafts).await {
        Ok(receipts) => Ok(Response::json(StatusCode::ACCEPTED, receipt::body(form, &receipts))),
        Err(error) => Err(Error::not_published(error, form)),
    }
}

/// The body is none of the forms of an event.
pub(super) fn no_form() -> Error {
    Error::new(
        Problem::UnsupportedMediaType,
        "Content-Type must be application/json, application/cloudevents+json or application/cloudevents-batch+json in \
         UTF-8, or the event's attributes must come in ce- headers.",
    )
}
