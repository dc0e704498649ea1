//! The root's routes, and which part answers each.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;

use super::settings::RootSettings;
use super::token;
use crate::api::problem::{self, Problem, ProblemText};
use crate::auth::TokenService;
use crate::base::clock::Clock;
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};

/// The root: the token endpoint under each of its paths, and the problems' pages.
pub struct RootContract {
    public_url: String,
    routes: Vec<Route<Operation>>,
    tokens: Arc<TokenService>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Token,
    Problem,
}

const PROBLEM_PAGE: Route<Operation> = Route {
    method: Verb::Get,
    path: "/problems/{name}",
    operation: Operation::Problem,
    label: "problem",
    access: Access::Public,
    body: BodyRule::None,
    trace: Trace::None,
};

impl RootContract {
    /// The root with these settings. The token paths are kept as long as the process runs: make one root, not many.
    #[must_use]
    pub fn new(settings: RootSettings, tokens: Arc<TokenService>, clock: Arc<dyn Clock>) -> Self {
        let RootSettings { token_paths, public_url } = settings;
        let routes = token_paths.into_iter().map(|path| token_route(path.leak())).chain([PROBLEM_PAGE]).collect();
        Self { public_url, routes, tokens, clock }
    }

    fn problem_page(&self, request: &Request) -> Response {
        match Problem::named(request.param("name")) {
            Some(problem) => explain(problem),
            None => problem::answer(
                &self.public_url,
                Problem::NotFound,
                "No problem has this name. The `type` of a problem that was answered leads to its page.",
                &[],
            ),
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
        match self.routes.get(route).map(|route| route.operation) {
            Some(Operation::Token) => token::answer(&self.tokens, &request, self.clock.now())
                .unwrap_or_else(|| self.refuse(&Refusal::Internal, &request.id)),
            Some(Operation::Problem) => self.problem_page(&request),
            None => self.refuse(&Refusal::NoSuchPath, &request.id),
        }
    }

    fn refuse(&self, refusal: &Refusal, _request_id: &str) -> Response {
        let (problem, detail) = problem::refused(
            refusal,
            "Nothing is served under this path: see the mounts and token paths of the configuration.",
        );
        problem::answer(&self.public_url, problem, &detail, &[])
    }
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

/// The page of a problem: plain text, for whoever follows its `type`.
fn explain(problem: Problem) -> Response {
    let ProblemText { name, title, status, explanation } = problem.text();
    let body = format!("{title}\n\nproblem: {name}\nstatus: {status}\n\n{explanation}\n");
    Response::with_body(StatusCode::OK, "text/plain; charset=utf-8", body)
}
