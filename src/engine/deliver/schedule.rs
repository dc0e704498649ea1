//! When a notification is tried again. Pure: time and randomness come in.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::random::Random;

/// When a notification is tried again that was tried `tried` times before this attempt, which ended at `now`; `None`: the
/// schedule has no further pause. What the receiver asked for wins where it is later; whether the deadline lets it come to
/// that is the store's business.
pub(super) fn next_try(
    schedule: &[Duration],
    tried: u32,
    now: Timestamp,
    retry_after: Option<Timestamp>,
    random: &dyn Random,
) -> Option<Timestamp> {
    let pause = schedule.get(usize::try_from(tried).ok()?)?;
    let due = now.plus(jittered(*pause, random));
    Some(retry_after.map_or(due, |after| after.max(due)))
}

/// `pause` made up to 10 % longer or shorter, evenly: what failed together does not come back together.
pub(super) fn jittered(pause: Duration, random: &dyn Random) -> Duration {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    // 0.9 and a share of 0.2, in integers.
    let share = u128::from(u32::from_le_bytes(bytes)) * u128::from(millis / 5) / u128::from(u32::MAX);
    let jittered = u128::from(millis - millis / 10) + share;
    Duration::from_millis(u64::try_from(jittered).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::SeededRandomness;
    use crate::engine::ChannelSettings;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn the_schedule_is_gone_through_within_its_jitter() {
        let random = SeededRandomness::new(1);
        for settings in [ChannelSettings::webhooks(), ChannelSettings::mail()] {
            for (tried, pause) in (0..).zip(&settings.schedule) {
                for _ in 0..100 {
                    let due = next_try(&settings.schedule, tried, NOW, None, &random).unwrap();
                    let after = due.since(NOW);
                    assert!(after >= pause.mul_f64(0.9) && after <= pause.mul_f64(1.1), "{pause:?}: {after:?}");
                }
            }
            let tried = u32::try_from(settings.schedule.len()).unwrap();
            assert_eq!(next_try(&settings.schedule, tried, NOW, Some(NOW.plus(Duration::MAX)), &random), None);
        }
        assert_eq!(next_try(&[], 0, NOW, None, &random), None);
    }

    #[test]
    fn the_jitter_goes_from_end_to_end() {
        let hour = Duration::from_hours(1);
        assert_eq!(jittered(hour, &Fixed(0)), Duration::from_mins(54));
        assert_eq!(jittered(hour, &Fixed(0xff)), Duration::from_mins(66));
        assert_eq!(jittered(Duration::ZERO, &Fixed(0xff)), Duration::ZERO);
        assert!(jittered(Duration::MAX, &Fixed(0xff)) > Duration::from_hours(1));
    }

    #[test]
    fn who_asks_for_more_time_gets_it_and_who_asks_for_less_does_not() {
        let schedule = [Duration::from_secs(100)];
        let due = |after| next_try(&schedule, 0, NOW, Some(NOW.plus(Duration::from_secs(after))), &Fixed(0)).unwrap();
        assert_eq!(due(89), NOW.plus(Duration::from_secs(90)));
        assert_eq!(due(91), NOW.plus(Duration::from_secs(91)));
    }
}
