//! A request's body as the desk reads it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderMap};

/// The body on a stream. What is read makes room for more to be sent.
pub(super) struct Inbound {
    stream: RecvStream,
    /// What is announced and has not come; h2 sees to it that it is kept to (RFC 9113 §8.1.1).
    announced: Option<u64>,
}

impl Inbound {
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Self { stream, announced }
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(data) = ready!(self.stream.poll_data(cx)).transpose()? else {
            // Trailers mean nothing to any contract.
            return Poll::Ready(None);
        };
        self.stream.flow_control().release_capacity(data.len())?;
        self.announced = self.announced.map(|left| left.saturating_sub(data.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
