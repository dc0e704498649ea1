//! The state of an endpoint, for people.

use crate::base::clock::Timestamp;
use crate::model::id::EndpointNumber;
use crate::model::subscription::{HoldReason, Subscription};
use crate::model::target::Target;
use crate::store::{EndpointHold, Standing};

/// What is done with an endpoint at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointState {
    /// It is sent to.
    Up,
    /// It is held, and just now it is tried.
    Probing,
    /// Nothing is sent to it, but it is tried now and then: it fails, or has no valid secret; or the files no longer name
    /// the client that its subscription is for.
    Held,
    /// Its subscription is paused by the operator.
    Paused,
    /// It said that it is gone: nothing is sent to it until somebody resumes it.
    Disabled,
}

impl EndpointState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Up, Self::Probing, Self::Held, Self::Paused, Self::Disabled];

    /// The name in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Probing => "probing",
            Self::Held => "held",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    pub(super) fn of(subscription: &Subscription, hold: Option<&EndpointHold>, probing: bool) -> Self {
        let is_held_for = |reason| subscription.holds.iter().any(|hold| hold.reason == reason);
        match hold.map(|hold| hold.reason) {
            _ if is_held_for(HoldReason::Paused) => Self::Paused,
            Some(HoldReason::EndpointDisabled) => Self::Disabled,
            _ if subscription.is_held() => Self::Held,
            Some(_) if probing => Self::Probing,
            Some(_) => Self::Held,
            None => Self::Up,
        }
    }
}

/// How an endpoint is doing.
#[derive(Clone, Debug)]
pub struct EndpointReport {
    /// Its number in the store.
    pub number: EndpointNumber,
    /// Where its notifications go.
    pub target: Target,
    /// What is done with it at present.
    pub state: EndpointState,
    /// How it stands; of a queue that is polled there is nothing to say.
    pub standing: Standing,
    /// How many attempts are under way.
    pub in_flight: usize,
    /// Whether it has just recovered and is sent to slowly.
    pub ramping: bool,
    /// Before this instant it wants nothing (`Retry-After`).
    pub quiet_until: Option<Timestamp>,
    /// What it shares with other endpoints; `None` where nothing is sent.
    pub shared: Option<SharedReport>,
}

/// What is known of a target that several endpoints share.
#[derive(Clone, Debug)]
pub struct SharedReport {
    /// Its key.
    pub target: String,
    /// Until when nothing is sent there, because it asked for that or is down.
    pub rests_until: Option<Timestamp>,
    /// Since when it is down, and what the last attempt met with.
    pub down: Option<(Timestamp, String)>,
    /// Whether its attempts take long.
    pub slow: bool,
}
