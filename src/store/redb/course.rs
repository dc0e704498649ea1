//! The course of a notification that has a row of its own: leased, waiting again, or ended otherwise than by a plain
//! page or by time.
//!
//! Nothing is written for what time brings to an open one: where it stands is a function of its row and the time
//! ([`phase`]). A sweep, or the next transaction that touches it, writes down how it ended.

mod older;

use serde::{Deserialize, Serialize};

use super::attempt_row::AttemptRow;
use super::leases::Leased;
use super::push::end_as;
use super::record::{decode_as, encode_as, state_from_byte, state_to_byte};
use super::tables::PageAt;
use crate::base::clock::Timestamp;
use crate::model::notification::State;
use crate::store::{Round, StoreError};

/// The version of these rows, and what they are called in errors.
const VERSION: u8 = 2;
const OPEN: &str = "an open notification";
const OUTCOME: &str = "the end of a notification";

/// How many hand-outs and rounds a row tells of: the last ones. A client that never acknowledges must not make a row
/// grow for ever.
const TOLD: usize = 64;

/// The longest reason or name that is kept, in bytes.
const MAX_TEXT: usize = 1024;

/// Why a notification ended, where nobody has said it in words of their own.
pub(super) const POLLED: &str = "polled";
pub(super) const ANSWER_UNCONFIRMED: &str = "answer-unconfirmed";
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
pub(super) const ABANDONED: &str = "abandoned";
pub(super) const DEADLINE: &str = "deadline";
pub(super) const DELIVERED: &str = "delivered";
pub(super) const QUEUE_FULL: &str = "queue-full";
pub(super) const SUBSCRIPTION_REMOVED: &str = "subscription-removed";

/// Where an open notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its lease runs.
    Leased,
    /// It is outside its customer's hours.
    Held,
    /// It may be handed out.
    Waiting,
    /// Its deadline passed while it waited, or its lease ended after it: at this instant.
    Expired(Timestamp),
    /// The last lease that was permitted ended without an acknowledgement, at this instant.
    Abandoned(Timestamp),
}

impl Phase {
    /// State, reason and instant of the end, if that is what it is.
    pub(super) const fn end(self) -> Option<(State, &'static str, Timestamp)> {
        match self {
            Self::Leased | Self::Held | Self::Waiting => None,
            Self::Expired(at) => Some((State::Expired, DEADLINE, at)),
            Self::Abandoned(at) => Some((State::Failed, ABANDONED, at)),
        }
    }
}

/// A lease of one notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    /// When it ends.
    pub(super) until: Timestamp,
    /// Whether it is the last one that is permitted.
    pub(super) last: bool,
    /// Whether it is none: nobody has it, and until then nobody may.
    pub(super) held: bool,
}

impl Granted {
    /// It is held until then.
    pub(super) const fn held(until: Timestamp) -> Self {
        Self { until, last: false, held: true }
    }
}

/// What time has made of an open notification.
pub(super) fn phase(deadline: Timestamp, lease: Option<Granted>, now: Timestamp) -> Phase {
    match lease {
        Some(Granted { until, held, .. }) if now < until => {
            if held {
                Phase::Held
            } else {
                Phase::Leased
            }
        }
        Some(Granted { until, .. }) if deadline <= until => Phase::Expired(until),
        Some(Granted { until, last: true, .. }) => Phase::Abandoned(until),
        _ if deadline <= now => Phase::Expired(deadline),
        _ => Phase::Waiting,
    }
}

/// What came before: goes along from row to row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    /// How many rounds there were before this one.
    pub(super) rounds_before: u32,
    /// The last of those that somebody asked for, oldest first.
    rounds: Vec<RoundRow>,
    /// The last pages that handed it out, oldest first: cursor and n of their keys.
    pages: Vec<(u64, u32)>,
    /// Attempts to send it, in all rounds.
    pub(super) attempts: u32,
    /// Whether it was delivered in an earlier round.
    pub(super) delivered: bool,
}

/// A round that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RoundRow {
    at: i64,
    by: String,
    /// The state and the reason before.
    state: u8,
    reason: Option<String>,
}

impl Past {
    /// What a plain page has handed out.
    pub(super) fn of(page: PageAt) -> Self {
        let mut past = Self::default();
        past.handed_out(page);
        past
    }

