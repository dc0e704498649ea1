//! The appliance's own keys that sign webhooks (Standard Webhooks 1.0.0, asymmetric): made at the first start and at each
//! rotation, and kept sealed in the store.
//!
//! A receiver has to be told of a new key before it can do without the old one: for a while both sign, and both are
//! published.

use std::fmt;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keys::Rotated;
use crate::base::clock::Timestamp;
use crate::base::ed25519::{PrivateKey, SEED_LEN, SignAll, Signature};
use crate::base::random::Random;
use crate::store::{Store, StoreError};

/// The store's name of the keys.
const SECRET_NAME: &str = "webhook-keys";
/// The version of the record.
const VERSION: u8 = 1;
/// How many keys besides the newest sign at once: each makes every webhook longer.
const MAX_OLD: usize = 3;
/// How long a key that has been replaced signs on.
pub const WEBHOOK_KEY_OVERLAP: Duration = Duration::from_hours(7 * 24);
/// What a public key begins with where people see it.
const PUBLIC_PREFIX: &str = "whpk_";

/// Signs webhooks, and says what verifies that.
pub struct WebhookKeys {
    current: ArcSwap<KeySet>,
    rotating: tokio::sync::Mutex<()>,
}

struct KeySet {
    newest: PrivateKey,
    old: Vec<Old>,
}

/// A key that has been replaced.
struct Old {
    key: PrivateKey,
    until: Timestamp,
}

/// What a rotation is told.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRotation {
    /// When it is.
    pub now: Timestamp,
    /// Whether no old key is to sign from now on, for a key that somebody has got hold of.
    pub forget_old: bool,
}

/// A public key as receivers are given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// `whpk_` and the key in base64.
    pub key: String,
    /// Until when it signs; `None`: it is the newest.
    pub until: Option<Timestamp>,
}

/// Why there is no key, or no new one.
#[derive(Debug, thiserror::Error)]
pub enum WebhookKeyError {
    /// The store cannot give or keep it.
    #[error("the keys that sign webhooks cannot be read or kept: {0}")]
    Store(#[from] StoreError),
    /// The record is none that we can read.
    #[error("the record of the keys that sign webhooks cannot be read ({reason}): restore the data file from a backup")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// Many keys sign already.
    #[error(
        "{MAX_OLD} keys that have been replaced still sign: rotate again after {}, or forget the old keys, which receivers \
         that do not know the new one will notice", .again.to_rfc3339_seconds()
    )]
    TooOften {
        /// When the first of them is over.
        again: Timestamp,
    },
}

/// The keys as the store keeps them, after the version.
#[derive(Serialize, Deserialize)]
struct Record {
    newest: [u8; SEED_LEN],
    old: Vec<OldRecord>,
}

#[derive(Serialize, Deserialize)]
struct OldRecord {
    seed: [u8; SEED_LEN],
    until: i64,
}

impl WebhookKeys {
    /// The store's keys; at first start one is made and kept. Every start, and every process at one store, gets the same.
    pub async fn load(store: &dyn Store, random: &dyn Random) -> Result<Self, WebhookKeyError> {
        let kept = match store.secret(SECRET_NAME).await? {
            Some(kept) => kept,
            None => store.keep_secret(SECRET_NAME, encode(&new_seed(random), &[])).await?,
        };
        Ok(Self::of(decode(&Zeroizing::new(kept))?))
    }

    /// One key, kept nowhere.
    #[must_use]
    pub fn in_memory(random: &dyn Random) -> Self {
        let newest = PrivateKey::from_seed(&new_seed(random)).expect("any 32 bytes are the seed of a key");
        Self::of(KeySet { newest, old: Vec::new() })
    }

    fn of(keys: KeySet) -> Self {
        Self { current: ArcSwap::from_pointee(keys), rotating: tokio::sync::Mutex::new(()) }
    }

    /// The public keys that sign at `now`, the newest first.
    #[must_use]
    pub fn published(&self, now: Timestamp) -> Vec<PublishedKey> {
        let keys = self.current.load();
        let newest = PublishedKey { key: shown(&keys.newest), until: None };
        let old = keys.still(now).map(|old| PublishedKey { key: shown(&old.key), until: Some(old.until) });
        std::iter::once(newest).chain(old).collect()
    }

    /// Makes a new key that signs from now on. The old one signs on for [`WEBHOOK_KEY_OVERLAP`], unless it is to be
    /// forgotten. Once this is answered, a restart changes nothing of it.
    pub async fn rotate(
        &self,
        store: &dyn Store,
        random: &dyn Random,
        rotation: WebhookRotation,
    ) -> Result<Rotated, WebhookKeyError> {
        let WebhookRotation { now, forget_old } = rotation;
        let _alone = self.rotating.lock().await;
        let replaced = self.current.load_full();
        let until = now.plus(WEBHOOK_KEY_OVERLAP);
        let old = if forget_old { Vec::new() } else { replaced.replace(now, until)? };
        let record = Zeroizing::new(encode(&new_seed(random), &old));
        let keys = decode(&record)?;
        store.replace_secret(SECRET_NAME, record.to_vec()).await?;
        let rotated = Rotated {
            key_id: shown(&keys.newest),
            replaced: shown(&replaced.newest),
            accepted_until: (!forget_old).then_some(until),
        };
        self.current.store(keys.into());
        Ok(rotated)
    }
}

