//! The operator half alone, as the admin listener serves it.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::{ROUTES, clock, credentials, suppressions};
use crate::api::events::error::Error;
use crate::api::events::openapi::operator_document;
use crate::api::openapi::{self, Served};
use crate::api::problem::Problem;
use crate::auth::Caretaker;
use crate::engine::Engine;
use crate::http::contract::{Contract, Refusal, Request, Response, Route};

/// An engine that is there once the store has been opened: the admin listener answers before that.
pub type LateEngine = Arc<OnceLock<Arc<Engine>>>;

/// Who looks after the credentials, once the store has been opened.
pub type LateCaretaker = Arc<OnceLock<Arc<Caretaker>>>;

/// An operation of one of the parts.
#[derive(Clone, Copy, Debug)]
pub(in crate::api::events) enum Alone {
    Operator(super::Operation),
    Credentials(credentials::Operation),
    Clock(clock::Operation),
    Suppressions(suppressions::Operation),
    Document,
}

/// The table of the admin listener.
pub(in crate::api::events) fn table_alone() -> Vec<Route<Alone>> {
    let operator = ROUTES.into_iter().map(|route| route.map(Alone::Operator));
    let credentials = credentials::ROUTES.into_iter().map(|route| route.map(Alone::Credentials));
    let clock = clock::ROUTES.into_iter().map(|route| route.map(Alone::Clock));
    let suppressions = suppressions::ROUTES.into_iter().map(|route| route.map(Alone::Suppressions));
    operator.chain(credentials).chain(clock).chain(suppressions).chain([openapi::route(Alone::Document)]).collect()
}

/// What the operator half is told where it stands alone.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// Where it is mounted, without a slash at the end: where the whole contract is.
    pub mount: String,
    /// `server.public_url`, without a slash at the end: where problems are explained.
    pub public_url: String,
    /// The path at which callers get their tokens: the first of `auth.token_paths`.
    pub token_path: String,
}

/// The operator half of the events contract. It has the contract's name, so that a credential that is good for the one
/// is good for the other.
pub struct OperatorContract {
    settings: OperatorSettings,
    engine: LateEngine,
    caretaker: LateCaretaker,
    table: Vec<Route<Alone>>,
    document: Served,
}

impl OperatorContract {
    /// The operator half over an engine and a caretaker that may still come; until then it answers 503.
    #[must_use]
    pub fn new(settings: OperatorSettings, engine: LateEngine, caretaker: LateCaretaker) -> Self {
        Self { settings, engine, caretaker, table: table_alone(), document: Served::default() }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route =
            self.table.get(route).ok_or_else(|| Error::new(Problem::NotFound, "There is no such operation."))?;
        let caller =
            || request.principal.as_ref().ok_or_else(|| Error::new(Problem::Unauthenticated, "A token is needed."));
        match route.operation {
            Alone::Operator(operation) => {
                super::call(operation, request, caller()?, self.engine.get().ok_or_else(starting)?).await
            }
            Alone::Credentials(operation) => {
                caller()?;
                credentials::call(operation, request, self.caretaker.get().ok_or_else(starting)?).await
            }
            Alone::Clock(operation) => {
                caller()?;
                clock::call(operation, request, self.engine.get().ok_or_else(starting)?).await
            }
            Alone::Suppressions(operation) => {
                caller()?;
                suppressions::call(operation, request, self.engine.get().ok_or_else(starting)?).await
            }
            Alone::Document => Ok(self.document.answer(|| operator_document(&self.settings))),
        }
    }
}

fn starting() -> Error {
    Error::new(Problem::Unavailable, "The appliance is starting: /health/ready says how far it is.")
}

#[async_trait]
impl Contract for OperatorContract {
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
        0
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        let outcome = self.dispatch(route, &request).await;
        outcome.unwrap_or_else(|error| error.answer(&self.settings.public_url, &request.id))
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        Error::from(refusal).answer(&self.settings.public_url, request_id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use hyper::header::HeaderMap;

    use super::*;
    use crate::auth::Principal;

    #[tokio::test]
    async fn before_there_is_an_engine_it_cannot_be_done_now() {
        let settings = OperatorSettings {
            mount: "/v1".to_owned(),
            public_url: "http://t".to_owned(),
            token_path: "/oauth2/token".to_owned(),
        };
        let contract = OperatorContract::new(settings, LateEngine::default(), LateCaretaker::default());
        for route in 0..contract.routes().len() - 1 {
            let request = Request {
                id: "r".to_owned(),
                peer: None,
                address: None,
                certificate: None,
                path: String::new(),
                params: Vec::new(),
                query: String::new(),
                headers: HeaderMap::new(),
                principal: Some(Principal::new("uid:0".into(), "uid:0".to_owned(), BTreeSet::new())),
                standing: crate::http::Standing::default(),
                body: Bytes::new(),
            };
            let response = contract.call(route, request).await;
            assert_eq!(response.status.as_u16(), 503);
            assert!(String::from_utf8_lossy(&response.body).contains("/health/ready"));
        }
    }
}
