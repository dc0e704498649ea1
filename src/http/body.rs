//! Reading a request's body whole, within a size and a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::contract::Refusal;

/// The room that is taken before the first byte has come; what was only announced takes no more.
const FIRST_ROOM: usize = 64 * 1024;

/// A request's body as it comes in, in whichever version of HTTP.
pub(super) trait Inbound: Body<Data = Bytes, Error: std::error::Error> + Unpin + Send {}

impl<B: Body<Data = Bytes, Error: std::error::Error> + Unpin + Send> Inbound for B {}

/// The body within `limit` bytes and `time`, and the room that it takes until that is dropped. One that announces more
/// than `limit` is refused unread.
///
/// The requests of one connection share `room`, in bytes: a body that does not fit waits for others to go, which the
/// caller's flow control has to bear.
pub(super) async fn read<'r>(
    body: &mut impl Inbound,
    limit: usize,
    time: Duration,
    room: &'r Semaphore,
) -> Result<(Bytes, Option<SemaphorePermit<'r>>), Refusal> {
    if body.is_end_stream() {
        return Ok((Bytes::new(), None));
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::BodyTooLarge { limit });
    }
    // The timer is first looked at when the body has to be waited for.
    let collected = async {
        let size = body.size_hint().exact().and_then(|size| usize::try_from(size).ok()).unwrap_or(limit);
        let mut permit = room.acquire_many(u32::try_from(size).unwrap_or(u32::MAX)).await.ok();
        let body = collect(body, limit).await?;
        // Only what it has become counts from now on; the rest is free for others.
        drop(permit.as_mut().and_then(|permit| permit.split(size.saturating_sub(body.len()))));
        Ok((body, permit))
    };
    match tokio::time::timeout(time, collected).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::BodyTimeout { seconds: time.as_secs() }),
    }
}

async fn collect(body: &mut impl Inbound, limit: usize) -> Result<Bytes, Refusal> {
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

async fn next_data(body: &mut impl Inbound) -> Result<Option<Bytes>, Refusal> {
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

fn poll<B: Inbound>(body: &mut B, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
    Pin::new(body).poll_frame(cx)
}

fn broken(error: &impl std::error::Error) -> Refusal {
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Refusal::BadRequest { detail: format!("the body did not arrive as it was announced: {cause}") }
}

/// Takes what of a refused request's body is here already; `true` if that was all of it, so that the connection can
/// be used again. It does not wait, so a caller that waits for `100 Continue` is not told to go on.
pub(super) async fn skip_arrived(body: &mut impl Inbound) -> bool {
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A body that does not say how long it is.
    struct Unannounced(Option<Bytes>);

    impl Body for Unannounced {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
        }
    }

    #[tokio::test]
    async fn a_body_takes_the_room_of_what_it_may_become_and_then_of_what_it_is() {
        let room = Semaphore::new(100);
        let time = Duration::from_secs(30);
        let mut body = Unannounced(Some(Bytes::from_static(b"five!")));
        let (whole, held) = read(&mut body, 60, time, &room).await.unwrap();
        assert_eq!((&*whole, room.available_permits()), (&b"five!"[..], 95));
        drop(held);
        assert_eq!(room.available_permits(), 100);
        let _others = room.acquire_many(41).await.unwrap();
        let mut body = Unannounced(Some(Bytes::from_static(b"five!")));
        let late = read(&mut body, 60, Duration::ZERO, &room).await;
        assert!(matches!(late, Err(Refusal::BodyTimeout { .. })), "{late:?}");
    }
}
