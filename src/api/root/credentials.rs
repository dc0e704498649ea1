//! How a client shows who it is at the token endpoint: HTTP Basic or parameters of the body, not both (RFC 6749, 2.3.1),
//! the certificate of its connection besides or alone (RFC 8705, 2).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::answer::Failure;
use super::parameters::{Parameters, form_decode};
use crate::auth::{Origin, ShownClient};
use crate::base::secret::SecretString;
use crate::http::contract::Request;

/// RFC 7617 wants padding; clients that leave it out are understood.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The client as the header or the parameters, wherever it is, and the connection show it.
pub(super) fn show(request: &Request, parameters: &mut Parameters) -> Result<ShownClient, Failure> {
    let id = parameters.take("client_id");
    let secret = parameters.take_secret("client_secret");
    let origin = Origin { address: request.address, certificate: request.certificate };
    let (id, secrets) = match (basic(&request.headers)?, id, secret) {
        (Some(_), _, Some(_)) => Err(Failure::invalid_request(
            "the client authenticates twice: send its secret in the Authorization header or in the body, not in both",
        )),
        (Some((basic, _)), Some(id), None) if basic != id => Err(Failure::invalid_request(
            "the client_id of the body is not that of the Authorization header: leave it out of the body",
        )),
        (Some(basic), _, None) => Ok(basic),
        (None, Some(id), Some(secret)) => Ok((id, vec![secret])),
        // RFC 8705, 2: the certificate says the rest.
        (None, Some(id), None) if origin.certificate.is_some() => Ok((id, Vec::new())),
        (None, _, _) => Err(Failure::invalid_client(
            "the client does not authenticate: send its id and secret by HTTP Basic, or as client_id and client_secret",
        )),
    }?;
    Ok(ShownClient { id, secrets, origin })
}

/// An id and the secret that goes with it. A secret of a Basic header may be meant as it stands there too: RFC 6749 wants
/// it form-encoded, but curl and many libraries send it as it is.
type IdAndSecrets = (String, Vec<SecretString>);

/// The credentials in the `Authorization` header, `None` without one.
fn basic(headers: &HeaderMap) -> Result<Option<IdAndSecrets>, Failure> {
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

fn parse_basic(value: &HeaderValue) -> Option<IdAndSecrets> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(encoded.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let id = form_decode(id)?;
    let secrets = match form_decode(secret) {
        Some(decoded) if decoded != secret => vec![decoded.into(), secret.into()],
        _ => vec![secret.into()],
    };
    Some((id, secrets))
}
