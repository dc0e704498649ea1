//! When a subscription ends (contracts/management.md, "Create", `expiresOn`).
//!
//! A subscription lives through the end of a day in the contract's time zone, and that day is what is answered. What is
//! given with a zone of its own means an instant (a date: its last one there), which lies in that day: nobody's
//! subscription ends earlier than they have said, but for the year that is the most.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, ToSpan as _, Zoned};

use crate::api::instant;
use crate::base::clock::Timestamp;

/// What is wrong with a text that says when a subscription is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It is none of the forms.
    #[error("must be a date such as 2027-08-24, which Z or an offset may follow, or an instant (RFC 3339)")]
    Form,
    /// That has been.
    #[error("must not be in the past")]
    Past,
}

/// The first instant at which a subscription takes in nothing more that is to end on `text`; never later than
/// [`a_year_ahead`].
pub(super) fn read(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Fault> {
    let today = date_at(now, zone);
    let day = match parse(text).ok_or(Fault::Form)? {
        Given::Day(day) if day < today => return Err(Fault::Past),
        Given::Day(day) => day,
        Given::Last(last) if last.as_millisecond() < now.as_millis() => return Err(Fault::Past),
        Given::Last(last) => last.to_zoned(zone.clone()).date(),
    };
    Ok(end_of(day.min(year_after(today)), zone))
}

/// The same where nothing is said: the day that is one year ahead, or the last of its month where that has no such day.
pub(super) fn a_year_ahead(zone: &TimeZone, now: Timestamp) -> Timestamp {
    end_of(year_after(date_at(now, zone)), zone)
}

/// The last day of a subscription that ends at this instant, as `yyyy-mm-dd`.
pub(super) fn shown(end: Timestamp, zone: &TimeZone) -> String {
    date_at(Timestamp::from_millis(end.as_millis().saturating_sub(1)), zone).to_string()
}

/// The first instant of a day in `zone` and of the day after it, for what lies between two dates; an instant stands for
/// itself. `None` if it is no form of either.
pub(super) fn bounds(text: &str, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    match parse(text)? {
        Given::Day(day) => Some((start_of(day, zone), end_of(day, zone))),
        Given::Last(at) => {
            let millis = at.as_millisecond();
            let start = if is_date(text) { millis - DAY_MILLIS + 1 } else { millis };
            let end = if is_date(text) { millis + 1 } else { millis };
            Some((Timestamp::from_millis(start), Timestamp::from_millis(end)))
        }
    }
}

const DAY_MILLIS: i64 = 86_400_000;

/// What a text says.
enum Given {
    /// A day of the contract's zone.
    Day(Date),
    /// The last instant.
    Last(jiff::Timestamp),
}

fn parse(text: &str) -> Option<Given> {
    if !is_date(text) {
        return instant::parse_end(text).map(Given::Last);
    }
    let (day, zone) = text.split_at_checked(10)?;
    let day: Date = day.parse().ok()?;
    if zone.is_empty() {
        return Some(Given::Day(day));
    }
    // What is later than can be told is as late as can be told.
    let last = || day.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight()).checked_sub(1.millisecond()).ok();
    let last = last().and_then(|last| offset(zone)?.to_timestamp(last).ok());
    offset(zone).map(|_| Given::Last(last.unwrap_or(jiff::Timestamp::MAX)))
}

/// Whether it begins as a date does, and goes on as no instant does.
fn is_date(text: &str) -> bool {
    let form = |text: &str, form: &[u8]| {
        text.len() == form.len()
            && text.bytes().zip(form).all(|(b, form)| if *form == b'd' { b.is_ascii_digit() } else { b == *form })
    };
    text.split_at_checked(10).is_some_and(|(day, zone)| {
        let is_zone =
            zone.is_empty() || zone.eq_ignore_ascii_case("z") || form(zone, b"+dd:dd") || form(zone, b"-dd:dd");
        form(day, b"dddd-dd-dd") && is_zone
    })
}

/// `Z` or `±hh:mm`.
fn offset(text: &str) -> Option<Offset> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Offset::UTC);
    }
    let (hours, minutes): (i32, i32) = (text.get(1..3)?.parse().ok()?, text.get(4..6)?.parse().ok()?);
    let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    Offset::from_seconds(if text.starts_with('-') { -seconds } else { seconds }).ok()
}

fn date_at(at: Timestamp, zone: &TimeZone) -> Date {
    // `Timestamp` keeps itself inside what jiff can represent.
    jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default().to_zoned(zone.clone()).date()
}

