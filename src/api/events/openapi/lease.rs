//! The safe poll, as the document describes it.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::api::events::EventsSettings;
use crate::api::events::error::Error;
use crate::api::events::lease::{Operation, no_json};
use crate::api::events::problems::Problems;
use crate::api::events::safe_poll::{Page, SafePoll};
use crate::api::openapi::{Description, Shape, header, path};
use crate::api::prefer;
use crate::engine::PollError;
use crate::http::contract::Response;

/// What the document says of the operation of a safe poller.
pub(super) fn describe(operation: Operation, settings: &EventsSettings) -> Description {
    match operation {
        Operation::Lease => lease(settings),
    }
}

fn lease(settings: &EventsSettings) -> Description {
    let fault = |error: Error| error.answer(&settings.public_url, "");
    let id = "0198f0c2-7c1e-7a32-9f6b-000000040001";
    let asked = json!({
        "maxEvents": 100,
        "returnImmediately": true,
        "ack": [id],
        "setErrs": {"0198f0c2-7c1e-7a32-9f6b-000000040002": {"err": "invalid_request", "description": "no such user"}},
        "leaseSeconds": 60,
    });
    let text = || ObjectBuilder::new().schema_type(Type::String);
    Description::new(
        "Poll safely",
        format!(
            "Leases notifications of any subscription with a queue, in the shape of RFC 8936 with JSON events. What is \
             not acknowledged before its lease ends is handed out again, in order, until it is acknowledged or \
             expires; after {} hand-outs without an acknowledgement it is failed as `abandoned`. `ack` and `setErrs` \
             are committed before anything is waited for; ids that are unknown or have ended are ignored.",
            settings.max_handouts
        ),
    )
    .parameter(path("id", "The subscription's id.", text().min_length(Some(1)), "crm-accounts"))
    .parameter(header("Prefer", &preference(settings), text().examples(["wait=30"])))
    .takes("application/json", Shape::of::<SafePoll>(), &[("acknowledge and go on", asked)])
    .answers("leased", "What has been leased, which may be nothing.", Shape::of::<Page>(), &leased(id))
    .fails("invalid", "Something in the body is not valid.", &fault(invalid().into()))
    .fails(
        "no-such-subscription",
        "There is no such subscription, or it is another client's.",
        &fault(Error::not_leased(PollError::NotFound)),
    )
    .fails("media-type", "The body is not said to be `application/json`.", &fault(no_json()))
}

fn leased(id: &str) -> Response {
    let event = json!({
        "specversion": "1.0",
        "id": "e-1",
        "source": "/crm",
        "type": "301",
        "time": "2018-01-23T04:56:22.123456Z",
        "datacontenttype": "application/json",
        "data": {"user": {"id": "42"}},
    });
    let body = json!({"sets": {id: event}, "order": [id], "moreAvailable": true});
    Response::json(StatusCode::OK, body.to_string())
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(prefer::APPLIED, HeaderValue::from_static("wait"))
}

fn invalid() -> Problems {
    let mut problems = Problems::default();
    problems.invalid("/maxEvents".to_owned(), "must be a whole number from 0 to 1000");
    problems
}

fn preference(settings: &EventsSettings) -> String {
    format!(
        "`wait=N` (RFC 7240): where nothing waits and `returnImmediately` is not true, the request is held until \
         something arrives, for at most N seconds (30 without it), and never more than {}. Other preferences are \
         ignored, what is malformed too.",
        settings.max_wait.as_secs()
    )
}
