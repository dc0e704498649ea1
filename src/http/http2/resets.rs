//! How many requests a caller takes back: each costs the work that was begun for it, and a caller that does nothing else
//! is stopped (CVE-2023-44487). h2 itself bounds those that are taken back before anybody has looked at them.

use std::time::Duration;

use tokio::time::Instant;

/// How many within [`WINDOW`]. A long poll that is given up and asked again is taken back now and then, and a proxy may
/// carry many of them.
const MAX: u32 = 300;

const WINDOW: Duration = Duration::from_secs(10);

/// Counts them.
pub(super) struct Resets {
    since: Instant,
    count: u32,
}

impl Resets {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    /// One more was taken back at `now`; whether there are too many.
    pub(super) fn one_more(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= WINDOW {
            *self = Self::new(now);
        }
        self.count += 1;
        self.count > MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_in_a_short_time_are_too_many() {
        let start = Instant::now();
        let mut resets = Resets::new(start);
        for _ in 0..MAX {
            assert!(!resets.one_more(start));
        }
        assert!(resets.one_more(start + WINDOW.saturating_sub(Duration::from_millis(1))));
        assert!(!resets.one_more(start + WINDOW));
    }

    #[test]
    fn many_over_a_long_time_are_not() {
        let start = Instant::now();
        let mut resets = Resets::new(start);
        for n in 0..MAX * 10 {
            assert!(!resets.one_more(start + WINDOW / 100 * n));
        }
    }
}
