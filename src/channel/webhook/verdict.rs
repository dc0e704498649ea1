//! What the status of an answer means.

use std::collections::BTreeSet;

use super::super::Verdict;
use crate::base::clock::Timestamp;

/// The statuses that say that the server, and not only this endpoint, has too much to do.
const SLOW: [u16; 4] = [429, 502, 503, 504];

/// What `status` means: 2xx is delivered, 410 is gone, one of `final_statuses` is refused for what it is, and every other
/// one, redirects too, is a fault. `retry_after`: what its `Retry-After` says.
#[must_use]
pub fn judge(status: u16, final_statuses: &BTreeSet<u16>, retry_after: Option<Timestamp>) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        410 => Verdict::Gone,
        _ if final_statuses.contains(&status) => Verdict::Rejected { suppress: false },
        _ => Verdict::Fault { retry_after, slow: SLOW.contains(&status) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_verdict() {
        let finals = [400, 413, 415, 422].into();
        let later = Some(Timestamp::from_millis(7));
        for status in 100..=599 {
            let expected = match status {
                200..=299 => Verdict::Delivered,
                400 | 413 | 415 | 422 => Verdict::Rejected { suppress: false },
                410 => Verdict::Gone,
                429 | 502 | 503 | 504 => Verdict::Fault { retry_after: later, slow: true },
                100..=199 | 300..=399 | 401..=499 | 500..=599 => Verdict::Fault { retry_after: later, slow: false },
                _ => unreachable!(),
            };
            assert_eq!(judge(status, &finals, later), expected, "{status}");
        }
    }

    #[test]
    fn the_files_say_which_are_final() {
        let judge = |status, finals: &[u16]| judge(status, &finals.iter().copied().collect(), None);
        assert_eq!(judge(400, &[]), Verdict::Fault { retry_after: None, slow: false });
        assert_eq!(judge(404, &[404]), Verdict::Rejected { suppress: false });
        assert_eq!((judge(200, &[200]), judge(410, &[410])), (Verdict::Delivered, Verdict::Gone));
    }
}
