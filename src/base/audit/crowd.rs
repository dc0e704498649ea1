//! Refusals of one second, alike ones as one line with their count.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::entry::{Actor, Address, Entry};
use super::line::{Repeats, Stamped};
use crate::base::clock::Timestamp;

/// How long refusals are gathered.
pub(super) const GATHERED: Duration = Duration::from_secs(1);

/// How many kinds are told apart in that time; what all is beyond falls into one line for each action and status.
const MAX_KINDS: usize = 100;

/// What stands in the place of all that tells refusals apart, where there are too many kinds.
const TOO_MANY: &str = "of more kinds or from more callers than are told apart within a second";

/// What makes two refusals one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    action: &'static str,
    status: Option<u16>,
    rest: Option<Rest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rest {
    principal: Option<Actor>,
    address: Option<Address>,
    route: Option<(&'static str, &'static str)>,
    reason: Option<String>,
}

/// The refusals that wait for their line.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    since: Option<Instant>,
    places: HashMap<Kind, usize>,
    lines: Vec<Stamped>,
}

impl Crowd {
    /// Adds one; whether it is the first of its second.
    pub(super) fn add(&mut self, entry: Entry, time: Timestamp, now: Instant) -> bool {
        let first = self.since.is_none();
        self.since.get_or_insert(now);
        let kind = self.kind(&entry);
        if let Some(place) = self.places.get(&kind) {
            let line = &mut self.lines[*place];
            let Repeats { count, last } = line.repeats.unwrap_or(Repeats { count: 1, last: line.time });
            line.repeats = Some(Repeats { count: count.saturating_add(1), last: last.max(time) });
            return first;
        }
        let entry = if kind.rest.is_some() {
            entry
        } else {
            let Entry { action, outcome, status, .. } = entry;
            Entry { status, ..Entry::new(action, outcome).because(TOO_MANY) }
        };
        self.places.insert(kind, self.lines.len());
        self.lines.push(Stamped { entry, time, repeats: None });
        first
    }

    /// When the lines are due; `None` if there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + GATHERED)
    }

    /// The lines, which are forgotten here.
    pub(super) fn take(&mut self) -> Vec<Stamped> {
        std::mem::take(self).lines
    }

    fn kind(&self, entry: &Entry) -> Kind {
        let Entry { action, status, principal, address, route, reason, .. } = entry;
        let rest = Rest { principal: principal.clone(), address: *address, route: *route, reason: reason.clone() };
        let kind = Kind { action, status: *status, rest: Some(rest) };
        if self.places.len() < MAX_KINDS || self.places.contains_key(&kind) {
            kind
        } else {
            Kind { rest: None, ..kind }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::base::audit::Outcome;

    fn refusal(address: u32, reason: usize) -> Entry {
        let address = IpAddr::V4(Ipv4Addr::from_bits(address));
        let entry = Entry::new("authenticate", Outcome::Refused).answered(401);
        entry.from(Some(address).into()).because(["expired", "unknown"][reason % 2])
    }

    fn count(line: &Stamped) -> u64 {
        line.repeats.map_or(1, |repeats| repeats.count)
    }

    #[test]
    fn alike_ones_are_one_line() {
        let mut crowd = Crowd::default();
        let now = Instant::now();
        for (n, address) in [7, 7, 8, 7].into_iter().enumerate() {
            let time = Timestamp::from_millis(i64::try_from(n).unwrap());
            assert_eq!(crowd.add(refusal(address, 0), time, now), n == 0);
        }
        assert_eq!(crowd.due(), Some(now + GATHERED));
        let lines = crowd.take();
        assert_eq!(lines.iter().map(count).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(lines[0].time.as_millis(), 0);
        assert_eq!(lines[0].repeats.unwrap().last.as_millis(), 3);
        assert_eq!((crowd.due(), crowd.take()), (None, Vec::new()));
    }

    proptest! {
        #[test]
        fn counts_are_exact_and_lines_are_few(of in prop::collection::vec((0_u32..400, 0_usize..2), 0..2000)) {
            let mut crowd = Crowd::default();
            for (address, reason) in &of {
                crowd.add(refusal(*address, *reason), Timestamp::from_millis(0), Instant::now());
            }
            let lines = crowd.take();
            prop_assert!(lines.len() <= MAX_KINDS + 1);
            prop_assert_eq!(lines.iter().map(count).sum::<u64>(), of.len() as u64);
        }
    }
}
