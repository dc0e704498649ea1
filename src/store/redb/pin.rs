//! Committed pages on their way to who asked for them.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::Shared;
use super::take::Taken;
use crate::model::id::EndpointNumber;
use crate::store::PageId;

/// As long as it is here the sweep leaves the bodies at and behind a position alone.
pub(super) struct Pin {
    shared: Arc<Shared>,
    first: u64,
}

impl Pin {
    pub(super) fn new(shared: &Arc<Shared>, first: u64) -> Self {
        *shared.unread.lock().entry(first).or_default() += 1;
        Self { shared: Arc::clone(shared), first }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Entry::Occupied(mut pages) = self.shared.unread.lock().entry(self.first) {
            *pages.get_mut() -= 1;
            if *pages.get() == 0 {
                pages.remove();
            }
        }
    }
}

/// A consumed page that has not been read: dropped before it is handed over, it counts as unconfirmed.
pub(super) struct Unread {
    pin: Pin,
    pub(super) id: PageId,
    pub(super) positions: Vec<u64>,
    pub(super) repeated: bool,
    /// What is lost if it is dropped.
    notifications: u64,
}

impl Unread {
    pub(super) fn new(taken: Taken, shared: &Arc<Shared>) -> Self {
        let Taken { at: (endpoint, number, part), positions, repeated, again: _, last_fresh: _, key: _ } = taken;
        let pin = Pin::new(shared, positions.first().copied().unwrap_or(number));
        let notifications = if repeated { 0 } else { positions.len() as u64 };
        let id = PageId { endpoint: EndpointNumber(endpoint), number, part };
        Self { pin, id, positions, repeated, notifications }
    }

    /// It has been read: the rest is the caller's.
    pub(super) fn hand_over(mut self) {
        self.notifications = 0;
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if self.notifications > 0 {
            self.pin.shared.count_unconfirmed(self.id, self.notifications);
        }
    }
}
