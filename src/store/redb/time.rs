//! The ledger's time of an open store: the machine of [`base::timekeeper`](crate::base::timekeeper) on its clock.
//!
//! Everybody who asks gives the machine a glance, which costs two clock reads and two loads; it is changed under a lock,
//! by transactions, sweeps, and whoever first sees that there is something to change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::record::Meta;
use crate::base::clock::{BoxFuture, Clock, Timestamp};
use crate::base::timekeeper::{Change, Doubt, Reading, Timekeeper, Trust};
use crate::store::ClockDoubt;

/// The ledger's time.
pub(super) struct LedgerTime {
    clock: Arc<dyn Clock>,
    keeper: ArcSwap<Timekeeper>,
    /// Held by who changes the machine.
    changing: Mutex<()>,
    /// The latest time that was given out, in milliseconds.
    last: AtomicI64,
    /// Whether a doubt has ended that those who wait have not been told of.
    regained: AtomicBool,
}

impl LedgerTime {
    /// Begins behind the last commit, whose state `meta` is. `leap` is `limits.clock_leap`.
    pub(super) fn start(clock: Arc<dyn Clock>, leap: Duration, meta: &Meta) -> Self {
        let last = Timestamp::from_millis(meta.ledger_time);
        let committed = (meta.sequence > 0).then_some(last);
        let reading = Reading::of(&*clock);
        let keeper = Timekeeper::start(reading, committed, meta.clock_doubted, leap, clock.synchronised());
        let time = Self {
            clock,
            keeper: ArcSwap::from_pointee(keeper),
            changing: Mutex::default(),
            last: AtomicI64::new(last.as_millis()),
            regained: AtomicBool::new(false),
        };
        if let Some(doubt) = keeper.doubted() {
            time.tell(Change::Doubted(*doubt), reading);
        }
        time
    }

    /// The ledger's time; never before one that was given out.
    pub(super) fn now(&self) -> Timestamp {
        match self.keeper.load().glance(Reading::of(&*self.clock)) {
            Some(time) => self.give(time),
            None => self.look(),
        }
    }

    /// The wall time if it is in doubt, else the earliest: what has its deadline until then is not handed out, though it
    /// may not have ended.
    pub(super) fn withheld_to(&self) -> Timestamp {
        self.keeper.load().withheld_to(Reading::of(&*self.clock)).unwrap_or(Timestamp::MIN)
    }

    /// Resolves when the ledger's time is about `time`: the wall clock may run ahead of it, or wait for it.
    pub(super) fn sleep_until(&self, time: Timestamp) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(self.clock.now().plus(time.since(self.now())))
    }

    /// Has the machine look at the clocks; answers the ledger's time.
    pub(super) fn look(&self) -> Timestamp {
        self.change(|keeper, reading, last| keeper.look(reading, last, || self.clock.synchronised()))
    }

    /// Trusts the wall clock as it is; answers whether it was in doubt.
    pub(super) fn accept(&self) -> bool {
        let doubted = self.is_doubted();
        self.change(Timekeeper::accept);
        doubted
    }

    /// Lets the wall clock leap as far as `leap` (`limits.clock_leap`) from now on.
    pub(super) fn set_leap(&self, leap: Duration) {
        self.change(|keeper, reading, last| {
            keeper.set_leap(leap);
            keeper.look(reading, last, || self.clock.synchronised())
        });
    }

    /// Does not go back behind `time` from now on.
    pub(super) fn raise(&self, time: Timestamp) {
        self.last.fetch_max(time.as_millis(), Ordering::AcqRel);
    }

    /// Whether the wall clock is in doubt.
    pub(super) fn is_doubted(&self) -> bool {
        self.keeper.load().doubted().is_some()
    }

    /// The doubt, if there is one.
    pub(super) fn doubt(&self) -> Option<ClockDoubt> {
        let ledger = self.now();
        let Doubt { since, cause, .. } = *self.keeper.load().doubted()?;
        Some(ClockDoubt { wall: self.clock.now(), ledger, since, cause })
    }

    /// Whether a doubt has ended since the last call: what was withheld may be handed out now.
    pub(super) fn has_regained(&self) -> bool {
        self.regained.swap(false, Ordering::AcqRel)
    }

    fn change(
        &self,
        work: impl FnOnce(&mut Timekeeper, Reading, Timestamp) -> (Timestamp, Option<Change>),
    ) -> Timestamp {
        let _one_at_a_time = self.changing.lock();
        let reading = Reading::of(&*self.clock);
        let mut keeper = **self.keeper.load();
        let last = Timestamp::from_millis(self.last.load(Ordering::Acquire));
        let (time, change) = work(&mut keeper, reading, last);
        self.keeper.store(Arc::new(keeper));
        if let Some(change) = change {
            self.tell(change, reading);
        }
        self.give(time)
    }

    fn give(&self, time: Timestamp) -> Timestamp {
        let last = Timestamp::from_millis(self.last.load(Ordering::Acquire));
        if time > last {
            self.raise(time);
        }
        time.max(last)
    }

    fn tell(&self, change: Change, reading: Reading) {
        let wall = reading.wall.to_rfc3339_millis();
        match change {
            Change::Doubted(doubt) => tracing::warn!(
                wall,
                ledger = doubt.since.to_rfc3339_millis(),
                "the wall clock is in doubt: {}; what looks expired is withheld, but nothing ends by it. Set it right, or \
                 if it is right: tidings clock accept",
                doubt.cause
            ),
            Change::Trusted(trust) => {
                self.regained.store(true, Ordering::Release);
                let why = match trust {
                    Trust::Agrees => "it agrees with the monotonic clock",
                    Trust::Synchronised => "the system says that it is synchronised",
                    Trust::Accepted => "it was accepted",
                };
                tracing::warn!(wall, "the wall clock is trusted again: {why}");
            }
        }
    }
}
