//! A connection from its preface to its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::server::{Builder, Connection as Http, SendResponse};
use h2::{Reason, RecvStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::alive::Alive;
use super::exchange::{Ended, Exchange, Open};
pub(in crate::http) use super::frames::PREFACE;
use super::piece::Piece;
use super::resets::Resets;
use super::wire::{Rounds, Wire};
use super::{MAX_STREAMS, STREAM_WINDOW};
use crate::http::connection::Overdue;
use crate::http::desk::Desk;
use crate::http::guard::{End, Guard};
use crate::http::head::MAX_HEAD;
use crate::http::parting;
use crate::http::registry::Place;
use crate::http::stream::Stream;

/// How many exchanges there may be before no further request is looked at: those that are taken back take a moment to
/// go, and a caller cannot have more of them.
const MAX_EXCHANGES: usize = 2 * MAX_STREAMS as usize;

/// The most of one answer that h2 holds.
const SEND_BUFFER: usize = 256 * 1024;

/// Requests that were taken back before anybody has looked at them, as long as h2 keeps them.
const MAX_TAKEN_BACK_UNSEEN: usize = 20;

/// Streams that h2 has reset because of what the caller did wrong on them, over a connection's life. Among these is what
/// comes for a stream that was answered before its body's end and is remembered no more: so the bound is not a low one.
const MAX_FAULTY: usize = 1024;

/// How long what was flushed with the connection's last words may take to be reported.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Serves `stream` until it is closed.
pub(in crate::http) async fn serve(desk: Arc<Desk>, place: Place, guard: &mut Guard, stream: Stream) {
    let rounds = Rounds::new(Arc::clone(&place.connection));
    let wire = Wire::new(stream, Arc::clone(&rounds));
    let mut handshake = builder().handshake::<Wire, Piece>(wire);
    let http = match guard.run(|cx| Pin::new(&mut handshake).poll(cx)).await {
        Ok(Ok(http)) => http,
        Ok(Err(error)) => return tracing::debug!(peer = ?place.connection.peer, %error, "no HTTP/2"),
        Err(_) => return,
    };
    let mut session = Session::new(desk, place, rounds, http);
    let end = guard.run(|cx| session.poll(cx)).await;
    session.close(end).await;
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        // Streams that are not read must not keep the others from being read.
        .initial_connection_window_size(STREAM_WINDOW * (MAX_STREAMS + 1))
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(MAX_STREAMS as usize)
        .max_pending_accept_reset_streams(MAX_TAKEN_BACK_UNSEEN)
        .max_local_error_reset_streams(Some(MAX_FAULTY));
    builder
}

/// A connection that is spoken on.
struct Session {
    desk: Arc<Desk>,
    place: Arc<Place>,
    rounds: Arc<Rounds>,
    http: Http<Wire, Piece>,
    exchanges: JoinSet<Ended>,
    alive: Option<Alive>,
    resets: Resets,
    /// The caller has been told to open no more streams.
    told_to_go: bool,
}

/// How a session ended by itself.
enum Over {
    /// h2 is done: both sides know.
    Closed,
    /// The caller does not answer any more.
    Gone,
    /// The caller takes back too many requests.
    Flooded,
}

impl Session {
    fn new(desk: Arc<Desk>, place: Place, rounds: Arc<Rounds>, mut http: Http<Wire, Piece>) -> Self {
        let alive = http.ping_pong().map(|pings| Alive::new(pings, desk.serving.limits().stall));
        Self {
            desk,
            place: Arc::new(place),
            rounds,
            http,
            exchanges: JoinSet::new(),
            alive,
            resets: Resets::new(Instant::now()),
            told_to_go: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        if !self.told_to_go && self.place.connection.is_draining() {
            self.told_to_go = true;
            self.http.graceful_shutdown();
        }
        self.rounds.begin();
        let over = self.poll_http(cx);
        self.rounds.end();
        if over.is_pending() && !self.exchanges.is_empty() { self.poll_gone(cx) } else { over }
    }

    fn poll_http(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            while let Poll::Ready(Some(ended)) = self.exchanges.poll_join_next(cx) {
                // One that panicked, which only a bug of ours can do, has dropped its stream: the caller knows.
                let taken_back = ended.is_ok_and(|ended| ended == Ended::TakenBack);
                if taken_back && self.resets.one_more(Instant::now()) {
                    return Poll::Ready(Over::Flooded);
                }
            }
            if self.exchanges.len() >= MAX_EXCHANGES {
                return self.http.poll_closed(cx).map(|_| Over::Closed);
            }
            match self.http.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(peer = ?self.place.connection.peer, %error, "the connection broke");
                    return Poll::Ready(Over::Closed);
                }
                Poll::Ready(None) => return Poll::Ready(Over::Closed),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        match &mut self.alive {
            Some(alive) => alive.poll_gone(cx, self.rounds.heard()).map(|()| Over::Gone),
            None => Poll::Pending,
        }
    }

    fn begin(&mut self, request: hyper::Request<RecvStream>, respond: SendResponse<Piece>) {
        if !self.place.connection.stream_began() {
            // The connection is being closed for another one: this is dropped with it.
            return;
        }
        let open = Open(Arc::clone(&self.place));
        let (desk, rounds) = (Arc::clone(&self.desk), Arc::clone(&self.rounds));
        self.exchanges.spawn(Exchange { desk, rounds, respond, open }.run(request));
    }

    /// Says goodbye as far as that can be done at once; what is not done is dropped. Then waits for the caller to hang up
    /// too, so that it comes to read what it was told, unless it takes nothing or is gone.
    async fn close(self, end: Result<Over, End>) {
        let (place, rounds) = (Arc::clone(&self.place), Arc::clone(&self.rounds));
        let listens = !matches!(end, Ok(Over::Gone) | Err(End::Overdue(Overdue::Stalled)));
        match end {
            Ok(Over::Closed) => self.finish().await,
            Ok(Over::Gone) => self.leave(Reason::NO_ERROR, "the caller does not answer any more").await,
            Ok(Over::Flooded) => self.leave(Reason::ENHANCE_YOUR_CALM, "too many requests are taken back").await,
            Err(End::Overdue(Overdue::Idle) | End::Closed) => self.leave(Reason::NO_ERROR, "closed").await,
            Err(End::Overdue(Overdue::Head)) => self.leave(Reason::NO_ERROR, "a head did not come to its end").await,
            Err(End::Overdue(Overdue::Stalled)) => self.leave(Reason::NO_ERROR, "the caller reads nothing").await,
        }
        if let Some(mut stream) = rounds.take_stream().filter(|_| listens) {
            parting::bounded(&place.connection, parting::linger(&mut stream)).await;
        }
    }

    /// Tells the caller that it ends, if it takes that now.
    async fn leave(mut self, reason: Reason, why: &'static str) {
        tracing::debug!(peer = ?self.place.connection.peer, %reason, why, "leaving");
        self.http.abrupt_shutdown(reason);
        let _ = poll_fn(|cx| Poll::Ready(self.http.poll_closed(cx))).await;
    }

    /// h2 may be done in the very round that flushed the last answers: these are reported as written yet. All others
    /// see that the connection is gone.
    async fn finish(self) {
        let Self { http, mut exchanges, .. } = self;
        drop(http);
        let _ = timeout(LAST_MOMENT, async { while exchanges.join_next().await.is_some() {} }).await;
    }
}
