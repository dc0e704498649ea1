//! HTTP/1.1 on one connection: hyper's state machine, and how the connection is closed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use super::connection::{Connection, Limits, Overdue};
use super::contract::Refusal;
use super::desk::{Counter, Desk};
use super::guard::{End, Guard};
use super::head;
use super::parting;
use super::stream::{Stream, Watched};

/// The most that hyper reads ahead and holds back for one connection.
const BUFFER: usize = 128 * 1024;

/// Serves `stream` until it is closed.
pub(super) async fn serve(desk: &Arc<Desk>, connection: &Arc<Connection>, guard: &mut Guard, stream: Stream) {
    let io = TokioIo::new(Watched::new(stream, Arc::clone(connection)));
    let counter = Counter { desk: Arc::clone(desk), connection: Arc::clone(connection) };
    // hyper's own header timeout runs on idle connections too and is off without a timer: ours is in `Next`.
    let mut http =
        http1::Builder::new().max_header_size(head::MAX_HEAD).max_buf_size(BUFFER).serve_connection(io, counter);
    let end = guard.run(|cx| Pin::new(&mut http).poll(cx)).await;
    let stream = http.into_parts().io.into_inner().into_stream();
    close(desk, connection, stream, end, guard.limits()).await;
}

/// Closes the connection: with an answer if there is one to give yet, and not before the caller has seen it.
pub(super) async fn close(
    desk: &Desk,
    connection: &Connection,
    mut stream: Stream,
    end: Result<hyper::Result<()>, End>,
    limits: Limits,
) {
    let refusal = match end {
        Ok(Err(error)) if error.is_parse() => Some(head::unreadable(&error)),
        Err(End::Overdue(Overdue::Head)) => Some(head::late(limits.header)),
        Ok(Ok(())) if connection.lingers() => None,
        Ok(_) | Err(End::Overdue(_) | End::Closed) => return stream.close_now(),
    };
    parting::bounded(connection, part(desk, connection, &mut stream, refusal)).await;
}

/// Says the last words and listens until the caller hangs up too.
async fn part(desk: &Desk, connection: &Connection, stream: &mut Stream, refusal: Option<Refusal>) {
    if let Some(refusal) = refusal {
        let answer = desk.refuse_unread(&refusal, connection);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
    parting::linger(stream).await;
}
