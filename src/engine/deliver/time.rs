//! The ledger's time, for who waits.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::{Clock, Timestamp};
use crate::store::Store;

/// How long nobody looks at the clock at most: a wall clock that is set back must not hold up who waits for as long.
const GLANCE: Duration = Duration::from_mins(1);

/// What time it is in the ledger, and waiting by it.
#[derive(Clone)]
pub(super) struct Time {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Time {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The ledger's time.
    pub(super) fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Time that nobody can set, for measuring.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Resolves once the ledger's time is `until`.
    pub(super) async fn sleep_until(&self, until: Timestamp) {
        loop {
            let left = until.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = self.clock.sleep_until(self.clock.now().plus(left)) => {}
                () = tokio::time::sleep(GLANCE) => {}
            }
        }
    }

    /// Resolves once so much of it has passed.
    pub(super) async fn sleep(&self, length: Duration) {
        self.sleep_until(self.now().plus(length)).await;
    }

    /// The same, or once as much real time has passed: for what is tried again because something broke.
    pub(super) async fn pause(&self, length: Duration) {
        tokio::select! {
            () = self.sleep(length) => {}
            () = tokio::time::sleep(length) => {}
        }
    }
}
