//! The contract's table, made of those of its parts, and from a request to the part that answers it.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::Error;
use super::openapi::document;
use super::{EventsSettings, customers, lease, operator, publish};
use crate::api::openapi::{self, Served};
use crate::api::problem::Problem;
use crate::engine::Engine;
use crate::http::contract::{Contract, Refusal, Request, Response, Route};

/// An operation of one of the parts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Publish(publish::Operation),
    Lease(lease::Operation),
    Operator(operator::Operation),
    Customers(customers::Operation),
    Document,
}

/// The contract's table: routing, scopes, metric labels and the document follow from it.
pub(super) fn table() -> Vec<Route<Operation>> {
    let publish = publish::ROUTES.into_iter().map(|route| route.map(Operation::Publish));
    let lease = lease::ROUTES.into_iter().map(|route| route.map(Operation::Lease));
    let operator = operator::ROUTES.into_iter().map(|route| route.map(Operation::Operator));
    let customers = customers::ROUTES.into_iter().map(|route| route.map(Operation::Customers));
    publish.chain(lease).chain(operator).chain(customers).chain([openapi::route(Operation::Document)]).collect()
}

/// The events contract over an engine.
pub struct EventsContract {
    settings: EventsSettings,
    engine: Arc<Engine>,
    table: Vec<Route<Operation>>,
    document: Served,
}

impl EventsContract {
    /// The contract as `settings` say.
    #[must_use]
    pub fn new(settings: EventsSettings, engine: Arc<Engine>) -> Self {
        Self { settings, engine, table: table(), document: Served::default() }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route =
            self.table.get(route).ok_or_else(|| Error::new(Problem::NotFound, "There is no such operation."))?;
        let caller =
            || request.principal.as_ref().ok_or_else(|| Error::new(Problem::Unauthenticated, "A token is needed."));
        match route.operation {
            Operation::Publish(operation) => {
                publish::call(operation, request, caller()?, &self.settings, &self.engine).await
            }
            Operation::Lease(operation) => {
                lease::call(operation, request, caller()?, &self.settings, &self.engine).await
            }
            Operation::Operator(operation) => operator::call(operation, request, caller()?, &self.engine).await,
            Operation::Customers(operation) => customers::call(operation, request, caller()?, &self.engine).await,
            Operation::Document => Ok(self.document.answer(|| document(&self.settings))),
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
        self.table.iter().map(|route| route.without_operation()).collect()
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
