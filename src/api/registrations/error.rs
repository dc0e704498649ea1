//! The contract's errors (contracts/registrations.md, "Errors").

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{ActError, ChangeError, NotDone, StoreError, SubscriptionRefused, UnsubscribeError};
use crate::http::contract::{Refusal, Response};
use crate::model::id::SubscriptionId;

/// All that this contract answers instead of what was asked for.
#[derive(Clone, Debug)]
pub(super) enum Error {
    /// The request is not valid: all that is wrong.
    Invalid(Vec<Problem>),
    /// The credential is missing or bad.
    Unauthenticated(String),
    /// The scope is missing.
    Forbidden(&'static str),
    /// The credential is not good for this, for another reason.
    NotAllowed(String),
    /// No route has the path.
    NoSuchPath,
    /// The path has other methods.
    Method {
        /// Which.
        allow: String,
    },
    /// There is none of what the path or the query names, or it is another subscriber's.
    NotFound(What),
    /// It does not go together with what there is.
    Conflict(Problem),
    /// The configuration declares the registration.
    Declared(SubscriptionId),
    /// Over a limit of number.
    Limit(String),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The body is not said to be JSON.
    MediaType,
    /// Too many requests.
    TooMany(String),
    /// It cannot be done now.
    Unavailable(String),
    /// The store cannot.
    Store(StoreError),
    /// Something went wrong inside; what, is for the log.
    Internal(String),
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Which member, parameter or header it is about, for example `eventTypes[2]`.
    pub(super) field: Option<String>,
    /// What is wrong with it.
    pub(super) message: String,
}

/// What there is none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A registration.
    Registration,
    /// A notification.
    Notification,
    /// A domain of webhooks.
    Domain,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Errors)]
pub(super) struct Body {
    /// All that is wrong; at least one.
    #[schema(min_items = 1)]
    errors: Vec<Item>,
}

/// One thing that is wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
struct Item {
    /// Which error it is.
    #[schema(pattern = r"^TDG\.REG\.0(0[1-9]|1[0-4])$")]
    code: &'static str,
    /// What is wrong, and what to do.
    message: String,
    /// The member, parameter or header that it is about.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// What is invalid is listed up to this many; the rest is counted.
const MAX_LISTED: usize = 100;

/// What a caller is told to wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

impl Problem {
    /// Something that is wrong with `field`.
    pub(super) fn of(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), message: message.into() }
    }

    fn plain(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into() }
    }
}

