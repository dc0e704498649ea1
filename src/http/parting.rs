//! Closing a connection whose caller may still be sending: it must come to read what was said last (RFC 9112 §9.6).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::connection::Connection;

/// How long the caller may go on sending.
const LINGER: Duration = Duration::from_secs(5);

/// How much of it is read.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// Runs `parting` for as long as a caller is waited for; the connection counts as idle, for those who need its place.
pub(super) async fn bounded(connection: &Connection, parting: impl Future<Output = ()>) {
    connection.lingering();
    let mut parting = pin!(timeout(LINGER, parting));
    poll_fn(|cx| {
        if connection.is_closing(cx.waker()) {
            return Poll::Ready(());
        }
        parting.as_mut().poll(cx).map(|_| ())
    })
    .await;
}

/// Says that nothing more is said, and listens until the caller hangs up too.
pub(super) async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut scrap = vec![0; 16 * 1024];
    let mut left = LINGER_BYTES;
    while let Ok(read @ 1..) = stream.read(&mut scrap).await {
        left = left.saturating_sub(read);
        if left == 0 {
            return;
        }
    }
}
