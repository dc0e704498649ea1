//! The routes of the admin listener.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use prometheus_client::registry::Registry;
use serde::Serialize;
use utoipa::ToSchema;

use super::configuration::{self, LateReconfigure};
use super::exposition::expose;
use super::openapi::document;
use super::readiness::{Health, Readiness};
use crate::api::openapi::{self, Served};
use crate::api::problem::{self, Problem};
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};
use crate::http::settings::ListenAddress;

/// What the admin contract is told.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// Where the admin listener listens: the hosts by which it may be asked.
    pub listen: Vec<ListenAddress>,
    /// `server.public_url`, without a slash at the end: where problems are explained.
    pub public_url: String,
    /// The path at which callers get their tokens: the first of `auth.token_paths`.
    pub token_path: String,
}

#[derive(Clone, Copy)]
pub(super) enum Operation {
    Live,
    Ready,
    Metrics,
    Configuration(configuration::Operation),
    Document,
}

const PLAIN: [Route<Operation>; 4] = [
    route("/health/live", Operation::Live, "health_live"),
    route("/health/ready", Operation::Ready, "health_ready"),
    route("/metrics", Operation::Metrics, "metrics"),
    openapi::route(Operation::Document),
];

/// The table.
pub(super) fn table() -> Vec<Route<Operation>> {
    let configuration = configuration::ROUTES.into_iter().map(|route| route.map(Operation::Configuration));
    PLAIN.into_iter().chain(configuration).collect()
}

const fn route(path: &'static str, operation: Operation, label: &'static str) -> Route<Operation> {
    Route {
        method: Verb::Get,
        path,
        operation,
        label,
        access: Access::Public,
        body: BodyRule::None,
        trace: Trace::None,
    }
}

/// Health, metrics and the configuration.
pub struct AdminContract {
    table: Vec<Route<Operation>>,
    configuration: LateReconfigure,
    settings: AdminSettings,
    health: Arc<dyn Health>,
    registry: Arc<Registry>,
    document: Served,
}

impl AdminContract {
    /// The contract that tells what `health` and `registry` say, and does with the configuration what `configuration`
    /// does once it is there.
    #[must_use]
    pub fn new(
        settings: &AdminSettings,
        health: Arc<dyn Health>,
        registry: Arc<Registry>,
        configuration: LateReconfigure,
    ) -> Self {
        let settings = settings.clone();
        Self { table: table(), configuration, settings, health, registry, document: Served::default() }
    }

    fn ready(&self) -> Response {
        ready(&self.health.readiness())
    }

    fn metrics(&self, accept: Option<&str>) -> Response {
        match expose(&self.registry, accept) {
            Ok((media_type, text)) => answer(StatusCode::OK, media_type, text),
            Err(error) => {
                tracing::error!("the metrics cannot be written: {error}");
                problem(
                    &self.settings.public_url,
                    Problem::Internal,
                    "The metrics cannot be written; the log says why.",
                )
            }
        }
    }
}

#[async_trait]
impl Contract for AdminContract {
    fn name(&self) -> &'static str {
        "admin"
    }

    fn mount(&self) -> &'static str {
        ""
    }

    fn routes(&self) -> Vec<Route<()>> {
        self.table.iter().map(|route| route.without_operation()).collect()
    }

    fn max_body(&self) -> usize {
        0
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        match self.table.get(route).map(|r| r.operation) {
            Some(Operation::Live) => live(),
            Some(Operation::Ready) => self.ready(),
            Some(Operation::Metrics) => self.metrics(request.header("accept")),
            Some(Operation::Configuration(operation)) => {
                configuration::call(operation, &request, &self.configuration, &self.settings.public_url).await
            }
            Some(Operation::Document) => {
                self.document.answer(|| document(&self.settings.public_url, &self.settings.token_path))
            }
            None => self.refuse(&Refusal::NoSuchPath, &request.id),
        }
    }

    fn refuse(&self, refusal: &Refusal, _request_id: &str) -> Response {
        refused(refusal, &self.settings.public_url)
    }
}

/// What is answered to what the server refuses.
pub(super) fn refused(refusal: &Refusal, public_url: &str) -> Response {
    let (kind, detail) = problem::refused(
        refusal,
        "The admin listener has /health/live, /health/ready, /metrics, /configuration, /configuration/plan, \
         /configuration/reload, /openapi.json, and the operator's part of the events contract where that is mounted.",
    );
    problem(public_url, kind, &detail)
}

pub(super) fn problem(public_url: &str, kind: Problem, detail: &str) -> Response {
    not_stored(problem::answer(public_url, kind, detail, &[]))
}

/// It answers: that is all that is asked.
pub(super) fn live() -> Response {
    let live = serde_json::to_vec(&Live { live: true }).expect("a truth value has a JSON form");
    answer(StatusCode::OK, "application/json", live)
}

pub(super) fn ready(readiness: &Readiness) -> Response {
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, "application/json", readiness.to_json())
}

/// That the process answers.
#[derive(Serialize, ToSchema)]
pub(super) struct Live {
    live: bool,
}

pub(super) fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response {
    not_stored(Response::with_body(status, media_type, body))
}

/// What holds now is nothing that anybody may keep.
pub(super) fn not_stored(response: Response) -> Response {
    response.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderMap;

    use super::*;
    use crate::api::admin::Readiness;

    struct Fixed(Readiness);

    impl Health for Fixed {
        fn readiness(&self) -> Readiness {
            self.0.clone()
        }
    }

    fn contract(reasons: &[&str]) -> AdminContract {
        let settings = AdminSettings {
            listen: vec![ListenAddress::parse("127.0.0.1:8421").unwrap()],
            public_url: "http://127.0.0.1:8420".to_owned(),
            token_path: "/oauth2/token".to_owned(),
        };
        let readiness = Readiness { reasons: reasons.iter().map(|&r| r.to_owned()).collect(), ..Readiness::default() };
        AdminContract::new(&settings, Arc::new(Fixed(readiness)), Arc::default(), LateReconfigure::default())
    }

    async fn get(contract: &AdminContract, path: &str) -> (u16, String) {
        let route = table().iter().position(|r| r.path == path).unwrap();
        let request = Request {
            id: "r1".to_owned(),
            peer: None,
            address: None,
            certificate: None,
            path: path.to_owned(),
            params: Vec::new(),
            query: String::new(),
            headers: HeaderMap::new(),
            principal: None,
            standing: crate::http::Standing::default(),
            body: Bytes::new(),
        };
        let response = contract.call(route, request).await;
        (response.status.as_u16(), String::from_utf8(response.body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_is_200_or_503_with_reasons() {
        assert_eq!(get(&contract(&[]), "/health/ready").await.0, 200);
        let (status, body) = get(&contract(&["repairing 40 %"]), "/health/ready").await;
        assert_eq!(status, 503);
        assert_eq!(body, r#"{"details":{},"ready":false,"reasons":["repairing 40 %"]}"#);
        assert_eq!(get(&contract(&["repairing"]), "/health/live").await.0, 200);
    }
}
