//! The admin listener's OpenAPI document.

use hyper::StatusCode;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::configuration;
use super::contract::{Live, Operation, answer, live, problem, ready, refused, table};
use super::exposition::{OPENMETRICS, PROMETHEUS};
use super::readiness::{Readiness, Wire};
use crate::api::openapi::{self, Description, Outline, Shape, header};
use crate::api::problem::{Body, Problem};

/// The document of the admin listener. It holds at whichever address it is found; `public_url` leads to the problems, and
/// with `token_path` to the tokens.
#[must_use]
pub fn document(public_url: &str, token_path: &str) -> String {
    let outline = Outline {
        title: "Health, metrics and configuration",
        text: "What the admin listener answers. Over TCP it answers only requests that name it by its own address or \
               localhost, and none that a page of another site sends. The operator's part of the events contract has a \
               document of its own, below its mount.",
        server: String::new(),
        public_url,
        token_url: format!("{public_url}{token_path}"),
        routes: &table(),
        describe: &|operation| describe(operation, public_url),
        refuse: &|refusal| refused(refusal, public_url),
        error: Shape::of::<Body<'_>>(),
    };
    outline.write()
}

fn describe(operation: Operation, public_url: &str) -> Description {
    let description = match operation {
        Operation::Live => Description::new("Liveness", "Whether the process answers at all.").answers(
            "live",
            "It answers.",
            Shape::of::<Live>(),
            &live(),
        ),
        Operation::Ready => readiness(),
        Operation::Metrics => metrics(),
        Operation::Configuration(operation) => configuration::describe(operation, public_url),
        Operation::Document => openapi::describe(),
    };
    let objection = "Host `evil.example` is not the admin listener's: ask it by its address, or by localhost";
    let foreign = problem(public_url, Problem::ForeignSite, objection);
    description.fails("foreign-site", "The request names another site.", &foreign)
}

fn readiness() -> Description {
    let unready = Readiness { reasons: vec!["the data file is being repaired".to_owned()], ..Readiness::default() };
    Description::new("Readiness", "Whether the appliance can do its work now, and if not, why.")
        .answers("ready", "It can.", Shape::of::<Wire<'_>>(), &ready(&Readiness::default()))
        .answers("unready", "It cannot.", Shape::of::<Wire<'_>>(), &ready(&unready))
}

fn metrics() -> Description {
    let samples = |media_type, end| {
        let text = "# HELP tidings_events_accepted_total Events accepted.\n\
                    # TYPE tidings_events_accepted_total counter\n\
                    tidings_events_accepted_total 42\n";
        answer(StatusCode::OK, media_type, format!("{text}{end}"))
    };
    let accept = "Metrics come as OpenMetrics where `application/openmetrics-text` is named, else in the Prometheus \
                  text format.";
    Description::new("Metrics", "For Prometheus.")
        .parameter(header("Accept", accept, ObjectBuilder::new().schema_type(Type::String)))
        .answers("prometheus", "The metrics.", Shape::text(), &samples(PROMETHEUS, ""))
        .answers("openmetrics", "The same as OpenMetrics.", Shape::text(), &samples(OPENMETRICS, "# EOF\n"))
}
