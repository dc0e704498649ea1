//! What may be believed of the wall clock (design.md, promise 10): the ledger's time as a pure machine.
//!
//! It is shown readings of the wall clock beside the monotonic one. While the two agree the wall clock is *trusted* and
//! gives the ledger's time. A leap against the monotonic clock, or a start long after the last commit, puts it in
//! *doubt*, unless the system says that it is synchronised: from then on the ledger's time goes on by the monotonic
//! clock, until the wall clock agrees again, is synchronised, or somebody accepts it.
//!
//! - The ledger's time never goes backwards. Where a trusted wall clock is behind it, it goes on at half the pace until
//!   the wall clock has caught up: time that stood still would hold up every lease, retry and deadline for as long.
//! - In doubt it advances exactly as the monotonic clock does: nothing ends that would not have ended anyway.
//! - What looks expired by a wall clock in doubt must not be handed out either: [`Timekeeper::withheld_to`].
//!
//! Not in here: clocks, the time of the last commit, who is told.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use super::clock::{Clock, Timestamp};

/// How far behind the wall clock the last commit may be at a start, in milliseconds: an appliance may have been off.
const OFF_AT_MOST: i64 = 24 * 3_600_000;

/// The clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The wall time.
    pub wall: Timestamp,
    /// [`Clock::monotonic`]
    pub monotonic: Duration,
}

impl Reading {
    /// What `clock` shows.
    pub fn of(clock: &dyn Clock) -> Self {
        Self { monotonic: clock.monotonic(), wall: clock.now() }
    }

    fn ticks(self) -> i64 {
        i64::try_from(self.monotonic.as_millis()).unwrap_or(i64::MAX)
    }

    /// How far the wall clock is ahead of the monotonic one, in milliseconds.
    fn lead(self) -> i64 {
        self.wall.as_millis().saturating_sub(self.ticks())
    }
}

/// Why the wall clock is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It leapt forward against the monotonic clock.
    LeaptForward(Duration),
    /// It leapt backwards.
    LeaptBack(Duration),
    /// At the start it was this much after the last commit.
    AheadAtStart(Duration),
    /// At the start it was this much before the last commit.
    BehindAtStart(Duration),
}

impl Cause {
    /// `ahead`: milliseconds by which the wall clock is ahead of what was expected.
    fn leap(ahead: i64) -> Self {
        let by = Duration::from_millis(ahead.unsigned_abs());
        if ahead > 0 { Self::LeaptForward(by) } else { Self::LeaptBack(by) }
    }

    fn start(ahead: i64) -> Self {
        let by = Duration::from_millis(ahead.unsigned_abs());
        if ahead > 0 { Self::AheadAtStart(by) } else { Self::BehindAtStart(by) }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |by: &Duration| {
            let whole_seconds = SignedDuration::from_secs(i64::try_from(by.as_secs()).unwrap_or(i64::MAX));
            format!("{whole_seconds:#}")
        };
        match self {
            Self::LeaptForward(by) => write!(f, "it leapt forward by {}", show(by)),
            Self::LeaptBack(by) => write!(f, "it leapt back by {}", show(by)),
            Self::AheadAtStart(by) => write!(f, "at the start it was {} after the last commit", show(by)),
            Self::BehindAtStart(by) => write!(f, "at the start it was {} before the last commit", show(by)),
        }
    }
}

/// A wall clock in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The ledger's time when the doubt arose.
    pub since: Timestamp,
    /// Why it did.
    pub cause: Cause,
    /// The monotonic clock then.
    ticks: i64,
    /// By how much a wall clock that is right leads the monotonic one, and how far it may be ahead of that to agree.
    lead: i64,
    ahead_at_most: i64,
}

impl Doubt {
    /// The ledger's time: that of the beginning, and what the monotonic clock has counted since.
    fn time(&self, reading: Reading) -> Timestamp {
        later(self.since, reading.ticks() - self.ticks)
    }

    fn agrees(&self, reading: Reading, slack: i64) -> bool {
        (-slack..=self.ahead_at_most).contains(&reading.lead().saturating_sub(self.lead))
    }
}

/// Why the wall clock is trusted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It agrees with the monotonic clock.
    Agrees,
    /// The system says that it is synchronised.
    Synchronised,
    /// Somebody has accepted it.
    Accepted,
}

/// What a look at the clocks has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The wall clock is in doubt from now on.
    Doubted(Doubt),
    /// It is trusted again.
    Trusted(Trust),
}

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct Timekeeper {
    /// `limits.clock_leap` in milliseconds.
    slack: i64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Trusted {
        /// The lead of the wall clock when it was last looked at.
        lead: i64,
        /// A moment and the monotonic clock then: from there the ledger's time goes on at half the pace at least.
        since: Timestamp,
        ticks: i64,
    },
    Doubted(Doubt),
}

