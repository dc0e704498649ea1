//! What memory knows of an endpoint that is sent to, besides its queues (see [`crate::store::push`](super::super)).
//!
//! A claim is memory: the notification leaves its queue for [`Push`] and nothing is written. What is tried again has a row
//! in OPEN that says when ([`super::course::OpenRow::put_off`]). Not in here: what may be claimed (`claims`), and what an
//! attempt brings (`settlement`).

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use super::queue::{Entry, Queue};
use crate::base::clock::Timestamp;
use crate::model::notification::{State, Sums};
use crate::store::Standing;

/// What memory knows of an endpoint that is sent to, besides its queues.
#[derive(Debug, Default)]
pub(super) struct Push {
    /// What is being sent.
    claimed: HashMap<u64, InFlight>,
    /// What has ended while it was being sent, by somebody's wish: who sends it has not been heard of since.
    strays: HashSet<u64>,
    /// Of what waits again, what is not due yet: by when it is.
    waits: BTreeSet<(Timestamp, u64)>,
    put_off: HashMap<u64, PutOff>,
    /// Of what waits again, what is due, and since when.
    ready: BTreeMap<u64, Timestamp>,
    /// Of what waits again or is being sent, what was delivered in an earlier round.
    delivered_before: HashSet<u64>,
    standing: Standing,
}

/// A notification that is being sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) entry: Entry,
    /// Whether it has a row in OPEN.
    pub(super) open: bool,
}

/// By when something is due, and when that was decided.
#[derive(Clone, Copy, Debug)]
struct PutOff {
    due: Timestamp,
    decided: Timestamp,
}

impl Push {
    pub(super) fn in_flight(&self) -> u64 {
        self.claimed.len() as u64
    }

    /// Whether anything is on its way, also what has ended meanwhile.
    pub(super) fn is_busy(&self) -> bool {
        !self.claimed.is_empty() || !self.strays.is_empty()
    }

    pub(super) fn claimed(&self, position: u64) -> Option<InFlight> {
        self.claimed.get(&position).copied()
    }

    /// The positions in flight.
    pub(super) fn positions(&self) -> impl Iterator<Item = u64> {
        self.claimed.keys().copied()
    }

    /// Those of them that have no row of their own.
    pub(super) fn claimed_fresh(&self) -> impl Iterator<Item = u64> {
        self.claimed.iter().filter(|(_, claimed)| !claimed.open).map(|(position, _)| *position)
    }

    /// Whether any in flight has a row of its own.
    pub(super) fn has_open_claims(&self) -> bool {
        self.claimed.values().any(|claimed| claimed.open)
    }

    /// What has left its queue is being sent from now on.
    pub(super) fn claim(&mut self, claimed: InFlight) {
        let position = claimed.entry.position();
        self.forget_due(position);
        self.claimed.insert(position, claimed);
    }

    /// Who sends what has ended meanwhile has been heard of.
    pub(super) fn heard_of(&mut self, position: u64) {
        self.strays.remove(&position);
    }

    /// Who sends it has been heard of: takes it out of what is in flight.
    pub(super) fn unclaim(&mut self, position: u64) -> Option<InFlight> {
        self.heard_of(position);
        self.claimed.remove(&position)
    }

    /// It ends or begins anew while it is being sent: takes it out of what is in flight.
    pub(super) fn withdraw(&mut self, position: u64) -> Option<InFlight> {
        let claimed = self.claimed.remove(&position)?;
        self.strays.insert(position);
        Some(claimed)
    }

    /// The notification at `position` waits again, until `due`, as was `decided` then.
    pub(super) fn put_off(&mut self, position: u64, due: Timestamp, decided: Timestamp) {
        self.forget_due(position);
        self.waits.insert((due, position));
        self.put_off.insert(position, PutOff { due, decided });
    }

    /// The notification at `position` waits again and is due since then.
    pub(super) fn make_ready(&mut self, position: u64, since: Timestamp) {
        self.forget_due(position);
        self.ready.insert(position, since);
    }

    /// The notification at `position` was delivered in an earlier round.
    pub(super) fn was_delivered(&mut self, position: u64) {
        self.delivered_before.insert(position);
    }

    /// It has ended as `state`, as far as this round goes; answers as what it counts.
    pub(super) fn end(&mut self, position: u64, state: State) -> State {
        self.forget_due(position);
        end_as(state, self.delivered_before.remove(&position))
    }

    fn forget_due(&mut self, position: u64) {
        self.ready.remove(&position);
        if let Some(PutOff { due, .. }) = self.put_off.remove(&position) {
            self.waits.remove(&(due, position));
        }
    }

    /// What has become due by `now` is ready.
    pub(super) fn ripen(&mut self, now: Timestamp) {
        while let Some((due, position)) = self.waits.first().copied().filter(|(due, _)| *due <= now) {
            self.make_ready(position, due);
        }
    }

    /// What is due, in order of position, and since when.
    pub(super) fn ready(&self) -> impl Iterator<Item = (u64, Timestamp)> {
        self.ready.iter().map(|(position, since)| (*position, *since))
    }

    /// What is put off, and until when, first due first; some of it may be due meanwhile.
    pub(super) fn waits(&self) -> impl Iterator<Item = (Timestamp, u64)> {
        self.waits.iter().copied()
    }

    /// Until when the notification at `position` is put off.
    pub(super) fn due(&self, position: u64) -> Option<Timestamp> {
        self.put_off.get(&position).map(|put_off| put_off.due)
    }

    pub(super) const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Takes over how the endpoint stands now: what was put off before it recovered is due.
    pub(super) fn stand(&mut self, standing: Standing) {
        if let Some(recovered) = standing.recovered
            && self.standing.recovered != Some(recovered)
        {
            let is_due = |put_off: &PutOff| put_off.decided <= recovered;
            let due = self.put_off.iter().filter(|(_, put_off)| is_due(put_off)).map(|(position, _)| *position);
            for position in due.collect::<Vec<_>>() {
                self.make_ready(position, recovered);
            }
        }
        self.standing = standing;
    }

    /// Adds what is in flight to the endpoint's `sums`, and counts what has ended of what was delivered before as it must
    /// be. What waits again is counted already, as `live_as` or as expired.
    pub(super) fn split(&self, sums: &mut Sums, again: &Queue, now: Timestamp, live_as: State, leased_as: State) {
        // With its endpoint it ends at once; else not before who sends it has been heard of.
        let as_claimed = |claimed: &InFlight| {
            let has_expired = leased_as.is_end() && !claimed.entry.is_live(now);
            if has_expired { State::Expired } else { leased_as }
        };
        self.claimed.values().for_each(|claimed| sums.add(as_claimed(claimed), 1));
        if !leased_as.is_end() && !again.may_have_expired(now) {
            return;
        }
        for position in &self.delivered_before {
            let state = match (self.claimed.get(position), again.get(*position)) {
                (Some(claimed), _) => as_claimed(claimed),
                (None, Some(entry)) if entry.is_live(now) => live_as,
                (None, Some(_)) => State::Expired,
                (None, None) => continue,
            };
            if state.is_end() {
                sums.remove(state, 1);
                sums.add(State::Delivered, 1);
            }
        }
    }
}

/// What was once delivered ends as delivered again, whatever a later round brings (design.md, "Nouns").
pub(super) const fn end_as(state: State, delivered_before: bool) -> State {
    if delivered_before { State::Delivered } else { state }
}
