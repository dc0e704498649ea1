//! What one connection is doing: the state that its timeouts, eviction, drain and deliveries follow from.
//!
//! ```text
//! Idle ─first byte─▶ Head ─head parsed─▶ Busy ─answer taken─▶ Answered ─flushed─▶ Idle
//!   └─────────────── evicted: Closing
//! ```
//! In HTTP/2 `Busy` means that at least one stream is being answered, `Head` that the head of another is on its way while
//! none is; there is no `Answered`, for each stream knows by itself when its answer is with the socket.
//!
//! The socket's wrapper ([`super::stream`]), the requests' service ([`super::desk`]) and the answers' bodies
//! ([`super::answer`]) move it; the guard ([`super::guard`]) and the registry ([`super::registry`]) read it.
//!
//! A connection that has not said anything yet is idle: it holds nothing up, and where room is short it is the first
//! to go. So a pool may open connections ahead of need, and silence costs an attacker's connections, not others'.
//! Bytes of a next head that came together with the previous request do not start its clock, the next byte does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::contract::Delivery;
use super::tls::ClientCertificate;

/// How long a connection may stay idle between requests, or before the first one.
pub(super) const IDLE_LIMIT: Duration = Duration::from_mins(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte of a request has come.
    Idle,
    /// Some of a request's head has come.
    Head,
    /// A request is being answered.
    Busy,
    /// The answer is in hyper's hands, not yet all in the socket's.
    Answered,
    /// To be closed without looking at anything more.
    Closing,
}

/// How long a connection may stay in its phases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) header: Duration,
    /// For an answer that the caller does not read.
    pub(super) stall: Duration,
}

/// Which limit a connection has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Idle,
    Head,
    Stalled,
}

/// What the driver is to do next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// Close now.
    Close,
    /// Wait for whatever comes.
    Wait,
    /// Wait until then at most.
    WaitUntil(Instant, Overdue),
}

/// One connection, as all parts see it.
pub(super) struct Connection {
    pub(super) number: u64,
    /// `None` on a unix socket.
    pub(super) peer: Option<SocketAddr>,
    /// The user of the process at the other end of a unix socket.
    pub(super) uid: Option<u32>,
    requests: AtomicU64,
    /// Shown and proved in the TLS handshake.
    client_certificate: OnceLock<Arc<ClientCertificate>>,
    /// The room for bodies, in bytes: what the requests of one connection may hold together (HTTP/2 only has several).
    bodies: Semaphore,
    /// How much there is of it, taken or not.
    bodies_in_all: AtomicUsize,
    progress: Mutex<Progress>,
}

struct Progress {
    phase: Phase,
    /// Since when it is in this phase.
    since: Instant,
    /// Since when the socket takes nothing of what there is to write.
    stalled: Option<Instant>,
    /// How many streams are being answered (HTTP/2 only).
    streams: usize,
    /// A head has begun and not ended (HTTP/2 only: in HTTP/1.1 it is a phase of its own).
    in_head: bool,
    /// Who wants to know whether the answer that is being written arrives (HTTP/1.1 only).
    delivery: Option<Arc<dyn Delivery>>,
    draining: bool,
    linger: bool,
    waker: Option<Waker>,
}

impl Connection {
    pub(super) fn new(number: u64, peer: Option<SocketAddr>, uid: Option<u32>, draining: bool) -> Self {
        let progress = Progress {
            phase: Phase::Idle,
            since: Instant::now(),
            stalled: None,
            streams: 0,
            in_head: false,
            delivery: None,
            draining,
            linger: false,
            waker: None,
        };
        Self {
            number,
            peer,
            uid,
            requests: AtomicU64::new(0),
            client_certificate: OnceLock::new(),
            bodies: Semaphore::new(0),
            bodies_in_all: AtomicUsize::new(0),
            progress: Mutex::new(progress),
        }
    }

    /// The caller has shown `certificate` in the handshake and proved that it has the key.
    pub(super) fn shows(&self, certificate: ClientCertificate) {
        // There is one handshake for a connection.
        let _ = self.client_certificate.set(Arc::new(certificate));
    }

    /// The room for bodies, which is at least `room` bytes in all from now on.
    pub(super) fn bodies(&self, room: usize) -> &Semaphore {
        let room = room.min(Semaphore::MAX_PERMITS);
        let before = self.bodies_in_all.fetch_max(room, Ordering::Relaxed);
        if let Some(more) = room.checked_sub(before).filter(|more| *more > 0) {
            self.bodies.add_permits(more);
        }
        &self.bodies
    }

