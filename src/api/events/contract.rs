//! The routes, and from request to use case and back.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;

use super::error::Error;
use super::form::{Context, Form};
use super::{EventsSettings, receipt};
use crate::api::problem::Problem;
use crate::auth::{Principal, scope};
use crate::engine::Engine;
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};

#[derive(Clone, Copy, Debug)]
enum Operation {
    Publish,
}

/// The contract's table: routing, scopes and metric labels follow from it.
const ROUTES: [Route<Operation>; 1] = [Route {
    method: Verb::Post,
    path: "/events",
    operation: Operation::Publish,
    label: "publish",
    access: Access::ScopeOrKey(scope::PUBLISH),
    body: BodyRule::Large,
    trace: Trace::None,
}];

/// The events contract over an engine.
pub struct EventsContract {
    settings: EventsSettings,
    engine: Arc<Engine>,
}

impl EventsContract {
    /// The contract as `settings` say.
    #[must_use]
    pub const fn new(settings: EventsSettings, engine: Arc<Engine>) -> Self {
        Self { settings, engine }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route = ROUTES.get(route).ok_or_else(|| Error::new(Problem::NotFound, "There is no such operation."))?;
        let caller =
            request.principal.as_ref().ok_or_else(|| Error::new(Problem::Unauthenticated, "A token is needed."))?;
        match route.operation {
            Operation::Publish => self.publish(request, caller).await,
        }
    }

    async fn publish(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let form = Form::of(&request.headers).ok_or_else(|| {
            Error::new(
                Problem::UnsupportedMediaType,
                "Content-Type must be application/json, application/cloudevents+json or \
                 application/cloudevents-batch+json in UTF-8, or the event's attributes must come in ce- headers.",
            )
        })?;
        let limit = form.max_body(&self.settings);
        if request.body.len() > limit {
            return Err(Error::too_large(limit));
        }
        let context = Context::new(form, request, &caller.client_id, &self.settings, &self.engine);
        let drafts = context.read(request)?;
        match self.engine.publish(drafts).await {
            Ok(receipts) => Ok(Response::json(StatusCode::ACCEPTED, receipt::body(form, &receipts))),
            Err(error) => Err(Error::not_published(error, form)),
        }
    }
}

#[async_trait]
impl Contract for EventsContract {
    fn name(&self) -> &'static str {
        "events"
    }

    fn mount(&self) -> &str {
        &self.settings.mount
    }

    fn routes(&self) -> Vec<Route<()>> {
        ROUTES.into_iter().map(Route::without_operation).collect()
    }

    fn max_body(&self) -> usize {
        self.settings.max_batch.max(self.settings.max_event)
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        let outcome = self.dispatch(route, &request).await;
        outcome.unwrap_or_else(|error| error.answer(&self.settings.public_url, &request.id))
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        Error::from(refusal).answer(&self.settings.public_url, request_id)
    }
}
