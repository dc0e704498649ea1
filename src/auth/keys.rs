//! The keys of our tokens: one signs, those that signed before are accepted until their last token has ended. They are
//! made at the first start and at each rotation, and kept sealed in the store; of a key that has signed its last only
//! the public half is kept.

use std::fmt;
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::errors::Error as JwtError;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::claims::Claims;
use super::signing_key::{PublicJwk, PublicKey, SigningKey, new_document};
use crate::base::clock::Timestamp;
use crate::store::{Store, StoreError};

/// The store's name of the keys.
const SECRET_NAME: &str = "signing-keys";
/// The version of the record.
const VERSION: u8 = 1;
/// How many keys that do not sign any more are accepted at once.
const MAX_RETIRED: usize = 8;
/// A token is issued in the moment of a rotation, and its end is rounded up to a second: so much longer than its
/// lifetime the key that signed it is accepted.
const SLACK: Duration = Duration::from_mins(1);

/// Signs tokens, and gives what verifies them.
pub struct SigningKeys {
    current: ArcSwap<KeySet>,
    rotating: tokio::sync::Mutex<()>,
}

struct KeySet {
    signing: SigningKey,
    retired: Vec<Retired>,
}

/// A key that signs no more.
struct Retired {
    public: PublicKey,
    until: Timestamp,
}

/// What a rotation is told.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// When it is.
    pub now: Timestamp,
    /// How long the last token of the old key may live: `auth.token_lifetime`.
    pub token_lifetime: Duration,
    /// Whether no token of an old key is to be accepted from now on, for a key that somebody has got hold of.
    pub forget_old: bool,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key that signs now.
    pub key_id: String,
    /// The key that signed before.
    pub replaced: String,
    /// Until when that one's tokens are accepted; `None` if they are not any more.
    pub accepted_until: Option<Timestamp>,
}

/// The public keys in use (RFC 7517, 5): the one that signs first.
#[derive(Clone, Debug, Serialize)]
pub struct PublicKeys {
    keys: Vec<PublicJwk>,
}

/// Why there is no key to sign with, or no new one.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The store cannot give or keep it.
    #[error("the keys that sign tokens cannot be read or kept: {0}")]
    Store(#[from] StoreError),
    /// The bytes are no key that we can use.
    #[error(
        "the key that signs tokens is not a P-256 key in PKCS#8 ({reason}): the data file is damaged; restore it from a backup"
    )]
    Rejected {
        /// What the crypto provider said.
        reason: String,
    },
    /// The record is none that we can read.
    #[error("the record of the keys that sign tokens cannot be read ({reason}): restore the data file from a backup")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// None can be made.
    #[error("no key to sign tokens with can be made: the crypto provider failed")]
    NotMade,
    /// The tokens of many keys are still good.
    #[error(
        "{MAX_RETIRED} keys have been replaced whose tokens are still good: rotate again after {}, or forget the old keys, \
         which ends their tokens", .again.to_rfc3339_seconds()
    )]
    TooOften {
        /// When the first of them is over.
        again: Timestamp,
    },
}

/// The keys as the store keeps them, after the version.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(with = "serde_bytes")]
    signing: Vec<u8>,
    retired: Vec<RetiredRecord>,
}

#[derive(Serialize, Deserialize)]
struct RetiredRecord {
    #[serde(with = "serde_bytes")]
    point: Vec<u8>,
    until: i64,
}

impl SigningKeys {
    /// The store's keys; at first start one is made and kept. Every start, and every process at one store, gets the same.
    pub async fn load(store: &dyn Store) -> Result<Self, SigningKeyError> {
        let kept = match store.secret(SECRET_NAME).await? {
            Some(kept) => kept,
            None => store.keep_secret(SECRET_NAME, encode(new_document()?, &[])?).await?,
        };
        Ok(Self::of(decode(&Zeroizing::new(kept))?))
    }

    /// The key in a PKCS#8 document (RFC 5958) alone.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, SigningKeyError> {
        Ok(Self::of(KeySet { signing: SigningKey::from_pkcs8(document)?, retired: Vec::new() }))
    }

    fn of(keys: KeySet) -> Self {
        Self { current: ArcSwap::from_pointee(keys), rotating: tokio::sync::Mutex::new(()) }
    }

    /// The `kid` of the tokens that are issued now: the key's thumbprint (RFC 7638).
    #[must_use]
    pub fn key_id(&self) -> String {
        self.current.load().signing.public.id.clone()
    }

    /// What verifies the tokens of this `kid` at `now`; `None` if they are not accepted.
    pub(super) fn verifying(&self, key_id: &str, now: Timestamp) -> Option<DecodingKey> {
        self.current.load().accepted(now).find(|key| key.id == key_id).map(|key| key.verifying.clone())
    }

    /// Whether tokens of this `kid` are accepted at `now`.
    pub(super) fn accepts(&self, key_id: &str, now: Timestamp) -> bool {
        self.current.load().accepted(now).any(|key| key.id == key_id)
    }

    /// The public keys whose tokens are accepted at `now`.
    #[must_use]
    pub fn public(&self, now: Timestamp) -> PublicKeys {
        PublicKeys { keys: self.current.load().accepted(now).map(PublicKey::jwk).collect() }
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String, JwtError> {
        self.current.load().signing.sign(claims)
    }

    /// Makes a new key that signs from now on. The tokens of the old one are accepted until the last of them has ended,
    /// unless they are to be forgotten. Once this is answered, a restart changes nothing of it.
    pub async fn rotate(&self, store: &dyn Store, rotation: Rotation) -> Result<Rotated, SigningKeyError> {
        let Rotation { now, token_lifetime, forget_old } = rotation;
        let _alone = self.rotating.lock().await;
        let old = self.current.load_full();
        let until = now.plus(token_lifetime).plus(SLACK);
        let retired = if forget_old { Vec::new() } else { old.retire(now, until)? };
        let record = Zeroizing::new(encode(new_document()?, &retired)?);
        let keys = decode(&record)?;
        store.replace_secret(SECRET_NAME, record.to_vec()).await?;
        let rotated = Rotated {
            key_id: keys.signing.public.id.clone(),
            replaced: old.signing.public.id.clone(),
            accepted_until: (!forget_old).then_some(until),
        };
        self.current.store(keys.into());
        Ok(rotated)
    }
}

