//! The issuers that are trusted now, and their tokens.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::algorithm::Algorithm;
use super::denied::ForeignDenied;
use super::grant::{Grant, check_header};
use super::key_set::{Chosen, KeySet};
use super::remote::{Freshness, Means, Patience, Remote};
use super::settings::{IssuerSettings, KeySource};
use super::token::Token;
use crate::auth::bearer::{MAX_TOKEN, REMEMBERED};
use crate::auth::principal::Principal;
use crate::base::clock::{Clock, Timestamp};
use crate::base::outbound::Outbound;
use crate::base::secret::sha256;
use crate::base::stop::Stop;

/// The external issuers whose tokens are taken.
pub struct TrustedIssuers {
    clock: Arc<dyn Clock>,
    current: ArcSwap<IssuerSet>,
    replaced: Notify,
    verified: Cache<[u8; 32], Arc<Verified>>,
}

/// The issuers as they were declared at one time.
struct IssuerSet {
    /// Never that of another set.
    version: u64,
    entries: HashMap<String, Arc<Entry>>,
    /// What its keys are fetched with.
    means: Means,
}

/// One issuer.
pub(super) struct Entry {
    settings: IssuerSettings,
    keys: Keys,
}

enum Keys {
    File(Arc<KeySet>),
    Url(Arc<Remote>),
}

/// A token that has been verified, under which issuers and with which keys.
struct Verified {
    grant: Grant,
    entry: Arc<Entry>,
    set_version: u64,
    keys_version: Option<u64>,
}

impl TrustedIssuers {
    /// Takes the tokens of `issuers`, whose names differ; [`TrustedIssuers::run`] fetches their keys.
    #[must_use]
    pub fn new(issuers: Vec<IssuerSettings>, outbound: Arc<Outbound>, clock: Arc<dyn Clock>) -> Self {
        Self::with_patience(issuers, outbound, clock, Patience::default())
    }

