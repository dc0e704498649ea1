//! The routes, and from request to use case and back.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue, LOCATION};
use prometheus_client::metrics::counter::Counter;

use super::error::{Error, no_such_subscription, not_ended, not_polled, not_read};
use super::openapi::document;
use super::{PollingSettings, create, page, subscription};
use crate::api::admission;
use crate::api::media_type::MediaType;
use crate::api::metrics::ApiMetrics;
use crate::api::openapi::{self, Served};
use crate::api::prefer;
use crate::api::unknown_members::note_ignored;
use crate::auth::{Principal, scope};
use crate::engine::{Admission, AnswerWatch, Engine, IdempotencyKey, PollRequest, SubscribeRequest};
use crate::http::contract::{Access, BodyRule, Contract, Delivery, Refusal, Request, Response, Route, Trace, Verb};
use crate::model::id::is_name;
use crate::model::subscription::ContractName;

/// The largest page that a poll can ask for.
pub(super) const MAX_SIZE: usize = 1000;

/// Its name in metrics and logs.
const NAME: &str = "polling";

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Subscribe,
    Read,
    Unsubscribe,
    Poll,
    Document,
}

/// The contract's table: routing, scopes, metric labels and the document follow from it.
pub(super) const ROUTES: [Route<Operation>; 5] = [
    Route {
        method: Verb::Post,
        path: "/subscriptions",
        operation: Operation::Subscribe,
        label: "subscribe",
        access: Access::Scope(scope::ADMINISTRATOR),
        body: BodyRule::Ordinary,
        trace: Trace::Change("subscription.create"),
    },
    Route {
        method: Verb::Get,
        path: "/subscriptions/{id}",
        operation: Operation::Read,
        label: "read",
        access: Access::Scope(scope::CONSUMER),
        body: BodyRule::None,
        trace: Trace::None,
    },
    Route {
        method: Verb::Delete,
        path: "/subscriptions/{id}",
        operation: Operation::Unsubscribe,
        label: "unsubscribe",
        access: Access::Scope(scope::ADMINISTRATOR),
        body: BodyRule::None,
        trace: Trace::Change("subscription.delete"),
    },
    Route {
        method: Verb::Get,
        path: "/subscriptions/{id}/notifications",
        operation: Operation::Poll,
        label: "poll",
        access: Access::Scope(scope::CONSUMER),
        body: BodyRule::None,
        trace: Trace::None,
    },
    openapi::route(Operation::Document),
];

/// The polling contract over an engine.
pub struct PollingContract {
    settings: PollingSettings,
    engine: Arc<Engine>,
    ignored_members: Counter,
    document: Served,
}

impl PollingContract {
    /// The contract as `settings` say; what it counts goes to `metrics`.
    #[must_use]
    pub fn new(settings: PollingSettings, engine: Arc<Engine>, metrics: &ApiMetrics) -> Self {
        Self { settings, engine, ignored_members: metrics.ignored_members(NAME), document: Served::default() }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route = ROUTES.get(route).ok_or(Error::NoSuchPath)?;
        let caller =
            || request.principal.as_ref().ok_or_else(|| Error::Unauthenticated("A token is needed.".to_owned()));
        match route.operation {
            Operation::Subscribe => self.subscribe(request, caller()?).await,
            Operation::Read => self.read(request, caller()?),
            Operation::Unsubscribe => self.unsubscribe(request, caller()?).await,
            Operation::Poll => self.poll(request, caller()?).await,
            Operation::Document => Ok(self.document.answer(|| document(&self.settings))),
        }
    }

