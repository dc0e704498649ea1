//! The identities that are remembered, to recognise repeats (contracts/events.md, `duplicate_window`).
//!
//! A bounded map from fingerprint to position, rebuilt at start; a hit is confirmed by reading the event's row. Entries
//! lie in chunks in order of acceptance, so that the oldest go first and memory never doubles: about 35 bytes each.

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::base::clock::Timestamp;

/// What is remembered of one event.
#[derive(Clone, Copy, Debug)]
struct Remembered {
    fingerprint: u64,
    position: u64,
    accepted: Timestamp,
}

const CHUNK: u32 = 4096;

/// How many are forgotten for their age in one step: it is taken while everybody who reads waits.
const FORGOTTEN_AT_ONCE: usize = 20_000;

/// The remembered identities, oldest first.
#[derive(Debug, Default)]
pub(super) struct Identities {
    chunks: VecDeque<Vec<Remembered>>,
    /// The number of the first entry of the first chunk, counted from the first entry ever.
    base: u32,
    /// How many entries of the first chunk are forgotten already.
    forgotten: u32,
    len: u32,
    /// Numbers of entries (modulo 2^32), found by fingerprint.
    table: HashTable<u32>,
}

/// The part of a fingerprint that the map is searched by.
pub(super) fn short(fingerprint: &[u8; 16]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&fingerprint[..8]);
    u64::from_le_bytes(bytes)
}

fn at(chunks: &VecDeque<Vec<Remembered>>, base: u32, number: u32) -> Remembered {
    let index = number.wrapping_sub(base);
    chunks[(index / CHUNK) as usize][(index % CHUNK) as usize]
}

impl Identities {
    /// How many are remembered.
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Positions of events that may have this fingerprint.
    pub(super) fn candidates(&self, fingerprint: &[u8; 16], since: Timestamp) -> Vec<u64> {
        let short = short(fingerprint);
        self.table
            .iter_hash(short)
            .map(|&number| at(&self.chunks, self.base, number))
            .filter(|r| r.fingerprint == short && r.accepted > since)
            .map(|r| r.position)
            .collect()
    }

    /// Remembers the newest event.
    pub(super) fn remember(&mut self, fingerprint: &[u8; 16], position: u64, accepted: Timestamp) {
        let fingerprint = short(fingerprint);
        let number = self.base.wrapping_add(self.forgotten + self.len);
        if self.chunks.back().is_none_or(|c| c.len() == CHUNK as usize) {
            self.chunks.push_back(Vec::with_capacity(CHUNK as usize));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(Remembered { fingerprint, position, accepted });
        }
        self.len += 1;
        let (chunks, base) = (&self.chunks, self.base);
        self.table.insert_unique(fingerprint, number, |&n| at(chunks, base, n).fingerprint);
    }

    /// Forgets what was accepted at or before `since`, so many of it in one step, and the oldest while more than
    /// `most` are left.
    pub(super) fn forget(&mut self, since: Timestamp, most: usize) {
        let mut step = FORGOTTEN_AT_ONCE;
        while let Some(oldest) = self.oldest()
            && (self.len() > most || (step > 0 && oldest.accepted <= since))
        {
            self.forget_oldest(oldest.fingerprint);
            step = step.saturating_sub(1);
        }
    }

    /// Whether any was accepted at or before `since`.
    pub(super) fn has_older(&self, since: Timestamp) -> bool {
        self.oldest().is_some_and(|oldest| oldest.accepted <= since)
    }

    /// The position of the oldest that is remembered.
    pub(super) fn oldest_position(&self) -> Option<u64> {
        self.oldest().map(|r| r.position)
    }

    fn oldest(&self) -> Option<Remembered> {
        (self.len > 0).then(|| self.chunks[0][self.forgotten as usize])
    }

    fn forget_oldest(&mut self, fingerprint: u64) {
        let number = self.base.wrapping_add(self.forgotten);
        if let Ok(entry) = self.table.find_entry(fingerprint, |&n| n == number) {
            entry.remove();
        }
        self.len -= 1;
        self.forgotten += 1;
        if self.forgotten == CHUNK {
            self.chunks.pop_front();
            self.base = self.base.wrapping_add(CHUNK);
            self.forgotten = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::sha256;

    fn fingerprint(n: u64) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&sha256(&n.to_le_bytes())[..16]);
        out
    }

    fn at_millis(n: u64) -> Timestamp {
        Timestamp::from_millis(n.cast_signed())
    }

    #[test]
    fn what_is_remembered_is_found_and_what_is_forgotten_is_not() {
        let mut identities = Identities::default();
        let (count, most) = (30_000, 10_000);
        for n in 0..count {
            identities.remember(&fingerprint(n), n * 2, at_millis(n));
            identities.forget(Timestamp::MIN, most);
        }
        assert_eq!(identities.len(), most);
        let first = count - most as u64;
        assert_eq!(identities.oldest_position(), Some(first * 2));
        for n in 0..count {
            let expected: &[u64] = if n >= first { &[n * 2] } else { &[] };
            assert_eq!(identities.candidates(&fingerprint(n), Timestamp::MIN), expected, "{n}");
        }
    }

    #[test]
    fn the_window_ends_to_the_millisecond() {
        let mut identities = Identities::default();
        identities.remember(&fingerprint(1), 1, at_millis(100));
        assert_eq!(identities.candidates(&fingerprint(1), at_millis(99)), [1]);
        assert!(identities.candidates(&fingerprint(1), at_millis(100)).is_empty());
        identities.forget(at_millis(99), 10);
        assert_eq!(identities.len(), 1);
        identities.forget(at_millis(100), 10);
        assert_eq!((identities.len(), identities.oldest_position()), (0, None));
    }

    #[test]
    fn two_events_with_one_short_fingerprint_are_both_candidates() {
        let mut identities = Identities::default();
        let mut twin = fingerprint(1);
        twin[15] ^= 1;
        identities.remember(&fingerprint(1), 1, at_millis(1));
        identities.remember(&twin, 2, at_millis(1));
        let mut found = identities.candidates(&twin, Timestamp::MIN);
        found.sort_unstable();
        assert_eq!(found, [1, 2]);
    }
}
