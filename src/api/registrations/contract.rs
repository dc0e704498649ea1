//! The routes, and from a request to what answers it.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Mutex;

use super::RegistrationsSettings;
use super::error::Error;
use super::openapi::document;
use crate::api::metrics::ApiMetrics;
use crate::api::openapi::{self, Served};
use crate::auth::scope;
use crate::engine::Engine;
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};

/// Its name in metrics, logs and the configuration.
pub(super) const NAME: &str = "registrations";

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Create,
    List,
    Update,
    Delete,
    Rotate,
    Notifications,
    Retry,
    AddDomain,
    Domains,
    RemoveDomain,
    Document,
}

/// The contract's table: routing, scopes, metric labels and the document follow from it.
pub(super) const ROUTES: [Route<Operation>; 11] = [
    Route {
        method: Verb::Post,
        path: "/notification-registrations",
        operation: Operation::Create,
        label: "create",
        access: Access::Scope(scope::CREATE_REGISTRATIONS),
        body: BodyRule::Ordinary,
        trace: Trace::Change("registration.create"),
    },
    Route {
        method: Verb::Get,
        path: "/notification-registrations",
        operation: Operation::List,
        label: "list",
        access: Access::Scope(scope::VIEW_REGISTRATIONS),
        body: BodyRule::None,
        trace: Trace::None,
    },
    Route {
        method: Verb::Put,
        path: "/notification-registrations/{registrationId}",
        operation: Operation::Update,
        label: "update",
        access: Access::Scope(scope::EDIT_REGISTRATIONS),
        body: BodyRule::Ordinary,
        trace: Trace::Change("registration.update"),
    },
    Route {
        method: Verb::Delete,
        path: "/notification-registrations/{registrationId}",
        operation: Operation::Delete,
        label: "delete",
        access: Access::Scope(scope::DELETE_REGISTRATIONS),
        body: BodyRule::None,
        trace: Trace::Change("registration.delete"),
    },
    Route {
        method: Verb::Post,
        path: "/notification-registrations/{registrationId}/secret-rotation",
        operation: Operation::Rotate,
        label: "rotate",
        access: Access::Scope(scope::ROTATE_REGISTRATION_SECRETS),
        body: BodyRule::None,
        trace: Trace::Change("registration.rotate-secret"),
    },
    Route {
        method: Verb::Get,
        path: "/notifications",
        operation: Operation::Notifications,
        label: "notifications",
        access: Access::Scope(scope::VIEW_NOTIFICATIONS),
        body: BodyRule::None,
        trace: Trace::None,
    },
    Route {
        method: Verb::Post,
        path: "/notifications/{notificationId}/retry-notifications",
        operation: Operation::Retry,
        label: "retry",
        access: Access::Scope(scope::RETRY_NOTIFICATIONS),
        body: BodyRule::None,
        trace: Trace::Change("notification.retry"),
    },
    Route {
        method: Verb::Post,
        path: "/webhook-domains",
        operation: Operation::AddDomain,
        label: "add_domain",
        access: Access::Scope(scope::WEBHOOK_DOMAINS),
        body: BodyRule::Ordinary,
        trace: Trace::Change("webhook-domain.add"),
    },
    Route {
        method: Verb::Get,
        path: "/webhook-domains",
        operation: Operation::Domains,
        label: "domains",
        access: Access::Scope(scope::WEBHOOK_DOMAINS),
        body: BodyRule::None,
        trace: Trace::None,
    },
    Route {
        method: Verb::Delete,
        path: "/webhook-domains/{webhookDomain}",
        operation: Operation::RemoveDomain,
        label: "remove_domain",
        access: Access::Scope(scope::WEBHOOK_DOMAINS),
        body: BodyRule::None,
        trace: Trace::Change("webhook-domain.remove"),
    },
    openapi::route(Operation::Document),
];

/// The registrations contract over an engine.
pub struct RegistrationsContract {
    pub(super) settings: RegistrationsSettings,
    pub(super) engine: Arc<Engine>,
    pub(super) ignored_members: Counter,
    /// Held while a domain is added, so that the limit is exact.
    pub(super) adding_domains: Mutex<()>,
    document: Served,
}

impl RegistrationsContract {
    /// The contract as `settings` say; what it counts goes to `metrics`.
    #[must_use]
    pub fn new(settings: RegistrationsSettings, engine: Arc<Engine>, metrics: &ApiMetrics) -> Self {
        let ignored_members = metrics.ignored_members(NAME);
        Self { settings, engine, ignored_members, adding_domains: Mutex::default(), document: Served::default() }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route = ROUTES.get(route).ok_or(Error::NoSuchPath)?;
        let caller =
            || request.principal.as_ref().ok_or_else(|| Error::Unauthenticated("A token is needed.".to_owned()));
        match route.operation {
            Operation::Create => self.create(request, caller()?).await,
            Operation::List => self.list(request, caller()?),
            Operation::Update => self.update(request, caller()?).await,
            Operation::Delete => self.delete(request, caller()?).await,
            Operation::Rotate => self.rotate(request, caller()?).await,
            Operation::Notifications => self.notifications(request, caller()?).await,
            Operation::Retry => self.retry(request, caller()?).await,
            Operation::AddDomain => self.add_domain(request, caller()?).await,
            Operation::Domains => self.domains(request, caller()?).await,
            Operation::RemoveDomain => self.remove_domain(request, caller()?).await,
            Operation::Document => Ok(self.document.answer(|| document(&self.settings))),
        }
    }
}

/// What a caller gets is for it alone, and for once.
pub(super) fn not_stored(response: Response) -> Response {
    response.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

#[async_trait]
impl Contract for RegistrationsContract {
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
