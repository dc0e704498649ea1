//! RFC 9457 `application/problem+json`: the error body of the events contract and of every path outside the mounts.

use hyper::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::contract::{Refusal, Response};

/// The media type of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// The problems that we name, each explained at `{public_url}/problems/{name}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400
    InvalidRequest,
    /// 401
    Unauthenticated,
    /// 403
    Forbidden,
    /// 403
    ForeignSite,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 408
    BodyTimeout,
    /// 409
    IdentityConflict,
    /// 409
    Declared,
    /// 409
    LimitReached,
    /// 409
    WrongState,
    /// 409
    BadConfiguration,
    /// 413
    BodyTooLarge,
    /// 415
    UnsupportedMediaType,
    /// 429
    TooManyRequests,
    /// 500
    Internal,
    /// 503
    Unavailable,
    /// 507
    InsufficientStorage,
}

/// What a problem is called, and what its page says.
#[derive(Clone, Copy, Debug)]
pub struct ProblemText {
    /// The last segment of its `type` URL.
    pub name: &'static str,
    /// Its `title`.
    pub title: &'static str,
    /// Its `status`.
    pub status: StatusCode,
    /// What it means and what to do.
    pub explanation: &'static str,
}

impl Problem {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::ForeignSite,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::IdentityConflict,
        Self::Declared,
        Self::LimitReached,
        Self::WrongState,
        Self::BadConfiguration,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
        Self::InsufficientStorage,
    ];

    /// Its texts.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "it is a table: an entry for each problem, and nothing else")]
    pub const fn text(self) -> ProblemText {
        let (name, title, status, explanation) = match self {
            Self::InvalidRequest => (
                "invalid-request",
                "The request is not valid",
                StatusCode::BAD_REQUEST,
                "Something in the request cannot be taken as it is. `detail` says what; `errors` lists every problem of the \
                 body with the place where it stands (JSON Pointer, RFC 6901). Nothing was stored. Correct the request and \
                 send it again.",
            ),
            Self::Unauthenticated => (
                "unauthenticated",
                "A valid credential is needed",
                StatusCode::UNAUTHORIZED,
                "The request carries no credential, or one that is not valid (any more). Get a token from the token \
                 endpoint and send it as `Authorization: Bearer …`.",
            ),
            Self::Forbidden => (
                "forbidden",
                "The credential does not allow this",
                StatusCode::FORBIDDEN,
                "The credential is valid but not good for this. `detail` names the scope that is needed, which the operator \
                 gives to a client in `[[clients]] scopes`, or says what else its entry does not allow: where it may call \
                 from (`allowed_from`), or what it may publish (`publish`; then `errors` has the places in the body).",
            ),
            Self::ForeignSite => (
                "foreign-site",
                "The request names another site",
                StatusCode::FORBIDDEN,
                "The admin listener answers only requests that name it by its own address or localhost, and none that a \
                 page of another site sends. Ask it by its address.",
            ),
            Self::NotFound => (
                "not-found",
                "There is nothing here",
                StatusCode::NOT_FOUND,
                "No operation has this path, or what it names does not exist, or belongs to somebody else.",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                "The path has other methods",
                StatusCode::METHOD_NOT_ALLOWED,
                "The path exists, but not with this method. The `Allow` header lists the methods that it has.",
            ),
            Self::BodyTimeout => (
                "body-timeout",
                "The body did not arrive in time",
                StatusCode::REQUEST_TIMEOUT,
                "The whole body has to arrive within `server.body_timeout`. Nothing was stored. Send it again.",
            ),
            Self::IdentityConflict => (
                "identity-conflict",
                "Another event has this identity",
                StatusCode::CONFLICT,
                "An event with the same `source` and `id` was published before by the same client with another type, subject, \
                 audience or data. Nothing was stored. Give every event an `id` of its own.",
            ),
            Self::Declared => (
                "declared",
                "It is declared in the configuration",
                StatusCode::CONFLICT,
                "What the configuration files declare is changed there, by the operator, and not through an API.",
            ),
            Self::LimitReached => (
                "limit-reached",
                "A limit of number is reached",
                StatusCode::CONFLICT,
                "There are as many of these as `[limits]` allows; `detail` says which. Delete one, or ask the operator for \
                 more.",
            ),
            Self::WrongState => (
                "wrong-state",
                "Its state does not allow this",
                StatusCode::CONFLICT,
                "What the request names exists, but is not in a state in which this can be done; `detail` says why. Nothing \
                 was changed.",
            ),
            Self::BadConfiguration => (
                "bad-configuration",
                "The configuration cannot be used",
                StatusCode::CONFLICT,
                "The configuration files have errors; `problems` lists them all, each with file, line and column. Nothing \
                 was changed: the appliance goes on as it was. Correct the files (`tidings check`) and reload again.",
            ),
            Self::BodyTooLarge => (
                "body-too-large",
                "The body is too large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "An event is at most `server.max_body`, a batch at most `api.events.max_batch`. Nothing was stored. Send \
                 smaller events or smaller batches.",
            ),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                "The body's type is not taken",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Events come as application/cloudevents+json, application/cloudevents-batch+json, application/json, or in \
                 binary mode with ce- headers; their data is JSON.",
            ),
            Self::TooManyRequests => (
                "too-many-requests",
                "Too many requests",
                StatusCode::TOO_MANY_REQUESTS,
                "The caller has sent more than `[limits]` allows it; `detail` says of what. Nothing was done. Try again \
                 after `Retry-After` seconds.",
            ),
            Self::Internal => (
                "internal",
                "Something went wrong inside",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server failed. Its log has the reason under the `X-Request-Id` of this answer. A publish may be sent \
                 again: with the same `source` and `id` it is stored once.",
            ),
            Self::Unavailable => (
                "unavailable",
                "It cannot be done now",
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot take this now; `detail` says why. Try again after `Retry-After` seconds; with the same \
                 `source` and `id` an event is stored once.",
            ),
            Self::InsufficientStorage => (
                "insufficient-storage",
                "The server's disk is nearly full",
                StatusCode::INSUFFICIENT_STORAGE,
                "What room there is left is kept for those who poll (`limits.disk_reserve`). Nothing was stored. Ask the \
                 operator to make room, and try again after `Retry-After` seconds; with the same `source` and `id` an \
                 event is stored once.",
            ),
        };
        ProblemText { name, title, status, explanation }
    }

    /// The problem whose page has this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.text().name == name)
    }
}

