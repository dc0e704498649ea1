//! Tokens of ours that were revoked before their end (RFC 7009).
//!
//! What is answered as revoked is on disk and stays so over restarts, until the token would have ended by itself. There
//! is room for [`MAX_REVOKED`] at a time. They lie in shards, so that one more does not write all of them again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::secret::sha256;
use crate::store::{Store, StoreError};

/// How many records the tokens are spread over.
const SHARDS: u8 = 16;
/// How many tokens are in one of them.
const SHARD_ROOM: usize = 1024;
/// How many tokens can be revoked at a time, if they are spread evenly.
pub const MAX_REVOKED: usize = SHARD_ROOM * SHARDS as usize;
/// The version of the records.
const VERSION: u8 = 1;

/// By what a token is known: 128 bits of the SHA-256 of its `jti`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenId([u8; 16]);

/// The tokens that are refused though their time is not over.
pub struct Revocations {
    /// `None` where nothing outlives the process.
    store: Option<Arc<dyn Store>>,
    ends: RwLock<HashMap<TokenId, Timestamp>>,
    /// How many there are, to be asked without a lock.
    count: AtomicUsize,
    writing: tokio::sync::Mutex<()>,
}

/// Why a token is not revoked.
#[derive(Debug, thiserror::Error)]
pub enum NotRevoked {
    /// There is no room.
    #[error("too many tokens are revoked that have not ended by themselves: there is room again at {}",
        .again.to_rfc3339_seconds())]
    Full {
        /// When there is room again.
        again: Timestamp,
    },
    /// The store cannot keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TokenId {
    /// The token with this `jti`.
    #[must_use]
    pub fn of(jti: &str) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&sha256(jti.as_bytes())[..16]);
        Self(id)
    }

    const fn shard(self) -> u8 {
        self.0[0] % SHARDS
    }
}

impl Revocations {
    /// Those that the store knows.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut ends = HashMap::new();
        for shard in 0..SHARDS {
            if let Some(record) = store.secret(&name(shard)).await? {
                ends.extend(decode(shard, &record)?);
            }
        }
        Ok(Self::with(Some(store), ends))
    }

    /// None yet, and none outlives the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::with(None, HashMap::new())
    }

    fn with(store: Option<Arc<dyn Store>>, ends: HashMap<TokenId, Timestamp>) -> Self {
        let count = AtomicUsize::new(ends.len());
        Self { store, ends: RwLock::new(ends), count, writing: tokio::sync::Mutex::new(()) }
    }

    /// Whether the token is revoked.
    pub(super) fn holds(&self, token: TokenId) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.ends.read().contains_key(&token)
    }

    /// Refuses the token, which ends at `end`, from now on.
    pub(super) async fn add(&self, token: TokenId, end: Timestamp, now: Timestamp) -> Result<(), NotRevoked> {
        let _alone = self.writing.lock().await;
        let mut shard = self.unended(token.shard(), now);
        if shard.iter().any(|(known, _)| *known == token) {
            return Ok(());
        }
        if shard.len() >= SHARD_ROOM {
            let again = shard.iter().map(|(_, end)| *end).min().unwrap_or(now);
            return Err(NotRevoked::Full { again });
        }
        shard.push((token, end));
        if let Some(store) = &self.store {
            store.replace_secret(&name(token.shard()), encode(&shard)).await?;
        }
        self.put(token.shard(), shard);
        Ok(())
    }

    /// The tokens of a shard that have not ended by themselves.
    fn unended(&self, shard: u8, now: Timestamp) -> Vec<(TokenId, Timestamp)> {
        let ends = self.ends.read();
        ends.iter().filter(|(token, end)| token.shard() == shard && now < **end).map(|(t, e)| (*t, *e)).collect()
    }

    fn put(&self, shard: u8, tokens: Vec<(TokenId, Timestamp)>) {
        let mut ends = self.ends.write();
        ends.retain(|token, _| token.shard() != shard);
        ends.extend(tokens);
        self.count.store(ends.len(), Ordering::Release);
    }
}

fn name(shard: u8) -> String {
    format!("revoked-tokens-{shard}")
}

fn encode(tokens: &[(TokenId, Timestamp)]) -> Vec<u8> {
    let record: Vec<(TokenId, i64)> = tokens.iter().map(|(token, end)| (*token, end.as_millis())).collect();
    postcard::to_extend(&record, vec![VERSION]).expect("bytes and numbers are written to memory")
}

fn decode(shard: u8, record: &[u8]) -> Result<Vec<(TokenId, Timestamp)>, StoreError> {
    let corrupt = |what: String| StoreError::Corrupt { detail: format!("the revoked tokens {shard}: {what}") };
    let record = match record.split_first() {
        Some((&VERSION, record)) => record,
        first => return Err(corrupt(format!("version {:?}, not {VERSION}", first.map(|(version, _)| version)))),
    };
    let record: Vec<(TokenId, i64)> = postcard::from_bytes(record).map_err(|error| corrupt(error.to_string()))?;
    Ok(record.into_iter().map(|(token, end)| (token, Timestamp::from_millis(end))).collect())
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revocations").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// Tokens that lie in one shard.
    fn neighbours() -> impl Iterator<Item = TokenId> {
        (0..).map(|number| TokenId::of(&format!("token {number}"))).filter(|token| token.shard() == 3)
    }

    #[tokio::test]
    async fn there_is_room_again_when_tokens_end_by_themselves() {
        let revoked = Revocations::in_memory();
        let end = NOW.plus(std::time::Duration::from_hours(1));
        let mut tokens = neighbours();
        for (token, index) in tokens.by_ref().zip(0..SHARD_ROOM) {
            let end = if index == 0 { end.minus(std::time::Duration::from_millis(1)) } else { end };
            revoked.add(token, end, NOW).await.unwrap();
            assert!(revoked.holds(token));
        }
        let one_more = tokens.next().unwrap();
        let again = end.minus(std::time::Duration::from_millis(1));
        let refused = revoked.add(one_more, end, again.minus(std::time::Duration::from_millis(1))).await.unwrap_err();
        assert!(matches!(refused, NotRevoked::Full { again: said } if said == again), "{refused}");
        assert!(!revoked.holds(one_more));
        revoked.add(neighbours().next().unwrap(), end, NOW).await.unwrap();
        revoked.add(one_more, end, again).await.unwrap();
        assert!(revoked.holds(one_more) && !revoked.holds(neighbours().next().unwrap()));
        let elsewhere = TokenId::of("elsewhere");
        assert_ne!(elsewhere.shard(), 3);
        revoked.add(elsewhere, end, NOW).await.unwrap();
        assert!(revoked.holds(elsewhere) && revoked.holds(one_more));
    }

    #[test]
    fn a_record_is_read_as_it_was_written_or_refused() {
        let tokens: Vec<_> = neighbours().take(5).map(|token| (token, NOW)).collect();
        let record = encode(&tokens);
        assert_eq!(decode(3, &record).unwrap(), tokens);
        for cut in 0..record.len() {
            assert!(decode(3, &record[..cut]).is_err(), "cut at {cut}");
        }
        assert!(decode(3, &[&[9], &record[1..]].concat()).unwrap_err().to_string().contains("version"));
    }
}
