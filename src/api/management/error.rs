//! The contract's error body (contracts/management.md, "Errors").

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use crate::engine::{
    ChangeError, NotDone, NotReplayed, ReplayError, StoreError, SubscriptionRefused, UnsubscribeError,
};
use crate::http::contract::{Refusal, Response};

/// All that this contract answers instead of what was asked for.
#[derive(Clone, Debug)]
pub(super) enum Error {
    /// The body is not valid: all that is wrong, each with the member.
    Invalid(Vec<String>),
    /// The request is not valid, for another reason.
    Bad(String),
    /// The credential is missing or bad.
    Unauthenticated,
    /// The scope is missing.
    Forbidden(&'static str),
    /// The credential is not good for this, for another reason.
    NotAllowed(String),
    /// No route has the path.
    NoSuchPath,
    /// There is none of these, or it is somebody else's.
    NotFound(&'static str),
    /// The path has other methods.
    Method {
        /// Which.
        allow: String,
    },
    /// It cannot be done with what it is asked of as that is, or a limit of number is reached.
    Conflict(String),
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

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status_code: u16,
    #[schema(schema_with = message)]
    message: Message,
}

/// One text, or one for each problem of a body.
#[derive(Serialize)]
#[serde(untagged)]
enum Message {
    One(String),
    Each(Vec<String>),
}

fn message() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let both = OneOfBuilder::new()
        .description(Some("What is wrong; where a body is not valid, a text for each of its problems, with its place."))
        .item(RefOr::<Schema>::from(text()))
        .item(RefOr::<Schema>::from(ArrayBuilder::new().items(text()).min_items(Some(1))));
    Schema::OneOf(both.build())
}

/// What is invalid is listed up to this many; the rest is counted.
const MAX_LISTED: usize = 100;

/// What a caller is told to wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

impl Error {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::NotAllowed(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPath | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) | Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn message(&self) -> Message {
        Message::One(match self {
            Self::Invalid(problems) => return Message::Each(listed(problems)),
            Self::Bad(detail)
            | Self::NotAllowed(detail)
            | Self::Conflict(detail)
            | Self::TooMany(detail)
            | Self::Unavailable(detail) => detail.clone(),
            // The published word; `WWW-Authenticate` and the log say more.
            Self::Unauthenticated => "Unauthorized".to_owned(),
            Self::Forbidden(scope) => format!("The token does not have the scope {scope}."),
            Self::NoSuchPath => "No operation of this API has this path.".to_owned(),
            Self::NotFound(what) => format!("There is no such {what}."),
            Self::Method { allow } => format!("This path has only: {allow}."),
            Self::TooLarge(limit) => format!("The body is larger than {limit} bytes, which is the limit."),
            Self::MediaType => "The Content-Type must be application/json, in UTF-8.".to_owned(),
            Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                "The server cannot use its data file at present. Try again later.".to_owned()
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => {
                "The server failed. Its log has the reason under the X-Request-Id of this answer.".to_owned()
            }
        })
    }

    /// The answer. What is not for the caller goes to the log, under the request's id.
    pub(super) fn answer(&self, request_id: &str) -> Response {
        match self {
            Self::Store(error) => tracing::error!(request_id, %error, "the store failed a call of the management API"),
            Self::Internal(detail) => tracing::error!(request_id, detail, "a call of the management API failed"),
            _ => {}
        }
        self.response()
    }

    /// The same without a word in the log.
    pub(super) fn response(&self) -> Response {
        let status = self.status();
        let body = Body { status_code: status.as_u16(), message: self.message() };
        let body = serde_json::to_vec(&body).expect("numbers and strings always have a JSON form");
        let response = Response::json(status, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
        } else {
            response
        }
    }
}

/// The problems, of a bounded number.
fn listed(problems: &[String]) -> Vec<String> {
    let mut listed: Vec<_> = problems.iter().take(MAX_LISTED).cloned().collect();
    if problems.len() > listed.len() {
        listed.push(format!("and {} more", problems.len() - listed.len()));
    }
    listed
}

/// A subscription that is not there for a caller.
pub(super) const NO_SUBSCRIPTION: Error = Error::NotFound("subscription");

/// A notification that is not there for a caller.
pub(super) const NO_NOTIFICATION: Error = Error::NotFound("notification");

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoSuchPath => Self::NoSuchPath,
            Refusal::MethodNotAllowed { allow } => Self::Method { allow: allow.clone() },
            Refusal::Unauthenticated { detail: _ } => Self::Unauthenticated,
            Refusal::Forbidden { scope } => Self::Forbidden(scope),
            Refusal::NotAllowed { detail } => Self::NotAllowed(detail.clone()),
            Refusal::TooManyRequests { detail, retry_after: _ } => Self::TooMany(detail.clone()),
            Refusal::BodyTooLarge { limit } => Self::TooLarge(*limit),
            Refusal::BadRequest { detail } => Self::Bad(detail.clone()),
            Refusal::BodyTimeout { seconds } => Self::Bad(format!("The body did not arrive within {seconds} seconds.")),
            Refusal::Unavailable { detail } => Self::Unavailable(detail.clone()),
            Refusal::Internal => Self::Internal("the request was not answered".to_owned()),
        }
    }
}

