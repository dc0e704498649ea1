//! The rules of a notification's course in a few lists: what a store is compared with in `courses`.

use std::collections::BTreeMap;

use tidings::model::notification::State;
use tidings::store::NotDone;

pub(super) const QUEUES: usize = 3;
pub(super) const KEPT_MILLIS: i64 = 600_000;

/// Until when it is leased, and whether that is the last lease that is permitted.
type Lease = (i64, bool);

/// Where a notification stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Open { handouts: u32, lease: Option<Lease> },
    Ended { state: State, reason: String, at: i64 },
}

/// A notification.
#[derive(Clone, Debug)]
pub(super) struct Note {
    /// The event's number, rising.
    pub(super) serial: u64,
    pub(super) queue: usize,
    /// The queue that it was made for, which may have gone.
    pub(super) home: usize,
    pub(super) deadline: i64,
    /// When its event expires.
    expiry: i64,
    pub(super) stand: Stand,
    /// Rounds that somebody asked for: when, and the state and reason before.
    pub(super) rounds: Vec<(i64, State, String)>,
}

impl Note {
    fn end(&mut self, state: State, reason: &str, at: i64) {
        self.stand = Stand::Ended { state, reason: reason.to_owned(), at };
    }

    /// What time has made of it.
    fn pass(&mut self, now: i64) {
        let Stand::Open { handouts, lease } = self.stand else { return };
        match lease {
            Some((until, _)) if now < until => {}
            Some((until, _)) if self.deadline <= until => self.end(State::Expired, "deadline", until),
            Some((until, true)) => self.end(State::Failed, "abandoned", until),
            _ if self.deadline <= now => self.end(State::Expired, "deadline", self.deadline),
            _ => self.stand = Stand::Open { handouts, lease: None },
        }
    }

    pub(super) fn waits(&self) -> bool {
        matches!(self.stand, Stand::Open { lease: None, .. })
    }
}

/// All notifications, in order of acceptance, and the pages that are kept for their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) now: i64,
    pub(super) serial: u64,
    pub(super) notes: Vec<Note>,
    pub(super) held: [bool; QUEUES],
    /// Queue and key → taken at, page.
    pages: BTreeMap<(usize, u8), (i64, Vec<u64>)>,
}

/// What a lease is asked for; `acks` and `errors` are places in the list of notifications.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) queue: usize,
    pub(super) acks: Vec<usize>,
    pub(super) errors: Vec<usize>,
    pub(super) max: usize,
    pub(super) millis: i64,
    pub(super) max_handouts: u32,
}

/// What a lease is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) page: Vec<u64>,
    pub(super) until: Option<i64>,
    pub(super) more: bool,
    pub(super) consumed: u64,
    pub(super) failed: u64,
}

impl Rules {
    pub(super) fn pass(&mut self) {
        let now = self.now;
        self.notes.iter_mut().for_each(|note| note.pass(now));
    }

    pub(super) fn publish(&mut self, to: [bool; QUEUES], ttl: i64, expiry: Option<i64>) {
        self.serial += 1;
        let expiry = expiry.map_or(i64::MAX, |expiry| self.now + expiry);
        for queue in (0..QUEUES).filter(|queue| to[*queue]) {
            let stand = Stand::Open { handouts: 0, lease: None };
            let (home, deadline, rounds) = (queue, expiry.min(self.now + ttl), Vec::new());
            self.notes.push(Note { serial: self.serial, queue, home, deadline, expiry, stand, rounds });
        }
    }

    /// What waits in the queue, oldest first.
    fn waiting(&mut self, queue: usize) -> impl Iterator<Item = &mut Note> {
        let held = self.held[queue];
        self.notes.iter_mut().filter(move |note| !held && note.queue == queue && note.waits())
    }

