//! The socket under a connection, what lies over it (TLS, or nothing), and the wrapper through which hyper uses it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use super::connection::Connection;

/// An accepted socket.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket that tells its connection whether it takes what is written. It is below TLS, so that what TLS holds back
/// does not count as taken.
pub(super) struct Metered {
    socket: Socket,
    connection: Arc<Connection>,
}

/// What requests are read from and answers are written to.
pub(super) struct Stream {
    /// What was read already to tell which protocol is spoken; read again first.
    preread: Bytes,
    channel: Channel,
}

enum Channel {
    Plain(Metered),
    Tls(Box<TlsStream<Metered>>),
}

/// Hands a call to what there is.
macro_rules! delegate {
    ($kind:ident, $value:expr, $one:ident | $other:ident, $inner:ident => $call:expr) => {
        match $value {
            $kind::$one($inner) => $call,
            $kind::$other($inner) => $call,
        }
    };
}

impl Socket {
    /// The user of the process at the other end of a unix socket, as it was when it connected (`SO_PEERCRED`, unix(7)).
    pub(super) fn peer_uid(&self) -> Option<u32> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(socket) => socket.peer_cred().ok().map(|peer| peer.uid()),
        }
    }

    /// Writes what the socket takes at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        delegate!(Socket, self, Tcp | Unix, socket => socket.try_write(bytes))
    }
}

impl Metered {
    pub(super) fn new(socket: Socket, connection: Arc<Connection>) -> Self {
        Self { socket, connection }
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(_)) => self.connection.write_moved(true),
            Poll::Pending => self.connection.write_moved(false),
            Poll::Ready(Err(_)) => {}
        }
        outcome
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(Socket, &mut self.socket, Tcp | Unix, socket => Pin::new(socket).poll_read(cx, buf))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = delegate!(Socket, &mut self.socket, Tcp | Unix, socket => Pin::new(socket).poll_write(cx, bytes));
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = delegate!(
            Socket, &mut self.socket, Tcp | Unix, socket => Pin::new(socket).poll_write_vectored(cx, slices)
        );
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(Socket, &self.socket, Tcp | Unix, socket => socket.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(Socket, &mut self.socket, Tcp | Unix, socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(Socket, &mut self.socket, Tcp | Unix, socket => Pin::new(socket).poll_shutdown(cx))
    }
}

impl Stream {
    /// Without TLS.
    pub(super) fn plain(socket: Metered) -> Self {
        Self { preread: Bytes::new(), channel: Channel::Plain(socket) }
    }

    /// After a handshake.
    pub(super) fn tls(stream: TlsStream<Metered>) -> Self {
        Self { preread: Bytes::new(), channel: Channel::Tls(Box::new(stream)) }
    }

    /// The TLS session, if there is one.
    pub(super) fn session(&self) -> Option<&rustls::ServerConnection> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(stream) => Some(stream.get_ref().1),
        }
    }

    /// `bytes` were read too early: they are read again before all else.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.preread = bytes;
    }

    /// Says goodbye as far as that can be done without waiting: over TLS the other side is told that nothing was cut
    /// off (RFC 8446 §6.1).
    pub(super) fn close_now(&mut self) {
        // Whoever does not take it now does without.
        let _ = Pin::new(self).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { preread, channel } = self.get_mut();
        if preread.is_empty() {
            return delegate!(Channel, channel, Plain | Tls, stream => Pin::new(stream).poll_read(cx, buf));
        }
        let length = preread.len().min(buf.remaining());
        buf.put_slice(&preread[..length]);
        preread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(Channel, &mut self.get_mut().channel, Plain | Tls, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(
            Channel, &mut self.get_mut().channel, Plain | Tls,
            stream => Pin::new(stream).poll_write_vectored(cx, slices)
        )
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(Channel, &self.channel, Plain | Tls, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(Channel, &mut self.get_mut().channel, Plain | Tls, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(Channel, &mut self.get_mut().channel, Plain | Tls, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// The stream as hyper gets it: it tells the connection what happens.
///
/// hyper flushes only what it has written whole (`proto/h1/io.rs`: `poll_flush` reaches the stream's once the buffer
/// is empty), and TLS is flushed when its records are with the socket, so a flush after an answer has been taken means
/// that the socket has all of it.
pub(super) struct Watched {
    stream: Stream,
    connection: Arc<Connection>,
}

impl Watched {
    pub(super) fn new(stream: Stream, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && !self.connection.bytes_came() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        outcome
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.connection.has_request() {
            // hyper's empty answer to a head that it cannot read; the driver writes a better one.
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.connection.has_request() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = outcome {
            self.connection.flushed();
        }
        outcome
    }

    /// Does nothing: the driver closes the connection, when it knows how.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
