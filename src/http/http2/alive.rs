//! Whether the other side still answers: while requests are waited for, nothing else would show that it is gone.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep_until};

/// Asks a silent caller.
pub(super) struct Alive {
    pings: PingPong,
    /// How long a caller may be silent before it is asked, and then again before it is taken for gone.
    patience: Duration,
    timer: Pin<Box<Sleep>>,
    asked: bool,
}

impl Alive {
    pub(super) fn new(pings: PingPong, patience: Duration) -> Self {
        Self { pings, patience, timer: Box::pin(sleep_until(Instant::now() + patience)), asked: false }
    }

    /// Ready when the caller, last heard of at `heard`, is taken for gone.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>, heard: Instant) -> Poll<()> {
        loop {
            if self.asked && self.pings.poll_pong(cx).is_ready() {
                self.asked = false;
            }
            let due = if self.asked { self.timer.deadline() } else { heard + self.patience };
            if self.timer.deadline() < due {
                self.timer.as_mut().reset(due);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.asked {
                return Poll::Ready(());
            }
            // It fails only if another is under way, which `asked` rules out, or at the connection's end.
            let _ = self.pings.send_ping(Ping::opaque());
            self.asked = true;
            self.timer.as_mut().reset(Instant::now() + self.patience);
        }
    }
}
