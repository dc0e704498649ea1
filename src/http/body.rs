//! Reading a request's body whole, within a size and a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};

use super::contract::Refusal;

/// The room that is taken before the first byte has come; what was only announced takes no more.
const FIRST_ROOM: usize = 64 * 1024;

/// The body within `limit` bytes and `time`. One that announces more than `limit` is refused unread.
pub(super) async fn read(body: &mut Incoming, limit: usize, time: Duration) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::BodyTooLarge { limit });
    }
    // The timer is first looked at when the body has to be waited for.
    match tokio::time::timeout(time, collect(body, limit)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::BodyTimeout { seconds: time.as_secs() }),
    }
}

async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let Some(first) = next_data(body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(Refusal::BodyTooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
    let mut whole = BytesMut::with_capacity(first.len() + announced.min(FIRST_ROOM));
    whole.extend_from_slice(&first);
    while let Some(data) = next_data(body).await? {
        if data.len() > limit - whole.len() {
            return Err(Refusal::BodyTooLarge { limit });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        match poll_fn(|cx| poll(body, cx)).await {
            None => return Ok(None),
            Some(Err(error)) => return Err(broken(&error)),
            // Trailers mean nothing to any contract.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn poll(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    Pin::new(body).poll_frame(cx)
}

fn broken(error: &hyper::Error) -> Refusal {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Refusal::BadRequest { detail: format!("the body did not arrive as it was announced: {cause}") }
}

/// Takes what of a refused request's body is here already; `true` if that was all of it, so that the connection can
/// be used again. It does not wait, so a caller that waits for `100 Continue` is not told to go on.
pub(super) async fn skip_arrived(body: &mut Incoming) -> bool {
    poll_fn(|cx| {
        loop {
            match poll(body, cx) {
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_))) | Poll::Pending => return Poll::Ready(false),
            }
        }
    })
    .await
}
