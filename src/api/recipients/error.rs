//! What this contract answers instead of a table (contracts/recipients.md, "Errors").

use std::collections::BTreeMap;

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{RecipientsError, StoreError};
use crate::http::contract::{Refusal, Response};

/// What a caller is told to wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// Where what is wrong with the whole of a body is said.
const WHOLE: &str = "non_field_errors";

/// All that this contract answers instead of what was asked for.
#[derive(Clone, Debug)]
pub(super) enum Error {
    /// The body is not valid: all that is wrong.
    Invalid(Problems),
    /// The request is not well-formed.
    BadRequest(String),
    /// The credential is missing or bad.
    Unauthenticated(String),
    /// It is not good for this.
    Forbidden(String),
    /// No route has the path.
    NoSuchPath,
    /// The path has other methods.
    Method {
        /// The one that was used is not said: which there are.
        allow: String,
    },
    /// The configuration declares this group.
    Declared(String),
    /// The table is not the one that `If-Match` names.
    Changed,
    /// The body is not said to be JSON.
    MediaType,
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// Too many requests.
    TooMany(String),
    /// It cannot be done now.
    Unavailable(String),
    /// The store cannot.
    Store(StoreError),
    /// Something went wrong inside; what, is for the log.
    Internal(String),
}

/// What is wrong with a body, by notification.
pub(super) type Problems = BTreeMap<String, Problem>;

/// What is wrong with one list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ListProblem)]
#[serde(untagged)]
pub(super) enum Problem {
    /// With the whole list.
    Whole(Vec<String>),
    /// With addresses in it, each by its place from 0.
    Items(BTreeMap<String, Vec<String>>),
}

impl Problem {
    /// One with the whole list.
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self::Whole(vec![text.into()])
    }
}

/// What went wrong: in words, or for a body that is not valid by notification.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(untagged)]
pub(super) enum Body<'a> {
    /// In words.
    Detail {
        /// What is wrong, and what to do.
        detail: &'a str,
    },
    /// By notification; what is wrong with the whole body stands under `non_field_errors`.
    Problems(&'a BTreeMap<String, Problem>),
}

impl Error {
    /// The body is not what can be read.
    pub(super) fn unreadable(text: String) -> Self {
        Self::Invalid(Problems::from([(WHOLE.to_owned(), Problem::of(text))]))
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Declared(_) => StatusCode::CONFLICT,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) | Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> String {
        match self {
            // Its problems are shown in the place of this.
            Self::Invalid(_) => "The body is not valid.".to_owned(),
            Self::BadRequest(detail)
            | Self::Unauthenticated(detail)
            | Self::Forbidden(detail)
            | Self::TooMany(detail)
            | Self::Unavailable(detail) => detail.clone(),
            Self::NoSuchPath => "Not found.".to_owned(),
            Self::Method { allow } => format!("Method not allowed. This path has only: {allow}."),
            Self::Declared(group) => format!(
                "The notifications of the group [{group}] are declared in the server's configuration; only its operator \
                 can change them, there."
            ),
            Self::Changed => {
                "The notifications are not those that If-Match names (any more): get them again, and change those."
                    .to_owned()
            }
            Self::MediaType => {
                "Unsupported media type: the Content-Type must be application/json, in UTF-8.".to_owned()
            }
            Self::TooLarge(limit) => format!("The body is larger than {limit} bytes, which is the limit."),
            Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                "The server cannot use its data file at present. Try again later.".to_owned()
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => {
                "The server failed. Its log has the reason under the X-Request-Id of this answer.".to_owned()
            }
        }
    }

    /// The answer. What is not for the caller goes to the log, under the request's id.
    pub(super) fn answer(&self, request_id: &str) -> Response {
        match self {
            Self::Store(error) => tracing::error!(request_id, %error, "the store failed a call of the recipients API"),
            Self::Internal(detail) => tracing::error!(request_id, detail, "a call of the recipients API failed"),
            _ => {}
        }
        self.response()
    }

    /// The same without a word in the log.
    pub(super) fn response(&self) -> Response {
        let detail = self.detail();
        let body = match self {
            Self::Invalid(problems) => Body::Problems(problems),
            _ => Body::Detail { detail: &detail },
        };
        let body = serde_json::to_vec(&body).expect("texts and maps of them always have a JSON form");
        let response = Response::json(self.status(), body);
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
        } else {
            response
        }
    }
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoSuchPath => Self::NoSuchPath,
            Refusal::MethodNotAllowed { allow } => Self::Method { allow: allow.clone() },
            Refusal::Unauthenticated { detail } => Self::Unauthenticated(detail.clone()),
            Refusal::Forbidden { scope } => Self::Forbidden(format!("The token does not have the scope [{scope}].")),
            Refusal::NotAllowed { detail } => Self::Forbidden(detail.clone()),
            Refusal::TooManyRequests { detail, retry_after: _ } => Self::TooMany(detail.clone()),
            Refusal::BodyTooLarge { limit } => Self::TooLarge(*limit),
            Refusal::BadRequest { detail } => Self::BadRequest(detail.clone()),
            Refusal::BodyTimeout { seconds } => {
                Self::BadRequest(format!("The body did not arrive within {seconds} seconds."))
            }
            Refusal::Unavailable { detail } => Self::Unavailable(detail.clone()),
            Refusal::Internal => Self::Internal("the request was not answered".to_owned()),
        }
    }
}

impl From<RecipientsError> for Error {
    fn from(error: RecipientsError) -> Self {
        match error {
            RecipientsError::Declared { group } => Self::Declared(group),
            RecipientsError::Unsettled => Self::Unavailable(format!("Nothing was changed: {error}. Try again.")),
            RecipientsError::Store(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_the_framework_s_body() {
        let store = || StoreError::Unavailable { detail: "secret path".to_owned() };
        let corrupt = StoreError::Corrupt { detail: "secret record".to_owned() };
        for (error, status) in [
            (Error::BadRequest("two hosts".to_owned()), 400),
            (Error::Unauthenticated("no token".to_owned()), 401),
            (Error::Forbidden("no group".to_owned()), 403),
            (Error::NoSuchPath, 404),
            (Error::Method { allow: "GET".to_owned() }, 405),
            (RecipientsError::Declared { group: "acme".to_owned() }.into(), 409),
            (Error::Changed, 412),
            (Error::TooLarge(9), 413),
            (Error::MediaType, 415),
            (Error::TooMany("requests".to_owned()), 429),
            (Error::Internal("secret reason".to_owned()), 500),
            (Error::Store(corrupt), 500),
            (RecipientsError::Store(store()).into(), 503),
            (RecipientsError::Unsettled.into(), 503),
            (Error::Unavailable("busy".to_owned()), 503),
        ] {
            let response = error.answer("r");
            assert_eq!(response.status.as_u16(), status);
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(body.as_object().unwrap().len(), 1);
            assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
            assert!(!body.to_string().contains("secret"), "{body}");
            assert_eq!(response.headers.contains_key(RETRY_AFTER), status == 503);
        }
    }
}
