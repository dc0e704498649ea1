//! Polling: consume what waits, or wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::admission::{Admission, Watched};
use super::limits::WaitingPoll;
use super::{Engine, Handed, IdempotencyKey, StoreError};
use crate::model::id::{ClientId, EndpointNumber};
use crate::model::subscription::ContractName;
use crate::store::{Page, PageId, Store, Take};

/// A page ends when its events reach this many bytes (contracts/polling.md).
pub const MAX_PAGE_BYTES: usize = 4 << 20;

/// How long a poll rests that was woken and found nothing: another poller of the queue was quicker. It keeps a crowd
/// of pollers on one queue from spinning.
pub(super) const REST: Duration = Duration::from_millis(2);

/// A poll.
#[derive(Clone, Debug)]
pub struct PollRequest {
    /// The contract that it comes through.
    pub contract: ContractName,
    /// Whose queue.
    pub subscription: String,
    /// Who asks: the subscription must be for this client.
    pub client: ClientId,
    /// The most notifications in the page, 1 to 1000.
    pub size: usize,
    /// How long an empty queue is waited for; `None`: not at all.
    pub wait: Option<Duration>,
    /// Gives the same page again.
    pub key: Option<IdempotencyKey>,
    /// The request, kept with the page.
    pub request_id: String,
    /// How the caller was let in: once it is no more, nothing is waited for.
    pub admission: Admission,
}

/// A page that has been consumed.
pub struct Polled {
    /// Its notifications, oldest first.
    pub notifications: Vec<Handed>,
    /// To be told whether the answer reached the caller; `None` for an empty page.
    pub answer: Option<AnswerWatch>,
}

/// Why there is no page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PollError {
    /// There is no such subscription for this client, or it went while it was waited for.
    #[error("there is no such subscription")]
    NotFound,
    /// As many polls of the client wait as `limits.waiting_polls` allows.
    #[error("{limit} polls of the client are waiting, which is the limit")]
    TooManyWaiting {
        /// The limit.
        limit: usize,
    },
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Consumes the oldest notifications of a queue. On an empty queue it waits as long as `wait` says; a stop, and the
    /// end of the caller's admission, end the wait with an empty page. A future that is dropped while it waits has consumed nothing.
    pub async fn poll(&self, request: PollRequest) -> Result<Polled, PollError> {
        let endpoint = self.own_queue(&request)?;
        let _place = self.may_wait(&request.client, request.wait)?;
        self.store.polled(endpoint);
        let until = request.wait.map(|wait| Instant::now() + wait);
        let mut page = self.store.take(take(&request, endpoint)).await?;
        let mut admission = self.watch(&request.admission);
        while let Some(until) = until
            && page.notifications.is_empty()
            && self.arrives(endpoint, until, &mut admission).await
        {
            self.own_queue(&request)?;
            page = self.store.take(take(&request, endpoint)).await?;
            if page.notifications.is_empty() {
                tokio::time::sleep(REST).await;
            }
        }
        Ok(self.polled(page))
    }

    fn own_queue(&self, request: &PollRequest) -> Result<EndpointNumber, PollError> {
        self.own(request.contract, &request.client, &request.subscription)
            .and_then(|subscription| subscription.poll_endpoint())
            .ok_or(PollError::NotFound)
    }

    /// A place for a poll of `client` that is willing to wait; none is needed by one that is not.
    pub(super) fn may_wait(&self, client: &ClientId, wait: Option<Duration>) -> Result<Option<WaitingPoll>, PollError> {
        let limit = self.settings.load().limits.waiting_polls;
        match wait {
            None => Ok(None),
            Some(_) => self.waiting.enter(client, limit).map(Some).ok_or(PollError::TooManyWaiting { limit }),
        }
    }

    /// Waits for something in the queue; `false` when the time is up, the stop is given, or the caller is admitted no
    /// more.
    pub(super) async fn arrives(&self, endpoint: EndpointNumber, until: Instant, admission: &mut Watched) -> bool {
        tokio::select! {
            biased;
            () = self.stop.stopped() => false,
            () = tokio::time::sleep_until(until) => false,
            () = admission.ended() => false,
            () = self.store.wait(endpoint) => true,
        }
    }

    fn polled(&self, page: Page) -> Polled {
        let Page { id, repeated, notifications } = page;
        let answer = id.map(|page| AnswerWatch {
            store: Arc::clone(&self.store),
            page,
            notifications: if repeated { 0 } else { notifications.len() as u64 },
            settled: AtomicBool::new(false),
        });
        Polled { notifications, answer }
    }
}

fn take(request: &PollRequest, endpoint: EndpointNumber) -> Take {
    Take {
        endpoint,
        max: request.size,
        max_bytes: MAX_PAGE_BYTES,
        client: request.client.clone(),
        request_id: request.request_id.clone(),
        key: request.key.clone(),
    }
}

/// Records whether the answer with a page reached the socket whole (design.md, promise 3). Dropped without a word, it
/// has not.
pub struct AnswerWatch {
    store: Arc<dyn Store>,
    page: PageId,
    /// Counted if the answer is lost; none for a repeated page, whose first answer was counted.
    notifications: u64,
    settled: AtomicBool,
}

impl AnswerWatch {
    /// The last byte has been handed to the socket.
    pub fn written(&self) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            self.store.confirm(self.page);
        }
    }

    /// It has not, and will not be.
    pub fn lost(&self) {
        if !self.settled.swap(true, Ordering::AcqRel) && self.notifications > 0 {
            self.store.unconfirmed(self.page, self.notifications);
        }
    }
}

impl Drop for AnswerWatch {
    fn drop(&mut self) {
        self.lost();
    }
}
