//! Which notifications are meant, as a query or a body says it.

use super::cursor;
use super::given::Given;
use crate::api::instant;
use crate::base::clock::Timestamp;
use crate::engine::{Filter, LookCursor};
use crate::model::id::{EventTypeId, MAX_NAME, SubscriptionId};
use crate::model::notification::State;

/// The longest reason that is looked for, in characters: none is longer (contracts/events.md, `setErrs`).
pub(super) const MAX_REASON: usize = 1024;

/// `state`, `reason`, `type`, `subscription`, `from` and `to`.
pub(super) fn read(given: &mut Given<'_>) -> Filter {
    let filter = Filter {
        state: given.text("state", state),
        reason: given.text("reason", |text| bounded(text, MAX_REASON).map(str::to_owned)),
        event_type: given.text("type", |text| bounded(text, MAX_NAME).map(EventTypeId::new)),
        subscription: given.text("subscription", |text| bounded(text, MAX_NAME).map(SubscriptionId::new)),
        from: given.text("from", moment),
        to: given.text("to", moment),
    };
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        given.refuse("to", "must be after from");
    }
    filter
}

/// `cursor`.
pub(super) fn cursor(given: &mut Given<'_>) -> Option<LookCursor> {
    given.text("cursor", cursor::read)
}

fn state(text: &str) -> Result<State, String> {
    State::named(text).ok_or_else(|| format!("must be one of {}", names(State::ALL)))
}

/// The names of `states`, for people.
pub(super) fn names(states: impl IntoIterator<Item = State>) -> String {
    states.into_iter().map(State::as_str).collect::<Vec<_>>().join(", ")
}

/// `text`, which must not be empty, nor longer than `most` characters.
pub(super) fn bounded(text: &str, most: usize) -> Result<&str, String> {
    match text.chars().count() {
        0 => Err("must not be empty".to_owned()),
        n if n > most => Err(format!("must be at most {most} characters")),
        _ => Ok(text),
    }
}

/// RFC 3339. What is accepted is known to the millisecond, so an instant between two of them begins with the later one.
fn moment(text: &str) -> Result<Timestamp, String> {
    let instant = instant::parse_end(text).ok_or("must be an instant of RFC 3339, such as 2026-11-22T10:00:00Z")?;
    let more = i64::from(instant.subsec_nanosecond().rem_euclid(1_000_000) > 0);
    Ok(Timestamp::from_millis(
        instant.as_nanosecond().div_euclid(1_000_000).try_into().unwrap_or(i64::MAX).saturating_add(more),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_between_two_milliseconds_is_the_later_one() {
        let millis = |text: &str| moment(text).unwrap().as_millis();
        assert_eq!(millis("1970-01-01T00:00:00.001Z"), 1);
        assert_eq!(millis("1970-01-01T00:00:00.001000001Z"), 2);
        assert_eq!(millis("1969-12-31T23:59:59.999Z"), -1);
        assert_eq!(millis("1969-12-31T23:59:59.9990001Z"), 0);
        assert_eq!(moment("9999-12-31T23:59:59Z"), Ok(Timestamp::MAX));
        assert!(moment("2026-11-22").is_err());
    }

    #[test]
    fn texts_have_both_sides_of_their_limit() {
        assert!(bounded("", 2).is_err() && bounded("ééé", 2).is_err());
        assert_eq!(bounded("éé", 2), Ok("éé"));
    }
}
