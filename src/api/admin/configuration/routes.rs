//! The routes, and what their document says.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::report::{ConfigurationReport, DiskReport, PlanReport, ProblemReport, ReloadReport};
use crate::api::admin::contract::{answer, not_stored, problem};
use crate::api::openapi::{Description, Shape};
use crate::api::problem::{self as problems, Problem};
use crate::auth::scope;
use crate::http::contract::{Access, BodyRule, Note, Request, Response, Route, Trace, Verb};

/// Looks at the configuration, and replaces it.
#[async_trait]
pub trait Reconfigure: Send + Sync + 'static {
    /// What runs, and what is on disk.
    async fn show(&self) -> ConfigurationReport;
    /// What a reload would change.
    async fn plan(&self) -> Result<PlanReport, NotReloaded>;
    /// Reads the files again and goes by them from now on, all or nothing. It is done to its end, whoever asks.
    async fn reload(&self) -> Result<ReloadReport, NotReloaded>;
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReloaded {
    /// The files cannot be used; what is wrong with them.
    Refused(Vec<ProblemReport>),
    /// It cannot be done now.
    Unavailable(String),
}

/// Who does it, once the appliance has started: the admin listener answers before that.
pub type LateReconfigure = Arc<OnceLock<Arc<dyn Reconfigure>>>;

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::api::admin) enum Operation {
    Show,
    Plan,
    Reload,
}

/// The routes of the configuration.
pub(in crate::api::admin) const ROUTES: [Route<Operation>; 3] = [
    route(Verb::Get, "/configuration", Operation::Show, "configuration", Trace::None),
    route(Verb::Get, "/configuration/plan", Operation::Plan, "plan", Trace::None),
    route(Verb::Post, "/configuration/reload", Operation::Reload, "reload", Trace::Change("configuration.reload")),
];

const fn route(
    method: Verb,
    path: &'static str,
    operation: Operation,
    label: &'static str,
    trace: Trace,
) -> Route<Operation> {
    let body = match trace {
        Trace::None => BodyRule::None,
        Trace::Change(_) => BodyRule::Ordinary,
    };
    Route { method, path, operation, label, access: Access::Scope(scope::OPERATE), body, trace }
}

/// Answers a request; problems are explained at `public_url`.
pub(in crate::api::admin) async fn call(
    operation: Operation,
    request: &Request,
    late: &LateReconfigure,
    public_url: &str,
) -> Response {
    if !request.query.is_empty() {
        return problem(public_url, Problem::InvalidRequest, "The path takes no parameters.");
    }
    if matches!(operation, Operation::Reload) && !asks_for_nothing(&request.body) {
        return problem(public_url, Problem::InvalidRequest, "The body must be empty, or an empty JSON object.");
    }
    let Some(configuration) = late.get() else {
        let detail = "The appliance is starting: /health/ready says how far it is.";
        return problem(public_url, Problem::Unavailable, detail);
    };
    match operation {
        Operation::Show => shown(&configuration.show().await),
        Operation::Plan => or_why(configuration.plan().await, public_url),
        Operation::Reload => {
            let outcome = configuration.reload().await;
            let digest = outcome.as_ref().ok().map(|report| report.digest.clone());
            let response = or_why(outcome, public_url);
            match digest {
                Some(digest) => response.about(digest),
                None => response,
            }
        }
    }
}

/// Whether a body is none, or `{}`: a member would mean something that is not done.
fn asks_for_nothing(body: &[u8]) -> bool {
    body.is_empty() || serde_json::from_slice::<serde_json::Map<_, _>>(body).is_ok_and(|members| members.is_empty())
}

fn or_why(outcome: Result<impl Serialize, NotReloaded>, public_url: &str) -> Response {
    match outcome {
        Ok(report) => shown(&report),
        Err(why) => not_done(&why, public_url),
    }
}

