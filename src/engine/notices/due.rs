//! When an end is told of.

use std::time::Duration;

use crate::base::clock::Timestamp;

const DAY: Duration = Duration::from_hours(24);

/// How many days ahead, the first first.
const AHEAD: [u32; 3] = [30, 7, 1];

/// What is left before an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Which of the marks was passed last, from 1.
    pub(super) mark: u32,
    /// Days that are left, a part of one as a whole one.
    pub(super) days: u64,
}

/// What is left at `now` before `end` of what there has been since `begin`, if a mark has been passed. One that lies before
/// the begin tells nobody anything new.
pub(super) fn left(end: Timestamp, begin: Timestamp, now: Timestamp) -> Option<Left> {
    if end <= now {
        return None;
    }
    let passed = |days: u32| {
        let at = end.minus(DAY * days);
        begin < at && at <= now
    };
    let (mark, _) = (1..).zip(AHEAD).filter(|(_, days)| passed(*days)).last()?;
    let days = end.since(now).as_millis().div_ceil(DAY.as_millis());
    Some(Left { mark, days: u64::try_from(days).unwrap_or(u64::MAX) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn the_marks_are_passed_to_the_millisecond() {
        let begin = Timestamp::from_millis(1_800_000_000_000);
        let end = begin.plus(DAY * 365);
        let at = |before: Duration| left(end, begin, end.minus(before)).map(|left| (left.mark, left.days));
        for (before, expected) in [
            (DAY * 30 + MILLI, None),
            (DAY * 30, Some((1, 30))),
            (DAY * 29 + MILLI, Some((1, 30))),
            (DAY * 7 + MILLI, Some((1, 8))),
            (DAY * 7, Some((2, 7))),
            (DAY + MILLI, Some((2, 2))),
            (DAY, Some((3, 1))),
            (MILLI, Some((3, 1))),
            (Duration::ZERO, None),
        ] {
            assert_eq!(at(before), expected, "{before:?}");
        }
    }

    #[test]
    fn what_was_made_after_a_mark_is_told_at_the_next() {
        let begin = Timestamp::from_millis(1_800_000_000_000);
        let end = begin.plus(DAY * 7);
        assert_eq!(left(end, begin, begin.plus(DAY * 6).minus(MILLI)), None);
        assert_eq!(left(end, begin, begin.plus(DAY * 6)), Some(Left { mark: 3, days: 1 }));
    }
}
