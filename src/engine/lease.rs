//! The safe poll (contracts/events.md): acknowledge, then lease what waits, or wait for it.

use std::time::Duration;

use tokio::time::Instant;

use super::admission::Admission;
use super::poll::{MAX_PAGE_BYTES, PollError, REST};
use super::{Engine, Leased};
use crate::model::id::{ClientId, EndpointNumber, LedgerId};
use crate::store::Lease;

/// A safe poll.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// Whose queue: any subscription with one, whatever contract it belongs to.
    pub subscription: String,
    /// Who asks: the subscription must be for this client.
    pub client: ClientId,
    /// Notifications that have arrived.
    pub acks: Vec<LedgerId>,
    /// Notifications that cannot be taken, each with the reason.
    pub errors: Vec<(LedgerId, String)>,
    /// The most notifications to lease, 0 to 1000; with 0 nothing is waited for.
    pub max: usize,
    /// How long they are leased.
    pub duration: Duration,
    /// After so many leases without an acknowledgement a notification is failed.
    pub max_handouts: u32,
    /// How long an empty queue is waited for; `None`: not at all.
    pub wait: Option<Duration>,
    /// The request, kept with the lease.
    pub request_id: String,
    /// How the caller was let in: once it is no more, nothing is waited for.
    pub admission: Admission,
}

impl Engine {
    /// Acknowledges, and leases the oldest notifications of a queue. What is acknowledged is committed before anything
    /// is waited for. A stop, and the end of the caller's admission, end the wait with nothing leased; a future that is dropped while it waits has leased
    /// nothing.
    pub async fn lease(&self, request: LeaseRequest) -> Result<Leased, PollError> {
        let endpoint = self.queue_of(&request)?;
        let wait = request.wait.filter(|_| request.max > 0);
        let _place = self.may_wait(&request.client, wait)?;
        self.store.polled(endpoint);
        let until = wait.map(|wait| Instant::now() + wait);
        let mut leased = self.store.lease(asked(&request, endpoint, true)).await?;
        let mut admission = self.watch(&request.admission);
        while let Some(until) = until
            && leased.notifications.is_empty()
            && self.arrives(endpoint, until, &mut admission).await
        {
            self.queue_of(&request)?;
            let Leased { notifications, until, more, .. } = self.store.lease(asked(&request, endpoint, false)).await?;
            leased = Leased { notifications, until, more, ..leased };
            if leased.notifications.is_empty() {
                tokio::time::sleep(REST).await;
            }
        }
        Ok(leased)
    }

    fn queue_of(&self, request: &LeaseRequest) -> Result<EndpointNumber, PollError> {
        let subscriptions = self.store.subscriptions();
        let own = subscriptions.get(&request.subscription).filter(|s| s.client_id == request.client);
        own.and_then(|subscription| subscription.poll_endpoint()).ok_or(PollError::NotFound)
    }
}

fn asked(request: &LeaseRequest, endpoint: EndpointNumber, first: bool) -> Lease {
    Lease {
        endpoint,
        acks: if first { request.acks.clone() } else { Vec::new() },
        errors: if first { request.errors.clone() } else { Vec::new() },
        max: request.max,
        max_bytes: MAX_PAGE_BYTES,
        duration: request.duration,
        max_handouts: request.max_handouts,
        client: request.client.clone(),
        request_id: request.request_id.clone(),
    }
}
