//! Instants of the wire: RFC 3339, exactly, and finer than the milliseconds of `base::clock`.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::base::clock;

/// Parses an RFC 3339 instant (5.6): any offset, any number of digits of a second, of which nine count.
///
/// `None` if it is none, or not between the years 0 and 9999 in UTC (its last day apart).
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let fraction = shape(text.as_bytes())?;
    let instant: Timestamp = if fraction > 9 {
        let (head, offset) = (&text[..20 + 9], &text[20 + fraction..]);
        format!("{head}{offset}").parse().ok()?
    } else {
        text.parse().ok()?
    };
    (Offset::UTC.to_datetime(instant).year() >= 0).then_some(instant)
}

/// The same for the end of something: what lies beyond the last instant that can be told (the last day of 9999, which
/// stands for "never" with many) is that instant.
pub(super) fn parse_end(text: &str) -> Option<Timestamp> {
    parse(text).or_else(|| {
        shape(text.as_bytes())?;
        let local: DateTime = text.get(..19)?.parse().ok()?;
        (local.year() == 9999).then_some(Timestamp::MAX)
    })
}

/// Writes `instant` in UTC with `Z` and six digits of a second, as the polling contract shows when something happened.
pub(super) fn write_micros(out: &mut Vec<u8>, instant: Timestamp) {
    write(out, instant, 6);
}

/// Writes `instant` in UTC with `Z` and three digits of a second.
pub(super) fn write_millis(out: &mut Vec<u8>, instant: clock::Timestamp) {
    // `clock::Timestamp` keeps itself inside what jiff can represent.
    write(out, Timestamp::from_millisecond(instant.as_millis()).unwrap_or_default(), 3);
}

fn write(out: &mut Vec<u8>, instant: Timestamp, digits: u32) {
    let t = Offset::UTC.to_datetime(instant);
    let (date, time) = (t.date(), t.time());
    let fraction = time.subsec_nanosecond() / 10_i32.pow(9 - digits);
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:0width$}Z",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        fraction,
        width = digits as usize,
    );
}

/// Checks `yyyy-mm-ddThh:mm:ss[.f…](Z|±hh:mm)` and answers how many digits of a second there are.
fn shape(text: &[u8]) -> Option<usize> {
    let (head, rest) = text.split_at_checked(19)?;
    let is_like = head.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(&b, &like)| match like {
        b'd' => b.is_ascii_digit(),
        b'T' => b.eq_ignore_ascii_case(&b'T'),
        other => b == other,
    });
    let fraction = match rest.strip_prefix(b".") {
        None => 0,
        Some(digits) => Some(digits.iter().take_while(|b| b.is_ascii_digit()).count()).filter(|&n| n > 0)?,
    };
    let offset = &rest[if fraction == 0 { 0 } else { fraction + 1 }..];
    (is_like && is_offset(offset)).then_some(fraction)
}

fn is_offset(text: &[u8]) -> bool {
    match text {
        b"Z" | b"z" => true,
        [b'+' | b'-', hour @ .., b':', m1, m2] => {
            hour.len() == 2 && hour.iter().chain([m1, m2]).all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let mut out = Vec::new();
        write_micros(&mut out, parse(text)?);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn instants_are_shown_in_utc_with_six_digits() {
        for (text, expected) in [
            ("2018-01-23T04:56:22Z", "2018-01-23T04:56:22.000000Z"),
            ("2018-01-23t04:56:22.1z", "2018-01-23T04:56:22.100000Z"),
            ("2018-01-23T05:56:22.123456+01:00", "2018-01-23T04:56:22.123456Z"),
            ("2018-01-23T05:56:22.123456789012+01:00", "2018-01-23T04:56:22.123456Z"),
            ("2018-01-23T04:56:22.999999999-00:00", "2018-01-23T04:56:22.999999Z"),
            ("1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_end_may_lie_beyond_what_can_be_told() {
        for text in ["9999-12-31T23:59:59Z", "9999-12-31t23:59:59.9999999z", "9999-12-31T00:00:00-23:00"] {
            assert_eq!(parse_end(text), Some(Timestamp::MAX), "{text}");
        }
        assert_eq!(parse_end("2018-01-23T04:56:22Z"), parse("2018-01-23T04:56:22Z"));
        for text in ["9999-12-32T00:00:00Z", "9999-12-31T24:00:00Z", "9999-12-31T23:59:59", "0000-01-01T00:00:00+00:01"]
        {
            assert_eq!(parse_end(text), None, "{text}");
        }
    }

    #[test]
    fn milliseconds_have_three_digits() {
        let mut out = Vec::new();
        write_millis(&mut out, clock::Timestamp::from_millis(1_516_683_382_007));
        assert_eq!(out, b"2018-01-23T04:56:22.007Z");
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2018-01-23",
            "2018-01-23T04:56Z",
            "2018-01-23 04:56:22Z",
            "2018-01-23T04:56:22",
            "2018-01-23T04:56:22.Z",
            "2018-01-23T04:56:22+01",
            "2018-01-23T04:56:22+0100",
            "2018-01-23T04:56:22Z[UTC]",
            "2018-02-30T04:56:22Z",
            "2018-01-23T24:00:00Z",
            "+02018-01-23T04:56:22Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59Z",
            "2018-01-23T04:56:2é",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
