//! The rules of what is sent in a few lists: what a store is compared with in `sending`.

use tidings::model::notification::State;
use tidings::model::target::Ordering;
use tidings::store::{NotDone, Settle, Settled};

pub(super) const HOOKS: usize = 3;

/// Where a notification stands, unless it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Waits,
    InFlight,
    Ended { state: State, reason: String, at: i64 },
}

/// A notification.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) name: String,
    /// Its endpoint; [`HOOKS`] once that has gone.
    pub(super) hook: usize,
    pub(super) deadline: i64,
    pub(super) stand: Stand,
    /// By when it is tried again, and when that was decided: as it is on disk, and as it is now.
    wait: Option<(i64, i64)>,
    due: Option<(i64, i64)>,
    delivered: bool,
    /// Whether it has a row of its own: it was tried, or begun anew.
    is_open: bool,
    pub(super) tried: u32,
    pub(super) attempts: u32,
    pub(super) round: u32,
    /// It ended while it was being sent, and who sends it has not been heard of.
    stray: bool,
}

impl Note {
    fn end(&mut self, state: State, reason: &str, at: i64) -> State {
        let state = if self.delivered { State::Delivered } else { state };
        self.stand = Stand::Ended { state, reason: reason.to_owned(), at };
        state
    }

    fn pass(&mut self, now: i64) {
        if self.stand == Stand::Waits && self.deadline <= now {
            self.end(State::Expired, "deadline", self.deadline);
        }
    }
}

/// An endpoint: why it is held, and when it recovered.
#[derive(Clone, Debug, Default)]
pub(super) struct Hook {
    pub(super) paused: bool,
    pub(super) shut: bool,
    pub(super) recovered: Option<i64>,
}

/// All notifications, in order of acceptance.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) now: i64,
    pub(super) notes: Vec<Note>,
    pub(super) hooks: [Hook; HOOKS],
}

impl Rules {
    pub(super) fn pass(&mut self) {
        let now = self.now;
        self.notes.iter_mut().for_each(|note| note.pass(now));
    }

    pub(super) fn publish(&mut self, name: &str, hook: usize, ttl: i64) {
        self.notes.push(Note {
            name: name.to_owned(),
            hook,
            deadline: self.now + ttl,
            stand: Stand::Waits,
            wait: None,
            due: None,
            delivered: false,
            is_open: false,
            tried: 0,
            attempts: 0,
            round: 1,
            stray: false,
        });
    }

    /// The places of what a claim gives.
    pub(super) fn claimable(&self, hook: usize, ordering: Ordering, probe: bool, max: usize) -> Vec<usize> {
        let Hook { paused, shut, .. } = self.hooks[hook];
        if paused || (shut && !probe) {
            return Vec::new();
        }
        let of_hook = |place: &usize| self.notes[*place].hook == hook;
        let all: Vec<usize> = (0..self.notes.len()).filter(of_hook).collect();
        let waits = all.iter().copied().filter(|place| self.notes[*place].stand == Stand::Waits);
        let is_due = |place: &usize| self.notes[*place].due.is_none_or(|(due, _)| due <= self.now);
        if ordering == Ordering::Relaxed && !probe {
            return waits.filter(is_due).take(max).collect();
        }
        let is_busy = |place: &usize| self.notes[*place].stand == Stand::InFlight || self.notes[*place].stray;
        let is_new = |place: &usize| !self.notes[*place].is_open;
        let waits: Vec<usize> = waits.filter(|_| !all.iter().any(is_busy)).collect();
        let oldest = |of: &dyn Fn(&usize) -> bool| waits.iter().copied().find(of);
        let next = match ordering {
            Ordering::Strict => oldest(&|_| true),
            // What was never tried, what is due, what is due first.
            Ordering::Relaxed => oldest(&is_new)
                .or_else(|| oldest(&is_due))
                .or_else(|| waits.iter().copied().min_by_key(|place| (self.notes[*place].due, *place))),
        };
        next.into_iter().filter(|place| (probe && shut) || is_due(place)).collect()
    }

    pub(super) fn claim(&mut self, places: &[usize]) {
        for place in places {
            (self.notes[*place].stand, self.notes[*place].due) = (Stand::InFlight, None);
        }
    }

    pub(super) fn put_back(&mut self, place: usize) {
        let note = &mut self.notes[place];
        note.stray = false;
        if note.stand == Stand::InFlight {
            note.stand = Stand::Waits;
        }
    }