    pub(super) fn take(&mut self, queue: usize, max: usize, key: Option<u8>, reason: &str) -> Vec<u64> {
        self.pass();
        if let Some((taken, page)) = key.and_then(|key| self.pages.get(&(queue, key)))
            && taken + KEPT_MILLIS > self.now
        {
            return page.clone();
        }
        let now = self.now;
        let mut page = Vec::new();
        for note in self.waiting(queue).take(max) {
            note.end(State::Consumed, reason, now);
            page.push(note.serial);
        }
        if let (Some(key), false) = (key, page.is_empty()) {
            self.pages.insert((queue, key), (now, page.clone()));
        }
        page
    }

    pub(super) fn lease(&mut self, asked: &Asked) -> Answered {
        self.pass();
        let now = self.now;
        let mut answered = Answered::default();
        for (place, state, reason) in asked
            .acks
            .iter()
            .map(|place| (place, State::Consumed, "acknowledged"))
            .chain(asked.errors.iter().map(|place| (place, State::Failed, "refused: by me")))
        {
            let Some(note) = self.notes.get_mut(*place).filter(|note| note.queue == asked.queue) else { continue };
            if let Stand::Open { handouts: 1.., .. } = note.stand {
                note.end(state, reason, now);
                answered.consumed += u64::from(state == State::Consumed);
                answered.failed += u64::from(state == State::Failed);
            }
        }
        for note in self.waiting(asked.queue).take(asked.max) {
            let Stand::Open { handouts, .. } = note.stand else { continue };
            let (handouts, until) = (handouts + 1, now + asked.millis);
            note.stand = Stand::Open { handouts, lease: Some((until, handouts >= asked.max_handouts)) };
            answered.page.push(note.serial);
            answered.until = Some(until);
        }
        answered.more = self.waiting(asked.queue).next().is_some();
        answered
    }

    /// Cancels, or reopens for so long, the notification at this place.
    pub(super) fn act(&mut self, place: usize, reopen: Option<i64>) -> Result<(), NotDone> {
        let now = self.now;
        let note = &mut self.notes[place];
        let Some(ttl) = reopen else {
            if matches!(note.stand, Stand::Ended { .. }) {
                return Err(NotDone::Ended);
            }
            note.end(State::Cancelled, "cancelled by me", now);
            return Ok(());
        };
        let (stand, deadline) = match &note.stand {
            _ if note.queue == QUEUES => return Err(NotDone::SubscriptionGone),
            Stand::Open { .. } => return Err(NotDone::Waiting),
            _ if note.expiry <= now => return Err(NotDone::EventExpired),
            Stand::Ended { state, reason, .. } => {
                note.rounds.push((now, *state, reason.clone()));
                (Stand::Open { handouts: 0, lease: None }, note.expiry.min(now + ttl))
            }
        };
        (note.stand, note.deadline) = (stand, deadline);
        Ok(())
    }

    /// The queue's subscription is removed, and one of the same name made anew.
    pub(super) fn renew(&mut self, queue: usize) {
        self.pass();
        let now = self.now;
        for note in self.notes.iter_mut().filter(|note| note.queue == queue) {
            if let Stand::Open { .. } = note.stand {
                note.end(State::Cancelled, "subscription-removed", now);
            }
            note.queue = QUEUES;
        }
        self.held[queue] = false;
        self.pages.retain(|(q, _), _| *q != queue);
    }

    /// How many notifications of the queue are in each state; of all for `None`.
    pub(super) fn count(&self, queue: Option<usize>, state: State) -> u64 {
        let of_queue = |note: &&Note| queue.is_none_or(|queue| note.queue == queue);
        self.notes.iter().filter(of_queue).filter(|note| self.state(note) == state).count() as u64
    }

    /// The state of a notification, which is held with its queue.
    pub(super) fn state(&self, note: &Note) -> State {
        match note.stand {
            Stand::Open { lease: None, .. } if self.held[note.queue] => State::Held,
            Stand::Open { lease: None, .. } => State::Queued,
            Stand::Open { .. } => State::Leased,
            Stand::Ended { state, .. } => state,
        }
    }
}
