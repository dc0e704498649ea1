//! What needs a person, and what a person does about it.

use super::{ClockDoubt, Engine, StoreError};

impl Engine {
    /// The doubt about the wall clock, `None` while it is trusted.
    #[must_use]
    pub fn clock_doubt(&self) -> Option<ClockDoubt> {
        self.store.clock_doubt()
    }

    /// Trusts the wall clock as it is (`tidings clock accept`): what has expired by it ends. Where it is behind the
    /// ledger's time, that goes on at half the pace until the wall clock has caught up. Answers whether it was in doubt.
    pub async fn accept_clock(&self) -> Result<bool, StoreError> {
        self.store.accept_clock().await
    }
}
