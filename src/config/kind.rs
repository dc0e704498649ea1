//! The kinds of values that keys take: text, numbers, durations, sizes, names, lists, each with its bounds.
//!
//! A kind reads an [`Item`] and gives the value, or reports what is wrong with it.

use std::collections::HashSet;
use std::fmt::{Display, Write as _};
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::{Item, Located, Shown};
use crate::model::id::{MAX_NAME, is_name};

/// One second, as a bound.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// One hour, as a bound.
pub(super) const HOUR: Duration = Duration::from_hours(1);
/// One day, as a bound.
pub(super) const DAY: Duration = Duration::from_hours(24);
/// One KiB, as a bound.
pub(super) const KIB: u64 = 1 << 10;
/// One MiB, as a bound.
pub(super) const MIB: u64 = 1 << 20;
/// One TiB, as a bound.
pub(super) const TIB: u64 = 1 << 40;

/// The longest free text in characters.
const MAX_TEXT: usize = 1024;

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 24 * 3_600_000)];
const SIZE_UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", KIB), ("MiB", MIB), ("GiB", 1 << 30), ("TiB", TIB)];

/// true or false
pub(super) fn boolean(item: &Item<'_>) -> Option<bool> {
    item.as_bool().or_else(|| item.refuse_kind("true or false"))
}

/// A whole number within `bounds`.
pub(super) fn number(bounds: RangeInclusive<u64>) -> impl Fn(&Item<'_>) -> Option<u64> {
    move |item| {
        let Some(number) = item.as_number() else { return item.refuse_kind("a whole number") };
        within(item, &bounds, number, u64::to_string)
    }
}

/// As [`number`], for what is counted in memory.
pub(super) fn count(bounds: RangeInclusive<u64>) -> impl Fn(&Item<'_>) -> Option<usize> {
    let read = number(bounds);
    move |item| read(item).and_then(to_usize(item))
}

/// Bytes within `bounds`: a size such as `256KiB`, or a plain number of bytes.
pub(super) fn size(bounds: RangeInclusive<u64>) -> impl Fn(&Item<'_>) -> Option<u64> {
    const FORM: &str = "a size such as \"256KiB\", \"8MiB\" or \"2GiB\", or a plain number of bytes";
    move |item| {
        let bytes = match (item.as_number(), item.as_text()) {
            (Some(bytes), _) => bytes,
            (None, Some(text)) => match parse_sum(text, &SIZE_UNITS) {
                Some(bytes) => bytes,
                None => return item.refuse(format!("must be {FORM}, not {}", Shown(text))),
            },
            (None, None) => return item.refuse_kind(FORM),
        };
        within(item, &bounds, bytes, |bytes| show_largest(*bytes, &SIZE_UNITS))
    }
}

/// As [`size`], for what is held in memory.
pub(super) fn memory(bounds: RangeInclusive<u64>) -> impl Fn(&Item<'_>) -> Option<usize> {
    let read = size(bounds);
    move |item| read(item).and_then(to_usize(item))
}

/// A duration such as `6h`, `500ms` or `1h30m` within `bounds`.
pub(super) fn duration(bounds: RangeInclusive<Duration>) -> impl Fn(&Item<'_>) -> Option<Duration> {
    const FORM: &str = "a duration such as \"500ms\", \"10s\", \"1h30m\" or \"4d\"";
    move |item| {
        let Some(text) = item.as_text() else { return item.refuse_kind(FORM) };
        let Some(duration) = parse_duration(text) else {
            return item.refuse(format!("must be {FORM}, not {}", Shown(text)));
        };
        within(item, &bounds, duration, |duration| show_duration(*duration))
    }
}

/// Text that is not empty, of at most 1024 characters, without control characters.
pub(super) fn text(item: &Item<'_>) -> Option<String> {
    let Some(text) = item.as_text() else { return item.refuse_kind("text in quotes") };
    if text.trim().is_empty() {
        item.refuse("must not be empty")
    } else if text.chars().count() > MAX_TEXT {
        item.refuse(format!("must have at most {MAX_TEXT} characters"))
    } else if text.chars().any(char::is_control) {
        item.refuse("must not have control characters in it")
    } else {
        Some(text.to_owned())
    }
}

/// The id of a client or a subscription ([`is_name`]).
pub(super) fn name(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if is_name(&text) {
        return Some(text);
    }
    let rule = format!("must be 1 to {MAX_NAME} letters, digits, dots, underscores and hyphens");
    item.refuse(format!("{rule}, not {}", Shown(&text)))
}

