//! One request on its stream: from its head until the last frame of its answer is with the socket.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use tokio::time::{Instant, sleep_until};

use super::inbound::Inbound;
use super::piece::{Moving, Piece};
use super::wire::Rounds;
use crate::http::answer::{self, Answer, Report};
use crate::http::connection::Connection;
use crate::http::desk::Desk;
use crate::http::head;
use crate::http::registry::Place;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Answered,
    /// The caller took the request back, or is gone.
    TakenBack,
    /// The caller took nothing of the answer for too long.
    GivenUp,
}

/// A request that is answered, and its place on the connection.
pub(super) struct Exchange {
    pub(super) desk: Arc<Desk>,
    pub(super) rounds: Arc<Rounds>,
    pub(super) respond: SendResponse<Piece>,
    pub(super) open: Open,
}

/// A stream that the connection is busy with until this is dropped.
pub(super) struct Open(pub(super) Arc<Place>);

impl Open {
    fn connection(&self) -> &Arc<Connection> {
        &self.0.connection
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connection.stream_ended();
    }
}

impl Exchange {
    pub(super) async fn run(mut self, request: hyper::Request<RecvStream>) -> Ended {
        let Some(answer) = self.answer(request).await else { return Ended::TakenBack };
        let Answer { head, body, report } = answer;
        let reported = report.map(|report| Reported::new(report, &self.rounds, self.respond.stream_id().as_u32()));
        let Ok(stream) = self.respond.send_response(head, body.is_empty()) else { return Ended::TakenBack };
        let stall = self.desk.serving.limits().stall;
        let mut outgoing = Outgoing { stream, moving: Moving::new(), rounds: Arc::clone(&self.rounds), stall };
        match outgoing.send(body).await {
            Ok(()) => reported.map_or(Ended::Answered, Reported::written),
            Err(ended) => ended,
        }
    }

    /// The answer; `None` if the caller takes the request back, which drops the call.
    async fn answer(&mut self, request: hyper::Request<RecvStream>) -> Option<Answer> {
        let (mut head, body) = request.into_parts();
        head::name_host(&mut head);
        let body = Inbound::new(body, &head.headers);
        let request = hyper::Request::from_parts(head, body);
        let (desk, connection) = (&self.desk, self.open.connection());
        let mut answering = pin!(async { answer::to_http2(desk.answer(connection, request).await, desk.now()) });
        let respond = &mut self.respond;
        poll_fn(|cx| {
            if respond.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            answering.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

/// Tells of an answer's fate, and sees a reset for as long as that is not known: h2 passes over one that comes when it has
/// the last frame in its write buffer.
struct Reported {
    report: Report,
    rounds: Arc<Rounds>,
    stream: u32,
}

impl Reported {
    fn new(report: Report, rounds: &Arc<Rounds>, stream: u32) -> Self {
        rounds.watch(stream);
        Self { report, rounds: Arc::clone(rounds), stream }
    }

    /// The answer is with the socket: it was written, unless the caller has taken the request back meanwhile.
    fn written(mut self) -> Ended {
        if !self.rounds.unwatch(self.stream) {
            return Ended::TakenBack;
        }
        self.report.written();
        Ended::Answered
    }
}

impl Drop for Reported {
    fn drop(&mut self) {
        self.rounds.unwatch(self.stream);
    }
}

/// An answer's body on its way.
struct Outgoing {
    stream: SendStream<Piece>,
    moving: Arc<Moving>,
    rounds: Arc<Rounds>,
    stall: Duration,
}

impl Outgoing {
    /// Sends `body`, and waits until all of the answer is with the socket. The stream's end goes with the last byte:
    /// some callers take a request back that has not ended when they have as much as was announced.
    async fn send(&mut self, mut body: Bytes) -> Result<(), Ended> {
        while !body.is_empty() {
            let room = self.room(body.len()).await?;
            let piece = Piece::new(body.split_to(room.min(body.len())), &self.moving);
            self.stream.send_data(piece, body.is_empty()).map_err(|_| Ended::TakenBack)?;
        }
        self.settle().await
    }

    /// How much the caller and h2's buffer take now, at least one byte.
    async fn room(&mut self, wanted: usize) -> Result<usize, Ended> {
        self.stream.reserve_capacity(wanted);
        let room = self.stream.capacity();
        if room > 0 {
            return Ok(room);
        }
        let capacity = |stream: &mut SendStream<Piece>, cx: &mut Context<'_>| stream.poll_capacity(cx);
        match self.wait(capacity).await? {
            Some(Ok(room)) => Ok(room),
            Some(Err(_)) | None => Err(Ended::TakenBack),
        }
    }

    /// Waits until all that was given is with the socket.
    async fn settle(&mut self) -> Result<(), Ended> {
        let rounds = Arc::clone(&self.rounds);
        loop {
            let mut settled = pin!(rounds.settled());
            self.wait(|_, cx| settled.as_mut().poll(cx)).await?;
            // A caller may take back a window that data was given for: then they wait for another.
            if self.moving.is_done() {
                return Ok(());
            }
        }
    }

    /// What `poll` waits for, unless the caller goes or takes nothing for too long.
    async fn wait<T>(
        &mut self,
        mut poll: impl FnMut(&mut SendStream<Piece>, &mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Ended> {
        let mut standing = pin!(sleep_until(self.moving.last() + self.stall));
        let waited = poll_fn(|cx| {
            if self.stream.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Ended::TakenBack));
            }
            if let Poll::Ready(done) = poll(&mut self.stream, cx) {
                return Poll::Ready(Ok(done));
            }
            while standing.as_mut().poll(cx).is_ready() {
                let deadline = self.moving.last() + self.stall;
                if deadline <= Instant::now() {
                    return Poll::Ready(Err(Ended::GivenUp));
                }
                standing.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await;
        if let Err(Ended::GivenUp) = waited {
            self.stream.send_reset(Reason::CANCEL);
        }
        waited
    }
}
