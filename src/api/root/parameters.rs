//! The parameters of a call of the token endpoint: from a form (RFC 6749, 4.4.2 and appendix B) or a JSON object.
//!
//! Unknown parameters are passed over, a known one that is there twice is refused, and one without a value (in JSON
//! also null) counts as absent (RFC 6749, 3.2).

use hyper::header::{CONTENT_TYPE, HeaderMap};
use percent_encoding::percent_decode_str;
use utoipa::ToSchema;

use super::answer::Failure;
use crate::base::secret::{ExposeSecret, SecretString};
use crate::model::json;

/// The parameters of a token request. One without a value, in JSON also null, counts as absent.
#[derive(ToSchema)]
#[schema(as = TokenRequest)]
#[expect(dead_code, reason = "only its schema is used: parameters are read one by one, and secrets apart")]
pub(super) struct Wire {
    /// The grant.
    #[schema(pattern = "^client_credentials$")]
    grant_type: String,
    /// The client's id; needed without HTTP Basic.
    client_id: Option<String>,
    /// The client's secret; needed without HTTP Basic, refused beside it.
    client_secret: Option<String>,
    /// The scopes that are wanted, separated by blanks; all of the client's without it.
    scope: Option<String>,
}

/// The parameters of a revocation. One without a value, in JSON also null, counts as absent.
#[derive(ToSchema)]
#[schema(as = RevocationRequest)]
#[expect(dead_code, reason = "only its schema is used: parameters are read one by one, and secrets apart")]
pub(super) struct WireRevocation {
    /// The token that is to be good for nothing any more.
    token: String,
    /// What kind of token it is; not needed.
    token_type_hint: Option<String>,
    /// The client's id; needed without HTTP Basic.
    client_id: Option<String>,
    /// The client's secret; needed without HTTP Basic, refused beside it.
    client_secret: Option<String>,
}

/// What the request's body says. Any of the values may be a secret.
#[derive(Debug)]
pub(super) struct Parameters {
    known: &'static [&'static str],
    values: Vec<(&'static str, SecretString)>,
}

impl Parameters {
    /// Reads the body in the form that its `Content-Type` names; `known` are the parameters that mean something.
    pub(super) fn parse(headers: &HeaderMap, body: &[u8], known: &'static [&'static str]) -> Result<Self, Failure> {
        let mut parameters = Self { known, values: Vec::with_capacity(known.len()) };
        match media_type(headers).as_deref() {
            Some("application/x-www-form-urlencoded") => parameters.read_form(body)?,
            Some("application/json") => parameters.read_json(body)?,
            _ => {
                return Err(Failure::invalid_request(
                    "the body is neither a form nor JSON: send Content-Type application/x-www-form-urlencoded or \
                     application/json",
                ));
            }
        }
        parameters.values.retain(|(_, value)| !value.expose_secret().is_empty());
        Ok(parameters)
    }

    /// Takes a parameter out, if it is there.
    pub(super) fn take_secret(&mut self, name: &str) -> Option<SecretString> {
        let at = self.values.iter().position(|(known, _)| *known == name)?;
        Some(self.values.swap_remove(at).1)
    }

    /// The same of one that is no secret.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.take_secret(name).map(|value| value.expose_secret().to_owned())
    }

    fn read_form(&mut self, body: &[u8]) -> Result<(), Failure> {
        let body = std::str::from_utf8(body).map_err(|_| Failure::invalid_request("the body is not valid UTF-8"))?;
        for pair in body.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (form_decode(name), form_decode(value)) else {
                return Err(Failure::invalid_request("a parameter is not valid UTF-8 once its %-escapes are resolved"));
            };
            self.set(&name, || Ok(value))?;
        }
        Ok(())
    }

    fn read_json(&mut self, body: &[u8]) -> Result<(), Failure> {
        let raw =
            json::check(body).map_err(|e| Failure::invalid_request(format!("the body is not valid JSON: {e}")))?;
        let members: json::Members<'_> = serde_json::from_str(raw.get())
            .map_err(|_| Failure::invalid_request("the body is JSON, but no object with the parameters as members"))?;
        for (name, value) in members.0.into_iter().filter(|(_, value)| value.get() != "null") {
            self.set(&name, || {
                serde_json::from_str(value.get())
                    .map_err(|_| Failure::invalid_request(format!("the member `{name}` is not a string")))
            })?;
        }
        Ok(())
    }

    /// Takes a parameter in if it is a known one; only then its value is looked at.
    fn set(&mut self, name: &str, value: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
        let Some(name) = self.known.iter().find(|known| **known == name) else { return Ok(()) };
        let value = value()?;
        if self.values.iter().any(|(there, _)| there == name) {
            return Err(Failure::invalid_request(format!("the parameter `{name}` is there twice")));
        }
        self.values.push((name, value.into()));
        Ok(())
    }
}

/// `application/x-www-form-urlencoded` → text: `+` is a blank, the rest percent-decoded; `None` if it is not UTF-8 then.
pub(super) fn form_decode(text: &str) -> Option<String> {
    let blanks = text.replace('+', " ");
    percent_decode_str(&blanks).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// The media type in small letters, without parameters such as `charset`.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}
