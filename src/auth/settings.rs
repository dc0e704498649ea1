//! `[auth]` and `[[clients]]`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::secret::SecretHash;
use crate::model::id::ClientId;
use crate::model::owners::Owners;

/// One `[[clients]]` entry.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Its id.
    pub id: ClientId,
    /// Hashes of its secrets; any of them is right.
    pub secrets: Vec<SecretHash>,
    /// What it may ask for.
    pub scopes: BTreeSet<String>,
    /// Its parties, subscriber and group.
    pub owners: Owners,
}

/// `[auth]` and `[[clients]]`.
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
}
