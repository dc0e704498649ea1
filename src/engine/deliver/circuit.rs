//! The circuit of an endpoint: when nothing is sent to it but probes, and how it gets going again. Pure: time and
//! randomness come in, and what is to be kept is a [`Standing`].
//!
//! - [`FAULTS`] faults with no success between open it. Faults of attempts that were under way together all count: a blip
//!   that takes them all costs a pause of five seconds, and waiting for further ones would cost tries of notifications.
//!   One notification alone does not open it soon: its schedule sees to that, and others that are taken between its
//!   tries begin the count anew. In strict order, where all others wait for the tries of one, [`FEW_FAULTS`] are enough,
//!   and in the ramp as well.
//! - Open, it is probed after [`FIRST_PAUSE`], and then after pauses that double up to [`LAST_PAUSE`]. A success closes it,
//!   also one of an attempt that began before it opened. Faults of such attempts mean nothing any more.
//! - Closed again, it is sent to with care ([`pace`]). If it opens within that time, the pauses go on where they were.
//! - An endpoint that is gone by its own word is held until somebody resumes it. One without a valid secret is looked at
//!   once a minute.

use std::time::Duration;

use super::schedule::jittered;
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::rate::{Period, Rate};
use crate::model::subscription::HoldReason;
use crate::model::target::Ordering;
use crate::store::{EndpointHold, Standing};

/// Faults in a row that open a circuit.
pub(super) const FAULTS: u32 = 5;
/// Faults in a row that open it in strict order, or while it is in its ramp. More than one: what is not taken for its own
/// sake would open it again and again.
pub(super) const FEW_FAULTS: u32 = 3;
/// From the opening to the first probe.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest from one probe to the next.
pub(super) const LAST_PAUSE: Duration = Duration::from_mins(5);
/// How often it is looked whether a secret has become valid.
pub(super) const SECRET_PAUSE: Duration = Duration::from_mins(1);
/// The pauses after which doubling has reached [`LAST_PAUSE`].
const DOUBLINGS: u32 = 6;

/// How long each step of the ramp takes.
const RAMP_STEP: Duration = Duration::from_secs(10);
/// How many steps it has: one in flight and ten a second in the first, twice as much in each further one.
const RAMP_STEPS: u32 = 7;
const RAMP_RATE: u32 = 10;

/// How much may be sent in a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Attempts in flight.
    pub in_flight: usize,
    /// Attempts begun.
    pub rate: Rate,
}

/// How much may be sent to an endpoint at `now` that has recovered then; `None`: its ramp is over, or was never begun.
pub(super) fn pace(recovered: Option<Timestamp>, now: Timestamp) -> Option<Pace> {
    let step = now.since(recovered?).as_millis() / RAMP_STEP.as_millis();
    let step = u32::try_from(step).ok().filter(|step| *step < RAMP_STEPS)?;
    Some(Pace { in_flight: 1 << step, rate: Rate::new(RAMP_RATE << step, Period::Second)? })
}

/// What somebody may want to know of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// It has opened.
    Opened,
    /// A probe has failed, the first of this hold or a further one.
    ProbeFailed,
    /// It is sent to again.
    Closed,
    /// It is gone.
    Disabled,
    /// It has no valid secret.
    Unable,
}

/// That an endpoint did not take something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault<'a> {
    /// What happened, for people.
    pub text: &'a str,
    /// Whether it was a probe.
    pub probe: bool,
    /// In which order it is sent to.
    pub ordering: Ordering,
}

/// The circuit.
#[derive(Clone, Debug, Default)]
pub(super) struct Circuit {
    standing: Standing,
    /// Doublings of the pause that an earlier opening has come to; it counts within the ramp that follows.
    backoff: u32,
}

impl Circuit {
    pub(super) const fn new(standing: Standing) -> Self {
        Self { standing, backoff: 0 }
    }

    /// How the endpoint stands.
    pub(super) const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Why nothing is sent to it but probes.
    pub(super) const fn hold(&self) -> Option<&EndpointHold> {
        self.standing.hold.as_ref()
    }