    /// It is in this page.
    pub(super) fn handed_out(&mut self, (_, cursor, n): PageAt) {
        push_bounded(&mut self.pages, (cursor, n));
    }

    /// The last pages that handed it out.
    pub(super) fn pages(&self, endpoint: u32) -> impl DoubleEndedIterator<Item = PageAt> {
        self.pages.iter().map(move |&(cursor, n)| (endpoint, cursor, n))
    }

    /// The same before a further round, which `by` asked for.
    pub(super) fn next_round(mut self, now: Timestamp, by: &str, before: (State, Option<String>)) -> Self {
        self.delivered |= before.0 == State::Delivered;
        let (at, by, state) = (now.as_millis(), cut(by).to_owned(), state_to_byte(before.0));
        push_bounded(&mut self.rounds, RoundRow { at, by, state, reason: before.1 });
        self.rounds_before = self.rounds_before.saturating_add(1);
        self
    }

    /// The last rounds that somebody asked for.
    pub(super) fn rounds(&self) -> Result<Vec<Round>, StoreError> {
        let round = |row: &RoundRow| {
            let before = (state_from_byte(row.state)?, row.reason.clone());
            Ok(Round { at: Timestamp::from_millis(row.at), by: row.by.clone(), before })
        };
        self.rounds.iter().map(round).collect()
    }
}

/// At most [`MAX_TEXT`] bytes of a text, in whole characters.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

fn push_bounded<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= TOLD {
        list.remove(0);
    }
    list.push(item);
}

/// A notification that is leased or waits again. Whether it has ended since is what the time says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenRow {
    deadline: i64,
    /// Bytes of its event, for pages to end where they must.
    pub(super) size: u64,
    /// Leases in this round.
    pub(super) handouts: u32,
    /// When the last of them ends, and whether it is the last that is permitted. Before the first one: until when it is
    /// held, if it is.
    lease: Option<(i64, bool)>,
    /// What is sent: by when it is due again, and when that was decided; `None`: at once.
    wait: Option<(i64, i64)>,
    pub(super) past: Past,
}

impl OpenRow {
    /// One that nobody has had yet in its round.
    pub(super) fn new(deadline: Timestamp, size: u64, past: Past) -> Self {
        Self { deadline: deadline.as_millis(), size, handouts: 0, lease: None, wait: None, past }
    }

    /// One that is held at first.
    pub(super) fn held(Leased { entry, lease }: Leased) -> Self {
        let lease = Some((lease.until.as_millis(), lease.last));
        Self { lease, ..Self::new(entry.deadline(), entry.size(), Past::default()) }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.first() {
            Some(&older::VERSION) => older::open(bytes),
            _ => decode_as(VERSION, bytes, OPEN),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode_as(VERSION, self)
    }

    pub(super) const fn deadline(&self) -> Timestamp {
        Timestamp::from_millis(self.deadline)
    }

    pub(super) fn lease(&self) -> Option<Granted> {
        let held = self.handouts == 0;
        self.lease.map(|(until, last)| Granted { until: Timestamp::from_millis(until), last, held })
    }

    /// Until when it is held, if it still is.
    pub(super) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lease().filter(|lease| lease.held && now < lease.until).map(|lease| lease.until)
    }

    pub(super) fn phase(&self, now: Timestamp) -> Phase {
        phase(self.deadline(), self.lease(), now)
    }

    /// State, reason and instant of its end, where time has ended it by `now`.
    pub(super) fn ended_by(&self, now: Timestamp) -> Option<(State, &'static str, Timestamp)> {
        let (state, reason, at) = self.phase(now).end()?;
        Some((self.ends_as(state), reason, at))
    }

    /// What it counts as if it ends as `state`.
    pub(super) const fn ends_as(&self, state: State) -> State {
        end_as(state, self.past.delivered)
    }

    /// It is tried again, `due` at the earliest.
    pub(super) fn put_off(&mut self, due: Timestamp, now: Timestamp) {
        self.wait = Some((due.as_millis(), now.as_millis()));
    }

    /// By when it is due, and when that was decided; `None`: at once, as its endpoint has `recovered` since.
    pub(super) fn wait(&self, recovered: Option<Timestamp>) -> Option<(Timestamp, Timestamp)> {
        let (due, decided) =
            self.wait.map(|(due, decided)| (Timestamp::from_millis(due), Timestamp::from_millis(decided)))?;
        let stands = recovered.is_none_or(|recovered| recovered < decided);
        stands.then_some((due, decided))
    }

