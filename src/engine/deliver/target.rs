//! What endpoints of one target share: how many attempts are under way there, whether it has asked for a rest, whether
//! it is down, and whether it is quick.
//!
//! All of it is memory, and as old as the oldest lane that goes there. Lanes get their turn in the order in which they
//! asked. A target that wants a rest, or is down, has one attempt at a time from then on: the lane whose turn it is
//! waits for the rest to end, and all others wait behind it. Each success allows one more.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::latency::{Latency, TargetPace};
use super::rest::{Down, Finding, Rests, TargetChange};
use crate::base::clock::Timestamp;
use crate::base::random::Random;

/// A target, as all lanes that go there see it.
#[derive(Debug)]
pub(super) struct TargetState {
    turns: Arc<Semaphore>,
    inner: Mutex<Inner>,
    /// How quick it is has changed.
    pace_changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// The most turns that there ever are.
    max: usize,
    /// How many there are to be.
    wanted: usize,
    /// How many there are, taken or not.
    there: usize,
    latency: Latency,
    rests: Rests,
    /// How many endpoints go there.
    endpoints: usize,
}

/// One attempt's turn at a target.
#[derive(Debug)]
pub(super) struct Turn {
    target: Arc<TargetState>,
    permit: Option<OwnedSemaphorePermit>,
    /// The target's when the attempt began.
    age: u64,
    /// Whether it is the one that is to find out how quick the target is.
    is_trial: bool,
}

/// When a turn can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// At once.
    Now,
    /// Not before the target's rest is over.
    At(Timestamp),
    /// There are fewer turns now: another one must be waited for.
    Never,
}

impl TargetState {
    /// A target of which nothing is known, at which `max` attempts may be under way.
    pub(super) fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        let inner = Inner { max, wanted: max, there: max, ..Inner::default() };
        Self { turns: Arc::new(Semaphore::new(max)), inner: Mutex::new(inner), pace_changed: Notify::new() }
    }

    /// The next turn, in the order of asking. It is good for an attempt once [`Turn::begin`] says so.
    pub(super) async fn turn(self: &Arc<Self>) -> Turn {
        loop {
            // It is never closed: without a permit there would only be one more.
            let permit = Arc::clone(&self.turns).acquire_owned().await.ok();
            let turn = Turn { target: Arc::clone(self), permit, age: 0, is_trial: false };
            if !turn.is_surplus() {
                return turn;
            }
        }
    }

    /// A further turn, if nobody waits for it and it can be used now.
    pub(super) fn try_turn(self: &Arc<Self>, now: Timestamp) -> Option<Turn> {
        let permit = Arc::clone(&self.turns).try_acquire_owned().ok()?;
        let mut turn = Turn { target: Arc::clone(self), permit: Some(permit), age: 0, is_trial: false };
        (turn.begin(now) == Begin::Now).then_some(turn)
    }

    /// Until when it rests, if that is after `now`.
    pub(super) fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.inner.lock().rests.until(now)
    }

    /// Resolves once how quick it is has changed after this call.
    pub(super) fn pace_changes(&self) -> Notified<'_> {
        self.pace_changed.notified()
    }

    /// One more endpoint goes there.
    pub(super) fn gain(&self) {
        self.inner.lock().endpoints += 1;
    }

    /// One endpoint less does.
    pub(super) fn lose(&self) {
        let mut inner = self.inner.lock();
        inner.endpoints = inner.endpoints.saturating_sub(1);
    }

    /// How many turns one endpoint may have: where others go there, it leaves them half.
    pub(super) fn share(&self) -> usize {
        let inner = self.inner.lock();
        if inner.endpoints > 1 { inner.max.div_ceil(2) } else { inner.max }
    }

    /// Whether its attempts take long.
    pub(super) fn is_slow(&self) -> bool {
        self.inner.lock().latency.is_slow()
    }

    /// What is known of its being down; `None`: it is not.
    pub(super) fn down(&self) -> Option<Down> {
        self.inner.lock().rests.down().cloned()
    }
}

impl Turn {
    /// Whether an attempt can be made with it now. What the attempt finds out counts from here on.
    pub(super) fn begin(&mut self, now: Timestamp) -> Begin {
        let inner = self.target.inner.lock();
        self.age = inner.rests.age();
        match inner.rests.until(now) {
            _ if inner.there > inner.wanted => Begin::Never,
            Some(until) => Begin::At(until),
            None => Begin::Now,
        }
    }

    pub(super) const fn target(&self) -> &Arc<TargetState> {
        &self.target
    }

    /// How quick the target is. Of one that is new the first who asks is to find out.
    pub(super) fn pace(&mut self) -> TargetPace {
        if self.is_trial {
            return TargetPace::New;
        }
        let pace = self.target.inner.lock().latency.pace();
        self.is_trial = pace == TargetPace::New;
        pace
    }

    fn is_surplus(&self) -> bool {
        let inner = self.target.inner.lock();
        inner.there > inner.wanted
    }

    /// Takes note of what the attempt of this turn has found out, which took so long and ended at `now`.
    pub(super) fn found(
        &self,
        finding: Finding<'_>,
        took: Duration,
        now: Timestamp,
        random: &dyn Random,
    ) -> Option<TargetChange> {
        let mut inner = self.target.inner.lock();
        if inner.latency.take_note(took) {
            self.target.pace_changed.notify_waiters();
        }
        let age = inner.rests.age();
        let change = inner.rests.take_note(finding, self.age, now, random);
        if inner.rests.age() != age {
            inner.wanted = 1;
        } else if matches!(finding, Finding::Works) && self.age == age {
            inner.wanted = (inner.wanted + 1).min(inner.max);
        }
        inner.resize(&self.target.turns);
        change
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut inner = self.target.inner.lock();
        if self.is_trial {
            inner.latency.end_trial();
            self.target.pace_changed.notify_waiters();
        }
        if inner.there > inner.wanted {
            inner.there -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

impl Inner {
    /// Brings the number of turns to what is wanted, as far as they are not taken.
    fn resize(&mut self, turns: &Semaphore) {
        if self.there < self.wanted {
            turns.add_permits(self.wanted - self.there);
            self.there = self.wanted;
        } else {
            self.there -= turns.forget_permits(self.there - self.wanted);
        }
    }
}

#[cfg(test)]
mod tests;
