//! What this contract answers instead of 200 (contracts/trigger.md, "Errors").

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{PublishError, StoreError, TriggerError};
use crate::http::contract::{Refusal, Response};

/// What a caller is told to wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";
/// How many characters a text has at most.
const MAX_CHARACTERS: usize = 256;
/// How many problems are listed at most.
const MAX_LISTED: usize = 100;

/// All that this contract answers instead of 200.
#[derive(Clone, Debug)]
pub(super) enum Error {
    /// The request is not valid: all that is wrong.
    Invalid(Vec<String>),
    /// The key is missing, bad, or not good for this.
    Unauthorised(String),
    /// There is nobody to tell.
    NoRecipient,
    /// No route has the path.
    NoSuchPath,
    /// The path has other methods.
    Method {
        /// Which.
        allow: String,
    },
    /// The body is not said to be JSON.
    MediaType,
    /// It cannot be done now.
    Unavailable(String),
    /// The store cannot.
    Store(StoreError),
    /// Something went wrong inside; what, is for the log.
    Internal(String),
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    /// Which error it is.
    #[schema(max_length = 50)]
    code: &'static str,
    /// What it is, for people.
    #[schema(max_length = 256)]
    message: String,
    /// All that is wrong with the request.
    validation_errors: Vec<String>,
    /// Always empty.
    #[schema(max_items = 0)]
    debug_trace: [String; 0],
}

impl Error {
    const fn row(&self) -> (&'static str, StatusCode) {
        match self {
            Self::Invalid(_) => ("invalid-request", StatusCode::BAD_REQUEST),
            Self::Unauthorised(_) => ("authorization-failure", StatusCode::UNAUTHORIZED),
            Self::NoRecipient => ("recipient-not-found", StatusCode::NOT_FOUND),
            Self::NoSuchPath => ("not-found", StatusCode::NOT_FOUND),
            Self::Method { .. } => ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED),
            Self::MediaType => ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::Unavailable(_) | Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                ("service-unavailable", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => {
                ("internal-server-error", StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Invalid(_) => "The request is not valid: validationErrors says what is wrong.".to_owned(),
            Self::Unauthorised(detail) | Self::Unavailable(detail) => detail.clone(),
            Self::NoRecipient => "No customer is known by these parameters who could be told anywhere.".to_owned(),
            Self::NoSuchPath => "No operation of this API has this path.".to_owned(),
            Self::Method { allow } => format!("This path has only: {allow}."),
            Self::MediaType => "The Content-Type must be application/json, in UTF-8.".to_owned(),
            Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                "The server cannot use its data file at present. Try again later.".to_owned()
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => {
                "The server failed. Its log has the reason under the X-Request-Id of this answer.".to_owned()
            }
        }
    }

    fn validation_errors(&self) -> Vec<String> {
        match self {
            Self::Invalid(problems) => problems.iter().take(MAX_LISTED).map(|problem| cut(problem)).collect(),
            _ => Vec::new(),
        }
    }

    /// The answer. What is not for the caller goes to the log, under the request's id.
    pub(super) fn answer(&self, request_id: &str) -> Response {
        match self {
            Self::Store(error) => tracing::error!(request_id, %error, "the store failed a call of the trigger API"),
            Self::Internal(detail) => tracing::error!(request_id, detail, "a call of the trigger API failed"),
            _ => {}
        }
        self.response()
    }

    /// The same without a word in the log.
    pub(super) fn response(&self) -> Response {
        let (code, status) = self.row();
        let validation_errors = self.validation_errors();
        let body = Body { code, message: cut(&self.message()), validation_errors, debug_trace: [] };
        let body = serde_json::to_vec(&body).expect("texts always have a JSON form");
        let response = Response::json(status, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
        } else {
            response
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_CHARACTERS).collect()
}

impl From<&Refusal> for Error {
    /// The published list has no 403, 413 and 429.
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoSuchPath => Self::NoSuchPath,
            Refusal::MethodNotAllowed { allow } => Self::Method { allow: allow.clone() },
            Refusal::Unauthenticated { detail } | Refusal::NotAllowed { detail } => Self::Unauthorised(detail.clone()),
            Refusal::Forbidden { scope } => Self::Unauthorised(format!("The key does not have the scope [{scope}].")),
            Refusal::BodyTooLarge { limit } => {
                Self::Invalid(vec![format!("the body is larger than {limit} bytes, which is the limit")])
            }
            Refusal::BadRequest { detail } => Self::Invalid(vec![detail.clone()]),
            Refusal::BodyTimeout { seconds } => {
                Self::Invalid(vec![format!("the body did not arrive within {seconds} seconds")])
            }
            Refusal::TooManyRequests { detail, retry_after: _ } | Refusal::Unavailable { detail } => {
                Self::Unavailable(detail.clone())
            }
            Refusal::Internal => Self::Internal("the request was not answered".to_owned()),
        }
    }
}

impl From<TriggerError> for Error {
    fn from(error: TriggerError) -> Self {
        match error {
            TriggerError::NoRecipient => Self::NoRecipient,
            TriggerError::Publish(PublishError::Store(error)) => Self::Store(error),
            TriggerError::Publish(error) => Self::Unavailable(format!("Nothing was stored: {error}.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_row_of_the_published_list() {
        let corrupt = StoreError::Corrupt { detail: "secret record".to_owned() };
        for (error, code, status) in [
            (Error::Invalid(vec!["type: is missing".to_owned()]), "invalid-request", 400),
            (Error::from(&Refusal::BodyTooLarge { limit: 9 }), "invalid-request", 400),
            (Error::from(&Refusal::Forbidden { scope: "trigger" }), "authorization-failure", 401),
            (Error::from(&Refusal::NotAllowed { detail: "not from here".to_owned() }), "authorization-failure", 401),
            (TriggerError::NoRecipient.into(), "recipient-not-found", 404),
            (Error::NoSuchPath, "not-found", 404),
            (Error::Method { allow: "POST".to_owned() }, "method-not-allowed", 405),
            (Error::MediaType, "unsupported-media-type", 415),
            (Error::Internal("secret reason".to_owned()), "internal-server-error", 500),
            (Error::Store(corrupt), "internal-server-error", 500),
            (Error::from(TriggerError::Publish(PublishError::Full { waiting: 9 })), "service-unavailable", 503),
            (Error::Store(StoreError::Closed), "service-unavailable", 503),
        ] {
            let response = error.answer("r");
            assert_eq!(response.status.as_u16(), status);
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(body["code"], code);
            assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()));
            assert_eq!(body["validationErrors"].as_array().unwrap().is_empty(), status != 400);
            assert_eq!(body["debugTrace"], serde_json::json!([]));
            assert!(!body.to_string().contains("secret"), "{body}");
            assert_eq!(response.headers.contains_key(RETRY_AFTER), status == 503);
        }
    }

    #[test]
    fn texts_are_of_the_published_length() {
        let body = Error::Invalid(vec!["é".repeat(300); 300]).response().body;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["validationErrors"].as_array().unwrap().len(), MAX_LISTED);
        assert_eq!(body["validationErrors"][0].as_str().unwrap().chars().count(), MAX_CHARACTERS);
        let body = Error::Unavailable("x".repeat(300)).response().body;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["message"].as_str().unwrap().len(), MAX_CHARACTERS);
    }
}
