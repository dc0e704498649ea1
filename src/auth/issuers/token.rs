//! A token as it was sent: header, claims, signature (RFC 7515, 7.1). Nothing in it is believed before its signature
//! is verified, but for which issuer it says it is from: that only chooses the keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::denied::ForeignDenied;
use crate::base::clock::Timestamp;
use crate::model::json;

/// A JWS in compact form whose header and claims are JSON objects without duplicate members (RFC 7515, 4; RFC 7519, 4).
pub(super) struct Token<'t> {
    pub(super) header: Header,
    pub(super) claims: Claims,
    /// What is signed.
    pub(super) message: &'t str,
    pub(super) signature: Vec<u8>,
}

/// The members of a header that matter. Keys in it (`jwk`, `jku`, `x5c`, `x5u`) are never looked at (RFC 8725, 3.10).
pub(super) struct Header {
    pub(super) algorithm: String,
    pub(super) key_id: Option<String>,
    /// In lower case and without `application/` (RFC 7515, 4.1.9).
    pub(super) token_type: Option<String>,
    pub(super) is_critical: bool,
}

/// The claims by name.
pub(super) struct Claims(Map<String, Value>);

impl<'t> Token<'t> {
    /// Reads a token; `None` if it is none.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let header = Header::of(&object(header)?)?;
        Some(Self { header, claims: Claims(object(claims)?), message, signature })
    }
}

impl Header {
    fn of(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| match members.get(name) {
            None => Some(None),
            Some(Value::String(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        let token_type = text("typ")?.map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
        });
        Some(Self {
            algorithm: text("alg")??,
            key_id: text("kid")?,
            token_type,
            is_critical: members.contains_key("crit"),
        })
    }
}

impl Claims {
    /// `iss`, where it is a text.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.get("iss").and_then(Value::as_str)
    }

    /// The claim of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The text of a claim, if it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ForeignDenied> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ForeignDenied::Claim(name.to_owned())),
        }
    }

    /// The texts of a claim that is one or an array of them; none if it is not there.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, ForeignDenied> {
        let wrong = || ForeignDenied::Claim(name.to_owned());
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// The instant of a claim in seconds since 1970, which may have a fraction (RFC 7519, 2, `NumericDate`).
    pub(super) fn instant(&self, name: &str) -> Result<Option<Timestamp>, ForeignDenied> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64().map(seconds)),
            Some(_) => Err(ForeignDenied::Claim(name.to_owned())),
        }
    }
}

/// Exact for instants below 2^53 milliseconds; beyond, the bounds of [`Timestamp`] cut it.
#[expect(clippy::cast_possible_truncation, reason = "a float beyond 64 bits becomes the nearest number within")]
fn seconds(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1000.0).floor() as i64)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let text = URL_SAFE_NO_PAD.decode(part).ok()?;
    let checked = json::check(&text).ok()?;
    serde_json::from_str(checked.get()).ok()
}
