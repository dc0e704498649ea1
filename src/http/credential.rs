//! `Authorization: Bearer …` (RFC 6750, RFC 9110 §11) or `X-API-KEY: …` to a principal, and the challenge where there is
//! none.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::contract::{Access, Refusal};
use crate::auth::Principal;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'r> {
    /// The credential.
    pub credential: Shown<'r>,
    /// The caller's address: that of the connection, or what a trusted proxy says; `None` on a unix socket.
    pub address: Option<IpAddr>,
    /// SHA-256 of the client certificate that its TLS connection has shown (RFC 8705, 3.1: `x5t#S256`).
    pub certificate: Option<[u8; 32]>,
}

/// A credential as it was sent.
#[derive(Clone, Copy)]
pub enum Shown<'r> {
    /// `Authorization: Bearer …`
    Bearer(&'r str),
    /// `X-API-KEY: …`
    ApiKey(&'r str),
    /// Nothing but being a process of this user on this machine, on a unix socket.
    Peer {
        /// Its user id.
        uid: u32,
    },
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer(_) => f.write_str("Bearer(…)"),
            Self::ApiKey(_) => f.write_str("ApiKey(…)"),
            Self::Peer { uid } => write!(f, "Peer({uid})"),
        }
    }
}

/// Why a credential is not taken; the texts are for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// 401: it is no good (any more).
    Invalid(String),
    /// 403: it is good, but not from here.
    NotAllowed(String),
    /// 429: too many requests or failures.
    TooMany {
        /// Of what.
        detail: String,
        /// When to try again, in whole seconds from now.
        retry_after: u64,
    },
    /// 503: it cannot be told now.
    Unavailable(String),
}

/// Says who calls.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// Who calls with this.
    async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, Denial>;
}

/// The connection's part of what a request shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    pub(super) address: Option<IpAddr>,
    pub(super) uid: Option<u32>,
    pub(super) certificate: Option<[u8; 32]>,
}

/// A request that is not let in, with the value of `WWW-Authenticate` if that is for want of a credential.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) refusal: Refusal,
    pub(super) challenge: Option<HeaderValue>,
    /// Who calls, if the credential is good, but not for this.
    pub(super) principal: Option<Principal>,
}

impl Denied {
    fn of(self, principal: Principal) -> Self {
        Self { principal: Some(principal), ..self }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, challenge: None, principal: None }
    }
}

impl From<Denial> for Denied {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Invalid(detail) => unauthenticated(detail, "Bearer error=\"invalid_token\""),
            Denial::NotAllowed(detail) => Refusal::NotAllowed { detail }.into(),
            Denial::TooMany { detail, retry_after } => Refusal::TooManyRequests { detail, retry_after }.into(),
            Denial::Unavailable(detail) => Refusal::Unavailable { detail }.into(),
        }
    }
}

/// Who calls this contract: `None` where anyone may, whatever they carry.
pub(super) async fn check(
    authenticator: &dyn Authenticate,
    contract: &str,
    access: Access,
    headers: &HeaderMap,
    origin: Origin,
) -> Result<Option<Principal>, Denied> {
    let (scope, credential) = match access {
        Access::Public => return Ok(None),
        Access::Token => (None, shown(headers, false, origin.uid)),
        Access::Scope(scope) => (Some(scope), shown(headers, false, origin.uid)),
        Access::ScopeOrKey(scope) => (Some(scope), shown(headers, true, origin.uid)),
        Access::Key(scope) => (Some(scope), key(headers)),
    };
    let credential = credential.map_err(|detail| unauthenticated(detail.to_owned(), "Bearer"))?;
    let presented = Presented { credential, address: origin.address, certificate: origin.certificate };
    let principal = authenticator.authenticate(presented).await.map_err(|denial| match (denial, credential) {
        // RFC 6750, 3.1: who has sent no credential is not told of an error in it.
        (Denial::Invalid(detail), Shown::Peer { .. }) => unauthenticated(detail, "Bearer"),
        (denial, _) => denial.into(),
    })?;
    if !principal.may_call(contract) {
        let detail =
            format!("the credential is not good for the contract {contract}: its issuer's entry does not name it");
        return Err(Denied::from(Refusal::NotAllowed { detail }).of(principal));
    }
    match scope {
        Some(scope) if !principal.has(scope) => Err(forbidden(scope).of(principal)),
        _ => Ok(Some(principal)),
    }
}

/// The one credential of a request.
fn shown(headers: &HeaderMap, keys: bool, uid: Option<u32>) -> Result<Shown<'_>, &'static str> {
    let key = if keys { api_key(headers)? } else { None };
    match (key, uid) {
        (Some(_), _) if headers.contains_key(AUTHORIZATION) => {
            Err("there are two credentials: send a token or an API key, not both")
        }
        (Some(key), _) => Ok(Shown::ApiKey(key)),
        (None, Some(uid)) if !headers.contains_key(AUTHORIZATION) => Ok(Shown::Peer { uid }),
        (None, _) => token(headers).map(Shown::Bearer),
    }
}

/// The API key of a request that needs one.
fn key(headers: &HeaderMap) -> Result<Shown<'_>, &'static str> {
    let key = api_key(headers)?.ok_or("there is no API key: send `X-API-KEY: …`")?;
    Ok(Shown::ApiKey(key))
}

fn api_key(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut values = headers.get_all(API_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("there is more than one X-API-KEY header: send one");
    }
    value.to_str().map(Some).map_err(|_| "the X-API-KEY header has characters that no key has")
}

fn token(headers: &HeaderMap) -> Result<&str, &'static str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or("there is no credential: send `Authorization: Bearer …` with a token")?;
    if values.next().is_some() {
        return Err("there is more than one Authorization header: send one");
    }
    let text = value.to_str().map_err(|_| "the Authorization header has characters that no token has")?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err("the credential is not a bearer token: send `Authorization: Bearer …`");
    }
    let token = token.trim_matches(' ');
    if is_token68(token) { Ok(token) } else { Err("after `Bearer` there is no well-formed token") }
}

/// RFC 9110 §11.2.
fn is_token68(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

fn unauthenticated(detail: String, challenge: &'static str) -> Denied {
    let challenge = Some(HeaderValue::from_static(challenge));
    Denied { challenge, ..Refusal::Unauthenticated { detail }.into() }
}

fn forbidden(scope: &'static str) -> Denied {
    let challenge = HeaderValue::try_from(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""));
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer error=\"insufficient_scope\""));
    Denied { challenge: Some(challenge), ..Refusal::Forbidden { scope }.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|v| (AUTHORIZATION, HeaderValue::from_bytes(v.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn one_well_formed_bearer_token_is_a_token() {
        for good in ["Bearer abc.d-e_f~g+h/i==", "bearer abc", "BEARER  abc "] {
            assert!(token(&headers(&[good])).is_ok(), "{good}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for bad in
            ["", "Bearer", "Bearer ", "Bearer =", "Bearer a b", "Bearer a,b", "Basic YTpi", "Bearerabc", "\u{e9}"]
        {
            assert!(token(&headers(&[bad])).is_err(), "{bad}");
        }
        assert!(token(&headers(&[])).is_err());
        assert!(token(&headers(&["Bearer abc", "Bearer abc"])).is_err());
    }
}