    /// It is handed out once more, under a lease: of at most `most` in this round.
    pub(super) fn grant(&mut self, until: Timestamp, most: u32, page: PageAt) -> Granted {
        self.handouts = self.handouts.saturating_add(1);
        let last = self.handouts >= most;
        self.lease = Some((until.as_millis(), last));
        self.past.handed_out(page);
        Granted { until, last, held: false }
    }

    /// It has ended.
    pub(super) fn end(self, state: State, reason: &str, at: Timestamp) -> OutcomeRow {
        let Self { deadline, size: _, handouts, lease: _, wait: _, past } = self;
        let reason = reason.to_owned();
        OutcomeRow { state: state_to_byte(state), reason, at: at.as_millis(), deadline, handouts, past, attempt: None }
    }
}

/// How a notification ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutcomeRow {
    state: u8,
    pub(super) reason: String,
    at: i64,
    deadline: i64,
    pub(super) handouts: u32,
    pub(super) past: Past,
    /// The attempt that it ended with: the others are rows in ATTEMPTS. So what arrives at the first try is one row.
    pub(super) attempt: Option<Box<AttemptRow>>,
}

impl OutcomeRow {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let row: Self = match bytes.first() {
            Some(&older::VERSION) => older::outcome(bytes)?,
            _ => decode_as(VERSION, bytes, OUTCOME)?,
        };
        row.state()?;
        Ok(row)
    }

    /// The state alone, which is its first field in every version: start reads no more of it.
    pub(super) fn state_in(bytes: &[u8]) -> Result<State, StoreError> {
        match bytes {
            [VERSION | older::VERSION, state, ..] => state_from_byte(*state),
            _ => Self::decode(bytes)?.state(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode_as(VERSION, self)
    }

    pub(super) fn state(&self) -> Result<State, StoreError> {
        state_from_byte(self.state)
    }

    /// It ended with this attempt.
    pub(super) fn after(self, attempt: AttemptRow) -> Self {
        Self { attempt: Some(Box::new(attempt)), ..self }
    }

    /// The same without what was answered to its attempt.
    pub(super) fn erased(self) -> Self {
        Self { attempt: self.attempt.map(|attempt| Box::new(attempt.erased())), ..self }
    }

    /// When it ended.
    pub(super) const fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.at)
    }

    pub(super) const fn deadline(&self) -> Timestamp {
        Timestamp::from_millis(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn time_decides_to_the_millisecond() {
        let lease = |until, last| Some(Granted { until: at(until), last, held: false });
        let held = |until| Some(Granted::held(at(until)));
        for (deadline, lease, now, expected) in [
            (100, None, 99, Phase::Waiting),
            (100, None, 100, Phase::Expired(at(100))),
            (100, held(50), 49, Phase::Held),
            (100, held(50), 50, Phase::Waiting),
            (100, held(100), 99, Phase::Held),
            (100, held(100), 100, Phase::Expired(at(100))),
            (100, lease(50, false), 49, Phase::Leased),
            (100, lease(50, false), 50, Phase::Waiting),
            (100, lease(50, false), 100, Phase::Expired(at(100))),
            (100, lease(50, true), 49, Phase::Leased),
            (100, lease(50, true), 50, Phase::Abandoned(at(50))),
            (100, lease(50, true), 100, Phase::Abandoned(at(50))),
            (100, lease(99, false), 99, Phase::Waiting),
            (100, lease(100, false), 99, Phase::Leased),
            (100, lease(100, false), 100, Phase::Expired(at(100))),
            (100, lease(100, true), 100, Phase::Expired(at(100))),
            (100, lease(150, true), 149, Phase::Leased),
            (100, lease(150, true), 150, Phase::Expired(at(150))),
        ] {
            assert_eq!(phase(at(deadline), lease, at(now)), expected, "{deadline} {lease:?} at {now}");
        }
    }

    #[test]
    fn a_row_tells_of_the_last_hand_outs_only() {
        let mut row = OpenRow::new(at(9), 1, Past::default());
        for n in 0..200 {
            let granted = row.grant(at(5), 150, (1, 7, n));
            assert_eq!(granted.last, n >= 149);
        }
        assert_eq!((row.handouts, row.past.pages.len()), (200, TOLD));
        assert_eq!(row.past.pages.last(), Some(&(7, 199)));
    }
}