    /// The certificate that the caller has shown, if there is one.
    pub(super) fn client_certificate(&self) -> Option<&Arc<ClientCertificate>> {
        self.client_certificate.get()
    }

    /// The number of the next request on this connection, from 1.
    pub(super) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The socket gave bytes; `false` if nobody will look at them any more.
    pub(super) fn bytes_came(&self) -> bool {
        let mut progress = self.progress.lock();
        if progress.phase == Phase::Idle {
            progress.enter(Phase::Head);
        }
        progress.phase != Phase::Closing
    }

    /// A request's head is there; `false` if it must not be answered any more.
    pub(super) fn request_came(&self) -> bool {
        let mut progress = self.progress.lock();
        if progress.phase == Phase::Closing {
            return false;
        }
        progress.phase = Phase::Busy;
        true
    }

    /// Whether there is a request to answer: what hyper writes without one is its own words about a bad head.
    pub(super) fn has_request(&self) -> bool {
        matches!(self.progress.lock().phase, Phase::Busy | Phase::Answered)
    }

    /// hyper has the whole answer in its buffer.
    pub(super) fn answer_taken(&self, delivery: Option<Arc<dyn Delivery>>) {
        let mut progress = self.progress.lock();
        if progress.phase == Phase::Busy {
            progress.phase = Phase::Answered;
        }
        progress.delivery = delivery;
    }

    /// hyper's buffer is empty: an answer that was taken is with the socket.
    pub(super) fn flushed(&self) {
        let mut progress = self.progress.lock();
        if progress.phase != Phase::Answered {
            return;
        }
        progress.enter(Phase::Idle);
        let delivery = progress.delivery.take();
        drop(progress);
        if let Some(delivery) = delivery {
            delivery.written();
        }
    }

    /// A stream has a request; `false` if it must not be answered any more.
    pub(super) fn stream_began(&self) -> bool {
        let mut progress = self.progress.lock();
        if progress.phase == Phase::Closing {
            return false;
        }
        progress.streams += 1;
        progress.phase = Phase::Busy;
        true
    }

    /// A stream is done with, one way or the other. The connection is idle when the last one is.
    pub(super) fn stream_ended(&self) {
        let mut progress = self.progress.lock();
        progress.streams = progress.streams.saturating_sub(1);
        if progress.streams == 0 && progress.phase == Phase::Busy {
            let phase = if progress.in_head { Phase::Head } else { Phase::Idle };
            progress.enter(phase);
            progress.wake();
        }
    }

    /// Whether the head of a next stream has begun and not ended. While others are answered it may take its time.
    pub(super) fn in_head(&self, in_head: bool) {
        let mut progress = self.progress.lock();
        progress.in_head = in_head;
        match progress.phase {
            Phase::Idle if in_head => progress.enter(Phase::Head),
            Phase::Head if !in_head => progress.enter(Phase::Idle),
            _ => {}
        }
    }

    /// Has the driver look again.
    pub(super) fn wake(&self) {
        self.progress.lock().wake();
    }

    /// The socket took bytes, or (`false`) would not.
    pub(super) fn write_moved(&self, moved: bool) {
        let mut progress = self.progress.lock();
        if moved {
            progress.stalled = None;
        } else if progress.stalled.is_none() {
            progress.stalled = Some(Instant::now());
        }
    }

    /// Nothing more will be written: an answer that has not been is lost.
    pub(super) fn end(&self) {
        let delivery = self.progress.lock().delivery.take();
        if let Some(delivery) = delivery {
            delivery.lost();
        }
    }

    /// What is to happen next; `waker` is woken when that changes from outside.
    pub(super) fn next(&self, waker: &Waker, limits: Limits) -> Next {
        let mut progress = self.progress.lock();
        if !progress.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            progress.waker = Some(waker.clone());
        }
        progress.next(limits)
    }

    /// Idle since when, if it is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let progress = self.progress.lock();
        (progress.phase == Phase::Idle).then_some(progress.since)
    }

    /// Closes it if it still is idle; whether it was.
    pub(super) fn evict(&self) -> bool {
        let mut progress = self.progress.lock();
        let idle = progress.phase == Phase::Idle;
        if idle {
            progress.close();
        }
        idle
    }

    /// Closes it, whatever it is doing.
    pub(super) fn close(&self) {
        self.progress.lock().close();
    }

    /// Lets it finish its request and then close.
    pub(super) fn drain(&self) {
        let mut progress = self.progress.lock();
        progress.draining = true;
        progress.wake();
    }

    /// Whether the present request is to be the last.
    pub(super) fn is_draining(&self) -> bool {
        self.progress.lock().draining
    }

    /// The caller may still be sending when the answer has been written.
    pub(super) fn linger(&self) {
        self.progress.lock().linger = true;
    }

    pub(super) fn lingers(&self) -> bool {
        self.progress.lock().linger
    }

    /// It only waits for the caller to notice that it has been closed: idle, for those who need room.
    pub(super) fn lingering(&self) {
        let mut progress = self.progress.lock();
        if progress.phase != Phase::Closing {
            progress.enter(Phase::Idle);
        }
    }

    /// Whether it is to be closed; `waker` is woken when that changes.
    pub(super) fn is_closing(&self, waker: &Waker) -> bool {
        let mut progress = self.progress.lock();
        progress.waker = Some(waker.clone());
        progress.phase == Phase::Closing
    }
}

