//! One endpoint in memory: what waits for it or is leased, what of it has ended, and who waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

use super::course::Phase;
use super::leases::{Leased, Leases};
use super::push::Push;
use super::queue::{Entry, Queue};
use crate::base::clock::Timestamp;
use crate::model::id::{Position, SubscriptionId};
use crate::model::notification::{EndpointKind, State, Sums};

/// One endpoint.
#[derive(Debug)]
pub(super) struct EndpointMemory {
    pub(super) subscription: SubscriptionId,
    pub(super) kind: EndpointKind,
    /// Whether nothing is handed out for now; deadlines and leases go on.
    pub(super) held: bool,
    /// What nobody has had yet.
    pub(super) queue: Queue,
    /// What waits and has a row of its own: its lease has ended, or it was put back.
    pub(super) again: Queue,
    pub(super) leases: Leases,
    /// What there is besides where notifications are sent to it, and not polled.
    pub(super) push: Option<Box<Push>>,
    /// The last position that was handed out from the queue; 0 before the first.
    pub(super) cursor: u64,
    /// What was made, and what of it has ended: what waits is in the queues and the leases.
    pub(super) ended: Sums,
    /// How many failed because there was no room in its queue, since the start.
    pub(super) queue_full: u64,
    pub(super) last_polled: LastPolled,
    /// Wakes those who wait for something to hand out.
    pub(super) arrival: Arc<Notify>,
}

impl EndpointMemory {
    pub(super) fn new(subscription: SubscriptionId, kind: EndpointKind) -> Self {
        Self {
            subscription,
            kind,
            held: false,
            queue: Queue::default(),
            again: Queue::default(),
            leases: Leases::default(),
            push: (kind != EndpointKind::Poll).then(Box::default),
            cursor: 0,
            ended: Sums::default(),
            queue_full: 0,
            last_polled: LastPolled::default(),
            arrival: Arc::default(),
        }
    }

    /// The sums at `now`: what is past its deadline counts as expired, whether or not a sweep has run.
    pub(super) fn sums(&self, now: Timestamp) -> Sums {
        self.split(now, if self.is_held() { State::Held } else { State::Queued }, [State::Leased, State::Held])
    }

    /// Whether what waits is held: with its subscription, or for itself.
    pub(super) fn is_held(&self) -> bool {
        self.held || self.push.as_ref().is_some_and(|push| push.standing().hold.is_some())
    }

    /// The sums of this endpoint if it is removed at `now`: what waits or is leased ends as `ends`.
    pub(super) fn sums_when_removed(&self, ends: State, now: Timestamp) -> Sums {
        self.split(now, ends, [ends; 2])
    }

    fn split(&self, now: Timestamp, live_as: State, [leased_as, held_as]: [State; 2]) -> Sums {
        let mut sums = self.ended;
        for queue in [&self.queue, &self.again] {
            let live = queue.live(now) as u64;
            sums.add(live_as, live);
            sums.add(State::Expired, queue.len() as u64 - live);
        }
        if let Some(push) = &self.push {
            push.split(&mut sums, &self.again, now, live_as, leased_as);
        }
        for leased in self.leases.ended(now) {
            sums.add(leased.phase(now).end().map_or(live_as, |(state, ..)| state), 1);
        }
        let (leased, held) = self.leases.running(now);
        sums.add(leased_as, leased);
        sums.add(held_as, held);
        sums
    }

    /// Whether there is something to hand out now; what has its deadline until `withheld_to` is withheld.
    pub(super) fn has_waiting(&self, now: Timestamp, withheld_to: Timestamp) -> bool {
        let is_ready = |leased: &Leased| leased.phase(now) == Phase::Waiting && leased.entry.is_live(withheld_to);
        !self.held
            && (self.queue.has_ready(now, withheld_to)
                || self.again.first_live(now.max(withheld_to)).is_some()
                || self.leases.ended(now).any(is_ready))
    }

    /// How many wait to be handed out, now or once they are held no more.
    pub(super) fn waiting(&self, now: Timestamp) -> u64 {
        let released = self.leases.ended(now).filter(|leased| leased.phase(now) == Phase::Waiting).count();
        (self.queue.live(now) + self.again.live(now) + released) as u64
    }

    /// How many are leased, and their leases run, or are being sent.
    pub(super) fn leased(&self, now: Timestamp) -> u64 {
        self.leases.running(now).0 + self.in_flight()
    }

    /// How many nobody may have before their time.
    pub(super) fn outside_hours(&self, now: Timestamp) -> u64 {
        self.leases.running(now).1
    }

    /// How many are being sent.
    fn in_flight(&self) -> u64 {
        self.push.as_ref().map_or(0, |push| push.in_flight())
    }

    /// How many take room in the queue: expired ones that no sweep has met included.
    pub(super) fn entries(&self) -> u64 {
        (self.queue.len() + self.again.len() + self.leases.len()) as u64 + self.in_flight()
    }

    /// How many of them have not ended.
    pub(super) fn live(&self, now: Timestamp) -> u64 {
        self.waiting(now) + self.leased(now) + self.outside_hours(now)
    }

    /// The oldest that waits to be handed out.
    pub(super) fn oldest_waiting(&self, now: Timestamp) -> Option<u64> {
        let first = [&self.queue, &self.again].map(|queue| queue.first_live(now).map(Entry::position));
        first.into_iter().flatten().min()
    }

    /// Whether a row of its own says that the notification at `position` is leased or waits.
    pub(super) fn is_open(&self, position: u64) -> bool {
        self.leases.contains(position) || self.again.contains(position)
    }

    pub(super) fn push(&mut self, position: Position, size: u64, deadline: Timestamp) {
        self.ended.created += 1;
        self.queue.push(Entry::new(position, size, deadline));
        self.arrival.notify_waiters();
    }

    /// `handed_out` notifications of the queue up to `last` have been handed out; what else was before it had expired.
    /// Answers how many of them expired.
    pub(super) fn pass(&mut self, last: u64, handed_out: u64) -> u64 {
        let gone = self.queue.drop_through(last) as u64;
        self.cursor = self.cursor.max(last);
        let expired = gone.saturating_sub(handed_out);
        self.ended.add(State::Expired, expired);
        expired
    }
}

/// When a queue was last polled, in milliseconds. Polls note it beside the writer, so it needs no lock for writing.
#[derive(Debug)]
pub(super) struct LastPolled(AtomicI64);

impl LastPolled {
    const NEVER: i64 = i64::MIN;

    pub(super) fn get(&self) -> Option<Timestamp> {
        let at = self.0.load(Ordering::Relaxed);
        (at != Self::NEVER).then(|| Timestamp::from_millis(at))
    }

    pub(super) fn note(&self, at: Timestamp) {
        self.0.fetch_max(at.as_millis(), Ordering::Relaxed);
    }
}

impl Default for LastPolled {
    fn default() -> Self {
        Self(AtomicI64::new(Self::NEVER))
    }
}
