//! What happens next with a notification, and when.

use super::endpoints::EndpointView;
use crate::base::clock::Timestamp;
use crate::model::notification::{EndpointKind, State};
use crate::model::subscription::{Hold, HoldReason, Subscription};
use crate::store::{EndpointHold, NotDone, NotificationView, Story};

/// What happens next with a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It waits to be handed out.
    HandOut {
        /// When it expires if it is not.
        expires: Timestamp,
    },
    /// It is leased: unless it is acknowledged before, its lease ends.
    LeaseEnd {
        /// When.
        at: Timestamp,
        /// Whether its deadline has passed then, so that it expires; else it waits again.
        expires: bool,
    },
    /// It waits to be sent.
    Attempt {
        /// When, at the earliest; `None`: as soon as its turn comes.
        due: Option<Timestamp>,
        /// When it expires if nobody has taken it by then.
        expires: Timestamp,
        /// Since when what it goes through does not work, and what the last attempt met with.
        down: Option<(Timestamp, String)>,
    },
    /// It is being sent.
    Outcome {
        /// When it expires if it is not taken.
        expires: Timestamp,
    },
    /// Nothing is sent to its endpoint but probes.
    Probe {
        /// Why.
        hold: EndpointHold,
        /// When it expires if the endpoint takes nothing before.
        expires: Timestamp,
    },
    /// It is held and waits for the holds to end.
    Release {
        /// Why; may be empty where the subscription is not there any more.
        holds: Vec<Hold>,
        /// When it expires if they do not.
        expires: Timestamp,
    },
    /// Nothing: it has ended.
    Nothing {
        /// Why no new round of it could be begun; `None` if one could.
        refused: Option<NotDone>,
    },
}

impl Next {
    pub(super) fn of(
        story: &Story,
        subscription: Option<&Subscription>,
        endpoint: Option<&EndpointView>,
        now: Timestamp,
    ) -> Self {
        let view = &story.view;
        let (expires, is_polled) = (view.deadline, view.kind == EndpointKind::Poll);
        match view.state {
            State::Queued if is_polled => Self::HandOut { expires },
            State::Queued => Self::attempt(story, endpoint, now),
            State::Leased if is_polled => Self::lease_end(view),
            State::Leased => Self::Outcome { expires },
            State::Held => {
                let mut holds = subscription.map(|s| s.holds.clone()).unwrap_or_default();
                if view.reason.as_deref() == Some(HoldReason::OutsideHours.as_str()) {
                    holds.push(Hold { reason: HoldReason::OutsideHours, since: view.accepted });
                }
                // The holds of a subscription are in the way of probes too.
                match endpoint.and_then(|endpoint| endpoint.report.standing.hold.clone()) {
                    Some(hold) if holds.is_empty() => Self::Probe { hold, expires },
                    _ => Self::Release { holds, expires },
                }
            }
            State::Delivered | State::Consumed | State::Failed | State::Expired | State::Cancelled => {
                Self::Nothing { refused: objection(story, subscription, now) }
            }
        }
    }

    /// Not before it is due, its endpoint wants something, and what it goes through has rested.
    fn attempt(story: &Story, endpoint: Option<&EndpointView>, now: Timestamp) -> Self {
        let shared = endpoint.and_then(|endpoint| endpoint.report.shared.as_ref());
        let quiet = endpoint.and_then(|endpoint| endpoint.report.quiet_until);
        let rests = shared.and_then(|shared| shared.rests_until);
        let due = [story.push.due, quiet, rests].into_iter().flatten().max().filter(|due| *due > now);
        let down = shared.and_then(|shared| shared.down.clone());
        Self::Attempt { due, expires: story.view.deadline, down }
    }

    fn lease_end(view: &NotificationView) -> Self {
        let at = view.leased_until.unwrap_or(view.deadline);
        Self::LeaseEnd { at, expires: view.deadline <= at }
    }
}

/// What would be said to who asked for a new round.
fn objection(story: &Story, subscription: Option<&Subscription>, now: Timestamp) -> Option<NotDone> {
    let Some(event) = &story.event else { return Some(NotDone::BodyGone) };
    if event.draft.expiry.is_some_and(|expiry| expiry <= now) {
        return Some(NotDone::EventExpired);
    }
    subscription.is_none().then_some(NotDone::SubscriptionGone)
}
