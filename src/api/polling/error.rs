//! The contract's error table (contracts/polling.md, "Errors").

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{PollError, ReadError, StoreError, SubscriptionRefused, UnsubscribeError};
use crate::http::contract::{Refusal, Response};
use crate::model::id::SubscriptionId;

/// All that this contract answers instead of what was asked for.
#[derive(Clone, Debug)]
pub(super) enum Error {
    /// The request is not valid: all that is wrong, each with the member, parameter or header.
    Invalid(Vec<String>),
    /// The credential is missing or bad.
    Unauthenticated(String),
    /// The scope is missing.
    Forbidden(&'static str),
    /// The credential is not good for this, for another reason.
    NotAllowed(String),
    /// Too many requests.
    TooMany(String),
    /// Over a limit of number.
    Limit(String),
    /// No route has the path.
    NoSuchPath,
    /// The path has other methods.
    Method {
        /// Which.
        allow: String,
    },
    /// There is no such subscription, or it is another client's.
    NoSuchSubscription {
        /// The id that was asked for.
        id: String,
        /// Who asked.
        client: String,
    },
    /// The body is not said to be JSON.
    MediaType,
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The configuration declares the subscription.
    Declared(SubscriptionId),
    /// It cannot be done now.
    Unavailable(String),
    /// The store cannot.
    Store(StoreError),
    /// Something went wrong inside; what, is for the log.
    Internal(String),
}

/// A row of the contract's table.
struct Row {
    code: &'static str,
    status: StatusCode,
    message: &'static str,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Body<'a> {
    /// Which error it is.
    #[schema(pattern = "^NOT0000(0[1-9]|1[0-2])$")]
    code: &'static str,
    /// The same again: two generations of clients read one or the other.
    #[schema(pattern = "^NOT0000(0[1-9]|1[0-2])$")]
    error_code: &'static str,
    /// The same in a few words.
    message: &'static str,
    /// What is wrong here; for an invalid request, with the names of the members.
    description: &'a str,
}

/// What is invalid is listed up to this many; the rest is counted.
const MAX_LISTED: usize = 100;

/// What a caller is told to wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

impl Error {
    fn row(&self) -> Row {
        let (code, status, message) = match self {
            Self::Invalid(_) => ("NOT000001", StatusCode::BAD_REQUEST, "Invalid request"),
            Self::Unauthenticated(_) => ("NOT000002", StatusCode::UNAUTHORIZED, "Not authenticated"),
            Self::Forbidden(_) | Self::NotAllowed(_) => ("NOT000003", StatusCode::FORBIDDEN, "Not allowed"),
            Self::NoSuchPath => ("NOT000004", StatusCode::NOT_FOUND, "Path not found"),
            Self::Method { .. } => ("NOT000005", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::NoSuchSubscription { .. } => ("NOT000006", StatusCode::NOT_FOUND, "Subscription not found"),
            Self::MediaType => ("NOT000007", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
            Self::TooLarge(_) => ("NOT000008", StatusCode::PAYLOAD_TOO_LARGE, "Body too large"),
            Self::Declared(_) => ("NOT000009", StatusCode::CONFLICT, "Declared in the configuration"),
            Self::Limit(_) => ("NOT000009", StatusCode::CONFLICT, "Limit reached"),
            Self::TooMany(_) => ("NOT000010", StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Self::Unavailable(_) | Self::Store(StoreError::Unavailable { .. } | StoreError::Closed) => {
                ("NOT000011", StatusCode::SERVICE_UNAVAILABLE, "Not available now")
            }
            Self::Store(StoreError::Corrupt { .. }) | Self::Internal(_) => {
                ("NOT000012", StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
            }
        };
        Row { code, status, message }
    }

    fn description(&self) -> String {
        match self {
            Self::Invalid(problems) => list(problems),
            Self::Unauthenticated(detail)
            | Self::NotAllowed(detail)
            | Self::TooMany(detail)
            | Self::Limit(detail)
            | Self::Unavailable(detail) => detail.clone(),
            Self::Forbidden(scope) => format!("The token does not have the scope [{scope}]."),
            Self::NoSuchPath => "No operation of this API has this path.".to_owned(),
            Self::Method { allow } => format!("This path has only: {allow}."),
            Self::NoSuchSubscription { id, client } => {
                format!("Subscription with id [{id}] for client_id [{client}] does not exist.")
            }
            Self::MediaType => "The Content-Type must be application/json, in UTF-8.".to_owned(),
            Self::TooLarge(limit) => format!("The body is larger than {limit} bytes, which is the limit."),
            Self::Declared(id) => format!(
                "Subscription [{id}] is declared in the server's configuration; only its operator can change it, there."
            ),
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
            Self::Store(error) => tracing::error!(request_id, %error, "the store failed a call of the polling API"),
            Self::Internal(detail) => tracing::error!(request_id, detail, "a call of the polling API failed"),
            _ => {}
        }
        self.response()
    }

    /// The same without a word in the log.
    pub(super) fn response(&self) -> Response {
        let Row { code, status, message } = self.row();
        let description = self.description();
        let body = Body { code, error_code: code, message, description: &description };
        let body = serde_json::to_vec(&body).expect("strings always have a JSON form");
        let response = Response::json(status, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
        } else {
            response
        }
    }
}

/// The problems in one text, of bounded length.
fn list(problems: &[String]) -> String {
    let listed = problems.len().min(MAX_LISTED);
    let text = problems[..listed].join("; ");
    match problems.len() - listed {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
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
            Refusal::BadRequest { detail } => Self::Invalid(vec![detail.clone()]),
            Refusal::BodyTimeout { seconds } => {
                Self::Invalid(vec![format!("the body did not arrive within {seconds} seconds")])
            }
            Refusal::Unavailable { detail } => Self::Unavailable(detail.clone()),
            Refusal::Internal => Self::Internal("the request was not answered".to_owned()),
        }
    }
}

/// A subscription that is not there for a caller.
pub(super) fn no_such_subscription(id: &str, client: &str) -> Error {
    Error::NoSuchSubscription { id: id.to_owned(), client: client.to_owned() }
}

pub(super) fn not_read(error: ReadError, id: &str, client: &str) -> Error {
    match error {
        ReadError::NotFound => no_such_subscription(id, client),
    }
}

pub(super) fn not_polled(error: PollError, id: &str, client: &str) -> Error {
    match error {
        PollError::NotFound => no_such_subscription(id, client),
        PollError::TooManyWaiting { limit } => {
            Error::TooMany(format!("{limit} polls of the client are waiting, which is the limit."))
        }
        PollError::Store(error) => Error::Store(error),
    }
}

pub(super) fn not_ended(error: UnsubscribeError, id: &str, client: &str) -> Error {
    match error {
        UnsubscribeError::NotFound => no_such_subscription(id, client),
        UnsubscribeError::Declared(id) => Error::Declared(id),
        UnsubscribeError::Store(error) => Error::Store(error),
    }
}

impl From<SubscriptionRefused> for Error {
    fn from(error: SubscriptionRefused) -> Self {
        match error {
            SubscriptionRefused::EventTypes(ids) => Self::Invalid(
                ids.iter()
                    .map(|id| format!("event_type_ids: [{id}] is not an event type that can be polled here"))
                    .collect(),
            ),
            SubscriptionRefused::TooMany { limit } => {
                Self::Limit(format!("The client has {limit} subscriptions, which is the limit; delete one."))
            }
            SubscriptionRefused::Refused(detail) => Self::Internal(detail),
            SubscriptionRefused::Store(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_row_of_the_contract_s_table() {
        let store = StoreError::Unavailable { detail: "secret path".to_owned() };
        let corrupt = StoreError::Corrupt { detail: "secret record".to_owned() };
        for (error, code, status) in [
            (Error::Invalid(vec!["client_id: is missing".to_owned()]), "NOT000001", 400),
            (Error::Unauthenticated("no token".to_owned()), "NOT000002", 401),
            (Error::Forbidden("s"), "NOT000003", 403),
            (Error::NoSuchPath, "NOT000004", 404),
            (Error::Method { allow: "GET".to_owned() }, "NOT000005", 405),
            (no_such_subscription("x", "crm"), "NOT000006", 404),
            (Error::MediaType, "NOT000007", 415),
            (Error::TooLarge(9), "NOT000008", 413),
            (Error::Declared("d".into()), "NOT000009", 409),
            (Error::NotAllowed("not from here".to_owned()), "NOT000003", 403),
            (Error::Limit("100 subscriptions".to_owned()), "NOT000009", 409),
            (Error::TooMany("polls".to_owned()), "NOT000010", 429),
            (Error::Unavailable("busy".to_owned()), "NOT000011", 503),
            (Error::Store(store), "NOT000011", 503),
            (Error::Store(StoreError::Closed), "NOT000011", 503),
            (Error::Store(corrupt), "NOT000012", 500),
            (Error::Internal("secret reason".to_owned()), "NOT000012", 500),
        ] {
            let response = error.answer("r");
            assert_eq!(response.status.as_u16(), status);
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!((&body["code"], &body["error_code"]), (&code.into(), &code.into()));
            assert!(!body["message"].as_str().unwrap().is_empty());
            assert!(!body["description"].as_str().unwrap().is_empty());
            assert!(!String::from_utf8_lossy(&response.body).contains("secret"), "{body}");
            assert_eq!(response.headers.contains_key(RETRY_AFTER), status == 503);
        }
    }

    #[test]
    fn the_published_example_is_what_is_answered() {
        let body = no_such_subscription("x", "crm").answer("r").body;
        assert_eq!(
            body,
            r#"{"code":"NOT000006","error_code":"NOT000006","message":"Subscription not found","description":"Subscription with id [x] for client_id [crm] does not exist."}"#
        );
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let text = list(&vec!["x".to_owned(); 250]);
        assert!(text.ends_with("; and 150 more"), "{text}");
        assert!(text.len() < 400);
    }
}