impl Progress {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    fn close(&mut self) {
        self.phase = Phase::Closing;
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn next(&self, limits: Limits) -> Next {
        match (self.phase, self.stalled) {
            (Phase::Closing, _) => Next::Close,
            (Phase::Idle, _) if self.draining => Next::Close,
            (Phase::Idle, None) => Next::WaitUntil(self.since + IDLE_LIMIT, Overdue::Idle),
            (Phase::Head, _) => Next::WaitUntil(self.since + limits.header, Overdue::Head),
            // Idle too: in HTTP/2 an answer may have been given up before the socket took it.
            (Phase::Idle | Phase::Busy | Phase::Answered, Some(since)) => {
                Next::WaitUntil(since + limits.stall, Overdue::Stalled)
            }
            (Phase::Busy | Phase::Answered, None) => Next::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { header: Duration::from_secs(10), stall: Duration::from_secs(30) };

    fn next(connection: &Connection) -> Next {
        connection.next(Waker::noop(), LIMITS)
    }

    fn overdue(connection: &Connection) -> Option<(Duration, Overdue)> {
        match next(connection) {
            Next::WaitUntil(deadline, overdue) => Some((deadline - connection.progress.lock().since, overdue)),
            Next::Close | Next::Wait => None,
        }
    }

    #[test]
    fn each_phase_has_its_limit() {
        let connection = Connection::new(1, None, None, false);
        assert_eq!(overdue(&connection), Some((IDLE_LIMIT, Overdue::Idle)));
        assert!(connection.bytes_came());
        assert_eq!(overdue(&connection), Some((LIMITS.header, Overdue::Head)));
        // More of the head does not give it more time.
        let since = connection.progress.lock().since;
        assert!(connection.bytes_came());
        assert_eq!(connection.progress.lock().since, since);
        assert!(connection.request_came());
        assert!(matches!(next(&connection), Next::Wait));
        connection.answer_taken(None);
        assert!(matches!(next(&connection), Next::Wait));
        connection.flushed();
        assert_eq!(overdue(&connection), Some((IDLE_LIMIT, Overdue::Idle)));
    }

    #[test]
    fn only_an_answer_that_stands_still_is_overdue() {
        let connection = Connection::new(1, None, None, false);
        connection.request_came();
        connection.write_moved(false);
        let Next::WaitUntil(first, Overdue::Stalled) = next(&connection) else { panic!("it stands still") };
        connection.write_moved(false);
        assert!(matches!(next(&connection), Next::WaitUntil(same, Overdue::Stalled) if same == first));
        connection.write_moved(true);
        assert!(matches!(next(&connection), Next::Wait));
        std::thread::sleep(Duration::from_millis(1));
        connection.write_moved(false);
        assert!(matches!(next(&connection), Next::WaitUntil(later, Overdue::Stalled) if later > first));
    }

    #[test]
    fn only_an_idle_connection_can_be_evicted_and_then_it_takes_no_request() {
        let connection = Connection::new(1, None, None, false);
        connection.bytes_came();
        assert!(!connection.evict());
        connection.request_came();
        assert!(!connection.evict());
        connection.answer_taken(None);
        assert!(!connection.evict());
        connection.flushed();
        assert!(connection.evict());
        assert!(!connection.bytes_came() && !connection.request_came());
        assert!(matches!(next(&connection), Next::Close));
    }

    #[test]
    fn a_draining_connection_closes_when_it_is_idle() {
        let connection = Connection::new(1, None, None, true);
        assert!(matches!(next(&connection), Next::Close));
        connection.bytes_came();
        assert_eq!(overdue(&connection), Some((LIMITS.header, Overdue::Head)));
        connection.request_came();
        connection.answer_taken(None);
        assert!(matches!(next(&connection), Next::Wait));
        connection.flushed();
        assert!(matches!(next(&connection), Next::Close));
    }
}
