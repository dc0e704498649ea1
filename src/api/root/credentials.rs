//! How a client shows who it is at the token endpoint (RFC 6749, 2.3.1): HTTP Basic or parameters of the body, not both.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::answer::Failure;
use super::parameters::{Parameters, form_decode};
use crate::base::secret::SecretString;

/// RFC 7617 wants padding; clients that leave it out are understood.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An id and the secret that goes with it.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: SecretString,
    /// The secret of a Basic header as it stands there, where that is another: RFC 6749 wants it form-encoded, but
    /// curl and many libraries send it as it is.
    pub(super) unencoded: Option<SecretString>,
}

impl Credentials {
    /// Takes the credentials out of the header or the parameters, wherever they are.
    pub(super) fn take(headers: &HeaderMap, parameters: &mut Parameters) -> Result<Self, Failure> {
        let id = parameters.client_id.take();
        let secret = parameters.client_secret.take();
        match (basic(headers)?, id, secret) {
            (Some(_), _, Some(_)) => Err(Failure::invalid_request(
                "the client authenticates twice: send its secret in the Authorization header or in the body, not in both",
            )),
            (Some(basic), Some(id), None) if basic.id != id => Err(Failure::invalid_request(
                "the client_id of the body is not that of the Authorization header: leave it out of the body",
            )),
            (Some(basic), _, None) => Ok(basic),
            (None, Some(id), Some(secret)) => Ok(Self { id, secret, unencoded: None }),
            (None, _, _) => Err(Failure::invalid_client(
                "the client does not authenticate: send its id and secret by HTTP Basic, or as client_id and client_secret",
            )),
        }
    }
}

/// The credentials in the `Authorization` header, `None` without one.
fn basic(headers: &HeaderMap) -> Result<Option<Credentials>, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Failure::invalid_request("the Authorization header is there twice"));
    }
    parse_basic(value).map(Some).ok_or_else(|| {
        Failure::invalid_client(
            "the Authorization header is not `Basic` with the Base64 form of id:secret, both form-urlencoded in UTF-8",
        )
    })
}

fn parse_basic(value: &HeaderValue) -> Option<Credentials> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(encoded.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let id = form_decode(id)?;
    match form_decode(secret) {
        Some(decoded) if decoded == secret => Some(Credentials { id, secret: secret.into(), unencoded: None }),
        Some(decoded) => Some(Credentials { id, secret: decoded.into(), unencoded: Some(secret.into()) }),
        None => Some(Credentials { id, secret: secret.into(), unencoded: None }),
    }
}
