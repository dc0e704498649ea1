//! Connections to the relay that are used again: few, checked before their next use, and closed when nobody needs them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connect::Connector;
use super::session::Session;
use super::settings::RelaySettings;
use super::trouble::{Trouble, What};
use super::verdict::Verb;

/// How long a connection is used at most, so that a relay that has moved is found again.
const AGE_LIMIT: Duration = Duration::from_mins(10);

/// How many messages go over one: many relays allow a hundred.
const MESSAGES_LIMIT: u32 = 100;

/// At most so many connections, those in use and those that wait.
pub(super) struct Pool {
    connector: Connector,
    /// How long a connection waits for its next message.
    idle: Duration,
    permits: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    sessions: Vec<Parked>,
    /// Whether a task looks after them.
    kept: bool,
}

struct Parked {
    session: Session,
    until: Instant,
}

/// A connection in use. Dropped, it is closed.
pub(super) struct Lease {
    pub(super) session: Session,
    /// How long it took to be made; `None` where it was there already.
    pub(super) connecting: Option<Duration>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(connector: Connector, relay: &RelaySettings) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(relay.connections.clamp(1, Semaphore::MAX_PERMITS)));
        Arc::new(Self { connector, idle: relay.idle, permits, waiting: Mutex::default() })
    }

    /// A connection that is ready for a message: one that waited, or a new one. Waits while as many are in use as may be.
    pub(super) async fn take(&self) -> Result<Lease, Trouble> {
        let closed = |_| Trouble { verb: Verb::Connect, what: What::Closed };
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        while let Some(mut session) = self.unpark() {
            if session.revive().await {
                return Ok(Lease { session, connecting: None, _permit: permit });
            }
        }
        let begun = Instant::now();
        let session = self.connector.connect().await?;
        Ok(Lease { session, connecting: Some(begun.elapsed()), _permit: permit })
    }

    /// Keeps a connection for its next message, unless it has served long enough.
    pub(super) fn put_back(self: &Arc<Self>, lease: Lease) {
        let Lease { session, connecting: _, _permit } = lease;
        if session.messages >= MESSAGES_LIMIT || session.opened.elapsed() >= AGE_LIMIT {
            tokio::spawn(session.quit());
            return;
        }
        let mut waiting = self.waiting.lock();
        waiting.sessions.push(Parked { session, until: Instant::now() + self.idle });
        if !waiting.kept {
            waiting.kept = true;
            tokio::spawn(close_idle(Arc::downgrade(self), self.idle));
        }
    }

    /// Says goodbye on a connection that is not to be used again.
    pub(super) fn dismiss(lease: Lease) {
        tokio::spawn(lease.session.quit());
    }

    /// The one that was used last.
    fn unpark(&self) -> Option<Session> {
        self.waiting.lock().sessions.pop().map(|parked| parked.session)
    }

    /// Those whose time is up, and when the next one's is; `None`: none is left, and nobody looks after them any more.
    fn expired(&self) -> (Vec<Session>, Option<Instant>) {
        let mut waiting = self.waiting.lock();
        let now = Instant::now();
        let (expired, kept) = std::mem::take(&mut waiting.sessions).into_iter().partition(|parked| parked.until <= now);
        waiting.sessions = kept;
        let next = waiting.sessions.iter().map(|parked| parked.until).min();
        waiting.kept = next.is_some();
        (expired.into_iter().map(|parked: Parked| parked.session).collect(), next)
    }
}

/// Closes what waits too long; ends when nothing waits.
async fn close_idle(pool: Weak<Pool>, idle: Duration) {
    let mut next = Instant::now() + idle;
    loop {
        tokio::time::sleep_until(next).await;
        let Some((expired, after)) = pool.upgrade().map(|pool| pool.expired()) else { return };
        for session in expired {
            session.quit().await;
        }
        match after {
            Some(after) => next = after,
            None => return,
        }
    }
}
