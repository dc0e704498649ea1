//! The limits in time over whatever a connection is doing.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, IDLE_LIMIT, Limits, Next, Overdue};

/// Why a connection is at its end though its work is not done.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It has come to a limit.
    Overdue(Overdue),
    /// Its place or the server's time is wanted.
    Closed,
}

/// Watches over one connection.
pub(super) struct Guard {
    connection: Arc<Connection>,
    limits: Limits,
    /// Goes off no later than the connection's next limit: it is set anew when it goes off, not for each request.
    timer: Pin<Box<Sleep>>,
}

impl Guard {
    pub(super) fn new(connection: Arc<Connection>, limits: Limits) -> Self {
        Self { connection, limits, timer: Box::pin(sleep_until(Instant::now() + IDLE_LIMIT)) }
    }

    /// The limits in time of the connection, from its beginning to its end.
    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// What `work` gives, unless the connection comes to its end before.
    pub(super) async fn run<T>(&mut self, mut work: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Result<T, End> {
        poll_fn(|cx| match work(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_end(cx).map(Err),
        })
        .await
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.connection.next(cx.waker(), self.limits) {
            Next::Close => Poll::Ready(End::Closed),
            Next::Wait => Poll::Pending,
            Next::WaitUntil(deadline, overdue) => self.wait(cx, deadline).map(|()| End::Overdue(overdue)),
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
