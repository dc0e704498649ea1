//! An issuer's public keys: a JWK set (RFC 7517, 5).

use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::key::{Jwk, Key};
use crate::model::json;

/// The largest JWK set that is read in bytes.
pub const MAX_KEY_SET: usize = 256 << 10;

/// The most keys in a set.
const MAX_KEYS: usize = 100;

/// The longest part of a key's id that is shown.
const SHOWN_ID: usize = 64;

/// The public keys of an issuer that can be used; at least one.
pub struct KeySet {
    keys: Vec<Key>,
    ignored: Vec<String>,
}

/// Why a text is no set of keys that can be used. The texts are for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is larger than [`MAX_KEY_SET`].
    #[error("is larger than {MAX_KEY_SET} bytes")]
    TooLarge,
    /// It is no JWK set.
    #[error("is no JWK set (RFC 7517: a JSON object with an array `keys`): {0}")]
    NotASet(String),
    /// It has too many keys.
    #[error("has {0} keys, {MAX_KEYS} are the most")]
    TooMany(usize),
    /// None of its keys can be used.
    #[error("has no key that can be used: {0}")]
    NoneUsable(String),
}

/// Which key of a set a token's header means.
pub(super) enum Chosen<'k> {
    /// This one.
    Key(&'k Key),
    /// One that the set does not have: a newer set may.
    Unknown,
    /// None can be told: the key of that id is for another algorithm, or there are several.
    Unfit,
}

impl KeySet {
    /// Reads a JWK set. Keys that are of no use (for encryption, symmetric, too short, of unknown kinds) are left out.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > MAX_KEY_SET {
            return Err(KeySetError::TooLarge);
        }
        let members = keys_of(text).map_err(KeySetError::NotASet)?;
        if members.len() > MAX_KEYS {
            return Err(KeySetError::TooMany(members.len()));
        }
        let (mut keys, mut ignored) = (Vec::new(), Vec::new());
        for (index, member) in members.into_iter().enumerate() {
            match read_key(member) {
                Ok(key) => keys.push(key),
                Err(reason) => ignored.push(format!("keys[{index}]{reason}")),
            }
        }
        if keys.is_empty() {
            let reasons = if ignored.is_empty() { "it is empty".to_owned() } else { ignored.join("; ") };
            return Err(KeySetError::NoneUsable(reasons));
        }
        Ok(Self { keys, ignored })
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Always `false`: a set without a key that can be used is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that were left out, and why.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The one key that a header with this `kid` and `alg` can mean. A header without a `kid` (RFC 7515, 4.1.4 leaves it
    /// optional) means the only key that fits; where there are several, which one is not for the token to leave open.
    pub(super) fn choose(&self, id: Option<&str>, algorithm: Algorithm) -> Chosen<'_> {
        let named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        if !self.keys.iter().any(|key| named(&key)) {
            return Chosen::Unknown;
        }
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Chosen::Key(key),
            _ => Chosen::Unfit,
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys, {} ignored)", self.keys.len(), self.ignored.len())
    }
}

fn keys_of(text: &[u8]) -> Result<Vec<Value>, String> {
    let checked: &RawValue = json::check(text).map_err(|error| error.to_string())?;
    let set: Value = serde_json::from_str(checked.get()).map_err(|error| error.to_string())?;
    match set {
        Value::Object(mut members) => match members.remove("keys") {
            Some(Value::Array(keys)) => Ok(keys),
            _ => Err("there is no array `keys`".to_owned()),
        },
        _ => Err("it is no object".to_owned()),
    }
}

/// The key, or why it is left out.
fn read_key(member: Value) -> Result<Key, String> {
    let jwk: Jwk = serde_json::from_value(member).map_err(|_| ": it is no JWK".to_owned())?;
    let id = jwk.kid.as_deref().map(|id| format!(" ({:?})", id.chars().take(SHOWN_ID).collect::<String>()));
    Key::of(jwk).map_err(|reason| format!("{}: {reason}", id.unwrap_or_default()))
}