    pub(super) fn settle(&mut self, place: usize, verdict: &Settle, start: i64) -> Settled {
        self.pass();
        let now = self.now;
        let note = &mut self.notes[place];
        let recovered = self.hooks.get(note.hook).and_then(|hook| hook.recovered);
        note.stray = false;
        note.attempts += 1;
        if matches!(note.stand, Stand::Ended { .. }) {
            return Settled::Gone;
        }
        Settled::In(match verdict {
            Settle::Delivered => note.end(State::Delivered, "delivered", now),
            Settle::Failed { reason } => note.end(State::Failed, reason, now),
            Settle::Retry { .. } if note.deadline <= now => note.end(State::Expired, "deadline", now),
            Settle::Retry { due, counts } => {
                note.tried += u32::from(*counts);
                note.is_open = true;
                // Also within the millisecond of a recovery it is after it.
                let decided = recovered.map_or(now, |recovered| now.max(recovered + 1));
                note.wait = Some((due.as_millis() - start, decided));
                (note.due, note.stand) = (note.wait, Stand::Waits);
                State::Queued
            }
        })
    }

    pub(super) fn stand(&mut self, hook: usize, shut: bool, recovered: Option<i64>) {
        self.hooks[hook].shut = shut;
        if let Some(recovered) = recovered.filter(|recovered| self.hooks[hook].recovered != Some(*recovered)) {
            self.hooks[hook].recovered = Some(recovered);
            for note in self.notes.iter_mut().filter(|note| note.hook == hook) {
                note.due = note.due.filter(|(_, decided)| *decided > recovered);
            }
        }
    }

    /// Cancels, or reopens for so long.
    pub(super) fn act(&mut self, place: usize, reopen: Option<i64>) -> Result<(), NotDone> {
        self.pass();
        let now = self.now;
        let note = &mut self.notes[place];
        let ended = if let Stand::Ended { state, .. } = note.stand { Some(state) } else { None };
        match (reopen, ended) {
            (None, Some(_)) => Err(NotDone::Ended),
            (None, None) => {
                note.stray |= note.stand == Stand::InFlight;
                note.end(State::Cancelled, "cancelled by me", now);
                Ok(())
            }
            (Some(_), _) if note.hook == HOOKS => Err(NotDone::SubscriptionGone),
            (Some(_), None) => Err(NotDone::Waiting),
            (Some(ttl), Some(state)) => {
                note.delivered |= state == State::Delivered;
                note.is_open = true;
                (note.stand, note.deadline) = (Stand::Waits, now + ttl);
                (note.wait, note.due, note.tried) = (None, None, 0);
                note.round += 1;
                Ok(())
            }
        }
    }

    /// The store is opened anew.
    pub(super) fn forget_claims(&mut self) {
        for note in &mut self.notes {
            note.stray = false;
            if note.stand == Stand::InFlight {
                note.stand = Stand::Waits;
            }
            let recovered = self.hooks.get(note.hook).and_then(|hook| hook.recovered);
            note.due = note.wait.filter(|(_, decided)| recovered.is_none_or(|recovered| *decided > recovered));
        }
        self.pass();
    }

    /// The endpoint's subscription is removed, and one of the same name made anew.
    pub(super) fn renew(&mut self, hook: usize) {
        self.pass();
        let now = self.now;
        for note in self.notes.iter_mut().filter(|note| note.hook == hook) {
            (note.hook, note.stray) = (HOOKS, false);
            match note.stand {
                Stand::InFlight if note.deadline <= now => drop(note.end(State::Expired, "deadline", note.deadline)),
                Stand::InFlight | Stand::Waits => drop(note.end(State::Cancelled, "subscription-removed", now)),
                Stand::Ended { .. } => {}
            }
        }
        self.hooks[hook] = Hook::default();
    }

    /// By when the notification is due, as the file says.
    pub(super) fn told_due(&self, note: &Note) -> Option<i64> {
        let recovered = self.hooks.get(note.hook).and_then(|hook| hook.recovered);
        let wait = note.wait.filter(|(_, decided)| recovered.is_none_or(|recovered| *decided > recovered));
        wait.filter(|_| !matches!(note.stand, Stand::Ended { .. })).map(|(due, _)| due)
    }

    pub(super) fn state(&self, note: &Note) -> State {
        match note.stand {
            Stand::Ended { state, .. } => state,
            Stand::InFlight => State::Leased,
            Stand::Waits if self.hooks[note.hook].paused || self.hooks[note.hook].shut => State::Held,
            Stand::Waits => State::Queued,
        }
    }

    /// How many notifications of the endpoint are in each state; of all for `None`.
    pub(super) fn count(&self, hook: Option<usize>) -> Vec<u64> {
        let of_hook = |note: &&Note| hook.is_none_or(|hook| note.hook == hook);
        let mut counted = vec![0; State::ALL.len()];
        for note in self.notes.iter().filter(of_hook) {
            counted[self.state(note) as usize] += 1;
        }
        counted
    }
}
