//! When a customer may be told: hours of the day in a time zone (contracts/trigger.md).

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::profile::Hours;
use crate::base::clock::Timestamp;

impl Hours {
    /// When they begin next; `None` if they have begun: `now` is within them. A clock that is put back has a time twice,
    /// and hours that begin then begin twice; where it is put forward over their begin, they begin with the next time that
    /// there is.
    #[must_use]
    pub fn next(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
        if self.hold_at(minute_of(instant, zone)) {
            return None;
        }
        let today = zone.to_datetime(instant).date();
        // Yesterday's, where a clock that is put back over midnight has it once more.
        let tomorrow = today.tomorrow();
        let days = [today.yesterday(), Ok(today), tomorrow.clone(), tomorrow.and_then(Date::tomorrow)];
        let begins = days.into_iter().flatten().flat_map(|day| self.begins_on(day, zone)).flatten();
        let next = begins.filter(|begin| *begin > instant).min()?;
        Some(Timestamp::from_millis(next.as_millisecond()))
    }

    /// Whether the time of this minute of the day is within them.
    const fn hold_at(self, minute: u16) -> bool {
        if self.from < self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }

    /// The instants at which they begin on `day`.
    fn begins_on(self, day: Date, zone: &TimeZone) -> [Option<jiff::Timestamp>; 2] {
        let (hour, minute) = (i8::try_from(self.from / 60), i8::try_from(self.from % 60));
        let time = hour.ok().zip(minute.ok()).and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
        let Some(time) = time else { return [None, None] };
        let begin = zone.to_ambiguous_timestamp(day.to_datetime(time));
        let at = |offset: jiff::tz::Offset| offset.to_timestamp(day.to_datetime(time)).ok();
        match begin.offset() {
            AmbiguousOffset::Unambiguous { offset } => [at(offset), None],
            AmbiguousOffset::Fold { before, after } => [at(before), at(after)],
            // The instant at which the clock is put forward lies between the two. If they are over then they are not that day.
            AmbiguousOffset::Gap { before: _, after } => {
                let change = at(after).and_then(|early| zone.following(early).next()).map(|change| change.timestamp());
                [change.filter(|change| self.hold_at(minute_of(*change, zone))), None]
            }
        }
    }
}

/// The minute of the day in `zone`.
fn minute_of(instant: jiff::Timestamp, zone: &TimeZone) -> u16 {
    let time = zone.to_datetime(instant).time();
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(from: &str, to: &str) -> Hours {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':').unwrap();
            hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
        };
        Hours { from: minute(from), to: minute(to) }
    }

    fn next(of: Hours, now: &str, zone: &str) -> Option<String> {
        let zone = TimeZone::get(zone).unwrap();
        of.next(Timestamp::parse_rfc3339(now).unwrap(), &zone).map(Timestamp::to_rfc3339_seconds)
    }

    #[track_caller]
    fn begin(of: Hours, now: &str, zone: &str, expected: Option<&str>) {
        assert_eq!(next(of, now, zone).as_deref(), expected, "{of:?} {now} {zone}");
    }

    #[test]
    fn hours_have_both_sides_of_their_ends() {
        let day = hours("08:00", "20:00");
        begin(day, "2026-11-22T07:59:59.999Z", "UTC", Some("2026-11-22T08:00:00Z"));
        begin(day, "2026-11-22T08:00:00Z", "UTC", None);
        begin(day, "2026-11-22T19:59:59.999Z", "UTC", None);
        begin(day, "2026-11-22T20:00:00Z", "UTC", Some("2026-11-23T08:00:00Z"));
        begin(day, "2026-12-31T23:00:00Z", "UTC", Some("2027-01-01T08:00:00Z"));
        // 08:00 in Toronto is 13:00 in winter.
        begin(day, "2026-11-22T12:59:00Z", "America/Toronto", Some("2026-11-22T13:00:00Z"));
        begin(day, "2026-11-22T13:00:00Z", "America/Toronto", None);
        begin(hours("00:00", "24:00"), "2026-11-22T23:59:59Z", "UTC", None);
    }

    #[test]
    fn hours_may_cross_midnight() {
        let night = hours("22:00", "06:00");
        for inside in ["2026-11-22T22:00:00Z", "2026-11-22T00:00:00Z", "2026-11-22T05:59:59Z"] {
            begin(night, inside, "UTC", None);
        }
        begin(night, "2026-11-22T06:00:00Z", "UTC", Some("2026-11-22T22:00:00Z"));
        begin(hours("08:00", "08:00"), "2026-11-22T07:59:00Z", "UTC", None);
    }

    #[test]
    fn a_time_that_is_skipped_is_the_next_that_exists() {
        // In Toronto 02:00 to 03:00 is skipped on 2026-03-08: 03:00 is 07:00Z.
        begin(hours("02:30", "20:00"), "2026-03-08T06:30:00Z", "America/Toronto", Some("2026-03-08T07:00:00Z"));
        begin(hours("02:00", "20:00"), "2026-03-08T06:30:00Z", "America/Toronto", Some("2026-03-08T07:00:00Z"));
        begin(hours("03:00", "20:00"), "2026-03-08T06:30:00Z", "America/Toronto", Some("2026-03-08T07:00:00Z"));
        begin(hours("02:30", "20:00"), "2026-03-08T07:00:00Z", "America/Toronto", None);
        begin(hours("02:30", "20:00"), "2026-03-08T05:30:00Z", "America/Toronto", Some("2026-03-08T07:00:00Z"));
        // A whole day, the 30th of December 2011, in Samoa.
        begin(hours("08:00", "20:00"), "2011-12-30T08:00:00Z", "Pacific/Apia", Some("2011-12-30T18:00:00Z"));
    }

    #[test]
    fn a_time_that_is_there_twice_begins_twice() {
        // In Toronto 01:00 to 02:00 is there twice on 2026-11-01: from 05:00Z and from 06:00Z on.
        let early = hours("01:30", "20:00");
        begin(early, "2026-11-01T05:00:00Z", "America/Toronto", Some("2026-11-01T05:30:00Z"));
        begin(early, "2026-11-01T05:45:00Z", "America/Toronto", None);
        begin(early, "2026-11-01T06:15:00Z", "America/Toronto", Some("2026-11-01T06:30:00Z"));
        begin(hours("08:00", "20:00"), "2026-11-01T05:45:00Z", "America/Toronto", Some("2026-11-01T13:00:00Z"));
    }

    proptest! {
        #[test]
        fn they_begin_next_where_nothing_before_is_within_them(
            from in 0_u16..1440, to in 0_u16..=1440, minutes in 0_i64..60 * 24 * 365 * 3,
            zone in prop::sample::select(vec!["UTC", "America/Toronto", "Pacific/Auckland", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        ) {
            let (hours, zone) = (Hours { from, to }, TimeZone::get(zone).unwrap());
            let start = Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap().as_millis();
            let at = |minute: i64| Timestamp::from_millis(start + minute * 60_000);
            let Some(next) = hours.next(at(minutes), &zone) else {
                return Ok(());
            };
            let wait = (next.as_millis() - at(minutes).as_millis()) / 60_000;
            prop_assert!((1..=49 * 60).contains(&wait), "{wait} minutes");
            prop_assert_eq!(hours.next(next, &zone), None);
            for minute in (0..wait).step_by(7) {
                prop_assert!(hours.next(at(minutes + minute), &zone).is_some(), "{minute} minutes on it is within them");
                prop_assert_eq!(hours.next(at(minutes + minute), &zone), Some(next));
            }
        }
    }
}
