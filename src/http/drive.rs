//! Runs one connection: hyper's state machine, the limits in time, and how it is closed.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::connection::{Connection, IDLE_LIMIT, Next, Overdue};
use super::contract::Refusal;
use super::desk::{Counter, Desk};
use super::head;
use super::registry::Place;
use super::stream::{Stream, Watched};

/// The most that hyper reads ahead and holds back for one connection.
const BUFFER: usize = 128 * 1024;

/// How long a refused caller may go on sending, so that it comes to read the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(5);

/// How much of it is read.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

type Http = http1::Connection<TokioIo<Watched>, Counter>;

/// Why a connection is at its end.
enum End {
    /// hyper is done with it.
    Http(hyper::Result<()>),
    /// It has come to a limit.
    Overdue(Overdue),
    /// Its place or the server's time is wanted.
    Closed,
}

/// Serves `stream` until it is closed.
pub(super) async fn serve(desk: Arc<Desk>, place: Place, stream: Stream) {
    let connection = Arc::clone(&place.connection);
    let mut driver = Driver::new(Arc::clone(&desk), Arc::clone(&connection), stream);
    let end = poll_fn(|cx| driver.poll(cx)).await;
    let stream = driver.http.into_parts().io.into_inner().into_stream();
    close(&desk, &connection, stream, end).await;
}

struct Driver {
    desk: Arc<Desk>,
    connection: Arc<Connection>,
    http: Http,
    /// Goes off no later than the connection's next limit: it is set anew when it goes off, not for each request.
    timer: Pin<Box<Sleep>>,
}

impl Driver {
    fn new(desk: Arc<Desk>, connection: Arc<Connection>, stream: Stream) -> Self {
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&connection)));
        let counter = Counter { desk: Arc::clone(&desk), connection: Arc::clone(&connection) };
        // hyper's own header timeout runs on idle connections too and is off without a timer: ours is in `Next`.
        let http =
            http1::Builder::new().max_header_size(head::MAX_HEAD).max_buf_size(BUFFER).serve_connection(io, counter);
        Self { desk, connection, http, timer: Box::pin(sleep_until(Instant::now() + IDLE_LIMIT)) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(outcome) = Pin::new(&mut self.http).poll(cx) {
            return Poll::Ready(End::Http(outcome));
        }
        match self.connection.next(cx.waker(), self.desk.limits) {
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

/// Closes the connection: with an answer if there is one to give yet, and not before the caller has seen it.
async fn close(desk: &Desk, connection: &Connection, stream: Stream, end: End) {
    let refusal = match end {
        End::Http(Err(error)) if error.is_parse() => Some(head::unreadable(&error)),
        End::Overdue(Overdue::Head) => Some(head::late(desk.limits.header)),
        End::Http(Ok(())) if connection.lingers() => None,
        End::Http(_) | End::Overdue(_) | End::Closed => return,
    };
    connection.lingering();
    let mut parting = std::pin::pin!(timeout(LINGER, part(desk, connection, stream, refusal)));
    poll_fn(|cx| {
        if connection.is_closing(cx.waker()) {
            return Poll::Ready(());
        }
        parting.as_mut().poll(cx).map(|_| ())
    })
    .await;
}

/// Says the last words and listens until the caller hangs up too.
async fn part(desk: &Desk, connection: &Connection, mut stream: Stream, refusal: Option<Refusal>) {
    if let Some(refusal) = refusal {
        let answer = desk.refuse_unread(&refusal, connection);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
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
