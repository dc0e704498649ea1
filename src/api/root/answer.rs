//! The token endpoint's answers: RFC 6749, 5.1 with a token, 5.2 without.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{IssuedToken, RevokeError, TokenError};
use crate::base::audit::Actor;
use crate::base::secret::ExposeSecret;
use crate::http::contract::{Note, Response};

/// What is answered instead of a token.
#[derive(Debug)]
pub(super) struct Failure {
    error: &'static str,
    status: StatusCode,
    description: String,
    /// When to try again, in whole seconds.
    retry_after: Option<u64>,
}

/// A token and what it is good for (RFC 6749, 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct Answer<'a> {
    /// The token: a JWT (RFC 9068).
    access_token: &'a str,
    /// How it is used.
    #[schema(pattern = "^Bearer$")]
    token_type: &'static str,
    /// How many seconds it is good for.
    expires_in: u64,
    /// Its scopes, separated by blanks; not there where it has none.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    scope: &'a str,
}

/// Why there is no token (RFC 6749, 5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct ErrorAnswer<'a> {
    /// Which error it is.
    #[schema(pattern = "^[a-z_]+$")]
    error: &'static str,
    /// What is wrong, and what to do.
    #[schema(value_type = String)]
    error_description: Cow<'a, str>,
}

/// An object without members: RFC 7009 wants none.
#[derive(Serialize, ToSchema)]
#[schema(as = Revoked)]
pub(super) struct Done {}

/// The answer with a token.
pub(super) fn granted(token: &IssuedToken) -> Response {
    let IssuedToken { access_token, expires_in, scope } = token;
    let answer = Answer {
        access_token: access_token.expose_secret(),
        token_type: "Bearer",
        expires_in: expires_in.as_secs(),
        scope,
    };
    json(StatusCode::OK, &answer)
}

/// The answer to a revocation, whether or not there was something to revoke (RFC 7009, 2.2). The audit trail names the
/// client that asked.
pub(super) fn revoked(client: &str) -> Response {
    json(StatusCode::OK, &Done {}).about(client)
}

impl Failure {
    const fn new(error: &'static str, status: StatusCode, description: String) -> Self {
        Self { error, status, description, retry_after: None }
    }

    /// The request is not well formed.
    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", StatusCode::BAD_REQUEST, description.into())
    }

    /// The client does not show who it is.
    pub(super) fn invalid_client(description: impl Into<String>) -> Self {
        Self::new("invalid_client", StatusCode::UNAUTHORIZED, description.into())
    }

    /// To be tried again after `wait`. RFC 6749 has no error for that, RFC 8628, 3.5 has registered one.
    fn later(status: StatusCode, description: String, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after: Some(seconds.max(1)), ..Self::new("slow_down", status, description) }
    }

    /// What the service refuses; `None` if it failed, which is told in the log.
    pub(super) fn from_service(error: &TokenError, request_id: &str) -> Option<Self> {
        let bad = |name, description| Self::new(name, StatusCode::BAD_REQUEST, description);
        let description = error.to_string();
        match error {
            TokenError::NoGrantType => Some(Self::invalid_request(description)),
            TokenError::UnsupportedGrantType => Some(bad("unsupported_grant_type", description)),
            TokenError::InvalidClient | TokenError::SecretEnded | TokenError::OtherCertificate => {
                Some(Self::invalid_client(description))
            }
            TokenError::Disabled => Some(bad("unauthorized_client", description)),
            TokenError::NotFromHere { .. } => {
                Some(Self::new("unauthorized_client", StatusCode::FORBIDDEN, description))
            }
            TokenError::TooMany { detail: _, wait } => {
                Some(Self::later(StatusCode::TOO_MANY_REQUESTS, description, *wait))
            }
            TokenError::InvalidScope { .. } => Some(bad("invalid_scope", description)),
            TokenError::NotSigned { reason } => {
                tracing::error!(request_id, reason, "a token could not be signed");
                None
            }
        }
    }

    /// Why a token was not revoked; `None` if the service failed, which is told in the log.
    pub(super) fn from_revocation(error: RevokeError, request_id: &str) -> Option<Self> {
        let description = error.to_string();
        match error {
            RevokeError::Client(error) => Self::from_service(&error, request_id),
            RevokeError::NoToken => Some(Self::invalid_request(description)),
            RevokeError::ForeignToken => Some(Self::new("invalid_grant", StatusCode::BAD_REQUEST, description)),
            // RFC 7009, 2.2.1.
            RevokeError::Full { wait } => Some(Self::later(StatusCode::SERVICE_UNAVAILABLE, description, wait)),
            RevokeError::Store(error) => {
                tracing::error!(request_id, cause = %error, "a token could not be revoked");
                let description = "the server cannot use its data file at present: the token is still good".to_owned();
                Some(Self::later(StatusCode::SERVICE_UNAVAILABLE, description, Duration::from_secs(5)))
            }
        }
    }

    /// The answer with this error, to a caller of whom nothing is known.
    pub(super) fn answer(&self) -> Response {
        self.noted(None)
    }

    /// The answer with this error to a caller whom the audit trail is told.
    pub(super) fn answer_to(&self, caller: Actor) -> Response {
        self.noted(Some(caller))
    }

    fn noted(&self, principal: Option<Actor>) -> Response {
        let body = ErrorAnswer { error: self.error, error_description: printable(&self.description) };
        // Only the code: a description may hold what was sent.
        let note = Note { principal, reason: Some(self.error.to_owned()), ..Note::default() };
        let mut response = json(self.status, &body).noted(note);
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2 wants it with every 401, RFC 6749 where the client tried Basic.
            response = response.header(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tidings\""));
        }
        match self.retry_after {
            Some(seconds) => response.header(RETRY_AFTER, HeaderValue::from(seconds)),
            None => response,
        }
    }
}

/// The description in the characters that RFC 6749, 5.2 allows.
fn printable(description: &str) -> Cow<'_, str> {
    let legal = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    if description.chars().all(legal) {
        return Cow::Borrowed(description);
    }
    let replaced = |c: char| match c {
        '"' | '\\' => '\'',
        c if legal(c) => c,
        _ => '?',
    };
    Cow::Owned(description.chars().map(replaced).collect())
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("texts and a number are JSON");
    Response::json(status, body)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(PRAGMA, HeaderValue::from_static("no-cache"))
}
