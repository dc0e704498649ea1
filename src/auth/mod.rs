//! Credentials → principal: clients, their secrets, tokens. No hyper.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::secret::SecretHash;
use crate::model::id::ClientId;
use crate::model::owners::Owners;

/// The scopes that this version gives a meaning to.
pub mod scope {
    /// Create and delete subscriptions of the polling contract.
    pub const ADMINISTRATOR: &str = "notification:consent:administrator";
    /// Read subscriptions and poll.
    pub const CONSUMER: &str = "notification:consent:consumer";
    /// Publish events.
    pub const PUBLISH: &str = "events:publish";
}

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

/// Who calls, as far as credentials show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The client.
    pub client_id: ClientId,
    /// The token's `sub`; the client id for client credentials.
    pub subject: String,
    /// What the credential is good for: scopes of the token that the client has now.
    pub scopes: BTreeSet<String>,
}

impl Principal {
    /// Whether `scope` is among them.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}
