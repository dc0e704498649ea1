//! The clients as they are now, in a snapshot that a reload replaces as a whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::account::Account;
use super::settings::{ClientSettings, KeptSecret};
use super::terms::Terms;
use crate::base::clock::Timestamp;
use crate::base::secret::SecretHash;
use crate::model::affiliation::Affiliation;
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
    pub(super) secrets: Vec<KeptSecret>,
    certificates: Vec<[u8; 32]>,
    pub(super) scopes: BTreeSet<String>,
    pub(super) affiliation: Affiliation,
    pub(super) acts_for_any: BTreeSet<String>,
    pub(super) terms: Terms,
    pub(super) tokens_not_before: Option<Timestamp>,
    pub(super) account: Arc<Account>,
}

/// What somebody shows to be a client.
pub(super) struct Showing<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// Its secret, in each of the ways in which it can be read; none where it shows none.
    pub(super) secrets: &'a [&'a [u8]],
    /// SHA-256 of the certificate of its connection.
    pub(super) certificate: Option<[u8; 32]>,
}

/// Why somebody is not the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTheClient {
    /// There is none of this id, or it shows the wrong thing: which of the two is not told.
    Wrong,
    /// The secret was right once.
    Ended,
    /// The secret is right, but the certificate that it needs besides is not there.
    OtherCertificate,
    /// It is right, but not enabled.
    Disabled,
}

impl Clients {
    /// These clients; their ids differ.
    #[must_use]
    pub fn new(clients: &[ClientSettings]) -> Self {
        Self { current: ArcSwap::from_pointee(ClientSet::new(0, clients, None)), last_version: AtomicU64::new(0) }
    }

    /// Puts `clients` in the place of those that there are. Holds for every request that is authenticated from now on.
    pub fn replace(&self, clients: &[ClientSettings]) {
        let version = self.last_version.fetch_add(1, Ordering::Relaxed) + 1;
        let set = ClientSet::new(version, clients, Some(&self.current.load()));
        self.current.store(Arc::new(set));
    }

    pub(super) fn current(&self) -> Guard<Arc<ClientSet>> {
        self.current.load()
    }
}

