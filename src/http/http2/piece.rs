//! Some of an answer's body on its way through h2, which tells how much of it is gone.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How an answer's body moves.
pub(super) struct Moving(Mutex<Moves>);

struct Moves {
    /// Bytes that h2 has and has not given to the stream below.
    left: usize,
    /// When some were given last, or there were none to give yet.
    last: Instant,
}

impl Moving {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Moves { left: 0, last: Instant::now() })))
    }

    /// Whether h2 has given all that it was given. What is in its write buffer counts as given: it has to be flushed.
    pub(super) fn is_done(&self) -> bool {
        self.0.lock().left == 0
    }

    /// When something moved last.
    pub(super) fn last(&self) -> Instant {
        self.0.lock().last
    }

    fn moved(&self, bytes: usize) {
        let mut moves = self.0.lock();
        moves.left = moves.left.saturating_sub(bytes);
        moves.last = Instant::now();
    }
}

/// Some of a body. h2 advances it as it writes; a stream that is reset has its pieces dropped as they are.
pub(super) struct Piece {
    bytes: Bytes,
    moving: Arc<Moving>,
}

impl Piece {
    /// `bytes` are about to be given to h2.
    pub(super) fn new(bytes: Bytes, moving: &Arc<Moving>) -> Self {
        moving.0.lock().left += bytes.len();
        Self { bytes, moving: Arc::clone(moving) }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.moving.moved(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_advanced_is_gone() {
        let moving = Moving::new();
        assert!(moving.is_done());
        let mut first = Piece::new(Bytes::from_static(b"abc"), &moving);
        let mut second = Piece::new(Bytes::from_static(b"de"), &moving);
        first.advance(3);
        second.advance(1);
        assert!(!moving.is_done());
        drop(second);
        assert!(!moving.is_done(), "what is dropped was not written");
    }
}
