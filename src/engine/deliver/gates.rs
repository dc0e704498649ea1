//! What an attempt needs before it begins: a turn at its target, a place within the rate, and a place among all attempts
//! of its channel.
//!
//! Each is waited for in the order of asking, one at a time, so that every lane gets its turn, whatever waits behind
//! another. Targets that are slow have half of the places together, and the first attempts at those that are new a
//! quarter: however many there are, the rest is there for those that are quick.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::latency::TargetPace;
use super::rest::{Finding, TargetChange};
use super::target::{Begin, TargetState, Turn};
use super::time::Time;
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::rate::{Bucket, Rate};
use crate::channel::Shared;

/// The gates of one channel.
#[derive(Debug)]
pub(super) struct Gates {
    all: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    new: Arc<Semaphore>,
    /// In all, and at each target.
    limits: (usize, usize),
    targets: Mutex<HashMap<String, Weak<TargetState>>>,
    rates: Mutex<HashMap<String, Weak<Limit>>>,
}

/// What one endpoint has to go through.
#[derive(Debug)]
pub(super) struct Way {
    /// Its target.
    pub target: Arc<TargetState>,
    /// The target's key.
    pub key: String,
    limit: Option<Arc<Limit>>,
}

/// A rate, and who waits for it.
#[derive(Debug)]
struct Limit {
    rate: Rate,
    /// Locked for as long as somebody waits: the lock gives turns in order.
    bucket: tokio::sync::Mutex<Bucket>,
}

/// What an attempt holds while it is under way: its turn at the target until that has answered, and its place until the
/// settlement is stored.
#[derive(Debug)]
pub(super) struct Permit {
    turn: Option<Turn>,
    _places: (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>),
}

impl Gates {
    /// Gates for so many attempts in all, and so many at each target.
    pub(super) fn new(limits: (usize, usize)) -> Self {
        let in_flight = limits.0.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(in_flight)),
            slow: Arc::new(Semaphore::new((in_flight / 2).max(1))),
            new: Arc::new(Semaphore::new((in_flight / 4).max(1))),
            limits,
            targets: Mutex::default(),
            rates: Mutex::default(),
        }
    }

    /// Whether these are its limits.
    pub(super) fn has(&self, limits: (usize, usize)) -> bool {
        self.limits == limits
    }

    /// The way of an endpoint that shares this with others.
    pub(super) fn way(&self, shared: Shared) -> Way {
        let Shared { target: key, rate } = shared;
        let target = common(&mut self.targets.lock(), &key, || TargetState::new(self.limits.1));
        target.gain();
        let limit = rate.map(|(name, rate)| {
            let new = || Limit { rate, bucket: tokio::sync::Mutex::default() };
            // With the rate in the key, what is declared anew gets a new one.
            common(&mut self.rates.lock(), &format!("{name} {rate}"), new)
        });
        Way { target, key, limit }
    }

    /// Waits for the turn of one attempt. Dropped while it waits, it has taken nothing but its place within the rate.
    pub(super) async fn pass(&self, way: &Way, time: &Time) -> Permit {
        let mut is_within_rate = way.limit.is_none();
        let mut turn = way.target.turn().await;
        loop {
            match turn.begin(time.now()) {
                Begin::At(until) => time.sleep_until(until).await,
                Begin::Never => {
                    drop(turn);
                    turn = way.target.turn().await;
                }
                Begin::Now => {
                    if let Some(limit) = way.limit.as_ref().filter(|_| !is_within_rate) {
                        limit.take(time).await;
                        is_within_rate = true;
                    }
                    let places = self.place(&mut turn).await;
                    // Waiting for them takes its time, in which the target may have begun to rest.
                    if turn.begin(time.now()) == Begin::Now {
                        return Permit { turn: Some(turn), _places: places };
                    }
                }
            }
        }
    }

    /// One more, if nobody waits for it.
    pub(super) fn try_pass(&self, way: &Way, time: &Time) -> Option<Permit> {
        let mut turn = way.target.try_turn(time.now())?;
        let part = match self.part(&mut turn) {
            Some(part) => Some(Arc::clone(part).try_acquire_owned().ok()?),
            None => None,
        };
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        way.limit.as_ref().is_none_or(|limit| limit.try_take(time)).then_some(())?;
        Some(Permit { turn: Some(turn), _places: (part, Some(all)) })
    }

    async fn place(&self, turn: &mut Turn) -> (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>) {
        // The semaphores are never closed.
        loop {
            let target = Arc::clone(turn.target());
            let pace_changes = target.pace_changes();
            let part = match self.part(turn) {
                None => None,
                Some(part) => tokio::select! {
                    permit = Arc::clone(part).acquire_owned() => permit.ok(),
                    // It may have turned out to be quick.
                    () = pace_changes => continue,
                },
            };
            return (part, Arc::clone(&self.all).acquire_owned().await.ok());
        }
    }

    /// The part of all places that has to do; `None`: all of them.
    fn part(&self, turn: &mut Turn) -> Option<&Arc<Semaphore>> {
        match turn.pace() {
            TargetPace::Quick => None,
            TargetPace::Slow => Some(&self.slow),
            TargetPace::New => Some(&self.new),
        }
    }
}

impl Permit {
    /// Gives the turn to the next one, with what the attempt has found out.
    pub(super) fn pass_on(
        &mut self,
        finding: Finding<'_>,
        took: Duration,
        now: Timestamp,
        random: &dyn Random,
    ) -> Option<TargetChange> {
        self.turn.take()?.found(finding, took, now, random)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.target.lose();
    }
}

impl Way {
    /// How many attempts of one endpoint may be under way: where others go to the same target, it leaves them half.
    pub(super) fn share(&self) -> usize {
        self.target.share()
    }

    /// Whether it is limited to a rate.
    pub(super) const fn has_rate(&self) -> bool {
        self.limit.is_some()
    }
}

impl Limit {
    async fn take(&self, time: &Time) {
        let mut bucket = self.bucket.lock().await;
        while let Err(wait) = bucket.take(self.rate, time.now()) {
            time.sleep(wait).await;
        }
    }

    fn try_take(&self, time: &Time) -> bool {
        self.bucket.try_lock().is_ok_and(|mut bucket| bucket.take(self.rate, time.now()).is_ok())
    }
}

/// What all who know `key` have in common; it is forgotten with the last of them.
fn common<T>(known: &mut HashMap<String, Weak<T>>, key: &str, new: impl FnOnce() -> T) -> Arc<T> {
    if let Some(found) = known.get(key).and_then(Weak::upgrade) {
        return found;
    }
    if known.len() == known.capacity() {
        known.retain(|_, weak| weak.strong_count() > 0);
    }
    let made = Arc::new(new());
    known.insert(key.to_owned(), Arc::downgrade(&made));
    made
}