fn year_after(day: Date) -> Date {
    day.checked_add(Span::new().years(1)).unwrap_or(Date::MAX)
}

fn start_of(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).and_then(|midnight| midnight.start_of_day()).map_or(Timestamp::MAX, of)
}

fn end_of(day: Date, zone: &TimeZone) -> Timestamp {
    day.tomorrow().map_or(Timestamp::MAX, |next| start_of(next, zone))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_or wants")]
fn of(zoned: Zoned) -> Timestamp {
    Timestamp::from_millis(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone() -> TimeZone {
        TimeZone::get("Pacific/Auckland").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    /// The instant of the end and the date that is shown.
    fn end(text: &str, now: &str) -> Result<(String, String), Fault> {
        let end = read(text, &zone(), at(now))?;
        Ok((end.to_rfc3339_seconds(), shown(end, &zone())))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the shape of what it is compared with")]
    fn told(instant: &str, day: &str) -> Result<(String, String), Fault> {
        Ok((instant.to_owned(), day.to_owned()))
    }

    #[test]
    fn a_date_is_a_day_in_new_zealand_on_both_sides_of_both_clock_changes() {
        // Clocks go forward on 27 September 2026 at 2:00, and back on 4 April 2027 at 3:00.
        for (day, instant) in [
            ("2026-09-25", "2026-09-25T12:00:00Z"),
            ("2026-09-26", "2026-09-26T12:00:00Z"),
            ("2026-09-27", "2026-09-27T11:00:00Z"),
            ("2026-09-28", "2026-09-28T11:00:00Z"),
            ("2027-04-03", "2027-04-03T11:00:00Z"),
            ("2027-04-04", "2027-04-04T12:00:00Z"),
            ("2027-04-05", "2027-04-05T12:00:00Z"),
        ] {
            assert_eq!(end(day, "2026-08-01T00:00:00Z"), told(instant, day), "{day}");
        }
    }

    #[test]
    fn a_zone_of_its_own_counts() {
        let now = "2027-01-01T00:00:00Z";
        for (text, instant, day) in [
            // Winter: twelve hours ahead of UTC.
            ("2027-08-24", "2027-08-24T12:00:00Z", "2027-08-24"),
            ("2027-08-24+12:00", "2027-08-24T12:00:00Z", "2027-08-24"),
            ("2027-08-24+13:00", "2027-08-24T12:00:00Z", "2027-08-24"),
            ("2027-08-24Z", "2027-08-25T12:00:00Z", "2027-08-25"),
            ("2027-08-24-08:00", "2027-08-25T12:00:00Z", "2027-08-25"),
            ("2027-08-24+14:00", "2027-08-24T12:00:00Z", "2027-08-24"),
            ("2027-08-24T11:59:59Z", "2027-08-24T12:00:00Z", "2027-08-24"),
            ("2027-08-24T12:00:00Z", "2027-08-25T12:00:00Z", "2027-08-25"),
            ("2027-08-24t23:59:59.999+12:00", "2027-08-24T12:00:00Z", "2027-08-24"),
            // Summer: thirteen.
            ("2027-01-24T10:59:59Z", "2027-01-24T11:00:00Z", "2027-01-24"),
            ("2027-01-24T11:00:00Z", "2027-01-25T11:00:00Z", "2027-01-25"),
            ("2027-01-24+13:00", "2027-01-24T11:00:00Z", "2027-01-24"),
        ] {
            assert_eq!(end(text, now), told(instant, day), "{text}");
        }
    }

    #[test]
    fn the_past_is_refused_and_today_is_not() {
        // 23:59:59 on the first of July in New Zealand, and a second later.
        let (before, after) = ("2027-07-01T11:59:59Z", "2027-07-01T12:00:00Z");
        assert_eq!(end("2027-07-01", before), told("2027-07-01T12:00:00Z", "2027-07-01"));
        assert_eq!(end("2027-07-01", after), Err(Fault::Past));
        assert_eq!(end("2027-07-01T11:59:58Z", before), Err(Fault::Past));
        assert!(end("2027-07-01T11:59:59Z", before).is_ok());
        assert_eq!(end("2027-07-01Z", "2027-07-02T00:00:00Z"), Err(Fault::Past));
        assert!(end("2027-07-01Z", "2027-07-01T23:59:59Z").is_ok());
        // The seed's own example, years later.
        assert_eq!(end("2019-08-24", before), Err(Fault::Past));
        assert_eq!(end("0000-01-01", before), Err(Fault::Past));
    }

    #[test]
    fn a_year_ahead_is_the_most() {
        let now = "2026-11-22T10:00:00Z";
        let most = told("2027-11-22T11:00:00Z", "2027-11-22");
        assert_eq!(end("2027-11-21", now), told("2027-11-21T11:00:00Z", "2027-11-21"));
        for text in ["2027-11-22", "2027-11-23", "2030-01-01", "9999-12-31", "9999-12-31Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(end(text, now), most, "{text}");
        }
        let absent = a_year_ahead(&zone(), at(now));
        assert_eq!(told(&absent.to_rfc3339_seconds(), &shown(absent, &zone())), most);
    }

    #[test]
    fn a_year_from_the_29th_of_february_on_is_the_28th() {
        let ahead = |now: &str| shown(a_year_ahead(&zone(), at(now)), &zone());
        // Midnight in New Zealand is at 11:00 UTC in February.
        assert_eq!(ahead("2028-02-28T10:59:59Z"), "2029-02-28");
        assert_eq!(ahead("2028-02-28T11:00:00Z"), "2029-02-28", "from the 29th");
        assert_eq!(ahead("2028-02-29T10:59:59Z"), "2029-02-28");
        assert_eq!(ahead("2028-02-29T11:00:00Z"), "2029-03-01");
        assert_eq!(ahead("2027-02-27T11:00:00Z"), "2028-02-28");
        assert_eq!(ahead("2027-02-28T11:00:00Z"), "2028-03-01");
        let now = "2027-06-01T00:00:00Z";
        assert_eq!(end("2028-02-29", now), told("2028-02-29T11:00:00Z", "2028-02-29"));
        assert_eq!(end("2027-02-29", "2027-01-01T00:00:00Z"), Err(Fault::Form), "there is none");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2027",
            "2027-8-24",
            "24.08.2027",
            "2027-08-32",
            "2027-13-01",
            "2027-08-24 ",
            "2027-08-24T",
            "2027-08-24T10:00:00",
            "2027-08-24+1300",
            "2027-08-24+24:00",
            "2027-08-24+12:60",
            "2027-08-24[Pacific/Auckland]",
            "+2027-08-24",
            "20270824",
            "2027-08-2é",
            "tomorrow",
        ] {
            assert_eq!(end(text, "2027-01-01T00:00:00Z"), Err(Fault::Form), "{text}");
        }
    }

    #[test]
    fn the_bounds_of_a_day_are_those_of_its_zone() {
        let bounds = |text: &str| {
            let (from, to) = bounds(text, &zone())?;
            Some((from.to_rfc3339_seconds(), to.to_rfc3339_seconds()))
        };
        let told = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(bounds("2027-04-04"), told("2027-04-03T11:00:00Z", "2027-04-04T12:00:00Z"), "25 hours");
        assert_eq!(bounds("2027-04-04Z"), told("2027-04-04T00:00:00Z", "2027-04-05T00:00:00Z"));
        assert_eq!(bounds("2027-04-04T01:02:03Z"), told("2027-04-04T01:02:03Z", "2027-04-04T01:02:03Z"));
        assert_eq!(bounds("soon"), None);
    }

    proptest! {
        #[test]
        fn every_end_is_a_midnight_within_a_year_and_is_shown_as_what_it_is(
            now in 1_700_000_000_000_i64..2_500_000_000_000, days in -3_i64..800, form in 0..4
        ) {
            let (now, zone) = (Timestamp::from_millis(now), zone());
            let wanted = date_at(now, &zone).checked_add(Span::new().days(days)).unwrap();
            let text = match form {
                0 => wanted.to_string(),
                1 => format!("{wanted}Z"),
                2 => format!("{wanted}-11:30"),
                _ => format!("{wanted}T07:08:09+13:00"),
            };
            let most = a_year_ahead(&zone, now);
            if let Ok(end) = read(&text, &zone, now) {
                prop_assert!(now < end && end <= most);
                let instant = jiff::Timestamp::from_millisecond(end.as_millis()).unwrap().to_zoned(zone.clone());
                prop_assert_eq!(instant.start_of_day().unwrap(), instant);
                // What is answered can be sent again, and means the same.
                prop_assert_eq!(read(&shown(end, &zone), &zone, now), Ok(end));
                prop_assert!(shown(end, &zone) >= wanted.yesterday().unwrap().to_string() || end == most);
            } else {
                prop_assert!(days <= 0, "{text} at {now:?}");
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}", dated in "[0-9]{4}-[0-9]{2}-[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?") {
            for text in [text, dated] {
                let _ = read(&text, &zone(), Timestamp::from_millis(0));
                let _ = bounds(&text, &zone());
            }
        }
    }
}