impl Timekeeper {
    /// Begins with the wall clock as `reading` shows it. `last` is the time of the last commit, `None` if there was none,
    /// `doubted` whether the clock was in doubt then: a restart alone gives no reason to trust it. `clock_leap`
    /// is how far the wall clock may leap.
    #[must_use]
    pub fn start(
        reading: Reading,
        last: Option<Timestamp>,
        doubted: bool,
        clock_leap: Duration,
        synchronised: Option<bool>,
    ) -> Self {
        let slack = i64::try_from(clock_leap.as_millis()).unwrap_or(i64::MAX);
        let ticks = reading.ticks();
        let since = last.unwrap_or(reading.wall);
        let ahead = reading.wall.as_millis().saturating_sub(since.as_millis());
        let ahead_at_most = if doubted { slack } else { slack.max(OFF_AT_MOST) };
        let trusted = synchronised == Some(true) || (-slack..=ahead_at_most).contains(&ahead);
        let state = if trusted {
            State::Trusted { lead: reading.lead(), since, ticks }
        } else {
            let lead = since.as_millis().saturating_sub(ticks);
            State::Doubted(Doubt { since, cause: Cause::start(ahead), ticks, lead, ahead_at_most })
        };
        Self { slack, state }
    }

    /// Lets the wall clock leap as far as `clock_leap` from now on.
    pub fn set_leap(&mut self, clock_leap: Duration) {
        self.slack = i64::try_from(clock_leap.as_millis()).unwrap_or(i64::MAX);
    }

    /// The time at `reading`; `None` if it changes what is believed of the wall clock, so that a [`Timekeeper::look`] is
    /// due. It may be before a time given out earlier, which the caller has to remember.
    #[must_use]
    pub fn glance(&self, reading: Reading) -> Option<Timestamp> {
        match &self.state {
            State::Trusted { lead, .. } if self.leapt(reading, *lead) => None,
            State::Doubted(doubt) if doubt.agrees(reading, self.slack) => None,
            _ => Some(self.time(reading)),
        }
    }

    /// Looks at the clocks; `last` is the latest time that was given out, and `synchronised` is asked for where it
    /// matters: whether the system says that the wall clock is.
    pub fn look(
        &mut self,
        reading: Reading,
        last: Timestamp,
        synchronised: impl FnOnce() -> Option<bool>,
    ) -> (Timestamp, Option<Change>) {
        let change = match self.state {
            State::Trusted { lead, .. } => {
                let doubted = self.leapt(reading, lead) && synchronised() != Some(true);
                doubted.then(|| self.doubt(reading, last, lead))
            }
            State::Doubted(doubt) if doubt.agrees(reading, self.slack) => Some(Change::Trusted(Trust::Agrees)),
            State::Doubted(_) => (synchronised() == Some(true)).then_some(Change::Trusted(Trust::Synchronised)),
        };
        (self.settle(reading, last, change), change)
    }

    /// Trusts the wall clock as it is.
    pub fn accept(&mut self, reading: Reading, last: Timestamp) -> (Timestamp, Option<Change>) {
        let change = self.doubted().map(|_| Change::Trusted(Trust::Accepted));
        (self.settle(reading, last, change), change)
    }

    /// The doubt, if there is one.
    #[must_use]
    pub const fn doubted(&self) -> Option<&Doubt> {
        match &self.state {
            State::Trusted { .. } => None,
            State::Doubted(doubt) => Some(doubt),
        }
    }

    /// The wall time if it is in doubt: what has its deadline at or before it looks expired, and must not be handed out.
    #[must_use]
    pub fn withheld_to(&self, reading: Reading) -> Option<Timestamp> {
        self.doubted().map(|_| reading.wall)
    }

    fn leapt(&self, reading: Reading, lead: i64) -> bool {
        !(-self.slack..=self.slack).contains(&reading.lead().saturating_sub(lead))
    }

    /// The doubt that arises now, at the time that it would be had the wall clock just gone on.
    fn doubt(&self, reading: Reading, last: Timestamp, lead: i64) -> Change {
        let ticks = reading.ticks();
        let wall = Timestamp::from_millis(lead.saturating_add(ticks));
        let since = last.max(self.time(Reading { wall, ..reading }));
        let cause = Cause::leap(reading.lead().saturating_sub(lead));
        Change::Doubted(Doubt { since, cause, ticks, lead, ahead_at_most: self.slack })
    }

    /// Takes on what has changed, and the pace from here on; answers the time, which is never before `last`.
    fn settle(&mut self, reading: Reading, last: Timestamp, change: Option<Change>) -> Timestamp {
        let before = last.max(self.time(reading));
        match change {
            Some(Change::Doubted(doubt)) => self.state = State::Doubted(doubt),
            Some(Change::Trusted(_)) => self.state = Self::trusted(reading, reading.wall.max(before)),
            None => self.keep_pace(reading, last),
        }
        self.time(reading).max(last)
    }

    /// Remembers how far a trusted wall clock leads. The moment from which the half pace is counted stays as long as
    /// that pace gives the time: counted anew at every look, it would come to nothing.
    fn keep_pace(&mut self, reading: Reading, last: Timestamp) {
        if let State::Trusted { lead, .. } = &mut self.state {
            *lead = reading.lead();
            let now = self.time(reading);
            if now <= reading.wall || now < last {
                self.state = Self::trusted(reading, now.max(last));
            }
        }
    }

    fn trusted(reading: Reading, since: Timestamp) -> State {
        State::Trusted { lead: reading.lead(), since, ticks: reading.ticks() }
    }

    fn time(&self, reading: Reading) -> Timestamp {
        match &self.state {
            State::Trusted { since, ticks, .. } => reading.wall.max(later(*since, (reading.ticks() - ticks) / 2)),
            State::Doubted(doubt) => doubt.time(reading),
        }
    }
}

fn later(from: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(from.as_millis().saturating_add(millis))
}

#[cfg(test)]
mod tests;
