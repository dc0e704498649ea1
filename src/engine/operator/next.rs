//! What happens next with a notification, and when.

use crate::base::clock::Timestamp;
use crate::model::notification::State;
use crate::model::subscription::{Hold, Subscription};
use crate::store::{NotDone, NotificationView, Story};

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
    pub(super) fn of(story: &Story, subscription: Option<&Subscription>, now: Timestamp) -> Self {
        let view = &story.view;
        match view.state {
            State::Queued => Self::HandOut { expires: view.deadline },
            State::Leased => Self::lease_end(view),
            State::Held => {
                let holds = subscription.map(|s| s.holds.clone()).unwrap_or_default();
                Self::Release { holds, expires: view.deadline }
            }
            State::Delivered | State::Consumed | State::Failed | State::Expired | State::Cancelled => {
                Self::Nothing { refused: objection(story, subscription, now) }
            }
        }
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
