//! How quick a target is: by the mean time that attempts there take. Of one that is new a single attempt is to find out.

use std::time::Duration;

/// A target whose attempts take longer than this is slow.
const SLOW: Duration = Duration::from_secs(1);
/// How much the last attempt weighs in the mean, in parts of [`WHOLE`].
const WEIGHT: u32 = 1;
const WHOLE: u32 = 5;

/// How quick a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetPace {
    /// Its attempts take less than a second.
    Quick,
    /// They take longer, or are under way for the first time.
    Slow,
    /// This is the first attempt there.
    New,
}

/// What is known of how long attempts take.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// `None` before the first attempt has ended.
    mean: Option<Duration>,
    on_trial: bool,
}

impl Latency {
    /// Whether attempts are known to take long.
    pub(super) fn is_slow(&self) -> bool {
        self.mean.is_some_and(|mean| mean >= SLOW)
    }

    /// How quick the target is for an attempt that is about to begin. Where it is [`TargetPace::New`], no other attempt
    /// is until [`Latency::end_trial`].
    pub(super) fn pace(&mut self) -> TargetPace {
        match self.mean {
            Some(mean) if mean < SLOW => TargetPace::Quick,
            None if !self.on_trial => {
                self.on_trial = true;
                TargetPace::New
            }
            Some(_) | None => TargetPace::Slow,
        }
    }

    /// The first attempt is over, whatever it has found out.
    pub(super) fn end_trial(&mut self) {
        self.on_trial = false;
    }

    /// Takes note of how long an attempt took; answers whether that makes it slow or quick.
    pub(super) fn take_note(&mut self, took: Duration) -> bool {
        let before = self.mean.map(|mean| mean < SLOW);
        let mean = self.mean.map_or(took, |mean| (mean * (WHOLE - WEIGHT) + took * WEIGHT) / WHOLE);
        self.mean = Some(mean);
        before != Some(mean < SLOW)
    }
}
