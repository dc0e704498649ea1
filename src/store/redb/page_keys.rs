//! Which pages can be had again under their idempotency keys (contracts/polling.md).

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::tables::PageAt;
use crate::base::clock::Timestamp;
use crate::base::secret::sha256_fields;
use crate::model::id::{ClientId, EndpointNumber};
use crate::store::IdempotencyKey;

/// Which page an idempotency key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptPage {
    pub(super) at: PageAt,
    /// Its first position.
    pub(super) first: u64,
}

/// How many pages are forgotten in one step: it is taken while everybody who reads waits.
const FORGOTTEN_AT_ONCE: usize = 20_000;

/// SHA-256 of endpoint, client and key, its first half.
pub(super) type PageKey = [u8; 16];

pub(super) fn page_key(endpoint: EndpointNumber, client: &ClientId, key: &IdempotencyKey) -> PageKey {
    let hash = sha256_fields([
        Some(endpoint.0.to_le_bytes().as_slice()),
        Some(client.as_str().as_bytes()),
        Some(key.as_str().as_bytes()),
    ]);
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// The pages that can be had again under their keys. As many as pages with results were taken in their lifetime.
#[derive(Debug, Default)]
pub(super) struct PageKeys {
    pages: HashMap<PageKey, KeptPage>,
    /// When each was taken, its key and where it is: a key may stand for a newer page meanwhile.
    by_age: VecDeque<(Timestamp, PageKey, PageAt)>,
}

impl PageKeys {
    pub(super) fn get(&self, key: &PageKey) -> Option<KeptPage> {
        self.pages.get(key).copied()
    }

    /// `taken` must not be before that of earlier pages.
    pub(super) fn keep(&mut self, key: PageKey, page: KeptPage, taken: Timestamp) {
        self.pages.insert(key, page);
        self.by_age.push_back((taken, key, page.at));
    }

    /// Whether any was taken at or before `since`.
    pub(super) fn has_older(&self, since: Timestamp) -> bool {
        self.by_age.front().is_some_and(|(taken, ..)| *taken <= since)
    }

    /// Drops what was taken at or before `since`, so many in one step.
    pub(super) fn forget(&mut self, since: Timestamp) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some((taken, key, at)) = self.by_age.front() else { return };
            if *taken > since {
                return;
            }
            if self.pages.get(key).is_some_and(|page| page.at == *at) {
                self.pages.remove(key);
            }
            self.by_age.pop_front();
        }
    }

    /// The first position of any kept page: what is behind it must stay.
    pub(super) fn first_position(&self) -> Option<u64> {
        self.pages.values().map(|p| p.first).min()
    }
}
