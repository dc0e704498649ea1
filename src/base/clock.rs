//! The clock that rules deadlines, leases, schedules, hours and ids.
//!
//! It is a parameter everywhere, so that tests move it by hand and simulate days in milliseconds.
//! Socket timeouts do not use it: they run on tokio's time (design.md, "Layers").

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::watch;

/// A future without a name, as the object-safe traits of this crate return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An instant in whole milliseconds since 1970-01-01T00:00:00Z; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant that can be shown as RFC 3339 (year -9999) and the latest (year 9999).
    pub const MIN: Self = Self(-377_705_023_201_000);
    /// See [`Timestamp::MIN`].
    pub const MAX: Self = Self(253_402_207_200_000);

    /// The instant `millis` milliseconds after the Unix epoch, brought into `MIN..=MAX`.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant and `duration` more, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let more = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(more))
    }

    /// This instant less `duration`, at least [`Timestamp::MIN`].
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let less = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(less))
    }

    /// How long after `earlier` this instant is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Parses an RFC 3339 instant with any offset; `None` if it is not one.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self::from_millis(t.as_millisecond()))
    }

    /// RFC 3339 in UTC with `Z` and whole seconds, as the polling contract shows instants.
    #[must_use]
    pub fn to_rfc3339_seconds(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// RFC 3339 in UTC with `Z` and milliseconds.
    #[must_use]
    pub fn to_rfc3339_millis(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S.%3fZ")
    }

    fn format(self, pattern: &str) -> String {
        // `from_millis` keeps the value inside what jiff can represent.
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        instant.to_zoned(TimeZone::UTC).strftime(pattern).to_string()
    }
}

/// Wall time and what can be said against it, and waiting for it.
pub trait Clock: Send + Sync + 'static {
    /// The present wall time.
    fn now(&self) -> Timestamp;
    /// Time since some moment that is fixed as long as the process runs. It never goes back, nobody can set it, and it
    /// goes on while the machine sleeps.
    fn monotonic(&self) -> Duration;
    /// Whether the system says that the wall clock is synchronised to a reference; `None` where it does not say.
    fn synchronised(&self) -> Option<bool>;
    /// Resolves once `now()` is `deadline` or later.
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The error bound, in microseconds, that the kernel's clock has when nothing has synchronised it for long enough: it
/// grows by 500 ppm from one correction to the next (`NTP_PHASE_LIMIT` in linux/timex.h).
const UNBOUNDED_ERROR: i64 = 16_000_000;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
        let now = jiff::Timestamp::now();
        Timestamp::from_millis(now.as_millisecond())
    }

    fn monotonic(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Neither is ever negative.
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    fn synchronised(&self) -> Option<bool> {
        // Asked with no mode set, it only answers. The error bound says more than the flag STA_UNSYNC, which chronyd
        // leaves set where it does not steer the hardware clock; timedatectl(1) looks at the bound too. A service that
        // may not make the call (systemd's ProtectClock=) cannot know.
        let mut state = rtime_clock::adjtime::Timex::new();
        rtime_clock::adjtime::adjtimex(&mut state).ok().map(|_| state.0.maxerror < UNBOUNDED_ERROR)
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        // The wall clock may be set while we sleep: look again at least once a second.
        let clock = *self;
        Box::pin(async move {
            loop {
                let left = deadline.since(clock.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(Duration::from_secs(1))).await;
            }
        })
    }
}

/// A clock that stands still until a test moves it.
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<Hands>);

/// What a [`ManualClock`] shows.
#[derive(Clone, Copy, Debug)]
struct Hands {
    wall: Timestamp,
    monotonic: Duration,
    synchronised: Option<bool>,
}

impl ManualClock {
    /// A clock that shows `start`, is synchronised and has just been switched on.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(watch::Sender::new(Hands { wall: start, monotonic: Duration::ZERO, synchronised: Some(true) }))
    }

    /// Time goes on: moves the clock forward and wakes whoever sleeps until then.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|hands| {
            hands.wall = hands.wall.plus(by);
            hands.monotonic = hands.monotonic.saturating_add(by);
        });
    }

    /// Sets the wall time, also backwards; no time goes by.
    pub fn set(&self, to: Timestamp) {
        self.0.send_modify(|hands| hands.wall = to);
    }

    /// Sets the wall time forward by so many milliseconds, or backwards; no time goes by.
    pub fn leap(&self, millis: i64) {
        self.0.send_modify(|hands| {
            hands.wall = Timestamp::from_millis(hands.wall.as_millis().saturating_add(millis));
        });
    }

    /// What [`Clock::synchronised`] says from now on.
    pub fn set_synchronised(&self, synchronised: Option<bool>) {
        self.0.send_modify(|hands| hands.synchronised = synchronised);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.borrow().wall
    }

    fn monotonic(&self) -> Duration {
        self.0.borrow().monotonic
    }

    fn synchronised(&self) -> Option<bool> {
        self.0.borrow().synchronised
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let mut receiver = self.0.subscribe();
        Box::pin(async move {
            // An error means that the clock is gone: then nobody waits for it either.
            let _ = receiver.wait_for(|hands| hands.wall >= deadline).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_in_utc_with_z() {
        let t = Timestamp::parse_rfc3339("2018-01-23T05:56:22.123456+01:00").unwrap();
        assert_eq!(t.to_rfc3339_seconds(), "2018-01-23T04:56:22Z");
        assert_eq!(t.to_rfc3339_millis(), "2018-01-23T04:56:22.123Z");
        assert_eq!(Timestamp::MAX.to_rfc3339_seconds(), "9999-12-30T22:00:00Z");
    }

    #[test]
    fn arithmetic_never_leaves_the_range() {
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_gets_there() {
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let sleep = tokio::spawn(clock.sleep_until(Timestamp::from_millis(10)));
        clock.advance(Duration::from_millis(9));
        assert!(!sleep.is_finished());
        clock.advance(Duration::from_millis(1));
        sleep.await.unwrap();
    }

    #[test]
    fn a_leap_moves_the_wall_time_alone() {
        let clock = ManualClock::new(Timestamp::from_millis(1000));
        clock.advance(Duration::from_millis(5));
        clock.leap(-700);
        assert_eq!((clock.now(), clock.monotonic()), (Timestamp::from_millis(305), Duration::from_millis(5)));
    }

    #[test]
    fn the_machines_monotonic_clock_goes_on() {
        let before = SystemClock.monotonic();
        std::thread::sleep(Duration::from_millis(2));
        assert!(SystemClock.monotonic() > before);
        // What it says depends on the machine; that it can be asked does not.
        let _ = SystemClock.synchronised();
    }
}