/// The problem that `refusal` is, and its words for the caller; `no_such_path` says what there is in place of a path
/// that is not.
pub(super) fn refused(refusal: &Refusal, no_such_path: &str) -> (Problem, String) {
    match refusal {
        Refusal::NoSuchPath => (Problem::NotFound, no_such_path.to_owned()),
        Refusal::MethodNotAllowed { allow } => (Problem::MethodNotAllowed, format!("This path has only: {allow}.")),
        Refusal::Unauthenticated { detail } => (Problem::Unauthenticated, detail.clone()),
        Refusal::Forbidden { scope } => {
            (Problem::Forbidden, format!("The credential does not have the scope `{scope}`."))
        }
        Refusal::NotAllowed { detail } => (Problem::Forbidden, detail.clone()),
        Refusal::TooManyRequests { detail, retry_after: _ } => (Problem::TooManyRequests, detail.clone()),
        Refusal::BodyTooLarge { limit } => (Problem::BodyTooLarge, too_large(*limit)),
        Refusal::BadRequest { detail } => (Problem::InvalidRequest, detail.clone()),
        Refusal::BodyTimeout { seconds } => {
            (Problem::BodyTimeout, format!("The body did not arrive within {seconds} seconds."))
        }
        Refusal::Unavailable { detail } => (Problem::Unavailable, detail.clone()),
        Refusal::Internal => (
            Problem::Internal,
            "The server failed; its log has the reason under this answer's X-Request-Id.".to_owned(),
        ),
    }
}

/// What is said of a body of more than `limit` bytes.
pub(super) fn too_large(limit: usize) -> String {
    format!("The body is larger than {limit} bytes, which is the limit.")
}

/// One problem of a body and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON Pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    /// Which problem it is: a URL that leads to an explanation.
    #[schema(format = "uri-reference")]
    r#type: String,
    /// The same in a few words.
    title: &'a str,
    /// The answer's status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong here, and what to do.
    detail: &'a str,
    /// All that is wrong with the body, each with its place.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// The answer for `problem`; `public_url` has no slash at its end.
#[must_use]
pub fn answer(public_url: &str, problem: Problem, detail: &str, errors: &[FieldError]) -> Response {
    let ProblemText { name, title, status, explanation: _ } = problem.text();
    let r#type = format!("{public_url}/problems/{name}");
    let body = Body { r#type, title, status: status.as_u16(), detail, errors };
    let body = serde_json::to_vec(&body).expect("texts and a number always have a JSON form");
    Response::with_body(status, MEDIA_TYPE, body)
}