impl SignAll for WebhookKeys {
    fn sign(&self, message: &[u8], now: Timestamp) -> Vec<Signature> {
        let keys = self.current.load();
        let old = keys.still(now).map(|old| old.key.sign(message));
        std::iter::once(keys.newest.sign(message)).chain(old).collect()
    }
}

impl KeySet {
    /// The replaced keys that sign at `now`.
    fn still(&self, now: Timestamp) -> impl Iterator<Item = &Old> {
        self.old.iter().filter(move |old| now < old.until)
    }

    /// The replaced keys once this set's newest is one of them.
    fn replace(&self, now: Timestamp, until: Timestamp) -> Result<Vec<OldRecord>, WebhookKeyError> {
        if self.still(now).count() >= MAX_OLD {
            let again = self.still(now).map(|old| old.until).min().unwrap_or(now);
            return Err(WebhookKeyError::TooOften { again });
        }
        let record = |key: &PrivateKey, until: Timestamp| OldRecord { seed: **key.seed(), until: until.as_millis() };
        let older = self.still(now).map(|old| record(&old.key, old.until));
        Ok(std::iter::once(record(&self.newest, until)).chain(older).collect())
    }
}

impl Drop for OldRecord {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.seed);
    }
}

fn new_seed(random: &dyn Random) -> Zeroizing<[u8; SEED_LEN]> {
    let mut seed = Zeroizing::new([0; SEED_LEN]);
    random.fill(&mut *seed);
    seed
}

fn shown(key: &PrivateKey) -> String {
    format!("{PUBLIC_PREFIX}{}", STANDARD.encode(key.public().as_bytes()))
}

fn encode(newest: &[u8; SEED_LEN], old: &[OldRecord]) -> Vec<u8> {
    postcard::to_extend(&(newest, old), vec![VERSION]).expect("bytes and numbers are written to memory")
}

fn decode(bytes: &[u8]) -> Result<KeySet, WebhookKeyError> {
    let record = match bytes.split_first() {
        Some((&VERSION, record)) => record,
        Some((version, _)) => return Err(unreadable(format!("its version is {version}, not {VERSION}"))),
        None => return Err(unreadable("it is empty")),
    };
    let Record { newest, old } = postcard::from_bytes(record).map_err(unreadable)?;
    let newest = Zeroizing::new(newest);
    let key = |seed: &[u8; SEED_LEN]| PrivateKey::from_seed(seed).ok_or_else(|| unreadable("a key is none"));
    let old = old.iter().map(|old| Ok(Old { key: key(&old.seed)?, until: Timestamp::from_millis(old.until) }));
    Ok(KeySet { newest: key(&newest)?, old: old.collect::<Result<_, WebhookKeyError>>()? })
}

fn unreadable(reason: impl fmt::Display) -> WebhookKeyError {
    WebhookKeyError::Unreadable { reason: reason.to_string() }
}

impl fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookKeys").field("newest", &shown(&self.current.load().newest)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::SeededRandomness;

    #[test]
    fn a_record_is_read_as_it_was_written_or_refused() {
        let random = SeededRandomness::new(1);
        let (newest, old) = (new_seed(&random), new_seed(&random));
        let record = encode(&newest, &[OldRecord { seed: *old, until: 7 }]);
        let keys = WebhookKeys::of(decode(&record).unwrap());
        let until = |now| keys.published(Timestamp::from_millis(now)).iter().map(|key| key.until).collect::<Vec<_>>();
        assert_eq!(until(6), [None, Some(Timestamp::from_millis(7))]);
        assert_eq!(until(7), [None]);
        assert_eq!(keys.published(Timestamp::MIN)[0].key, shown(&PrivateKey::from_seed(&newest).unwrap()));
        for cut in 0..record.len() {
            assert!(decode(&record[..cut]).is_err(), "cut at {cut}");
        }
        let newer = [&[2], &record[1..]].concat();
        assert!(decode(&newer).err().unwrap().to_string().contains("its version is 2"));
    }

    #[test]
    fn all_keys_that_are_published_sign_and_no_other() {
        let random = SeededRandomness::new(1);
        let seeds = [new_seed(&random), new_seed(&random)];
        let keys = WebhookKeys::of(decode(&encode(&seeds[0], &[OldRecord { seed: *seeds[1], until: 7 }])).unwrap());
        let count = |now| keys.sign(b"x", Timestamp::from_millis(now)).len();
        assert_eq!((count(6), count(7)), (2, 1));
        let publics = seeds.map(|seed| PrivateKey::from_seed(&seed).unwrap().public());
        let signatures = keys.sign(b"x", Timestamp::from_millis(6));
        assert!(publics.iter().zip(&signatures).all(|(public, signature)| public.verifies(b"x", signature)));
    }

    #[test]
    fn the_key_is_not_shown() {
        let keys = WebhookKeys::in_memory(&SeededRandomness::new(1));
        let public = &keys.published(Timestamp::MIN)[0].key;
        assert_eq!(format!("{keys:?}"), format!("WebhookKeys {{ newest: {public:?}, .. }}"));
        assert_eq!(public.len(), PUBLIC_PREFIX.len() + 44);
    }
}