    async fn subscribe(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
            return Err(Error::MediaType);
        }
        let create::Create { event_types, client_id, unknown } =
            create::parse(&request.body, self.settings.unknown_members)?;
        note_ignored(&unknown, &self.ignored_members, &request.id);
        let asked = SubscribeRequest {
            contract: ContractName::Polling,
            // Owners are the client's own (design.md, "Nouns"): nobody lends another client theirs.
            owners: caller.owners.clone().filter(|_| caller.client_id == client_id),
            client_id,
            event_types,
            created_by: caller.subject.clone(),
        };
        let view = self.engine.subscribe(asked).await?;
        let location = subscription::url(view.subscription.id.as_str(), &self.settings);
        let location = HeaderValue::try_from(location)
            .map_err(|_| Error::Internal("server.public_url does not fit into a header".to_owned()))?;
        let made = Response::json(StatusCode::CREATED, subscription::body(&view, &self.settings));
        Ok(made.header(LOCATION, location).about(view.subscription.id.as_str()))
    }

    fn read(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let id = subscription_id(request, caller)?;
        let view = self
            .engine
            .subscription(ContractName::Polling, &caller.client_id, id)
            .map_err(|error| not_read(error, id, caller.client_id.as_str()))?;
        Ok(not_stored(Response::json(StatusCode::OK, subscription::body(&view, &self.settings))))
    }

    async fn unsubscribe(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let id = subscription_id(request, caller)?;
        match self.engine.unsubscribe(ContractName::Polling, id).await {
            Ok(()) => Ok(Response::empty(StatusCode::NO_CONTENT)),
            Err(error) => Err(not_ended(error, id, caller.client_id.as_str())),
        }
    }

    async fn poll(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let id = subscription_id(request, caller)?;
        let (size, key) = self.size_and_key(request)?;
        let wait = prefer::wait(&request.headers, self.settings.max_wait).filter(|wait| !wait.is_zero());
        let asked = PollRequest {
            contract: ContractName::Polling,
            subscription: id.to_owned(),
            client: caller.client_id.clone(),
            size,
            wait,
            key,
            request_id: request.id.clone(),
            admission: wait.map_or_else(Admission::default, |_| admission::of(request)),
        };
        let polled = self.engine.poll(asked).await.map_err(|error| not_polled(error, id, caller.client_id.as_str()))?;
        let body = page::body(size, &polled.notifications, &self.engine.settings().catalogue);
        let mut response = not_stored(Response::json(StatusCode::OK, body));
        if wait.is_some() {
            response = response.header(prefer::APPLIED, HeaderValue::from_static("wait"));
        }
        Ok(match polled.answer {
            Some(answer) => response.delivered_to(Arc::new(PageDelivery(answer))),
            None => response,
        })
    }

    /// The page size in force and the key, or all that is wrong with them.
    fn size_and_key(&self, request: &Request) -> Result<(usize, Option<IdempotencyKey>), Error> {
        match (self.size(request), idempotency_key(&request.headers)) {
            (Ok(size), Ok(key)) => Ok((size, key)),
            (size, key) => Err(Error::Invalid(size.err().into_iter().chain(key.err()).collect())),
        }
    }

    fn size(&self, request: &Request) -> Result<usize, String> {
        let Some(text) = request.query_value("size") else { return Ok(self.settings.page_size) };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let size = if digits { text.parse().ok() } else { None };
        size.filter(|size| (1..=MAX_SIZE).contains(size))
            .ok_or_else(|| format!("size: must be a whole number from 1 to {MAX_SIZE}"))
    }
}

/// The id in the path; one that cannot be an id is one that does not exist.
fn subscription_id<'a>(request: &'a Request, caller: &Principal) -> Result<&'a str, Error> {
    let id = request.param("id");
    if is_name(id) { Ok(id) } else { Err(no_such_subscription(id, caller.client_id.as_str())) }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, String> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().and_then(IdempotencyKey::parse);
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err("Idempotency-Key: must be one value of 1 to 64 visible ASCII characters".to_owned()),
    }
}

/// What a caller gets is for it alone, and for once.
pub(super) fn not_stored(response: Response) -> Response {
    response.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// What the server tells about the answer goes to the page's record.
struct PageDelivery(AnswerWatch);

impl Delivery for PageDelivery {
    fn written(&self) {
        self.0.written();
    }

    fn lost(&self) {
        self.0.lost();
    }
}

#[async_trait]
impl Contract for PollingContract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn mount(&self) -> &str {
        &self.settings.mount
    }

    fn routes(&self) -> Vec<Route<()>> {
        ROUTES.into_iter().map(Route::without_operation).collect()
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
