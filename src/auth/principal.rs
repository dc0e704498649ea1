//! Who calls.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use crate::model::id::ClientId;

/// Who calls, as far as credentials show. Shared: cheap to clone for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Arc<Caller>);

/// What is known of a [`Principal`].
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The client.
    pub client_id: ClientId,
    /// The token's `sub`; the client id for client credentials.
    pub subject: String,
    /// What the credential is good for: scopes of the token that the client has now.
    pub scopes: BTreeSet<String>,
}

impl Principal {
    /// The principal with these properties.
    #[must_use]
    pub fn new(client_id: ClientId, subject: String, scopes: BTreeSet<String>) -> Self {
        Self(Arc::new(Caller { client_id, subject, scopes }))
    }
}

impl Caller {
    /// Whether `scope` is among its scopes.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}

impl Deref for Principal {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}
