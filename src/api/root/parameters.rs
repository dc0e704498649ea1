//! The parameters of a token request: from a form (RFC 6749, 4.4.2 and appendix B) or a JSON object.
//!
//! Unknown parameters are passed over, a known one that is there twice is refused, and one without a value (in JSON
//! also null) counts as absent (RFC 6749, 3.2).

use hyper::header::{CONTENT_TYPE, HeaderMap};
use percent_encoding::percent_decode_str;

use super::answer::Failure;
use crate::base::secret::{ExposeSecret, SecretString};
use crate::model::json;

/// What the request's body says.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) grant_type: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<SecretString>,
    pub(super) scope: Option<String>,
}

impl Parameters {
    /// Reads the body in the form that its `Content-Type` names.
    pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Failure> {
        match media_type(headers).as_deref() {
            Some("application/x-www-form-urlencoded") => Self::from_form(body),
            Some("application/json") => Self::from_json(body),
            _ => Err(Failure::invalid_request(
                "the body is neither a form nor JSON: send Content-Type application/x-www-form-urlencoded or \
                 application/json",
            )),
        }
    }

    fn from_form(body: &[u8]) -> Result<Self, Failure> {
        let body = std::str::from_utf8(body).map_err(|_| Failure::invalid_request("the body is not valid UTF-8"))?;
        let mut parameters = Self::default();
        for pair in body.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (form_decode(name), form_decode(value)) else {
                return Err(Failure::invalid_request("a parameter is not valid UTF-8 once its %-escapes are resolved"));
            };
            parameters.set(&name, || Ok(value))?;
        }
        Ok(parameters.without_empty())
    }

    fn from_json(body: &[u8]) -> Result<Self, Failure> {
        let raw =
            json::check(body).map_err(|e| Failure::invalid_request(format!("the body is not valid JSON: {e}")))?;
        let members: json::Members<'_> = serde_json::from_str(raw.get())
            .map_err(|_| Failure::invalid_request("the body is JSON, but no object with the parameters as members"))?;
        let mut parameters = Self::default();
        for (name, value) in members.0 {
            if value.get() == "null" {
                continue;
            }
            parameters.set(&name, || {
                serde_json::from_str(value.get())
                    .map_err(|_| Failure::invalid_request(format!("the member `{name}` is not a string")))
            })?;
        }
        Ok(parameters.without_empty())
    }

    /// Takes a parameter if it is a known one; only then its value is looked at.
    fn set(&mut self, name: &str, value: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
        let twice = match name {
            "grant_type" => self.grant_type.replace(value()?).is_some(),
            "client_id" => self.client_id.replace(value()?).is_some(),
            "client_secret" => self.client_secret.replace(value()?.into()).is_some(),
            "scope" => self.scope.replace(value()?).is_some(),
            _ => false,
        };
        if twice {
            return Err(Failure::invalid_request(format!("the parameter `{name}` is there twice")));
        }
        Ok(())
    }

    fn without_empty(self) -> Self {
        let Self { grant_type, client_id, client_secret, scope } = self;
        let filled = |value: &String| !value.is_empty();
        Self {
            grant_type: grant_type.filter(filled),
            client_id: client_id.filter(filled),
            client_secret: client_secret.filter(|secret| !secret.expose_secret().is_empty()),
            scope: scope.filter(filled),
        }
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