fn shown(report: &impl Serialize) -> Response {
    let body = serde_json::to_vec(report).expect("texts, numbers and truth values have a JSON form");
    answer(StatusCode::OK, "application/json", body)
}

/// A problem with the problems of the files in it (RFC 9457, 3.2).
#[derive(Serialize)]
struct Refused<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: String,
    problems: &'a [ProblemReport],
}

fn not_done(why: &NotReloaded, public_url: &str) -> Response {
    let found = match why {
        NotReloaded::Refused(problems) => problems,
        NotReloaded::Unavailable(detail) => return problem(public_url, Problem::Unavailable, detail),
    };
    let problems::ProblemText { name, title, status, .. } = Problem::BadConfiguration.text();
    let errors = found.iter().filter(|problem| problem.is_error()).count();
    let body = Refused {
        r#type: format!("{public_url}/problems/{name}"),
        title,
        status: status.as_u16(),
        detail: format!(
            "Nothing was changed: there are {errors} errors in the configuration, and `problems` has them."
        ),
        problems: found,
    };
    let body = serde_json::to_vec(&body).expect("texts and numbers have a JSON form");
    let note = Note { reason: Some(format!("the configuration has {errors} errors")), ..Note::default() };
    not_stored(Response::with_body(status, problems::MEDIA_TYPE, body)).noted(note)
}

/// What the document says of an operation.
pub(in crate::api::admin) fn describe(operation: Operation, public_url: &str) -> Description {
    let description = match operation {
        Operation::Show => describe_show(),
        Operation::Plan => bad_files(describe_plan(), public_url),
        Operation::Reload => bad_files(describe_reload(), public_url),
    };
    let starting = problem(public_url, Problem::Unavailable, "The appliance is starting.");
    let odd = problem(public_url, Problem::InvalidRequest, "The path takes no parameters.");
    description.fails("starting", "The appliance is starting.", &starting).fails(
        "odd",
        "There is a query, or a body that says something.",
        &odd,
    )
}

fn describe_show() -> Description {
    let report = ConfigurationReport {
        digest: DIGEST.to_owned(),
        since: "2018-01-23T04:56:22.123Z".to_owned(),
        source: "files".to_owned(),
        disk: DiskReport { digest: Some(DIGEST.to_owned()), problems: Vec::new() },
        ..ConfigurationReport::default()
    };
    let told = Description::new("Show the configuration", "What runs, and whether the files say the same.");
    told.answers("configuration", "What is known.", Shape::of::<ConfigurationReport>(), &shown(&report))
}

fn describe_plan() -> Description {
    let report = PlanReport { running: DIGEST.to_owned(), disk: DIGEST.to_owned(), ..PlanReport::default() };
    let text = "What a reload would change, key by key, and how many notifications each removal would strand.";
    let told = Description::new("Plan a reload", text);
    told.answers("plan", "The plan.", Shape::of::<PlanReport>(), &shown(&report))
}

fn describe_reload() -> Description {
    let report = ReloadReport { digest: DIGEST.to_owned(), ..ReloadReport::default() };
    let text = "Reads the files again, all or nothing. Keys that need a restart are named, and all else is applied. It \
                is done to its end, also if the caller hangs up.";
    let told = Description::new("Reload", text).may_take("application/json", Shape::object(), &[("reload", json!({}))]);
    told.answers("reloaded", "It is done.", Shape::of::<ReloadReport>(), &shown(&report))
}

/// The digest in the examples.
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn bad_files(description: Description, public_url: &str) -> Description {
    let found = ProblemReport {
        severity: "error".to_owned(),
        place: "/etc/tidings/tidings.toml:3:1".to_owned(),
        key: "server.lisen".to_owned(),
        message: "there is no such key".to_owned(),
        suggestion: Some("did you mean listen?".to_owned()),
    };
    let response = not_done(&NotReloaded::Refused(vec![found]), public_url);
    description.fails("bad-configuration", "The files cannot be used, and nothing was changed.", &response)
}
