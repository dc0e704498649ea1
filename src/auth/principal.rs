//! Who calls.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use super::publish::PublishBounds;
use super::revoked::TokenId;
use crate::model::affiliation::Affiliation;
use crate::model::id::ClientId;
use crate::model::owners::Owners;

/// Who calls, as far as credentials show. Shared: cheap to clone for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Arc<Caller>);

/// What a caller has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A token of the built-in token endpoint.
    Token,
    /// A token of an external issuer.
    ForeignToken {
        /// Its `iss`.
        issuer: String,
    },
    /// An API key, known by the public part of it.
    ApiKey {
        /// `tdg_<8 public characters>`
        public: String,
    },
    /// A process on this machine, on the admin unix socket.
    Peer {
        /// Its user id.
        uid: u32,
    },
}

/// What is known of a [`Principal`].
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The client; for an API key the key's id, for a local process `uid:<n>`.
    pub client_id: ClientId,
    /// The token's `sub`; the client id for client credentials.
    pub subject: String,
    /// What the credential is good for: scopes of the token that the client has now.
    pub scopes: BTreeSet<String>,
    /// What it has shown.
    pub credential: Credential,
    /// The owners that an external issuer's token names, within that issuer's bounds; `None` where the files say what
    /// the client owns.
    pub owners: Option<Owners>,
    /// Whom it belongs to.
    pub affiliation: Affiliation,
    /// The contracts, by name, in which it may act for others than itself.
    pub acts_for_any: BTreeSet<String>,
    /// The contracts that it may call, by name; `None` for all.
    pub contracts: Option<BTreeSet<String>>,
    /// What it may publish; `None` for everything.
    pub publish: Option<Arc<PublishBounds>>,
    /// Which token of ours it is, to be known again if it is revoked.
    pub token: Option<TokenId>,
}

impl Principal {
    /// The principal that is known so.
    #[must_use]
    pub fn of(caller: Caller) -> Self {
        Self(Arc::new(caller))
    }

    /// A client with a token of the built-in token endpoint, bound by nothing but its scopes.
    #[must_use]
    pub fn new(client_id: ClientId, subject: String, scopes: BTreeSet<String>) -> Self {
        Self::of(Caller::new(client_id, subject, scopes))
    }
}

impl Caller {
    /// A client with a token of the built-in token endpoint, bound by nothing but its scopes.
    #[must_use]
    pub fn new(client_id: ClientId, subject: String, scopes: BTreeSet<String>) -> Self {
        Self {
            client_id,
            subject,
            scopes,
            credential: Credential::Token,
            owners: None,
            affiliation: Affiliation::default(),
            acts_for_any: BTreeSet::new(),
            contracts: None,
            publish: None,
            token: None,
        }
    }

    /// Whether `scope` is among its scopes.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether it may call the contract of this name.
    #[must_use]
    pub fn may_call(&self, contract: &str) -> bool {
        self.contracts.as_ref().is_none_or(|contracts| contracts.contains(contract))
    }
}

impl Deref for Principal {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}