    /// Whether the last attempt that ended was a fault: then one is sent after the other, and what was never tried first.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.standing.failures > 0
    }

    /// The endpoint took something, or (where `taken` is false) refused it for what it was: it is there. An attempt that
    /// began while there was a valid secret does not say that there is one now.
    pub(super) fn answered(&mut self, now: Timestamp, taken: bool, probe: bool) -> Change {
        let standing = &mut self.standing;
        (standing.failures, standing.failing_since) = (0, None);
        if taken {
            standing.last_success = Some(now);
        }
        match standing.hold.as_ref().map(|hold| hold.reason) {
            Some(HoldReason::CircuitOpen) => self.close(now),
            Some(HoldReason::SecretExpired) if probe => self.close(now),
            _ => Change::None,
        }
    }

    /// The endpoint did not take something.
    pub(super) fn fault(&mut self, now: Timestamp, fault: &Fault<'_>, random: &dyn Random) -> Change {
        let standing = &mut self.standing;
        standing.failures = standing.failures.saturating_add(1);
        standing.failing_since.get_or_insert(now);
        standing.last_fault = Some(short(fault.text));
        match standing.hold.as_mut() {
            None => self.weigh(now, fault.ordering, random),
            Some(hold) if hold.reason == HoldReason::CircuitOpen && fault.probe => {
                hold.probes = hold.probes.saturating_add(1);
                hold.probe_at = Some(now.plus(pause(self.backoff.saturating_add(hold.probes), random)));
                Change::ProbeFailed
            }
            // It could be sent to, so there is a secret again; what else is wrong is found out as it always is.
            Some(hold) if hold.reason == HoldReason::SecretExpired && fault.probe => {
                standing.failures = 1;
                self.close(now)
            }
            Some(_) => Change::None,
        }
    }

    /// The endpoint said that it is gone for good.
    pub(super) fn gone(&mut self, now: Timestamp, fault: &str) -> Change {
        let standing = &mut self.standing;
        standing.failures = standing.failures.saturating_add(1);
        standing.failing_since.get_or_insert(now);
        standing.last_fault = Some(short(fault));
        self.hold_for(HoldReason::EndpointDisabled, now, None, Change::Disabled)
    }

    /// Nothing can be sent to it, as none of its secrets is valid.
    pub(super) fn unable(&mut self, now: Timestamp, fault: &str) -> Change {
        if self.hold().is_some_and(|hold| hold.reason == HoldReason::EndpointDisabled) {
            return Change::None;
        }
        self.standing.last_fault = Some(short(fault));
        self.hold_for(HoldReason::SecretExpired, now, Some(now.plus(SECRET_PAUSE)), Change::Unable)
    }

    /// Somebody wants it to be sent to.
    pub(super) fn resume(&mut self, now: Timestamp) -> Change {
        match self.hold().map(|hold| hold.reason) {
            None => Change::None,
            Some(HoldReason::SecretExpired) => {
                self.probe_soon(now);
                Change::None
            }
            Some(_) => {
                (self.standing.failures, self.standing.failing_since) = (0, None);
                let closed = self.close(now);
                self.backoff = 0;
                closed
            }
        }
    }

    /// What it is or where it is has changed: it may work now.
    pub(super) fn probe_soon(&mut self, now: Timestamp) {
        if let Some(hold) = &mut self.standing.hold {
            hold.probe_at = hold.probe_at.map(|at| at.min(now));
        }
    }

    /// Opens it if there were too many faults.
    fn weigh(&mut self, now: Timestamp, ordering: Ordering, random: &dyn Random) -> Change {
        let in_ramp = pace(self.standing.recovered, now).is_some();
        if !in_ramp {
            self.backoff = 0;
        }
        let enough = if in_ramp || ordering == Ordering::Strict { FEW_FAULTS } else { FAULTS };
        if self.standing.failures < enough {
            return Change::None;
        }
        let probe_at = Some(now.plus(pause(self.backoff, random)));
        self.hold_for(HoldReason::CircuitOpen, now, probe_at, Change::Opened)
    }

    fn hold_for(&mut self, reason: HoldReason, now: Timestamp, probe_at: Option<Timestamp>, change: Change) -> Change {
        match &mut self.standing.hold {
            Some(hold) if hold.reason == reason => {
                hold.probe_at = probe_at;
                Change::None
            }
            hold => {
                *hold = Some(EndpointHold { reason, since: now, probe_at, probes: 0 });
                change
            }
        }
    }

    fn close(&mut self, now: Timestamp) -> Change {
        if let Some(hold) = self.standing.hold.take() {
            self.backoff = self.backoff.saturating_add(hold.probes).saturating_add(1).min(DOUBLINGS);
        }
        self.standing.recovered = Some(now);
        Change::Closed
    }
}

/// As much of a text as is kept with how an endpoint stands.
fn short(text: &str) -> String {
    text.chars().take(500).collect()
}

/// The pause before a probe after so many doublings.
fn pause(doublings: u32, random: &dyn Random) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(DOUBLINGS));
    jittered(pause.min(LAST_PAUSE), random)
}

/// Whether `now` says something that is worth a row: that it took something once more does not, within a minute.
pub(super) fn is_worth_keeping(kept: &Standing, now: &Standing) -> bool {
    let fresh = match (kept.last_success, now.last_success) {
        (Some(kept), Some(now)) => now.since(kept) < Duration::from_mins(1),
        (kept, now) => kept == now,
    };
    let is_unable = |hold: &&EndpointHold| hold.reason == HoldReason::SecretExpired;
    // When it is looked at next is not kept where that is every minute.
    let mut now = Standing { last_success: kept.last_success, ..now.clone() };
    if let (Some(kept), Some(hold)) = (kept.hold.as_ref().filter(is_unable), &mut now.hold) {
        hold.probe_at = kept.probe_at.filter(|_| hold.reason == kept.reason).or(hold.probe_at);
    }
    !fresh || *kept != now
}

#[cfg(test)]
mod tests;