impl ClientSet {
    fn new(version: u64, settings: &[ClientSettings], before: Option<&Self>) -> Self {
        let clients = settings.iter().map(|settings| {
            let account =
                before.and_then(|set| set.get(settings.id.as_str())).map(|client| Arc::clone(&client.account));
            (settings.id.clone(), Client::new(settings, account.unwrap_or_default()))
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

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ClientId, &Client)> {
        self.clients.iter()
    }

    /// The client that `shown` shows, and which of its secrets. As many secrets are compared for every client, and for
    /// one that is not there, so that the time does not tell who exists (RFC 6819, 5.1.4.2.3).
    pub(super) fn authenticate(
        &self,
        shown: &Showing<'_>,
        now: Timestamp,
    ) -> Result<(&Client, Option<usize>), NotTheClient> {
        let client = self.get(shown.id);
        let right = self.right_secret(client, shown.secrets);
        let client = client.ok_or(NotTheClient::Wrong)?;
        client.check_secret(shown, right, now)?;
        if !client.takes_certificate(shown.certificate) {
            // Without a secret the certificate is all that is shown.
            return Err(if right.is_some() { NotTheClient::OtherCertificate } else { NotTheClient::Wrong });
        }
        if client.terms.enabled { Ok((client, right)) } else { Err(NotTheClient::Disabled) }
    }

    /// The index of the secret of `client` that is shown.
    fn right_secret(&self, client: Option<&Client>, shown: &[&[u8]]) -> Option<usize> {
        let secrets = client.map_or(&[][..], |client| &client.secrets);
        let mut right = None;
        for shown in shown {
            let shown = SecretHash::of(shown);
            for index in 0..self.comparisons {
                let kept = secrets.get(index).map(|secret| &secret.hash);
                let same = kept.unwrap_or(&self.decoy).is(&shown) & kept.is_some();
                right = right.or(same.then_some(index));
            }
        }
        right
    }
}

impl Client {
    fn new(settings: &ClientSettings, account: Arc<Account>) -> Self {
        let ClientSettings {
            id: _,
            secrets,
            certificates,
            scopes,
            affiliation,
            acts_for_any,
            terms,
            tokens_not_before,
        } = settings;
        Self {
            affiliation: affiliation.clone(),
            acts_for_any: acts_for_any.clone(),
            secrets: secrets.clone(),
            certificates: certificates.clone(),
            scopes: scopes.clone(),
            terms: terms.clone(),
            tokens_not_before: *tokens_not_before,
            account,
        }
    }

    fn check_secret(&self, shown: &Showing<'_>, right: Option<usize>, now: Timestamp) -> Result<(), NotTheClient> {
        match right.map(|index| &self.secrets[index]) {
            Some(secret) if secret.has_ended(now) => Err(NotTheClient::Ended),
            Some(_) => Ok(()),
            // It has none to show: its certificate says who it is.
            None if self.secrets.is_empty() && shown.secrets.is_empty() && self.is_bound() => Ok(()),
            None => Err(NotTheClient::Wrong),
        }
    }

    /// Whether it, and its tokens, are good only together with one of its certificates.
    pub(super) const fn is_bound(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// Whether the certificate of a connection is one that it may come with.
    pub(super) fn takes_certificate(&self, certificate: Option<[u8; 32]>) -> bool {
        !self.is_bound() || certificate.is_some_and(|shown| self.certificates.contains(&shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const CERTIFICATE: [u8; 32] = [7; 32];

    fn client(id: &str, secrets: &[&str]) -> ClientSettings {
        let secrets = secrets.iter().map(|s| SecretHash::of(s.as_bytes()).into()).collect();
        ClientSettings { secrets, ..ClientSettings::new(id) }
    }

    fn showing<'a>(id: &'a str, secrets: &'a [&'a [u8]]) -> Showing<'a> {
        Showing { id, secrets, certificate: None }
    }

    /// Which secret is right, or why none is.
    fn authenticate(clients: &Clients, shown: &Showing<'_>) -> Result<Option<usize>, NotTheClient> {
        clients.current().authenticate(shown, NOW).map(|(_, secret)| secret)
    }

    #[test]
    fn any_secret_of_the_client_is_right_and_no_other() {
        let clients = Clients::new(&[client("a", &["one"]), client("b", &["two", "three"]), client("c", &[])]);
        for (id, secret, right) in [
            ("a", "one", Some(0)),
            ("b", "two", Some(0)),
            ("b", "three", Some(1)),
            ("a", "two", None),
            ("b", "one", None),
            ("d", "one", None),
            // The secret of the decoy is nobody's.
            ("a", "", None),
            ("c", "", None),
            ("d", "", None),
            ("", "", None),
        ] {
            let expected = right.map(Some).ok_or(NotTheClient::Wrong);
            assert_eq!(authenticate(&clients, &showing(id, &[secret.as_bytes()])), expected, "{id} {secret}");
            assert_eq!(authenticate(&clients, &showing(id, &[b"x", secret.as_bytes()])), expected, "{id} {secret}");
            assert_eq!(authenticate(&clients, &showing(id, &[])), Err(NotTheClient::Wrong), "{id}");
        }
    }

    #[test]
    fn a_secret_is_right_to_its_last_instant() {
        let ends = |at| KeptSecret { not_after: Some(at), ..SecretHash::of(b"old").into() };
        let mut settings = client("a", &["new"]);
        for (end, expected) in
            [(NOW, Ok(Some(1))), (NOW.minus(std::time::Duration::from_millis(1)), Err(NotTheClient::Ended))]
        {
            settings.secrets.truncate(1);
            settings.secrets.push(ends(end));
            let clients = Clients::new(std::slice::from_ref(&settings));
            assert_eq!(authenticate(&clients, &showing("a", &[b"old"])), expected);
            assert_eq!(authenticate(&clients, &showing("a", &[b"new"])), Ok(Some(0)));
        }
    }

    #[test]
    fn a_certificate_is_a_second_factor_or_the_only_one() {
        let bound = |id: &str, secrets: &[&str]| ClientSettings {
            certificates: vec![[1; 32], CERTIFICATE],
            ..client(id, secrets)
        };
        let clients = Clients::new(&[bound("both", &["s"]), bound("alone", &[]), client("plain", &["s"])]);
        let with = |shown: Showing<'_>, certificate| authenticate(&clients, &Showing { certificate, ..shown });
        let (right, other) = (Some(CERTIFICATE), Some([2; 32]));
        assert_eq!(with(showing("both", &[b"s"]), right), Ok(Some(0)));
        for wrong in [other, None] {
            assert_eq!(with(showing("both", &[b"s"]), wrong), Err(NotTheClient::OtherCertificate));
            assert_eq!(with(showing("alone", &[]), wrong), Err(NotTheClient::Wrong));
        }
        for shown in [&[][..], &[&b"t"[..]]] {
            assert_eq!(with(showing("both", shown), right), Err(NotTheClient::Wrong));
            assert_eq!(with(showing("plain", shown), right), Err(NotTheClient::Wrong));
            assert_eq!(with(showing("nobody", shown), right), Err(NotTheClient::Wrong));
        }
        assert_eq!(with(showing("alone", &[]), right), Ok(None));
        assert_eq!(with(showing("alone", &[b""]), right), Err(NotTheClient::Wrong));
        assert_eq!(with(showing("plain", &[b"s"]), other), Ok(Some(0)));
    }

    #[test]
    fn who_is_not_enabled_is_told_so_only_with_the_right_secret() {
        let mut off = client("off", &["s"]);
        off.terms.enabled = false;
        let clients = Clients::new(&[off]);
        assert_eq!(authenticate(&clients, &showing("off", &[b"s"])), Err(NotTheClient::Disabled));
        assert_eq!(authenticate(&clients, &showing("off", &[b"t"])), Err(NotTheClient::Wrong));
    }

    #[test]
    fn as_much_is_compared_whether_or_not_the_client_exists() {
        let clients = Clients::new(&[client("a", &[]), client("b", &["one", "two", "three"])]);
        assert_eq!(clients.current().comparisons, 3);
        assert_eq!(Clients::new(&[]).current().comparisons, 1);
    }

    #[test]
    fn what_was_used_is_known_after_a_replacement() {
        let clients = Clients::new(&[client("a", &["one"])]);
        clients.current().get("a").unwrap().account.show(0, NOW);
        clients.replace(&[client("a", &["two"]), client("b", &[])]);
        let set = clients.current();
        let used = |id: &str| set.get(id).unwrap().account.last_use().at;
        assert_eq!((used("a"), used("b"), set.version()), (Some(NOW), None, 1));
    }
}
