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

use super::circuit::{FIRST_PAUSE, LAST_PAUSE};
use super::schedule::jittered;
use crate::base::clock::Timestamp;
use crate::base::random::Random;

/// A target whose attempts take longer than this is slow.
const SLOW: Duration = Duration::from_secs(1);
/// How much the last attempt weighs in the mean, in parts of [`WHOLE`].
const WEIGHT: u32 = 1;
const WHOLE: u32 = 5;
/// The first rest of a target that does not say how long it wants one, and the longest.
const FIRST_REST: Duration = Duration::from_secs(1);
const LAST_REST: Duration = Duration::from_mins(1);
/// The longest rest that one endpoint's answer can bring over all of its target. The endpoint itself gets what it asked
/// for.
const LONGEST_REST: Duration = Duration::from_mins(5);
/// More doublings than any pause needs.
const DOUBLINGS: u32 = 10;

/// What is known of a target that is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Down {
    /// Since when.
    pub since: Timestamp,
    /// How often it was probed in vain.
    pub probes: u32,
    /// What the last attempt met with.
    pub fault: String,
}

/// What an attempt has found out about its target.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finding<'a> {
    /// It works.
    Works,
    /// It answered: it is not down.
    Answered,
    /// It works, but wants a rest; until when, if it says so.
    Tired(Option<Timestamp>),
    /// It does not work.
    Down(&'a str),
    /// Nothing.
    Nothing,
}

/// What has changed with a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TargetChange {
    /// It is down.
    Fell(Down),
    /// It still is.
    Stayed(Down),
    /// It works again.
    Rose(Down),
}

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
    /// The mean time that an attempt takes; `None` before the first has ended.
    latency: Option<Duration>,
    rests_until: Option<Timestamp>,
    /// Rests in a row.
    rests: u32,
    down: Option<Down>,
    /// Counts rests and falls: what began before the last one tells nothing new of it.
    age: u64,
    /// Whether the attempt is under way that is to find out how quick it is.
    on_trial: bool,
    /// How many endpoints go there.
    endpoints: usize,
}

/// How quick a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetPace {
    /// Its attempts take less than a second.
    Quick,
    /// They take longer, or are under way for the first time.
    Slow,
    /// This is the first attempt there.
    New,
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
        self.inner.lock().rests_until.filter(|until| *until > now)
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
        self.inner.lock().latency.is_some_and(|latency| latency >= SLOW)
    }

    /// What is known of its being down; `None`: it is not.
    pub(super) fn down(&self) -> Option<Down> {
        self.inner.lock().down.clone()
    }
}

impl Turn {
    /// Whether an attempt can be made with it now. What the attempt finds out counts from here on.
    pub(super) fn begin(&mut self, now: Timestamp) -> Begin {
        let inner = self.target.inner.lock();
        self.age = inner.age;
        match inner.rests_until {
            _ if inner.there > inner.wanted => Begin::Never,
            Some(until) if until > now => Begin::At(until),
            _ => Begin::Now,
        }
    }

    pub(super) const fn target(&self) -> &Arc<TargetState> {
        &self.target
    }

    /// How quick the target is. Of one that is new the first who asks is to find out.
    pub(super) fn pace(&mut self) -> TargetPace {
        let mut inner = self.target.inner.lock();
        match inner.latency {
            _ if self.is_trial => TargetPace::New,
            Some(latency) if latency < SLOW => TargetPace::Quick,
            None if !inner.on_trial => {
                (inner.on_trial, self.is_trial) = (true, true);
                TargetPace::New
            }
            Some(_) | None => TargetPace::Slow,
        }
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
        if inner.note_latency(took) {
            self.target.pace_changed.notify_waiters();
        }
        let is_news = self.age == inner.age;
        let change = match finding {
            Finding::Works if is_news => inner.works(),
            Finding::Answered if is_news => inner.down.take().map(TargetChange::Rose),
            Finding::Tired(until) => inner.tires(until, is_news, now, random),
            Finding::Down(fault) if is_news => Some(inner.falls(fault, now, random)),
            Finding::Works | Finding::Answered | Finding::Down(_) | Finding::Nothing => None,
        };
        inner.resize(&self.target.turns);
        change
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut inner = self.target.inner.lock();
        inner.on_trial &= !self.is_trial;
        if inner.there > inner.wanted {
            inner.there -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

impl Inner {
    /// Takes note of how long an attempt took; answers whether that makes it slow or quick.
    fn note_latency(&mut self, took: Duration) -> bool {
        let before = self.latency.map(|latency| latency < SLOW);
        let mean = self.latency.map_or(took, |mean| (mean * (WHOLE - WEIGHT) + took * WEIGHT) / WHOLE);
        self.latency = Some(mean);
        before != Some(mean < SLOW)
    }

    fn works(&mut self) -> Option<TargetChange> {
        self.wanted = (self.wanted + 1).min(self.max);
        self.rests = self.rests.saturating_sub(1);
        self.down.take().map(TargetChange::Rose)
    }

    fn tires(
        &mut self,
        until: Option<Timestamp>,
        is_news: bool,
        now: Timestamp,
        random: &dyn Random,
    ) -> Option<TargetChange> {
        let rose = if is_news { self.down.take().map(TargetChange::Rose) } else { None };
        let rest = LAST_REST.min(FIRST_REST * (1 << self.rests.min(DOUBLINGS)));
        let asked = until.map(|until| until.min(now.plus(LONGEST_REST)).max(now.plus(FIRST_REST)));
        if is_news {
            self.rests = self.rests.saturating_add(1);
            self.rest(asked.unwrap_or_else(|| now.plus(jittered(rest, random))));
        } else if self.down.is_none() {
            self.rests_until = self.rests_until.max(asked);
        }
        rose
    }

    fn falls(&mut self, fault: &str, now: Timestamp, random: &dyn Random) -> TargetChange {
        let probes = self.down.as_ref().map_or(0, |down| down.probes.saturating_add(1));
        let since = self.down.as_ref().map_or(now, |down| down.since);
        let pause = LAST_PAUSE.min(FIRST_PAUSE * (1 << probes.min(DOUBLINGS)));
        self.rest(now.plus(jittered(pause, random)));
        let down = Down { since, probes, fault: fault.to_owned() };
        self.down = Some(down.clone());
        if probes == 0 { TargetChange::Fell(down) } else { TargetChange::Stayed(down) }
    }

    /// Nothing is sent there until then, and one at a time after it.
    fn rest(&mut self, until: Timestamp) {
        (self.rests_until, self.wanted) = (Some(until), 1);
        self.age += 1;
    }

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
