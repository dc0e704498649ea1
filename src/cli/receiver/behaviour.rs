//! What is answered, and how one misbehaves.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame};
use tokio::time::Interval;

/// The longest delay that can be asked for.
pub(super) const MAX_DELAY: Duration = Duration::from_hours(1);

/// How many bytes a slow body has, one a second.
const SLOW_BYTES: u32 = 3600;

/// How it behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Behaviour {
    pub(super) status: Option<u16>,
    pub(super) delay: Option<Duration>,
    pub(super) hang_up: bool,
    pub(super) slow_body: bool,
    /// It misbehaves at so many only; `None`: always.
    pub(super) fail_first: Option<u64>,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Course {
    /// How long it is kept waiting.
    pub(super) delay: Duration,
    /// What it is answered; `None`: the connection is closed.
    pub(super) answer: Option<(StatusCode, Pace)>,
}

/// How a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Whole,
    Slow,
}

impl Behaviour {
    /// What becomes of the message of this number, from 1, that is signed as it should be, or not.
    pub(super) fn course(&self, number: u64, signed: bool) -> Course {
        let well = if signed { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED };
        let Self { status, delay, hang_up, slow_body, fail_first } = *self;
        if fail_first.is_some_and(|first| number > first) {
            return Course { delay: Duration::ZERO, answer: Some((well, Pace::Whole)) };
        }
        let asked_for = status.is_some() || delay.is_some() || hang_up || slow_body;
        let failure = fail_first.filter(|_| !asked_for).map(|_| StatusCode::SERVICE_UNAVAILABLE);
        let status = status.and_then(|status| StatusCode::from_u16(status).ok()).or(failure).unwrap_or(well);
        // One that has no body cannot have a slow one.
        let status = if slow_body && status == StatusCode::NO_CONTENT { StatusCode::OK } else { status };
        let pace = if slow_body { Pace::Slow } else { Pace::Whole };
        Course { delay: delay.unwrap_or_default(), answer: (!hang_up).then_some((status, pace)) }
    }

    /// How long a well-behaved client may be kept waiting.
    pub(super) fn patience(&self) -> Duration {
        self.delay.unwrap_or_default()
    }
}

/// The body of an answer.
pub(super) enum AnswerBody {
    /// It is there.
    Whole(Bytes),
    /// A byte a second.
    Slow {
        /// Bytes still to come.
        left: u32,
        every: Interval,
    },
}

impl AnswerBody {
    pub(super) fn new(pace: Pace, text: &'static str) -> Self {
        match pace {
            Pace::Whole => Self::Whole(Bytes::from_static(text.as_bytes())),
            Pace::Slow => Self::Slow { left: SLOW_BYTES, every: tokio::time::interval(Duration::from_secs(1)) },
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Slow { left: 0, .. } => Poll::Ready(None),
            Self::Slow { left, every } => every.poll_tick(context).map(|_| {
                *left -= 1;
                Some(Ok(Frame::data(Bytes::from_static(b"."))))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(behaviour: Behaviour, number: u64, signed: bool) -> Option<u16> {
        behaviour.course(number, signed).answer.map(|(status, _)| status.as_u16())
    }

    #[test]
    fn it_behaves_unless_it_is_asked_to_misbehave() {
        let well = Behaviour::default();
        assert_eq!((status(well, 1, true), status(well, 1, false)), (Some(204), Some(401)));
        let gone = Behaviour { status: Some(410), ..well };
        assert_eq!((status(gone, 1, true), status(gone, 9, false)), (Some(410), Some(410)));
        assert_eq!(status(Behaviour { hang_up: true, ..well }, 1, true), None);
        let slow = Behaviour { slow_body: true, delay: Some(Duration::from_secs(2)), ..well };
        let course = slow.course(1, true);
        assert_eq!(course, Course { delay: Duration::from_secs(2), answer: Some((StatusCode::OK, Pace::Slow)) });
    }

    #[test]
    fn it_can_misbehave_at_the_first_ones_only() {
        let first = Behaviour { fail_first: Some(2), ..Behaviour::default() };
        assert_eq!([1, 2, 3].map(|number| status(first, number, true)), [Some(503), Some(503), Some(204)]);
        let hanging = Behaviour { hang_up: true, ..first };
        assert_eq!([1, 2, 3].map(|number| status(hanging, number, true)), [None, None, Some(204)]);
        let slow = Behaviour { delay: Some(Duration::from_secs(9)), ..first };
        assert_eq!([2, 3].map(|number| slow.course(number, true).delay.as_secs()), [9, 0]);
        assert_eq!(status(slow, 1, true), Some(204), "late, but well");
    }
}
