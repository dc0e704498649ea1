//! What is sent to somebody: claiming what is due, and settling what an attempt has brought.
//!
//! A claim is memory: after a crash all that is not settled is due again, so that there is one commit between a
//! notification's creation and its first attempt, and a crash leads to another attempt and never to a lost one.

use crate::base::clock::Timestamp;
use crate::model::attempt::Attempt;
use crate::model::event::Event;
use crate::model::id::{EndpointNumber, LedgerId};
use crate::model::notification::State;
use crate::model::subscription::HoldReason;
use crate::model::target::Ordering;

/// How many attempts of one notification are kept: the first few, and the last ones.
pub const KEPT_ATTEMPTS: usize = 64;

/// What is asked for by who sends.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Whose notifications.
    pub endpoint: EndpointNumber,
    /// In which order they go out. [`Ordering::Strict`]: one at a time, and the oldest blocks until it has ended.
    pub ordering: Ordering,
    /// The most notifications; at least one.
    pub max: usize,
    /// Whether it is to find out if the endpoint is there (again): gives one where none is in flight, also where a hold of
    /// the endpoint itself (not of its subscription) is on, and then whenever it would be due. In strict order that is
    /// the oldest, else the oldest that was never tried, else the oldest that is due, else what is due first: one
    /// notification that is never taken must not stand for all.
    pub probe: bool,
}

/// A notification that somebody is about to send. It is in nobody else's hands until it is settled or put back.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The notification's id: stable over retries, rounds and restarts.
    pub id: LedgerId,
    /// Its event.
    pub event: Event,
    /// After this instant it must not be sent.
    pub deadline: Timestamp,
    /// Attempts before this one that counted in this round: the place in the schedule.
    pub tried: u32,
    /// All attempts before this one, in all rounds.
    pub attempts: u32,
    /// Its number among those of its receiver, from 1, where it is counted ([`crate::model::target::Shape::Management`]).
    pub number: Option<u64>,
}

/// What an attempt has brought.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which notification.
    pub notification: LedgerId,
    /// Of which endpoint.
    pub endpoint: EndpointNumber,
    /// The attempt.
    pub attempt: Attempt,
    /// What becomes of the notification.
    pub verdict: Settle,
    /// How the endpoint stands now, where that has changed.
    pub standing: Option<Standing>,
}

/// What becomes of a notification after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It has arrived.
    Delivered,
    /// It will not arrive: failed, for this reason.
    Failed {
        /// Why, in a word or two.
        reason: String,
    },
    /// It is tried again. If its deadline is not after `due`, it expires at its deadline.
    Retry {
        /// When, at the earliest.
        due: Timestamp,
        /// Whether the attempt counts for the schedule. One that only found out that the endpoint or the relay is down
        /// does not.
        counts: bool,
    },
}

/// How an endpoint stands: one row of its own, whatever waits for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why nothing is sent to it but probes; `None`: it is up.
    pub hold: Option<EndpointHold>,
    /// Faults since it last took something.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// What the last fault was, for people.
    pub last_fault: Option<String>,
    /// When it last took something.
    pub last_success: Option<Timestamp>,
    /// When its last hold ended: what was put off at that instant or before is due once this is stored, and from then on it
    /// is sent to with care.
    pub recovered: Option<Timestamp>,
}

/// Why nothing is sent to an endpoint but probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHold {
    /// [`HoldReason::CircuitOpen`], [`HoldReason::EndpointDisabled`] or [`HoldReason::SecretExpired`].
    pub reason: HoldReason,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried next; `None`: not before somebody resumes it.
    pub probe_at: Option<Timestamp>,
    /// How often it was tried in vain.
    pub probes: u32,
}

/// What became of a notification that was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is in this state now. What was delivered in an earlier round ends as delivered again.
    In(State),
    /// It had ended meanwhile, by somebody's wish or with its subscription; the attempt is kept where it can be.
    Gone,
}

/// An attempt as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAttempt {
    /// Which of the notification, from 1.
    pub number: u32,
    /// The attempt.
    pub attempt: Attempt,
}

/// What is known of the next attempt of a notification that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushView {
    /// All attempts that are kept, first to last.
    pub attempts: Vec<KeptAttempt>,
    /// When it is due, or held no more for a customer's hours (also where it is polled); `None`: as soon as its turn comes.
    pub due: Option<Timestamp>,
    /// Attempts that counted in this round.
    pub tried: u32,
    /// Whether it is being sent now.
    pub in_flight: bool,
}

/// An address that is not mailed to for a while, since a relay said that it does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The address, normalised.
    pub address: String,
    /// Since when.
    pub since: Timestamp,
    /// What the relay said.
    pub reply: String,
}

/// A condition that needs a person, as it is kept while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCondition {
    /// The event type and what it is about: the key.
    pub name: String,
    /// What it is about: a subscription, an endpoint, a file.
    pub subject: String,
    /// Since when.
    pub since: Timestamp,
    /// How often it has been told, and when last.
    pub told: (u32, Timestamp),
    /// What was told last, for people.
    pub detail: String,
}
