//! `Retry-After` (RFC 9110, 10.2.3): before when no other try is wanted.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::base::clock::Timestamp;

/// The longest that is believed; no deadline is later.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The instant that the header says, in seconds or as a date, for an answer that came at `now`; `None` without one, for
/// one that cannot be read, and for one that has passed.
pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = seconds(text).or_else(|| until(text, now))?;
    (!wait.is_zero()).then(|| now.plus(wait.min(LONGEST)))
}

/// More digits than a number has are a very long time.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().map_or(LONGEST, Duration::from_secs))
}

fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let millis = date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis();
    Some(Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_the_absurd_is_bounded() {
        const YEAR: Option<u128> = Some(366 * 24 * 3_600_000);
        // Sunday, 22 November 2026.
        let now = Timestamp::parse_rfc3339("2026-11-22T10:00:00.250Z").unwrap();
        let said = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            read(&headers, now).map(|at| at.since(now).as_millis())
        };
        for (text, expected) in [
            ("0", None),
            ("1", Some(1000)),
            (" 120 ", Some(120_000)),
            ("007", Some(7000)),
            ("31622400", YEAR),
            ("31622401", YEAR),
            ("18446744073709551616", YEAR),
            ("99999999999999999999999999999", YEAR),
            ("Sun, 22 Nov 2026 10:00:10 GMT", Some(9750)),
            ("Sunday, 22-Nov-26 10:00:10 GMT", Some(9750)),
            ("Sun Nov 22 10:00:10 2026", Some(9750)),
            ("Sun, 22 Nov 2026 10:00:00 GMT", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", YEAR),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("2026-11-22T10:00:10Z", None),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
        assert_eq!(read(&HeaderMap::new(), now), None);
    }
}
