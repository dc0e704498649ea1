//! How often something may be: token buckets on the injected clock, one alone or many in bounded room.
//!
//! A bucket holds what may be at once, which is as much as the rate gives in its period, and fills evenly. A clock that
//! is set back takes nothing away from it and holds nothing up.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;

use super::clock::Timestamp;

/// The most that a rate can give in its period.
pub const MAX_AMOUNT: u32 = 1_000_000;

/// So many in each period, and as many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: u32,
    period: Period,
}

/// What a rate counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Period {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    const fn millis(self) -> u64 {
        match self {
            Self::Second => 1000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }
}

impl Rate {
    /// `amount` in each `period`; `None` for 0 and above [`MAX_AMOUNT`].
    #[must_use]
    pub const fn new(amount: u32, period: Period) -> Option<Self> {
        if amount >= 1 && amount <= MAX_AMOUNT { Some(Self { amount, period }) } else { None }
    }

    /// The rate in a text such as `20/s`, `10/min` or `100/h`; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (amount, period) = text.split_once('/')?;
        let digits = !amount.is_empty() && amount.bytes().all(|b| b.is_ascii_digit());
        let period = Period::ALL.into_iter().find(|known| known.as_str() == period)?;
        Self::new(amount.parse().ok().filter(|_| digits)?, period)
    }

    /// What one of its things costs: a bucket fills by `amount` in a millisecond, so that nothing is rounded.
    const fn cost(self) -> u64 {
        self.period.millis()
    }

    fn capacity(self) -> u64 {
        self.cost() * u64::from(self.amount)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.amount, self.period.as_str())
    }
}

/// What is left of a rate for one; full at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    missing: u64,
    at: Timestamp,
}

impl Bucket {
    /// Takes one out at `now`, or says how long to wait until there is one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        self.check(rate, now)?;
        self.missing += rate.cost();
        Ok(())
    }

    /// Whether one could be taken at `now`, or how long to wait until then.
    pub fn check(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        self.fill(rate, now);
        let lacking = (self.missing + rate.cost()).saturating_sub(rate.capacity());
        if lacking == 0 { Ok(()) } else { Err(Duration::from_millis(lacking.div_ceil(u64::from(rate.amount)))) }
    }

    /// Whether nothing is missing at `now`.
    pub fn is_full(&mut self, rate: Rate, now: Timestamp) -> bool {
        self.fill(rate, now);
        self.missing == 0
    }

    fn fill(&mut self, rate: Rate, now: Timestamp) {
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let missing = self.missing.saturating_sub(passed.saturating_mul(rate.amount.into()));
        // The rate may have been another one before.
        *self = Self { missing: missing.min(rate.capacity()), at: now };
    }
}

/// Buckets of one rate, each known by a key, in room for a number of them.
///
/// They are kept in two generations. When the younger one is full it becomes the older one, and what was in that is
/// forgotten: whoever has not been heard of for so long has a full bucket again. That costs the same for every key,
/// however many an attacker makes up.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    generation_room: usize,
    generations: Mutex<Generations<K>>,
}

#[derive(Debug)]
struct Generations<K> {
    younger: HashMap<K, Bucket>,
    older: HashMap<K, Bucket>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Full buckets of this rate. At least `room` / 2 of the keys that were used last are remembered, at most `room`.
    #[must_use]
    pub fn new(rate: Rate, room: usize) -> Self {
        let generations = Generations { younger: HashMap::new(), older: HashMap::new() };
        Self { rate, generation_room: (room / 2).max(1), generations: Mutex::new(generations) }
    }

