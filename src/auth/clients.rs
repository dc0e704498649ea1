//! The clients as they are now, in a snapshot that a reload replaces as a whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::settings::ClientSettings;
use crate::base::secret::SecretHash;
use crate::model::id::ClientId;

/// The clients that the token endpoint and the authenticator share.
#[derive(Debug)]
pub struct Clients {
    current: ArcSwap<ClientSet>,
    last_version: AtomicU64,
}

/// The clients as they were declared at one time.
#[derive(Debug)]
pub(super) struct ClientSet {
    /// Never that of another set: what was worked out from a set of this version holds for this set.
    version: u64,
    clients: HashMap<ClientId, Client>,
    /// How many secrets are compared for every presented one, whoever presents it.
    comparisons: usize,
    /// Compared in the place of secrets that are not there.
    decoy: SecretHash,
}

#[derive(Debug)]
pub(super) struct Client {
    secrets: Vec<SecretHash>,
    pub(super) scopes: BTreeSet<String>,
}

impl Clients {
    /// These clients; their ids differ.
    #[must_use]
    pub fn new(clients: &[ClientSettings]) -> Self {
        Self { current: ArcSwap::from_pointee(ClientSet::new(0, clients)), last_version: AtomicU64::new(0) }
    }

    /// Puts `clients` in the place of those that there are. Holds for every request that is authenticated from now on.
    pub fn replace(&self, clients: &[ClientSettings]) {
        let version = self.last_version.fetch_add(1, Ordering::Relaxed) + 1;
        self.current.store(Arc::new(ClientSet::new(version, clients)));
    }

    pub(super) fn current(&self) -> Guard<Arc<ClientSet>> {
        self.current.load()
    }
}

impl ClientSet {
    fn new(version: u64, settings: &[ClientSettings]) -> Self {
        let clients = settings.iter().map(|settings| {
            let ClientSettings { id, secrets, scopes, owners: _ } = settings;
            (id.clone(), Client { secrets: secrets.clone(), scopes: scopes.clone() })
        });
        let comparisons = settings.iter().map(|client| client.secrets.len()).max().unwrap_or(0).max(1);
        Self { version, clients: clients.collect(), comparisons, decoy: SecretHash::of(b"") }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    /// The client `id` if `secret` is one of its secrets. As many secrets are compared for every client, and for one
    /// that is not there, so that the time does not tell who exists (RFC 6819, 5.1.4.2.3).
    pub(super) fn authenticate(&self, id: &str, secret: &[u8]) -> Option<&Client> {
        let client = self.get(id);
        let secrets = client.map_or(&[][..], |client| &client.secrets);
        let mut right = false;
        for index in 0..self.comparisons {
            let hash = secrets.get(index);
            right |= hash.unwrap_or(&self.decoy).matches(secret) & hash.is_some();
        }
        client.filter(|_| right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::owners::Owners;

    fn client(id: &str, secrets: &[&str]) -> ClientSettings {
        ClientSettings {
            id: id.into(),
            secrets: secrets.iter().map(|s| SecretHash::of(s.as_bytes())).collect(),
            scopes: BTreeSet::new(),
            owners: Owners::default(),
        }
    }

    #[test]
    fn any_secret_of_the_client_is_right_and_no_other() {
        let clients = Clients::new(&[client("a", &["one"]), client("b", &["two", "three"]), client("c", &[])]);
        let set = clients.current();
        for (id, secret, right) in [
            ("a", "one", true),
            ("b", "two", true),
            ("b", "three", true),
            ("a", "two", false),
            ("b", "one", false),
            ("d", "one", false),
            // The secret of the decoy is nobody's.
            ("a", "", false),
            ("c", "", false),
            ("d", "", false),
            ("", "", false),
        ] {
            assert_eq!(set.authenticate(id, secret.as_bytes()).is_some(), right, "{id} {secret}");
        }
    }

    #[test]
    fn no_clients_are_legal_and_nobody_gets_in() {
        assert!(Clients::new(&[]).current().authenticate("a", b"").is_none());
    }

    #[test]
    fn a_replaced_set_has_a_version_of_its_own() {
        let clients = Clients::new(&[client("a", &["one"])]);
        let before = clients.current().version();
        clients.replace(&[client("b", &["two"])]);
        assert_ne!(clients.current().version(), before);
        assert!(clients.current().get("a").is_none());
        assert!(clients.current().authenticate("b", b"two").is_some());
    }
}
