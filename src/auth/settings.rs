//! `[auth]`, `[[clients]]`, `[[api_keys]]`, and the keys of `[limits]` that are about callers.

use std::collections::BTreeSet;
use std::time::Duration;

use super::terms::Terms;
use crate::base::clock::Timestamp;
use crate::base::rate::{Period, Rate};
use crate::base::secret::SecretHash;
use crate::model::affiliation::Affiliation;
use crate::model::id::ClientId;

/// What is kept of a secret or key, and until when it is right.
#[derive(Clone, Debug)]
pub struct KeptSecret {
    /// Its hash.
    pub hash: SecretHash,
    /// The last instant at which it is right; `None` if it has no end.
    pub not_after: Option<Timestamp>,
}

/// One `[[clients]]` entry.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Its id.
    pub id: ClientId,
    /// Its secrets; any of them is right. Without any it shows a certificate alone.
    pub secrets: Vec<KeptSecret>,
    /// SHA-256 of its TLS client certificates (RFC 8705, 3.1); any of them is right. With any it must show one.
    pub certificates: Vec<[u8; 32]>,
    /// What it may ask for.
    pub scopes: BTreeSet<String>,
    /// Its parties, subscriber, group and organisation.
    pub affiliation: Affiliation,
    /// The contracts, by name, in which it may act for others than itself (`acts_for_any`).
    pub acts_for_any: BTreeSet<String>,
    /// What holds for all its calls.
    pub terms: Terms,
    /// Its tokens that were issued before are refused.
    pub tokens_not_before: Option<Timestamp>,
}

/// One `[[api_keys]]` entry.
#[derive(Clone, Debug)]
pub struct ApiKeySettings {
    /// Its id, which no client has.
    pub id: ClientId,
    /// Its keys; any of them is right.
    pub keys: Vec<KeptKey>,
    /// What it is good for.
    pub scopes: BTreeSet<String>,
    /// The organisation that it belongs to.
    pub organisation: Option<String>,
    /// What holds for all its calls.
    pub terms: Terms,
}

/// What is kept of an API key.
#[derive(Clone, Debug)]
pub struct KeptKey {
    /// Its public characters, which no other key has.
    pub public: String,
    /// The whole key.
    pub secret: KeptSecret,
}

/// The keys of `[limits]` that are about callers.
#[derive(Clone, Copy, Debug)]
pub struct AuthLimits {
    /// Requests of each client that has no other rate of its own, and of each client of an external issuer; `None` is
    /// unlimited.
    pub request_rate: Option<Rate>,
    /// Calls of the token endpoint of each client that shows its right secret; `None` is unlimited.
    pub token_rate: Option<Rate>,
    /// Failures to authenticate of each address, and of each client id or key.
    pub auth_failures: Rate,
}

/// `[auth]`, `[[clients]]` and `[[api_keys]]`.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// `aud` of the tokens that we issue and accept.
    pub audience: String,
    /// `iss` of the tokens that we issue and accept: `server.public_url`.
    pub issuer: String,
    /// How long a token is good for.
    pub token_lifetime: Duration,
    /// The clients.
    pub clients: Vec<ClientSettings>,
    /// The API keys.
    pub api_keys: Vec<ApiKeySettings>,
    /// How often callers may do what.
    pub limits: AuthLimits,
}

impl From<SecretHash> for KeptSecret {
    fn from(hash: SecretHash) -> Self {
        Self { hash, not_after: None }
    }
}

impl KeptSecret {
    /// Whether it is over at `now`.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.not_after.is_some_and(|end| now > end)
    }
}

impl ClientSettings {
    /// A client that cannot do anything yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: ClientId::new(id),
            secrets: Vec::new(),
            certificates: Vec::new(),
            scopes: BTreeSet::new(),
            affiliation: Affiliation::default(),
            acts_for_any: BTreeSet::new(),
            terms: Terms::default(),
            tokens_not_before: None,
        }
    }
}

impl AuthSettings {
    /// The built-in defaults for a token endpoint of this `iss`, with these clients.
    #[must_use]
    pub fn new(issuer: &str, clients: Vec<ClientSettings>) -> Self {
        Self {
            audience: "tidings".to_owned(),
            issuer: issuer.to_owned(),
            token_lifetime: Duration::from_hours(1),
            clients,
            api_keys: Vec::new(),
            limits: AuthLimits::default(),
        }
    }
}

impl Default for AuthLimits {
    fn default() -> Self {
        let rate = |amount, period| Rate::new(amount, period).expect("the defaults are legal rates");
        Self { request_rate: None, token_rate: Some(rate(20, Period::Second)), auth_failures: rate(10, Period::Minute) }
    }
}
