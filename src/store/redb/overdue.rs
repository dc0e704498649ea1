//! Since when something is due that nobody has claimed: for metrics.

use super::endpoint::EndpointMemory;
use super::memory::Memory;
use super::push::Push;
use super::queue::Entry;
use super::{Shared, page};
use crate::base::clock::Timestamp;
use crate::model::target::Ordering;

/// See [`crate::store::Store::overdue`].
pub(super) fn since(shared: &Shared) -> Option<Timestamp> {
    let now = shared.now();
    let overdue: Vec<Overdue> = {
        let memory = shared.memory.read();
        let of =
            |(number, endpoint): (&u32, &EndpointMemory)| endpoint.overdue(ordering(&memory, *number, endpoint), now);
        memory.endpoints.iter().flat_map(of).collect()
    };
    // Not worth waiting for a compaction.
    let db = shared.db.try_read().and_then(|db| db.clone());
    let accepted = |position| page::accepted(db.as_ref()?, position);
    // The first position is that of the first instant.
    let first =
        overdue.iter().filter_map(|o| if let Overdue::New(position) = o { Some(*position) } else { None }).min();
    let each = overdue.iter().filter_map(|overdue| match *overdue {
        Overdue::Since(since) => Some(since),
        Overdue::New(_) => None,
        Overdue::NewSince(position, recovered) => Some(accepted(position)?.max(recovered)),
    });
    each.chain(first.and_then(accepted)).min()
}

/// Since when something of an endpoint is due.
enum Overdue {
    Since(Timestamp),
    /// Since the event at this position was accepted.
    New(u64),
    /// The same, but not before the endpoint recovered.
    NewSince(u64, Timestamp),
}

fn ordering(memory: &Memory, number: u32, endpoint: &EndpointMemory) -> Ordering {
    let subscription = memory.subscriptions.get(endpoint.subscription.as_str());
    let mut endpoints = subscription.into_iter().flat_map(|subscription| &subscription.endpoints);
    let endpoint = endpoints.find(|endpoint| endpoint.number.0 == number);
    endpoint.map_or(Ordering::Relaxed, |endpoint| endpoint.target.ordering())
}

impl EndpointMemory {
    fn overdue(&self, ordering: Ordering, now: Timestamp) -> Vec<Overdue> {
        let Some(push) = self.push.as_ref().filter(|_| !self.is_held()) else { return Vec::new() };
        let new = self.queue.first_live(now).map(Entry::position);
        let again = self.again.first_live(now).map(Entry::position);
        let of_queue = new.map(|position| match push.standing().recovered {
            Some(recovered) => Overdue::NewSince(position, recovered),
            None => Overdue::New(position),
        });
        let is_again = again.is_some_and(|again| new.is_none_or(|new| again < new));
        let (since, of_queue) = match ordering {
            Ordering::Relaxed => (self.due_since(push, now).map(|(_, since)| since).min(), of_queue),
            // Only the oldest can be due, and not while something is on its way.
            Ordering::Strict if push.is_busy() => (None, None),
            Ordering::Strict if is_again => {
                let head = self.due_since(push, now).find(|(position, _)| Some(*position) == again);
                (head.map(|(_, since)| since), None)
            }
            Ordering::Strict => (None, of_queue),
        };
        since.map(Overdue::Since).into_iter().chain(of_queue).collect()
    }

    /// What waits again and is due, and since when.
    fn due_since(&self, push: &Push, now: Timestamp) -> impl Iterator<Item = (u64, Timestamp)> {
        let waited = push.waits().take_while(move |(due, _)| *due <= now).map(|(due, position)| (position, due));
        push.ready().chain(waited).filter(move |(position, _)| self.again.holds_live(*position, now))
    }
}
