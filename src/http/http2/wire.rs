//! The stream as h2 gets it, and the rounds by which exchanges know what has been flushed.
//!
//! A round is one turn of the connection's state machine. In it h2 writes all that can be written of what it was given
//! before, and flushes it (`proto/streams/streams.rs`: `poll_complete`). So a round that ends with nothing left to flush
//! has brought everything to the socket that was given before it began, but for data that no window was open for.

use std::collections::HashSet;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use super::frames::Frames;
use crate::http::connection::Connection;
use crate::http::stream::Stream;

/// The rounds of a connection.
pub(super) struct Rounds {
    connection: Arc<Connection>,
    begun: AtomicU64,
    /// Something has been written and not flushed.
    unflushed: AtomicBool,
    /// The last round that left nothing to flush.
    settled: watch::Sender<u64>,
    heard: Mutex<Instant>,
    /// Streams whose answers are reported and that have not been reset.
    reported: Mutex<HashSet<u32>>,
    /// The stream, once h2 has let go of it.
    left: Mutex<Option<Stream>>,
}

impl Rounds {
    pub(super) fn new(connection: Arc<Connection>) -> Arc<Self> {
        Arc::new(Self {
            connection,
            begun: AtomicU64::new(0),
            unflushed: AtomicBool::new(false),
            settled: watch::Sender::new(0),
            heard: Mutex::new(Instant::now()),
            reported: Mutex::default(),
            left: Mutex::new(None),
        })
    }

    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        if !self.unflushed.load(Ordering::SeqCst) && self.settled.receiver_count() > 0 {
            self.settled.send_replace(self.begun.load(Ordering::SeqCst));
        }
    }

    /// Resolves when all that h2 was given before this call, and could write, is with the socket.
    pub(super) async fn settled(&self) {
        let mut settled = self.settled.subscribe();
        // The present round may have passed what was given already.
        let next = self.begun.load(Ordering::SeqCst) + 1;
        self.connection.wake();
        // It fails when the connection is gone: its exchanges go with it.
        if settled.wait_for(|round| *round >= next).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The answer on `stream` is going to be reported: from now on a reset of it is remembered.
    pub(super) fn watch(&self, stream: u32) {
        self.reported.lock().insert(stream);
    }

    /// Whether `stream` has not been reset since it is watched, which it is no more.
    pub(super) fn unwatch(&self, stream: u32) -> bool {
        self.reported.lock().remove(&stream)
    }

    /// The stream, if h2 has let go of it.
    pub(super) fn take_stream(&self) -> Option<Stream> {
        self.left.lock().take()
    }

    /// When the caller was last heard of.
    pub(super) fn heard(&self) -> Instant {
        *self.heard.lock()
    }
}

/// The stream, watched.
pub(super) struct Wire {
    /// There until it is dropped: h2 does not give back what it was given.
    stream: Option<Stream>,
    rounds: Arc<Rounds>,
    frames: Frames,
}

impl Wire {
    pub(super) fn new(stream: Stream, rounds: Arc<Rounds>) -> Self {
        Self { stream: Some(stream), rounds, frames: Frames::new() }
    }

    fn stream(&mut self) -> Pin<&mut Stream> {
        Pin::new(self.stream.as_mut().expect("it is taken when this is dropped"))
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.rounds.unflushed.store(true, Ordering::SeqCst);
        outcome
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = self.stream().poll_read(cx, buf);
        let Self { rounds, frames, .. } = &mut *self;
        let came = &buf.filled()[before..];
        if !came.is_empty() {
            *rounds.heard.lock() = Instant::now();
            frames.came(came, |stream| {
                rounds.unwatch(stream);
            });
            rounds.connection.in_head(frames.in_head());
        }
        outcome
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = self.stream().poll_write(cx, bytes);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.stream().poll_write_vectored(cx, slices);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.stream().poll_flush(cx);
        if let Poll::Ready(Ok(())) = outcome {
            self.rounds.unflushed.store(false, Ordering::SeqCst);
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        *self.rounds.left.lock() = self.stream.take();
    }
}
