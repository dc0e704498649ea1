//! The token endpoint's wire form: answers of RFC 6749, 5.1 and errors of 5.2.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use serde::Serialize;

use super::credentials::Credentials;
use super::parameters::Parameters;
use crate::auth::{IssuedToken, TokenError, TokenRequest, TokenService};
use crate::base::clock::Timestamp;
use crate::base::secret::ExposeSecret;
use crate::http::contract::{Request, Response};

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

/// Answers a token request; `None` if the server failed, which the log tells.
pub(super) fn answer(tokens: &TokenService, request: &Request, now: Timestamp) -> Option<Response> {
    let issued = match read(request) {
        Ok(asked) => tokens.issue(&asked, now),
        Err(failure) => return Some(failure.answer()),
    };
    match issued {
        Ok(token) => Some(granted(&token)),
        Err(error) => Failure::from_service(&error, &request.id).map(|failure| failure.answer()),
    }
}

fn read(request: &Request) -> Result<TokenRequest, Failure> {
    let mut parameters = Parameters::parse(&request.headers, &request.body)?;
    let Credentials { id, secret } = Credentials::take(&request.headers, &mut parameters)?;
    let Parameters { grant_type, client_id: _, client_secret: _, scope } = parameters;
    Ok(TokenRequest { grant_type, client_id: id, client_secret: secret, scope })
}

fn granted(token: &IssuedToken) -> Response {
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

    fn from_service(error: &TokenError, request_id: &str) -> Option<Self> {
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

    fn answer(&self) -> Response {
        let body = ErrorAnswer { error: self.error, error_description: printable(&self.description) };
        let mut response = json(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2 wants it with every 401, RFC 6749 where the client tried Basic.
            response.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tidings\""));
        }
        response
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
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Response { status, headers, body: Bytes::from(body), delivery: None }
}
