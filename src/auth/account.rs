//! What a client or key has done lately: when it was last used, and how much of its rates is left. It outlives a reload.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::base::clock::Timestamp;
use crate::base::rate::{Bucket, Rate};

/// The account of one client or key.
#[derive(Debug)]
pub(super) struct Account {
    /// Milliseconds since 1970; [`i64::MIN`] for never.
    used: AtomicI64,
    /// Which secret was shown last, from 1; 0 for none.
    secret: AtomicUsize,
    requests: Mutex<Bucket>,
    tokens: Mutex<Bucket>,
}

/// When something was used last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastUse {
    /// When; `None` if it has not been since this is kept.
    pub at: Option<Timestamp>,
    /// Which of its secrets or keys was shown last, from 1 in the order of the files.
    pub secret: Option<usize>,
}

impl Default for Account {
    fn default() -> Self {
        Self::with(LastUse::default())
    }
}

impl Account {
    /// An account with this last use.
    pub(super) fn with(last: LastUse) -> Self {
        Self {
            used: AtomicI64::new(last.at.map_or(i64::MIN, Timestamp::as_millis)),
            secret: AtomicUsize::new(last.secret.unwrap_or(0)),
            requests: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// It is used now.
    pub(super) fn use_at(&self, now: Timestamp) {
        self.used.store(now.as_millis(), Ordering::Relaxed);
    }

    /// The secret of this index, from 0, is shown now.
    pub(super) fn show(&self, index: usize, now: Timestamp) {
        self.secret.store(index + 1, Ordering::Relaxed);
        self.use_at(now);
    }

    /// Takes over what was known before the start, unless there is something newer.
    pub(super) fn recall(&self, last: LastUse) {
        if let (None, Some(at)) = (self.last_use().at, last.at) {
            self.secret.store(last.secret.unwrap_or(0), Ordering::Relaxed);
            self.use_at(at);
        }
    }

    pub(super) fn last_use(&self) -> LastUse {
        let at = match self.used.load(Ordering::Relaxed) {
            i64::MIN => None,
            millis => Some(Timestamp::from_millis(millis)),
        };
        LastUse { at, secret: Some(self.secret.load(Ordering::Relaxed)).filter(|secret| *secret > 0) }
    }

    /// One request more, if the rate has room for it; else how long to wait.
    pub(super) fn take_request(&self, rate: Option<Rate>, now: Timestamp) -> Result<(), Duration> {
        rate.map_or(Ok(()), |rate| self.requests.lock().take(rate, now))
    }

    /// One call of the token endpoint more, if the rate has room for it; else how long to wait.
    pub(super) fn take_token(&self, rate: Option<Rate>, now: Timestamp) -> Result<(), Duration> {
        rate.map_or(Ok(()), |rate| self.tokens.lock().take(rate, now))
    }
}