impl Error {
    const fn row(&self) -> (&'static str, StatusCode) {
        match self {
            Self::Invalid(_) => ("TDG.REG.001", StatusCode::BAD_REQUEST),
            Self::Unauthenticated(_) => ("TDG.REG.002", StatusCode::UNAUTHORIZED),
            Self::Forbidden(_) | Self::NotAllowed(_) => ("TDG.REG.003", StatusCode::FORBIDDEN),
            Self::NoSuchPath => ("TDG.REG.004", StatusCode::NOT_FOUND),
            Self::Method { .. } => ("TDG.REG.005", StatusCode::METHOD_NOT_ALLOWED),
            Self::NotFound(_) => ("TDG.REG.006", StatusCode::NOT_FOUND),
            Self::Conflict(_) => ("TDG.REG.007", StatusCode::CONFLICT),
            Self::Declared(_) => ("TDG.REG.008", StatusCode::CONFLICT),
            Self::Limit(_) => ("TDG.REG.009", StatusCode::CONFLICT),
            Self::TooLarge(_) => ("TDG.REG.010", StatusCode::PAYLOAD_TOO_LARGE),
            Self::MediaType => ("TDG.REG.011", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::TooMany(_) => ("TDG.REG.012", StatusCode::TOO_MANY_REQUESTS),
            Self::Unavailable(_) | Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                ("TDG.REG.013", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => {
                ("TDG.REG.014", StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let message = match self {
            Self::Invalid(problems) => return listed(problems),
            Self::Conflict(problem) => return vec![problem.clone()],
            Self::Unauthenticated(detail)
            | Self::NotAllowed(detail)
            | Self::TooMany(detail)
            | Self::Limit(detail)
            | Self::Unavailable(detail) => detail.clone(),
            Self::Forbidden(scope) => format!("The token does not have the scope [{scope}]."),
            Self::NoSuchPath => "No operation of this API has this path.".to_owned(),
            Self::Method { allow } => format!("This path has only: {allow}."),
            Self::NotFound(What::Registration) => "There is no such registration.".to_owned(),
            Self::NotFound(What::Notification) => "There is no such notification.".to_owned(),
            Self::NotFound(What::Domain) => "There is no such webhook domain.".to_owned(),
            Self::Declared(id) => format!(
                "The registration is declared in the server's configuration as [{id}]; only its operator can change \
                 it, there."
            ),
            Self::TooLarge(limit) => format!("The body is larger than {limit} bytes, which is the limit."),
            Self::MediaType => "The Content-Type must be application/json, in UTF-8.".to_owned(),
            Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                "The server cannot use its data file at present. Try again later.".to_owned()
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => {
                "The server failed. Its log has the reason under the X-Request-Id of this answer.".to_owned()
            }
        };
        vec![Problem::plain(message)]
    }

    /// The answer. What is not for the caller goes to the log, under the request's id.
    pub(super) fn answer(&self, request_id: &str) -> Response {
        match self {
            Self::Store(error) => tracing::error!(request_id, %error, "the store failed a registrations call"),
            Self::Internal(detail) => tracing::error!(request_id, detail, "a call of the registrations API failed"),
            _ => {}
        }
        self.response()
    }

    /// The same without a word in the log.
    pub(super) fn response(&self) -> Response {
        let (code, status) = self.row();
        let item = |Problem { field, message }| Item { code, message, field };
        let body = Body { errors: self.problems().into_iter().map(item).collect() };
        let body = serde_json::to_vec(&body).expect("strings always have a JSON form");
        let response = Response::json(status, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
        } else {
            response
        }
    }
}

/// The first of them, and how many more there are.
fn listed(problems: &[Problem]) -> Vec<Problem> {
    let mut listed: Vec<_> = problems.iter().take(MAX_LISTED).cloned().collect();
    match problems.len() - listed.len() {
        0 => {}
        more => listed.push(Problem::plain(format!("and {more} more"))),
    }
    listed
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoSuchPath => Self::NoSuchPath,
            Refusal::MethodNotAllowed { allow } => Self::Method { allow: allow.clone() },
            Refusal::Unauthenticated { detail } => Self::Unauthenticated(detail.clone()),
            Refusal::Forbidden { scope } => Self::Forbidden(scope),
            Refusal::NotAllowed { detail } => Self::NotAllowed(detail.clone()),
            Refusal::TooManyRequests { detail, retry_after: _ } => Self::TooMany(detail.clone()),
            Refusal::BodyTooLarge { limit } => Self::TooLarge(*limit),
            Refusal::BadRequest { detail } => Self::Invalid(vec![Problem::plain(detail)]),
            Refusal::BodyTimeout { seconds } => {
                Self::Invalid(vec![Problem::plain(format!("the body did not arrive within {seconds} seconds"))])
            }
            Refusal::Unavailable { detail } => Self::Unavailable(detail.clone()),
            Refusal::Internal => Self::Internal("the request was not answered".to_owned()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SubscriptionRefused> for Error {
    fn from(error: SubscriptionRefused) -> Self {
        match error {
            SubscriptionRefused::EventTypes(ids) => {
                let problem = |id| Problem::of("eventTypes", format!("[{id}] cannot be subscribed to here"));
                Self::Invalid(ids.iter().map(problem).collect())
            }
            SubscriptionRefused::TooMany { limit } => {
                Self::Limit(format!("The client has {limit} registrations, which is the limit; delete one."))
            }
            SubscriptionRefused::Refused(detail) => Self::Internal(detail),
            SubscriptionRefused::Store(error) => Self::Store(error),
        }
    }
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => Self::NotFound(What::Registration),
            ChangeError::Declared(id) => Self::Declared(id),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<UnsubscribeError> for Error {
    fn from(error: UnsubscribeError) -> Self {
        match error {
            UnsubscribeError::NotFound => Self::NotFound(What::Registration),
            UnsubscribeError::Declared(id) => Self::Declared(id),
            UnsubscribeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<ActError> for Error {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Store(error) => Self::Store(error),
            ActError::NotDone(NotDone::NotFound | NotDone::SubscriptionGone) => Self::NotFound(What::Notification),
            ActError::NotDone(
                because @ (NotDone::Ended | NotDone::Waiting | NotDone::EventExpired | NotDone::BodyGone),
            ) => Self::Conflict(Problem::plain(format!("The notification cannot be retried: {because}."))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_a_message_and_its_status() {
        let store = StoreError::Unavailable { detail: "secret path".to_owned() };
        let corrupt = StoreError::Corrupt { detail: "secret record".to_owned() };
        for (error, code, status) in [
            (Error::Invalid(vec![Problem::of("eventTypes[2]", "is unknown")]), "TDG.REG.001", 400),
            (Error::Unauthenticated("no token".to_owned()), "TDG.REG.002", 401),
            (Error::Forbidden("s"), "TDG.REG.003", 403),
            (Error::NotAllowed("not from here".to_owned()), "TDG.REG.003", 403),
            (Error::NoSuchPath, "TDG.REG.004", 404),
            (Error::Method { allow: "GET".to_owned() }, "TDG.REG.005", 405),
            (Error::NotFound(What::Registration), "TDG.REG.006", 404),
            (Error::Conflict(Problem::of("attributes.webhookURI", "is taken")), "TDG.REG.007", 409),
            (Error::Declared("d".into()), "TDG.REG.008", 409),
            (Error::Limit("100".to_owned()), "TDG.REG.009", 409),
            (Error::TooLarge(9), "TDG.REG.010", 413),
            (Error::MediaType, "TDG.REG.011", 415),
            (Error::TooMany("polls".to_owned()), "TDG.REG.012", 429),
            (Error::Unavailable("busy".to_owned()), "TDG.REG.013", 503),
            (Error::Store(store), "TDG.REG.013", 503),
            (Error::Store(StoreError::Closed), "TDG.REG.013", 503),
            (Error::Store(corrupt), "TDG.REG.014", 500),
            (Error::Internal("secret reason".to_owned()), "TDG.REG.014", 500),
        ] {
            let response = error.answer("r");
            assert_eq!(response.status.as_u16(), status);
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(body["errors"][0]["code"], code);
            assert!(!body["errors"][0]["message"].as_str().unwrap().is_empty());
            assert!(!body.to_string().contains("secret"), "{body}");
            assert_eq!(response.headers.contains_key(RETRY_AFTER), status == 503);
        }
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let all = listed(&vec![Problem::of("x", "y"); 250]);
        assert_eq!((all.len(), all.last().unwrap().message.as_str()), (101, "and 150 more"));
    }
}
