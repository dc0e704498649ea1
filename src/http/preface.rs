//! Which protocol is spoken where no handshake has said so: HTTP/2 with prior knowledge begins with words that are no
//! request of HTTP/1.1 (RFC 9113 §3.3 and §3.4). Proxies on a unix socket or on the loopback speak it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead as _, ReadBuf};

use super::connection::Connection;
use super::http2::PREFACE;
use super::stream::Stream;

/// The first bytes of a connection, until they tell.
#[derive(Default)]
pub(super) struct Preface(BytesMut);

impl Preface {
    /// Whether HTTP/2 is spoken. What has been read for that is left in `stream` in any case.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, stream: &mut Stream, connection: &Connection) -> Poll<bool> {
        let mut room = [0; PREFACE.len()];
        let known = loop {
            let mut buf = ReadBuf::new(&mut room[..PREFACE.len() - self.0.len()]);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && connection.bytes_came() => {}
                // Whoever reads next comes upon it again.
                Poll::Ready(_) => break false,
            }
            self.0.extend_from_slice(buf.filled());
            if self.0[..] == *PREFACE {
                break true;
            }
            if !PREFACE.starts_with(&self.0) {
                break false;
            }
        };
        self.leave(stream);
        Poll::Ready(known)
    }

    /// Leaves what has been read in `stream`.
    fn leave(&mut self, stream: &mut Stream) {
        stream.unread(std::mem::take(&mut self.0).freeze());
    }
}
