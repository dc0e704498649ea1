//! The documents, from the descriptions of the contract's parts.

use hyper::header::{CACHE_CONTROL, HeaderValue};

use super::{lease, publish};
use crate::api::events::contract::{Operation, table};
use crate::api::events::customers;
use crate::api::events::error::Error;
use crate::api::events::operator::{self, Alone, table_alone};
use crate::api::events::{EventsSettings, OperatorSettings};
use crate::api::openapi::{self, Description, Outline, Shape};
use crate::api::problem::{self, Problem};
use crate::http::contract::{Refusal, Response};

/// The document of the contract with these settings; without a public URL it holds wherever it is found.
#[must_use]
pub fn document(settings: &EventsSettings) -> String {
    let EventsSettings { public_url, mount, token_path, .. } = settings;
    let outline = Outline {
        title: "Events",
        text: "Publish events, as CloudEvents 1.0 or as plain JSON; poll them safely, by lease and acknowledgement; \
               and, for the operator, look at what became of them and act. Errors are RFC 9457 problems, whose `type` \
               leads to an explanation. An answer may get further members in a later release.",
        server: format!("{public_url}{mount}"),
        public_url,
        token_url: format!("{public_url}{token_path}"),
        routes: &table(),
        describe: &|operation| describe(operation, settings),
        refuse: &|refusal| refused(refusal, public_url),
        error: Shape::of::<problem::Body<'_>>(),
    };
    outline.write()
}

/// The document of the operator half as the admin listener serves it, at whichever address it is found.
#[must_use]
pub fn operator_document(settings: &OperatorSettings) -> String {
    let OperatorSettings { mount, public_url, token_path } = settings;
    let outline = Outline {
        title: "Look and act",
        text: "The operator's part of the events contract, as the admin listener serves it, and what it has besides for \
               credentials, the clock and suppressed addresses. On its unix socket a process of this machine needs no token. Over TCP, and from a browser, only requests are answered that \
               name the listener by its own address or localhost, and none that a page of another site sends.",
        server: mount.clone(),
        public_url,
        token_url: format!("{public_url}{token_path}"),
        routes: &table_alone(),
        describe: &|operation| describe_guarded(operation, public_url),
        refuse: &|refusal| refused(refusal, public_url),
        error: Shape::of::<problem::Body<'_>>(),
    };
    outline.write()
}

fn refused(refusal: &Refusal, public_url: &str) -> Response {
    Error::from(refusal).answer(public_url, "")
}

fn describe(operation: Operation, settings: &EventsSettings) -> Description {
    match operation {
        Operation::Publish(operation) => publish::describe(operation, settings),
        Operation::Lease(operation) => lease::describe(operation, settings),
        Operation::Operator(operation) => operator::describe(operation, &settings.public_url),
        Operation::Customers(operation) => customers::describe(operation, settings),
        Operation::Document => openapi::describe(),
    }
}

/// The same for the admin listener, whose guard has a say besides.
fn describe_guarded(operation: Alone, public_url: &str) -> Description {
    let description = match operation {
        Alone::Operator(operation) => operator::describe(operation, public_url),
        Alone::Credentials(operation) => operator::describe_credentials(operation, public_url),
        Alone::Clock(operation) => operator::describe_clock(operation, public_url),
        Alone::Suppressions(operation) => operator::describe_suppressions(operation, public_url),
        Alone::Document => openapi::describe(),
    };
    let objection = "Host `evil.example` is not the admin listener's: ask it by its address, or by localhost";
    let foreign = problem::answer(public_url, Problem::ForeignSite, objection, &[]);
    let foreign = foreign.header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    description.fails("foreign-site", "The request names another site.", &foreign)
}