    /// Takes one out of the bucket of `key`, or says how long to wait until there is one.
    pub fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let mut generations = self.generations.lock();
        if let Some(bucket) = generations.younger.get_mut(&key) {
            return bucket.take(self.rate, now);
        }
        let mut bucket = generations.older.remove(&key).unwrap_or_default();
        let taken = bucket.take(self.rate, now);
        if generations.younger.len() >= self.generation_room {
            generations.older = std::mem::take(&mut generations.younger);
        }
        generations.younger.insert(key, bucket);
        taken
    }

    /// Whether one could be taken out of the bucket of `key`, or how long to wait until then.
    pub fn check(&self, key: &K, now: Timestamp) -> Result<(), Duration> {
        self.find(key).check(self.rate, now)
    }

    /// Whether nothing is missing in the bucket of `key`.
    pub fn is_full(&self, key: &K, now: Timestamp) -> bool {
        self.find(key).is_full(self.rate, now)
    }

    /// How many buckets are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        let generations = self.generations.lock();
        generations.younger.len() + generations.older.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, key: &K) -> Bucket {
        let generations = self.generations.lock();
        generations.younger.get(key).or_else(|| generations.older.get(key)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn rates_are_read_and_shown() {
        for text in ["20/s", "10/min", "100/h", "1000000/s"] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "/s", "20", "20/", "0/s", "20/m", "20/ms", "-1/s", "+1/s", "1.5/s", "1000001/s", "20 /s"] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn as_many_as_the_rate_says_and_then_one_after_the_other() {
        let rate = Rate::parse("10/min").unwrap();
        let mut bucket = Bucket::default();
        assert!(bucket.is_full(rate, NOW));
        for _ in 0..10 {
            bucket.take(rate, NOW).unwrap();
        }
        assert_eq!(bucket.take(rate, NOW), Err(millis(6000)));
        assert_eq!(bucket.take(rate, NOW.plus(millis(5999))), Err(millis(1)));
        bucket.take(rate, NOW.plus(millis(6000))).unwrap();
        assert_eq!(bucket.take(rate, NOW.plus(millis(6000))), Err(millis(6000)));
        assert!(!bucket.is_full(rate, NOW.plus(millis(65_999))));
        assert!(bucket.is_full(rate, NOW.plus(millis(66_000))));
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up() {
        let rate = Rate::parse("1/s").unwrap();
        let mut bucket = Bucket::default();
        bucket.take(rate, NOW).unwrap();
        let back = NOW.minus(Duration::from_hours(1));
        assert_eq!(bucket.take(rate, back), Err(millis(1000)));
        bucket.take(rate, back.plus(millis(1000))).unwrap();
    }

    #[test]
    fn who_is_forgotten_has_a_full_bucket_and_who_comes_back_is_not_forgotten() {
        let buckets = Buckets::new(Rate::parse("1/h").unwrap(), 8);
        assert!(buckets.take(1000, NOW).is_ok() && buckets.take(1000, NOW).is_err());
        for key in 0..1000 {
            buckets.take(key, NOW).unwrap();
            assert!(buckets.len() <= 8);
            assert!(
                buckets.take(key, NOW).is_err() && buckets.check(&key, NOW).is_err() && !buckets.is_full(&key, NOW)
            );
            if key < 4 {
                assert!(buckets.take(1000, NOW).is_err());
            }
        }
        assert!(buckets.is_full(&1000, NOW) && buckets.check(&1000, NOW).is_ok());
    }

    proptest! {
        /// In any stretch of time no more is taken than the rate gives in it and one bucket more.
        #[test]
        fn never_more_than_the_rate(amount in 1..50_u32, steps in prop::collection::vec(0..400_u64, 1..300)) {
            let rate = Rate::new(amount, Period::Second).unwrap();
            let (mut bucket, mut now, mut taken) = (Bucket::default(), NOW, 0_u64);
            for step in steps {
                now = now.plus(millis(step));
                let before = bucket;
                match bucket.take(rate, now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        prop_assert!(wait > Duration::ZERO);
                        prop_assert!(before.clone().take(rate, now.plus(wait).minus(millis(1))).is_err());
                        prop_assert!(before.clone().take(rate, now.plus(wait)).is_ok());
                    }
                }
                let passed = u64::try_from(now.since(NOW).as_millis()).unwrap();
                prop_assert!(taken * 1000 <= u64::from(amount) * (1000 + passed));
            }
        }
    }
}