fn declared(id: impl std::fmt::Display) -> Error {
    Error::Conflict(format!(
        "The subscription is declared in the server's configuration as {id}; only its operator can change it, there."
    ))
}

impl From<SubscriptionRefused> for Error {
    fn from(error: SubscriptionRefused) -> Self {
        match error {
            SubscriptionRefused::EventTypes(_) => {
                Self::Invalid(vec!["eventType: is not an event type that can be subscribed to here".to_owned()])
            }
            SubscriptionRefused::TooMany { limit } => {
                Self::Conflict(format!("The client has {limit} subscriptions, which is the limit; delete one."))
            }
            SubscriptionRefused::Refused(detail) => Self::Internal(detail),
            SubscriptionRefused::Store(error) => Self::Store(error),
        }
    }
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => NO_SUBSCRIPTION,
            ChangeError::Declared(id) => declared(id),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<UnsubscribeError> for Error {
    fn from(error: UnsubscribeError) -> Self {
        match error {
            UnsubscribeError::NotFound => NO_SUBSCRIPTION,
            UnsubscribeError::Declared(id) => declared(id),
            UnsubscribeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<NotReplayed> for Error {
    fn from(error: NotReplayed) -> Self {
        match error {
            NotReplayed::NotDone(NotDone::NotFound) => NO_NOTIFICATION,
            NotReplayed::Store(error) => Self::Store(error),
            reason @ (NotReplayed::Cancelled | NotReplayed::NotDone(_)) => {
                Self::Conflict(format!("The notification was not replayed: {reason}."))
            }
        }
    }
}

impl From<ReplayError> for Error {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::TooMuch { queued } => Self::Conflict(format!(
                "{queued} notifications were replayed; {error}: say event.from, and go on from there."
            )),
            ReplayError::Store(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_the_published_body() {
        let store = StoreError::Unavailable { detail: "secret path".to_owned() };
        let corrupt = StoreError::Corrupt { detail: "secret record".to_owned() };
        for (error, status) in [
            (Error::Invalid(vec!["limit: is missing".to_owned()]), 400),
            (Error::Bad("a header".to_owned()), 400),
            (Error::Unauthenticated, 401),
            (Error::Forbidden("s"), 403),
            (Error::NotAllowed("not from here".to_owned()), 403),
            (Error::NoSuchPath, 404),
            (NO_SUBSCRIPTION, 404),
            (Error::Method { allow: "GET".to_owned() }, 405),
            (Error::Conflict("limit".to_owned()), 409),
            (Error::TooLarge(9), 413),
            (Error::MediaType, 415),
            (Error::TooMany("requests".to_owned()), 429),
            (Error::Internal("secret reason".to_owned()), 500),
            (Error::Store(corrupt), 500),
            (Error::Store(store), 503),
            (Error::Store(StoreError::Closed), 503),
            (Error::Unavailable("busy".to_owned()), 503),
        ] {
            let response = error.answer("r");
            assert_eq!(response.status.as_u16(), status);
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(body["statusCode"], status);
            assert_eq!(body["message"].is_array(), matches!(error, Error::Invalid(_)), "{body}");
            assert_eq!(body.as_object().unwrap().len(), 2);
            assert!(!body.to_string().contains("secret"), "{body}");
            assert_eq!(response.headers.contains_key(RETRY_AFTER), status == 503);
        }
    }

    #[test]
    fn the_published_example_is_what_is_answered() {
        assert_eq!(Error::Unauthenticated.response().body, r#"{"statusCode":401,"message":"Unauthorized"}"#);
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let texts = listed(&vec!["x".to_owned(); 250]);
        assert_eq!((texts.len(), texts[100].as_str()), (101, "and 150 more"));
    }
}
