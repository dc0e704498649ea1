//! One endpoint in memory: what waits for it, what of it has ended, and who waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

use super::queue::{Entry, Queue};
use crate::base::clock::Timestamp;
use crate::model::id::{Position, SubscriptionId};
use crate::model::notification::{EndpointKind, State, Sums};

/// One endpoint.
#[derive(Debug)]
pub(super) struct EndpointMemory {
    pub(super) subscription: SubscriptionId,
    pub(super) kind: EndpointKind,
    pub(super) queue: Queue,
    /// The last position that was taken; 0 before the first.
    pub(super) cursor: u64,
    /// What was made, and what of it has ended: what waits is in the queue.
    pub(super) ended: Sums,
    pub(super) last_polled: LastPolled,
    /// Wakes those who wait for something to hand out.
    pub(super) arrival: Arc<Notify>,
}

impl EndpointMemory {
    pub(super) fn new(subscription: SubscriptionId, kind: EndpointKind) -> Self {
        Self {
            subscription,
            kind,
            queue: Queue::default(),
            cursor: 0,
            ended: Sums::default(),
            last_polled: LastPolled::default(),
            arrival: Arc::default(),
        }
    }

    /// The sums at `now`: what is past its deadline counts as expired, whether or not a sweep has run.
    pub(super) fn sums(&self, now: Timestamp) -> Sums {
        self.split(now, State::Queued)
    }

    /// The sums of this endpoint if it is removed at `now`: what waits is cancelled.
    pub(super) fn sums_when_removed(&self, now: Timestamp) -> Sums {
        self.split(now, State::Cancelled)
    }

    fn split(&self, now: Timestamp, live_as: State) -> Sums {
        let live = self.queue.live(now) as u64;
        let mut sums = self.ended;
        sums.add(live_as, live);
        sums.add(State::Expired, self.queue.len() as u64 - live);
        sums
    }

    pub(super) fn push(&mut self, position: Position, size: u64, deadline: Timestamp) {
        self.ended.created += 1;
        self.queue.push(Entry::new(position, size, deadline));
        self.arrival.notify_waiters();
    }

    /// `taken` notifications up to `last` have been handed out; what else was before it had expired.
    pub(super) fn take_through(&mut self, last: u64, taken: u64) -> usize {
        let gone = self.queue.drop_through(last);
        self.cursor = self.cursor.max(last);
        self.ended.add(State::Consumed, taken);
        self.ended.add(State::Expired, (gone as u64).saturating_sub(taken));
        gone
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
