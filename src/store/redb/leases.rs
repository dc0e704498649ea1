//! One endpoint's leases in memory, found by position and by their ends; and what nobody may have before its time.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::course::{Granted, Phase, phase};
use super::queue::Entry;
use crate::base::clock::Timestamp;

/// A leased notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leased {
    pub(super) entry: Entry,
    pub(super) lease: Granted,
}

impl Leased {
    pub(super) fn phase(&self, now: Timestamp) -> Phase {
        phase(self.entry.deadline(), Some(self.lease), now)
    }
}

/// The leases, those included that have ended and that the writer has not met since.
#[derive(Debug, Default)]
pub(super) struct Leases {
    leased: HashMap<u64, Leased>,
    ends: BTreeSet<(Timestamp, u64)>,
    /// How many of them are held, and nobody has them.
    held: usize,
}

impl Leases {
    pub(super) fn len(&self) -> usize {
        self.leased.len()
    }

    pub(super) fn contains(&self, position: u64) -> bool {
        self.leased.contains_key(&position)
    }

    pub(super) fn insert(&mut self, leased: Leased) {
        let position = leased.entry.position();
        self.remove(position);
        self.ends.insert((leased.lease.until, position));
        self.held += usize::from(leased.lease.held);
        self.leased.insert(position, leased);
    }

    pub(super) fn remove(&mut self, position: u64) -> Option<Leased> {
        let leased = self.leased.remove(&position)?;
        self.ends.remove(&(leased.lease.until, position));
        self.held -= usize::from(leased.lease.held);
        Some(leased)
    }

    /// How many are leased at `now`, and how many are held.
    pub(super) fn running(&self, now: Timestamp) -> (u64, u64) {
        let (mut ended, mut ended_held) = (0, 0);
        for leased in self.ended(now) {
            ended += 1;
            ended_held += usize::from(leased.lease.held);
        }
        let held = self.held - ended_held;
        ((self.len() - ended - held) as u64, held as u64)
    }

    /// The lease that ends first.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// The first end after `now`.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends.range((now, u64::MAX)..).map(|(until, _)| *until).find(|until| *until > now)
    }

    /// Those that have ended by `now`, first ends first.
    pub(super) fn ended(&self, now: Timestamp) -> impl Iterator<Item = &Leased> {
        self.ends.range(..=(now, u64::MAX)).filter_map(|(_, position)| self.leased.get(position))
    }

    /// Takes out the one that ended first, if it has by `now`.
    pub(super) fn pop_ended(&mut self, now: Timestamp) -> Option<Leased> {
        let &(until, position) = self.ends.first()?;
        if until > now { None } else { self.remove(position) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Position;

    fn leased(position: u64, until: i64) -> Leased {
        let entry = Entry::new(Position::new(position).unwrap(), 1, Timestamp::from_millis(1_000));
        Leased { entry, lease: Granted { until: Timestamp::from_millis(until), last: false, held: false } }
    }

    #[test]
    fn leases_are_found_by_position_and_by_their_ends() {
        let now = Timestamp::from_millis;
        let mut leases = Leases::default();
        for (position, until) in [(5, 20), (3, 10), (4, 20), (9, 30)] {
            leases.insert(leased(position, until));
        }
        leases.insert(leased(9, 15));
        assert_eq!((leases.len(), leases.first_end()), (4, Some(now(10))));
        assert_eq!((leases.next_end(now(9)), leases.next_end(now(10))), (Some(now(10)), Some(now(15))));
        assert_eq!(leases.ended(now(19)).map(|l| l.entry.position()).collect::<Vec<_>>(), [3, 9]);
        assert_eq!(leases.pop_ended(now(9)), None);
        assert_eq!(leases.pop_ended(now(10)), Some(leased(3, 10)));
        assert_eq!(leases.remove(9), Some(leased(9, 15)));
        leases.insert(Leased { lease: Granted::held(now(40)), ..leased(11, 0) });
        assert_eq!(
            (leases.running(now(19)), leases.running(now(20)), leases.running(now(40))),
            ((2, 1), (0, 1), (0, 0))
        );
        assert!(!leases.contains(9) && leases.contains(4));
        assert_eq!((leases.next_end(now(20)), leases.next_end(now(40))), (Some(now(40)), None));
    }
}
