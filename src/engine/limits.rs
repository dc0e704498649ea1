//! `[limits]` of each client: how many subscriptions it may have and how many of its polls may wait.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::id::ClientId;

/// What each client is limited to.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// `limits.subscriptions`: subscriptions made through an API.
    pub subscriptions: usize,
    /// `limits.waiting_polls`: polls that say how long they are willing to wait, at one time.
    pub waiting_polls: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { subscriptions: 100, waiting_polls: 20 }
    }
}

/// The polls that may wait now, of each client that has any.
#[derive(Debug, Default)]
pub(super) struct WaitingPolls(Arc<Mutex<HashMap<ClientId, usize>>>);

impl WaitingPolls {
    /// A place for one more of `client`; `None` if it has `limit` already.
    pub(super) fn enter(&self, client: &ClientId, limit: usize) -> Option<WaitingPoll> {
        let mut waiting = self.0.lock();
        let count = waiting.entry(client.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(WaitingPoll { waiting: Arc::clone(&self.0), client: client.clone() })
    }
}

/// The place of a poll that may wait; it is free again when this is dropped.
pub(super) struct WaitingPoll {
    waiting: Arc<Mutex<HashMap<ClientId, usize>>>,
    client: ClientId,
}

impl Drop for WaitingPoll {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock();
        if let Some(count) = waiting.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_poll_is_gone_and_none_is_another_client_s() {
        let polls = WaitingPolls::default();
        let (crm, erp) = (ClientId::new("crm"), ClientId::new("erp"));
        let first = polls.enter(&crm, 2).unwrap();
        let _second = polls.enter(&crm, 2).unwrap();
        assert!(polls.enter(&crm, 2).is_none());
        assert!(polls.enter(&erp, 2).is_some());
        drop(first);
        assert!(polls.enter(&crm, 2).is_some());
        assert_eq!(polls.0.lock().len(), 1, "those who have none are forgotten");
    }
}