/// The id of an event type: any text of at most [`MAX_NAME`] characters (contracts/polling.md, "Create").
pub(super) fn type_id(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if text.chars().count() <= MAX_NAME {
        Some(text)
    } else {
        item.refuse(format!("must have at most {MAX_NAME} characters"))
    }
}

/// Keeps the path of what `kind` reads.
pub(super) fn located<'r, T>(kind: impl Fn(&Item<'r>) -> Option<T>) -> impl Fn(&Item<'r>) -> Option<Located<T>> {
    move |item| kind(item).map(|value| Located { value, path: item.path.clone() })
}

/// An array of what `kind` reads, with `at_least` so many items, none of them twice.
pub(super) fn list<'r, T: Eq + Hash + Display>(
    at_least: usize,
    kind: impl Fn(&Item<'r>) -> Option<T>,
) -> impl Fn(&Item<'r>) -> Option<Vec<Located<T>>> {
    let kind = located(kind);
    move |item| {
        let items = item.items()?;
        if items.len() < at_least {
            return item.refuse("must not be empty");
        }
        let read: Vec<_> = items.iter().filter_map(&kind).collect();
        refuse_repeats(item, &read);
        Some(read)
    }
}

fn refuse_repeats<T: Eq + Hash + Display>(item: &Item<'_>, read: &[Located<T>]) {
    let mut seen = HashSet::new();
    for repeat in read.iter().filter(|item| !seen.insert(&item.value)) {
        item.reader.error(&repeat.path, format!("{} is there twice", Shown(&repeat.value.to_string())));
    }
}

fn to_usize<'a>(item: &'a Item<'_>) -> impl Fn(u64) -> Option<usize> + 'a {
    move |number| usize::try_from(number).ok().or_else(|| item.refuse("is more than this machine can address"))
}

fn within<T: PartialOrd>(
    item: &Item<'_>,
    bounds: &RangeInclusive<T>,
    value: T,
    show: impl Fn(&T) -> String,
) -> Option<T> {
    if bounds.contains(&value) {
        return Some(value);
    }
    let (least, most) = (show(bounds.start()), show(bounds.end()));
    item.refuse(format!("must be from {least} to {most}, not {}", show(&value)))
}

/// The duration in a text such as `500ms`, `2s` or `1h30m`, as keys and arguments have it; `None` if it is none.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse_sum(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// The sum of numbers with units, such as `1h30m`; `None` if it is none, or beyond 64 bits.
fn parse_sum(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let scale = units.iter().find(|(name, _)| *name == unit)?.1;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(scale)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 { "0s".to_owned() } else { show_largest(millis, &DURATION_UNITS) }
}

/// A duration in all of its units: `3d3h35m5s`.
pub(super) fn show_whole_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 { "0s".to_owned() } else { show_sum(millis, &DURATION_UNITS) }
}

fn show_sum(mut amount: u64, units: &[(&str, u64)]) -> String {
    let mut sum = String::new();
    for (name, scale) in units.iter().rev().filter(|(_, scale)| *scale > 0) {
        if amount >= *scale {
            // Writing to a String cannot fail.
            let _ = write!(sum, "{}{name}", amount / scale);
        }
        amount %= scale;
    }
    sum
}

/// `amount` in the largest unit that it is a whole number of.
fn show_largest(amount: u64, units: &[(&str, u64)]) -> String {
    let fits = units.iter().rev().find(|(_, scale)| amount > 0 && amount.is_multiple_of(*scale));
    let (name, scale) = fits.unwrap_or(&units[0]);
    format!("{}{name}", amount / scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_of_units_are_read() {
        let millis = |text| parse_sum(text, &DURATION_UNITS);
        assert_eq!(millis("6h"), Some(6 * 3_600_000));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("0s"), Some(0));
        for bad in ["", "6", "h", "6 h", "-6h", "6H", "1.5h", "h6", "6hh", "18446744073709551615d", "６h"] {
            assert_eq!(millis(bad), None, "{bad:?}");
        }
        assert_eq!(parse_sum("256KiB", &SIZE_UNITS), Some(262_144));
        assert_eq!(parse_sum("256KB", &SIZE_UNITS), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_as_the_same(millis in any::<u64>(), bytes in any::<u64>()) {
            prop_assert_eq!(parse_sum(&show_largest(millis, &DURATION_UNITS), &DURATION_UNITS), Some(millis));
            prop_assert!(millis == 0 || parse_sum(&show_sum(millis, &DURATION_UNITS), &DURATION_UNITS) == Some(millis));
            prop_assert_eq!(parse_sum(&show_largest(bytes, &SIZE_UNITS), &SIZE_UNITS), Some(bytes));
        }
    }
}