    /// As [`TrustedIssuers::new`], with other time limits.
    #[must_use]
    pub fn with_patience(
        issuers: Vec<IssuerSettings>,
        outbound: Arc<Outbound>,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Self {
        let means = Means { outbound, clock: Arc::clone(&clock), patience };
        let set = IssuerSet::new(0, issuers, means, None);
        Self { clock, current: ArcSwap::from_pointee(set), replaced: Notify::new(), verified: Cache::new(REMEMBERED) }
    }

    /// Puts `issuers` in the place of those that there are: holds for every token that is looked at from now on. Keys
    /// from a URL that stays are kept, and fetched again. Not to be called by two at once.
    pub fn replace(&self, issuers: Vec<IssuerSettings>) {
        let outbound = Arc::clone(&self.current.load().means.outbound);
        self.replace_over(issuers, outbound);
    }

    /// As [`TrustedIssuers::replace`], and fetches keys through `outbound` from now on.
    pub fn replace_over(&self, issuers: Vec<IssuerSettings>, outbound: Arc<Outbound>) {
        let before = self.current.load();
        let means = Means { outbound, ..before.means.clone() };
        let set = IssuerSet::new(before.version + 1, issuers, means, Some(&before));
        self.current.store(Arc::new(set));
        self.replaced.notify_one();
    }

    /// Fetches the keys that come from URLs until `stop` is given.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        loop {
            let mut fetching = JoinSet::new();
            for (_, remote) in self.current.load().remotes() {
                fetching.spawn(Arc::clone(remote).run());
            }
            tokio::select! {
                () = stop.stopped() => return,
                () = self.replaced.notified() => {}
                // A task that ends has panicked: this one ends too, which is noticed.
                Some(_) = fetching.join_next() => return,
            }
        }
    }

    /// Who calls with this token at the time of the clock, on a connection that has shown `certificate` (its SHA-256).
    /// `None` where the token is not from one of the issuers. May wait for the issuer's keys, which is bounded.
    pub async fn bearer(&self, token: &str, certificate: Option<[u8; 32]>) -> Option<Result<Principal, ForeignDenied>> {
        let set = self.current.load_full();
        if set.entries.is_empty() || token.len() > MAX_TOKEN {
            return None;
        }
        let digest = sha256(token.as_bytes());
        if let Some(known) = self.verified.get(&digest).filter(|known| known.holds(&set)) {
            return Some(known.principal(self.now(), certificate));
        }
        let parsed = Token::parse(token)?;
        let entry = set.entries.get(parsed.claims.issuer()?)?;
        Some(self.verify(&parsed, entry, set.version).await.and_then(|verified| {
            let principal = verified.principal(self.now(), certificate)?;
            self.verified.insert(digest, Arc::new(verified));
            Ok(principal)
        }))
    }

    /// How many verified tokens are remembered; bounded as for our own.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.verified.len()
    }

    async fn verify(&self, token: &Token<'_>, entry: &Arc<Entry>, set_version: u64) -> Result<Verified, ForeignDenied> {
        check_header(&entry.settings, &token.header)?;
        let algorithm = Algorithm::named(&token.header.algorithm);
        let algorithm = algorithm.filter(|algorithm| entry.settings.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(ForeignDenied::OtherAlgorithm)?;
        let keys_version = entry.check_signature(token, algorithm).await?;
        let grant = Grant::of(&entry.settings, &token.claims)?;
        Ok(Verified { grant, entry: Arc::clone(entry), set_version, keys_version })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How fresh the keys are of each issuer whose keys come from a URL, in order of the issuers.
    pub(super) fn freshness(&self) -> Vec<(String, Freshness)> {
        let set = self.current.load();
        let mut all: Vec<_> = set.remotes().map(|(issuer, remote)| (issuer.to_owned(), remote.freshness())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

impl fmt::Debug for TrustedIssuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.current.load().entries.keys()).finish()
    }
}

impl IssuerSet {
    fn new(version: u64, issuers: Vec<IssuerSettings>, means: Means, before: Option<&Self>) -> Self {
        let entries = issuers.into_iter().map(|settings| {
            let keys = match &settings.keys {
                KeySource::File(keys) => Keys::File(Arc::clone(keys)),
                KeySource::Url { url, refresh } => {
                    let known = before.and_then(|before| before.entries.get(&settings.issuer)).and_then(|e| e.remote());
                    let known = known.filter(|remote| remote.url == *url);
                    let new = || Remote::new(settings.issuer.clone(), url.clone(), *refresh, means.clone());
                    Keys::Url(match known {
                        Some(remote) if remote.refresh == *refresh && remote.goes_by(&means) => Arc::clone(remote),
                        Some(remote) => Arc::new(new().succeeding(remote)),
                        None => Arc::new(new()),
                    })
                }
            };
            (settings.issuer.clone(), Arc::new(Entry { settings, keys }))
        });
        let entries = entries.collect();
        Self { version, entries, means }
    }

    fn remotes(&self) -> impl Iterator<Item = (&str, &Arc<Remote>)> {
        self.entries.iter().filter_map(|(issuer, entry)| Some((issuer.as_str(), entry.remote()?)))
    }
}

impl Entry {
    const fn remote(&self) -> Option<&Arc<Remote>> {
        match &self.keys {
            Keys::File(_) => None,
            Keys::Url(remote) => Some(remote),
        }
    }

    /// The version of the keys as they are now; `None` for those that never change and those that are not there.
    fn keys_version(&self) -> Option<u64> {
        self.remote()?.fetched().map(|fetched| fetched.version)
    }

    /// Verifies the signature; answers the version of the keys that did.
    async fn check_signature(&self, token: &Token<'_>, algorithm: Algorithm) -> Result<Option<u64>, ForeignDenied> {
        let remote = match &self.keys {
            Keys::File(keys) => return check(keys, token, algorithm)?.map(|()| None).ok_or(ForeignDenied::UnknownKey),
            Keys::Url(remote) => remote,
        };
        for renewed in [false, true] {
            if renewed {
                remote.renew().await;
            }
            if let Some(fetched) = remote.fetched()
                && let Some(()) = check(&fetched.keys, token, algorithm)?
            {
                return Ok(Some(fetched.version));
            }
        }
        Err(if remote.is_down() { ForeignDenied::KeysUnavailable } else { ForeignDenied::UnknownKey })
    }
}

/// Verifies with the key that the header means; `None` where the set does not have it.
fn check(keys: &KeySet, token: &Token<'_>, algorithm: Algorithm) -> Result<Option<()>, ForeignDenied> {
    match keys.choose(token.header.key_id.as_deref(), algorithm) {
        Chosen::Key(key) if key.verifies(algorithm, token.message.as_bytes(), &token.signature) => Ok(Some(())),
        Chosen::Key(_) => Err(ForeignDenied::BadSignature),
        Chosen::Unfit => Err(ForeignDenied::UnknownKey),
        Chosen::Unknown => Ok(None),
    }
}

impl Verified {
    /// Whether what was verified then would be verified now.
    fn holds(&self, set: &IssuerSet) -> bool {
        self.set_version == set.version && self.keys_version == self.entry.keys_version()
    }

    fn principal(&self, now: Timestamp, certificate: Option<[u8; 32]>) -> Result<Principal, ForeignDenied> {
        self.grant.check(now, certificate)?;
        Ok(self.grant.principal.clone())
    }
}
