//! `Authorization: Bearer …` (RFC 6750, RFC 9110 §11) to a principal, and the challenge where there is none.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::contract::{Access, Refusal};
use crate::auth::Principal;

/// Checks bearer tokens.
pub trait Authenticate: Send + Sync + 'static {
    /// Whose token it is; what is wrong with it, for the caller, if it is not good.
    fn bearer(&self, token: &str) -> Result<Principal, String>;
}

/// A request that is not let in, with the value of `WWW-Authenticate` if that is for want of a credential.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) refusal: Refusal,
    pub(super) challenge: Option<HeaderValue>,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, challenge: None }
    }
}

/// Who calls: `None` where anyone may, whatever they carry.
pub(super) fn check(
    authenticator: &dyn Authenticate,
    access: Access,
    headers: &HeaderMap,
) -> Result<Option<Principal>, Denied> {
    let Access::Scope(scope) = access else { return Ok(None) };
    let token = token(headers).map_err(|detail| unauthenticated(detail.to_owned(), "Bearer"))?;
    let principal =
        authenticator.bearer(token).map_err(|detail| unauthenticated(detail, "Bearer error=\"invalid_token\""))?;
    if principal.has(scope) { Ok(Some(principal)) } else { Err(forbidden(scope)) }
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
    Denied { refusal: Refusal::Unauthenticated { detail }, challenge: Some(HeaderValue::from_static(challenge)) }
}

fn forbidden(scope: &'static str) -> Denied {
    let challenge = HeaderValue::try_from(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""));
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer error=\"insufficient_scope\""));
    Denied { refusal: Refusal::Forbidden { scope }, challenge: Some(challenge) }
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
