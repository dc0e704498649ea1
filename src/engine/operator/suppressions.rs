//! Addresses that are not mailed to for a while, because a relay has said that they do not exist.

use crate::base::clock::Timestamp;
use crate::engine::{Engine, StoreError};
use crate::model::address::Address;
use crate::store::Suppression;

/// Suppressed addresses, in order.
#[derive(Clone, Debug, Default)]
pub struct Suppressed {
    /// Each, and until when.
    pub addresses: Vec<(Suppression, Timestamp)>,
    /// Behind which address to go on; `None` at the end.
    pub after: Option<String>,
}

impl Engine {
    /// The addresses that are not mailed to now, from behind `after`; `limit` are looked at, of which some may have aged
    /// out.
    pub async fn suppressions(&self, after: Option<&str>, limit: usize) -> Result<Suppressed, StoreError> {
        let mut found = self.store.suppressions(after, limit.saturating_add(1)).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let after = found.last().filter(|_| more).map(|last| last.address.clone());
        let (now, age) = (self.store.now(), self.settings().delivery.suppress_for);
        let until = |suppression: Suppression| {
            let until = suppression.since.plus(age);
            (suppression, until)
        };
        let addresses = found.into_iter().map(until).filter(|(_, until)| *until > now).collect();
        Ok(Suppressed { addresses, after })
    }

    /// Has an address mailed to again. Answers whether it was not.
    pub async fn lift_suppression(&self, address: &Address) -> Result<bool, StoreError> {
        let age = self.settings().delivery.suppress_for;
        let was = self.store.suppression(address.as_str(), age).await?.is_some();
        self.store.suppress(address.as_str(), None).await?;
        Ok(was)
    }
}
