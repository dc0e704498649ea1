//! The routes, and from request to use case and back.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderValue};

use super::error::Error;
use super::openapi::document;
use super::{RecipientsScopes, RecipientsSettings, configure, etag, group, table};
use crate::api::media_type::MediaType;
use crate::api::openapi::{self, Served};
use crate::auth::Principal;
use crate::engine::{Engine, RecipientTable};
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};

/// Its name in metrics and logs.
const NAME: &str = "recipients";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Configure,
    Document,
}

/// The contract's table: routing, scopes, metric labels and the document follow from it.
pub(super) fn routes(scopes: RecipientsScopes) -> Vec<Route<Operation>> {
    let access = |scope: Option<&'static str>| scope.map_or(Access::Token, Access::Scope);
    let read = |path| Route {
        method: Verb::Get,
        path,
        operation: Operation::Read,
        label: "read",
        access: access(scopes.read),
        body: BodyRule::None,
        trace: Trace::None,
    };
    let configure = |path| Route {
        method: Verb::Patch,
        path,
        operation: Operation::Configure,
        label: "configure",
        access: access(scopes.write),
        body: BodyRule::Ordinary,
        trace: Trace::Change("recipients.update"),
    };
    let document = openapi::route(Operation::Document);
    vec![read("/"), read(""), configure("/configure/"), configure("/configure"), document]
}

/// The recipients contract over an engine.
pub struct RecipientsContract {
    settings: RecipientsSettings,
    engine: Arc<Engine>,
    table: Vec<Route<Operation>>,
    document: Served,
}

impl RecipientsContract {
    /// The contract as `settings` say.
    #[must_use]
    pub fn new(settings: RecipientsSettings, engine: Arc<Engine>) -> Self {
        let table = routes(settings.scopes);
        Self { settings, engine, table, document: Served::default() }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route = self.table.get(route).ok_or(Error::NoSuchPath)?;
        let caller =
            || request.principal.as_ref().ok_or_else(|| Error::Unauthenticated("A token is needed.".to_owned()));
        match route.operation {
            Operation::Read => self.read(caller()?),
            Operation::Configure => self.configure(request, caller()?).await,
            Operation::Document => Ok(self.document.answer(|| document(&self.settings))),
        }
    }

    fn read(&self, caller: &Principal) -> Result<Response, Error> {
        shown(&self.engine.recipients(group::of(caller)?))
    }

    async fn configure(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let group = group::of(caller)?;
        if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
            return Err(Error::MediaType);
        }
        let allowed = self.engine.allowed_recipients();
        let change = |now: &RecipientTable| {
            let lists = configure::parse(&request.body, now, &allowed)?;
            if etag::is_wanted(&request.headers, &etag::of(&table::body(now))) {
                Ok(lists)
            } else {
                Err(Error::Changed)
            }
        };
        let changed = self.engine.set_recipients(group, &caller.subject, change).await?;
        Ok(shown(&changed)?.about(group))
    }
}

/// The answer with a table, which is the caller's alone.
pub(super) fn shown(shown: &RecipientTable) -> Result<Response, Error> {
    let body = table::body(shown);
    let tag = HeaderValue::try_from(etag::of(&body)).map_err(|error| Error::Internal(error.to_string()))?;
    let answer = Response::json(StatusCode::OK, body).header(ETAG, tag);
    Ok(answer.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

#[async_trait]
impl Contract for RecipientsContract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn mount(&self) -> &str {
        &self.settings.mount
    }

    fn routes(&self) -> Vec<Route<()>> {
        self.table.iter().map(|route| route.without_operation()).collect()
    }

    /// No route has a large body.
    fn max_body(&self) -> usize {
        0
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        self.dispatch(route, &request).await.unwrap_or_else(|error| error.answer(&request.id))
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        Error::from(refusal).answer(request_id)
    }
}