impl KeySet {
    fn accepted(&self, now: Timestamp) -> impl Iterator<Item = &PublicKey> {
        let retired = self.retired.iter().filter(move |key| now < key.until).map(|key| &key.public);
        std::iter::once(&self.signing.public).chain(retired)
    }

    /// The keys that are accepted besides the new one, once this set's key signs no more.
    fn retire(&self, now: Timestamp, until: Timestamp) -> Result<Vec<RetiredRecord>, SigningKeyError> {
        let still: Vec<_> = self.retired.iter().filter(|key| now < key.until).collect();
        if still.len() >= MAX_RETIRED {
            let again = still.iter().map(|key| key.until).min().unwrap_or(now);
            return Err(SigningKeyError::TooOften { again });
        }
        let record = |public: &PublicKey, until: Timestamp| RetiredRecord {
            point: public.point().to_vec(),
            until: until.as_millis(),
        };
        let mut retired = vec![record(&self.signing.public, until)];
        retired.extend(still.into_iter().map(|key| record(&key.public, key.until)));
        Ok(retired)
    }
}

fn encode(signing: Vec<u8>, retired: &[RetiredRecord]) -> Result<Vec<u8>, SigningKeyError> {
    let mut record = Record { signing, retired: Vec::with_capacity(retired.len()) };
    record.retired.extend(retired.iter().map(|key| RetiredRecord { point: key.point.clone(), until: key.until }));
    let encoded = postcard::to_extend(&record, vec![VERSION]).map_err(unreadable);
    drop(Zeroizing::new(record.signing));
    encoded
}

fn decode(bytes: &[u8]) -> Result<KeySet, SigningKeyError> {
    let record = match bytes.split_first() {
        Some((&VERSION, record)) => record,
        Some((version, _)) => return Err(unreadable(format!("its version is {version}, not {VERSION}"))),
        None => return Err(unreadable("it is empty")),
    };
    let Record { signing, retired } = postcard::from_bytes(record).map_err(unreadable)?;
    let retired = retired.into_iter().map(|RetiredRecord { point, until }| {
        let public = PublicKey::from_point(&point).ok_or_else(|| unreadable("a public key is no point"))?;
        Ok(Retired { public, until: Timestamp::from_millis(until) })
    });
    let retired = retired.collect::<Result<_, SigningKeyError>>()?;
    Ok(KeySet { signing: SigningKey::from_pkcs8(&Zeroizing::new(signing))?, retired })
}

fn unreadable(reason: impl fmt::Display) -> SigningKeyError {
    SigningKeyError::Unreadable { reason: reason.to_string() }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_or_refused() {
        let document = new_document().unwrap();
        let old = SigningKey::from_pkcs8(&new_document().unwrap()).unwrap();
        let retired = [RetiredRecord { point: old.public.point().to_vec(), until: 7 }];
        let record = encode(document.clone(), &retired).unwrap();
        let keys = decode(&record).unwrap();
        assert_eq!(keys.signing.public.id, SigningKey::from_pkcs8(&document).unwrap().public.id);
        let accepted = |now| keys.accepted(Timestamp::from_millis(now)).map(|key| key.id.clone()).collect::<Vec<_>>();
        assert_eq!(accepted(6), [keys.signing.public.id.clone(), old.public.id]);
        assert_eq!(accepted(7), std::slice::from_ref(&keys.signing.public.id));
        for cut in 0..record.len() {
            assert!(decode(&record[..cut]).is_err(), "cut at {cut}");
        }
        let newer = [&[2], &record[1..]].concat();
        assert!(decode(&newer).err().unwrap().to_string().contains("its version is 2"));
    }

    #[test]
    fn the_key_is_not_shown() {
        let keys = SigningKeys::from_pkcs8(&new_document().unwrap()).unwrap();
        assert_eq!(format!("{keys:?}"), format!("SigningKeys {{ key_id: {:?}, .. }}", keys.key_id()));
    }
}
