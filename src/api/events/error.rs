//! What this contract answers instead of a receipt: problem+json (RFC 9457).

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};

use super::form::Form;
use super::problems::Problems;
use crate::api::problem::{self, FieldError, Problem};
use crate::engine::{PollError, PublishError, StoreError};
use crate::http::contract::{Refusal, Response};

/// What a caller is told to wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// A problem and what a caller is told about it.
#[derive(Debug)]
pub(super) struct Error {
    problem: Problem,
    detail: String,
    errors: Vec<FieldError>,
    /// What is for the log only.
    cause: Option<String>,
}

impl Error {
    /// A problem without places in the body.
    pub(super) fn new(problem: Problem, detail: impl Into<String>) -> Self {
        Self { problem, detail: detail.into(), errors: Vec::new(), cause: None }
    }

    /// The body is larger than `limit` bytes.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(Problem::BodyTooLarge, problem::too_large(limit))
    }

    /// The server's own fault: `cause` is for the log.
    pub(super) fn inside(cause: String) -> Self {
        Self::caused_by(Problem::Internal, "The server failed.", cause)
    }

    /// All that is wrong with a request that stores nothing.
    pub(super) fn listing(problems: Problems) -> Self {
        let detail = match problems.len() {
            1 => "One thing is wrong with the request (see errors); nothing was done.".to_owned(),
            n => format!("{n} things are wrong with the request (see errors); nothing was done."),
        };
        Self { errors: problems.fields, ..Self::new(Problem::InvalidRequest, detail) }
    }

    /// The same problem, of which there is more to be said.
    #[must_use]
    pub(super) fn with_detail(self, more: &str) -> Self {
        Self { detail: format!("{} {more}", self.detail), ..self }
    }

    fn caused_by(problem: Problem, detail: &str, cause: String) -> Self {
        Self { cause: Some(cause), ..Self::new(problem, detail) }
    }

    /// Why the engine stored nothing.
    pub(super) fn not_published(error: PublishError, form: Form) -> Self {
        match error {
            PublishError::Refused(refused) => {
                let mut problems = Problems::default();
                for one in refused {
                    problems.objection(&form.pointer(one.index), one.objection);
                }
                problems.into()
            }
            PublishError::Conflict { index } => Self::conflict(form.pointer(index)),
            PublishError::TooManyTargets { .. } | PublishError::Full { .. } | PublishError::Unsettled => {
                Self::new(Problem::Unavailable, format!("Nothing was stored: {error}."))
            }
            PublishError::NoRoom(room) => {
                Self::new(Problem::InsufficientStorage, format!("Nothing was stored: {room}."))
            }
            PublishError::Store(error) => error.into(),
        }
    }

    /// Why nothing was leased.
    pub(super) fn not_leased(error: PollError) -> Self {
        match error {
            PollError::NotFound => Self::new(Problem::NotFound, "There is no such subscription of this client."),
            PollError::TooManyWaiting { limit } => Self::new(
                Problem::TooManyRequests,
                format!("{limit} polls of the client are waiting, which is the limit; nothing was acknowledged."),
            ),
            PollError::Store(error) => error.into(),
        }
    }

    /// The caller may not publish this; there is at least one error.
    pub(super) fn out_of_bounds(errors: Vec<FieldError>) -> Self {
        let detail =
            "The credential may not publish this: its entry bounds what it may (see errors); nothing was stored.";
        Self { errors, ..Self::new(Problem::Forbidden, detail) }
    }

    /// The event at `pointer` has another one's identity.
    pub(super) fn conflict(pointer: String) -> Self {
        let detail = "has the id and source of an event with another type, subject, audience or data".to_owned();
        Self {
            errors: vec![FieldError { pointer, detail }],
            ..Self::new(Problem::IdentityConflict, "Another event has this identity; nothing was stored.")
        }
    }

    /// The answer. What is not for the caller goes to the log, under the request's id.
    pub(super) fn answer(&self, public_url: &str, request_id: &str) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(request_id, cause, "a call of the events API failed");
        }
        let response = problem::answer(public_url, self.problem, &self.detail, &self.errors);
        if matches!(response.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE) {
            response.header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
        } else {
            response
        }
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let detail = match problems.len() {
            1 => "One thing is wrong with the body (see errors); nothing was stored.".to_owned(),
            n if problems.unlisted > 0 => {
                let listed = problems.fields.len();
                format!("{n} things are wrong with the body, of which errors lists {listed}; nothing was stored.")
            }
            n => format!("{n} things are wrong with the body (see errors); nothing was stored."),
        };
        let problem = problems.problem();
        Self { errors: problems.fields, ..Self::new(problem, detail) }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let cause = error.to_string();
        match error {
            StoreError::Unavailable { .. } | StoreError::Closed => {
                Self::caused_by(Problem::Unavailable, "The server cannot use its data file at present.", cause)
            }
            StoreError::Corrupt { .. } => Self::inside(cause),
        }
    }
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        let (problem, detail) = problem::refused(refusal, "No operation of this API has this path.");
        Self::new(problem, detail)
    }
}
