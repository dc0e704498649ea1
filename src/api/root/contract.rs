//! The root's routes, and which part answers each.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;

use super::metadata::{self, Metadata, WebhookKeySet};
use super::openapi::write;
use super::settings::RootSettings;
use super::token;
use crate::api::openapi::{self, Served};
use crate::api::problem::{self, Problem, ProblemText};
use crate::auth::{TokenService, WebhookKeys};
use crate::base::clock::Clock;
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};

/// The root: the token endpoint under each of its paths and what belongs to it, the keys of webhooks, and the problems'
/// pages.
pub struct RootContract {
    public_url: String,
    routes: Vec<Route<Operation>>,
    metadata: String,
    tokens: Arc<TokenService>,
    webhook_keys: Arc<WebhookKeys>,
    clock: Arc<dyn Clock>,
    document: Served,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Token,
    Revoke,
    Metadata,
    Keys,
    WebhookKeys,
    Problem,
    Document,
}

const REVOKE: Route<Operation> = Route {
    method: Verb::Post,
    path: metadata::REVOCATION_PATH,
    operation: Operation::Revoke,
    label: "revoke",
    access: Access::Public,
    body: BodyRule::Ordinary,
    trace: Trace::Change("token.revoke"),
};

const KEYS: Route<Operation> = page(metadata::KEYS_PATH, Operation::Keys, "keys");

const WEBHOOK_KEYS: Route<Operation> = page(metadata::WEBHOOK_KEYS_PATH, Operation::WebhookKeys, "webhook_keys");

const METADATA: Route<Operation> = page(metadata::WELL_KNOWN, Operation::Metadata, "metadata");

const PROBLEM_PAGE: Route<Operation> = page("/problems/{name}", Operation::Problem, "problem");

impl RootContract {
    /// The root with these settings. The token paths are kept as long as the process runs: make one root, not many.
    #[must_use]
    pub fn new(
        settings: RootSettings,
        tokens: Arc<TokenService>,
        webhook_keys: Arc<WebhookKeys>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let metadata = Metadata::new(&settings).to_json();
        let public_url = settings.public_url.clone();
        let routes = routes(settings);
        Self { public_url, routes, metadata, tokens, webhook_keys, clock, document: Served::default() }
    }

    fn problem_page(&self, request: &Request) -> Response {
        match Problem::named(request.param("name")) {
            Some(problem) => explain(problem),
            None => no_such_problem(&self.public_url),
        }
    }
}

#[async_trait]
impl Contract for RootContract {
    fn name(&self) -> &'static str {
        "root"
    }

    fn mount(&self) -> &'static str {
        ""
    }

    fn routes(&self) -> Vec<Route<()>> {
        self.routes.iter().copied().map(Route::without_operation).collect()
    }

    fn max_body(&self) -> usize {
        // No route here has a large body.
        0
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        let now = self.clock.now();
        let failed = || self.refuse(&Refusal::Internal, &request.id);
        match self.routes.get(route).map(|route| route.operation) {
            Some(Operation::Token) => token::issue(&self.tokens, &request, now).unwrap_or_else(failed),
            Some(Operation::Revoke) => token::revoke(&self.tokens, &request, now).await.unwrap_or_else(failed),
            Some(Operation::Metadata) => metadata::answer(&self.metadata),
            Some(Operation::Keys) => metadata::keys(&self.tokens.public_keys(now)),
            Some(Operation::WebhookKeys) => {
                metadata::webhook_keys(&WebhookKeySet::of(self.webhook_keys.published(now)))
            }
            Some(Operation::Problem) => self.problem_page(&request),
            Some(Operation::Document) => self.document.answer(|| write(&self.routes, &self.public_url)),
            None => self.refuse(&Refusal::NoSuchPath, &request.id),
        }
    }

    fn refuse(&self, refusal: &Refusal, _request_id: &str) -> Response {
        refused(refusal, &self.public_url)
    }
}

/// The root's table. The paths are kept as long as the process runs.
pub(super) fn routes(settings: RootSettings) -> Vec<Route<Operation>> {
    let RootSettings { token_paths, public_url, certificates: _ } = settings;
    let inserted = metadata::inserted_path(&public_url);
    let inserted = inserted.map(|path| page(path.leak(), Operation::Metadata, "metadata"));
    let tokens = token_paths.into_iter().map(|path| token_route(path.leak()));
    let routes = tokens.chain([REVOKE, KEYS, WEBHOOK_KEYS, METADATA]).chain(inserted);
    routes.chain([PROBLEM_PAGE, openapi::route(Operation::Document)]).collect()
}

/// What is answered to what the server refuses.
pub(super) fn refused(refusal: &Refusal, public_url: &str) -> Response {
    let (problem, detail) = problem::refused(
        refusal,
        "Nothing is served under this path: see the mounts and token paths of the configuration.",
    );
    problem::answer(public_url, problem, &detail, &[])
}

/// There is no page of this name.
pub(super) fn no_such_problem(public_url: &str) -> Response {
    let detail = "No problem has this name. The `type` of a problem that was answered leads to its page.";
    problem::answer(public_url, Problem::NotFound, detail, &[])
}

const fn token_route(path: &'static str) -> Route<Operation> {
    Route {
        method: Verb::Post,
        path,
        operation: Operation::Token,
        label: "token",
        access: Access::Public,
        body: BodyRule::Ordinary,
        trace: Trace::Change("token.issue"),
    }
}

/// A route for whoever looks, without a body.
const fn page(path: &'static str, operation: Operation, label: &'static str) -> Route<Operation> {
    let access = Access::Public;
    Route { method: Verb::Get, path, operation, label, access, body: BodyRule::None, trace: Trace::None }
}

/// The page of a problem: plain text, for whoever follows its `type`.
pub(super) fn explain(problem: Problem) -> Response {
    let ProblemText { name, title, status, explanation } = problem.text();
    let body = format!("{title}\n\nproblem: {name}\nstatus: {status}\n\n{explanation}\n");
    Response::with_body(StatusCode::OK, "text/plain; charset=utf-8", body)
}
