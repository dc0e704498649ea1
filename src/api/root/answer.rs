//! The token endpoint's answers: RFC 6749, 5.1 with a token, 5.2 without.

use std::borrow::Cow;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use serde::Serialize;

use crate::auth::{IssuedToken, TokenError};
use crate::base::secret::ExposeSecret;
use crate::http::contract::{Note, Response};

/// What is answered instead of a token.
#[derive(Debug)]
pub(super) struct Failure {
    error: &'static str,
    status: StatusCode,
    description: String,
}

/// RFC 6749, 5.1.
#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    scope: &'a str,
}

/// RFC 6749, 5.2.
#[derive(Serialize)]
struct ErrorAnswer<'a> {
    error: &'static str,
    error_description: Cow<'a, str>,
}

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

impl Failure {
    /// The request is not well formed.
    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self { error: "invalid_request", status: StatusCode::BAD_REQUEST, description: description.into() }
    }

    /// The client does not show who it is.
    pub(super) fn invalid_client(description: impl Into<String>) -> Self {
        Self { error: "invalid_client", status: StatusCode::UNAUTHORIZED, description: description.into() }
    }

    /// What the service refuses; `None` if it failed, which is told in the log.
    pub(super) fn from_service(error: &TokenError, request_id: &str) -> Option<Self> {
        let bad = |name, description| Self { error: name, status: StatusCode::BAD_REQUEST, description };
        let description = error.to_string();
        match error {
            TokenError::NoGrantType => Some(Self::invalid_request(description)),
            TokenError::UnsupportedGrantType => Some(bad("unsupported_grant_type", description)),
            TokenError::InvalidClient => Some(Self::invalid_client(description)),
            TokenError::InvalidScope { .. } => Some(bad("invalid_scope", description)),
            TokenError::NotSigned { reason } => {
                tracing::error!(request_id, reason, "a token could not be signed");
                None
            }
        }
    }

    /// The answer with this error.
    pub(super) fn answer(&self) -> Response {
        let body = ErrorAnswer { error: self.error, error_description: printable(&self.description) };
        // Only the code: a description may hold what was sent.
        let note = Note { reason: Some(self.error.to_owned()), ..Note::default() };
        let response = json(self.status, &body).noted(note);
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2 wants it with every 401, RFC 6749 where the client tried Basic.
            response.header(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tidings\""))
        } else {
            response
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
