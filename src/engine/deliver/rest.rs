//! When a target rests: because it asked for that, or because it is down. Pure: time and randomness come in.

use std::time::Duration;

use super::circuit::{FIRST_PAUSE, LAST_PAUSE};
use super::schedule::jittered;
use crate::base::clock::Timestamp;
use crate::base::random::Random;

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

/// The rests of a target.
#[derive(Debug, Default)]
pub(super) struct Rests {
    until: Option<Timestamp>,
    in_a_row: u32,
    down: Option<Down>,
    age: u64,
}

impl Rests {
    /// Until when it rests, if that is after `now`.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until > now)
    }

    /// What is known of its being down; `None`: it is not.
    pub(super) const fn down(&self) -> Option<&Down> {
        self.down.as_ref()
    }

    /// Counts rests: what began before the last one tells nothing new.
    pub(super) const fn age(&self) -> u64 {
        self.age
    }

    /// Takes note of what an attempt has found out that began at this age and ended at `now`.
    pub(super) fn take_note(
        &mut self,
        finding: Finding<'_>,
        began: u64,
        now: Timestamp,
        random: &dyn Random,
    ) -> Option<TargetChange> {
        match finding {
            Finding::Tired(until) if began == self.age => self.tires(until, now, random),
            Finding::Tired(until) => {
                if self.down.is_none() {
                    self.until = self.until.max(asked(until, now));
                }
                None
            }
            _ if began != self.age => None,
            Finding::Works => {
                self.in_a_row = self.in_a_row.saturating_sub(1);
                self.rises()
            }
            Finding::Answered => self.rises(),
            Finding::Down(fault) => Some(self.falls(fault, now, random)),
            Finding::Nothing => None,
        }
    }

    fn rises(&mut self) -> Option<TargetChange> {
        self.down.take().map(TargetChange::Rose)
    }

    fn tires(&mut self, until: Option<Timestamp>, now: Timestamp, random: &dyn Random) -> Option<TargetChange> {
        let rest = LAST_REST.min(FIRST_REST * (1 << self.in_a_row.min(DOUBLINGS)));
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.rest(asked(until, now).unwrap_or_else(|| now.plus(jittered(rest, random))));
        self.rises()
    }

    fn falls(&mut self, fault: &str, now: Timestamp, random: &dyn Random) -> TargetChange {
        let (since, probes) = match &self.down {
            None => (now, 0),
            Some(down) => (down.since, down.probes.saturating_add(1)),
        };
        let pause = LAST_PAUSE.min(FIRST_PAUSE * (1 << probes.min(DOUBLINGS)));
        self.rest(now.plus(jittered(pause, random)));
        let down = self.down.insert(Down { since, probes, fault: fault.to_owned() }).clone();
        if probes == 0 { TargetChange::Fell(down) } else { TargetChange::Stayed(down) }
    }

    fn rest(&mut self, until: Timestamp) {
        self.until = Some(until);
        self.age += 1;
    }
}

/// The end of a rest that was asked for, within bounds.
fn asked(until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    until.map(|until| until.min(now.plus(LONGEST_REST)).max(now.plus(FIRST_REST)))
}
