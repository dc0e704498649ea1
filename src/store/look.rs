//! Looking at notifications and acting on them, as an operator does (contracts/events.md, "Look and act").

use std::time::Duration;

use super::push::PushView;
use crate::base::clock::Timestamp;
use crate::model::event::Event;
use crate::model::id::{ClientId, EndpointNumber, EventTypeId, LedgerId, Position, SubscriptionId};
use crate::model::notification::{EndpointKind, State};

/// The most records that one look reads.
pub const LOOK_RECORDS: usize = 10_000;

/// Which notifications are looked for; what is `None` is not asked for.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// In this state now.
    pub state: Option<State>,
    /// Ended or held for this reason.
    pub reason: Option<String>,
    /// Of this type.
    pub event_type: Option<EventTypeId>,
    /// For this subscription.
    pub subscription: Option<SubscriptionId>,
    /// For one of these.
    pub any_of: Option<Vec<SubscriptionId>>,
    /// Accepted at or after this instant.
    pub from: Option<Timestamp>,
    /// Accepted before this instant.
    pub to: Option<Timestamp>,
    /// Where the look before this one ended.
    pub cursor: Option<LookCursor>,
    /// The most notifications to list, 1 to 1000.
    pub limit: usize,
}

/// Where a look goes on: behind this event's target of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookCursor {
    /// The event.
    pub position: Position,
    /// The target.
    pub target: u32,
}

/// What a look found, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// The notifications.
    pub notifications: Vec<NotificationView>,
    /// Where to go on; `None` at the end. There may be a cursor though nothing was found: a look reads at most
    /// [`LOOK_RECORDS`] records.
    pub cursor: Option<LookCursor>,
}

/// A notification as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationView {
    /// Its id.
    pub id: LedgerId,
    /// Its event's id.
    pub event: LedgerId,
    /// Its event's type; `None` once the body has gone.
    pub event_type: Option<EventTypeId>,
    /// Whose it is; `None` where the subscription's endpoint has been forgotten.
    pub subscription: Option<SubscriptionId>,
    /// Where it goes.
    pub endpoint: EndpointNumber,
    /// How that is served.
    pub kind: EndpointKind,
    /// The state now.
    pub state: State,
    /// Why it ended or is held: `polled`, `answer-unconfirmed`, `acknowledged`, `abandoned`, `queue-full`, `paused`,
    /// `client-removed`, `subscription-removed`, what a client or an operator said, …
    pub reason: Option<String>,
    /// When its event was accepted.
    pub accepted: Timestamp,
    /// Until when it may be handed out.
    pub deadline: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How often it has been leased in this round.
    pub handouts: u32,
    /// Until when it is leased.
    pub leased_until: Option<Timestamp>,
    /// 1, and one more for each retry or replay.
    pub round: u32,
    /// Its number among those of its receiver, where it is counted (see [`super::Claimed::number`]).
    pub number: Option<u64>,
}

/// The whole story of a notification.
#[derive(Clone, Debug)]
pub struct Story {
    /// As it stands.
    pub view: NotificationView,
    /// Its event; `None` once the body has gone.
    pub event: Option<Event>,
    /// How often it was handed out, oldest first; only what the history still has.
    pub handed_out: Vec<HandedOut>,
    /// Who asked for the rounds after the first, and when, oldest first.
    pub rounds: Vec<Round>,
    /// Where it is sent: what has been tried, and when the next try is due.
    pub push: PushView,
    /// How often its event was repeated ([`super::Repeats::Loose`]), and when last.
    pub repeated: Option<Repeated>,
}

/// Repeats of an event that were recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// How many.
    pub times: u64,
    /// When the last of them came.
    pub last: Timestamp,
}

/// One time that a notification was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub client: ClientId,
    /// In answer to which request.
    pub request_id: String,
    /// Until when it was leased; `None` where the hand-out consumed it.
    pub leased_until: Option<Timestamp>,
    /// Whether the answer is known to have reached the socket whole; of a lease that is not asked.
    pub confirmed: bool,
}

/// A round that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// The state and reason that it was in before.
    pub before: (State, Option<String>),
}

/// What is to be done with notifications.
#[derive(Clone, Debug)]
pub struct Act {
    /// Which, each with what; at most 1000, each id once.
    pub items: Vec<(LedgerId, Action)>,
    /// Who asks, as the audit trail names them.
    pub by: String,
    /// Whether to say only what would be done.
    pub dry_run: bool,
}

/// What is to be done with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End what has not ended.
    Cancel,
    /// Begin a new round of what has ended: the same notification, waiting again, for this long but never past the
    /// event's own expiry.
    Reopen {
        /// From now to the new deadline.
        ttl: Duration,
    },
}

/// What became of one item of an [`Act`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is no such notification, or the history has forgotten it.
    #[error("there is no such notification")]
    NotFound,
    /// It has ended already, so there is nothing to cancel.
    #[error("it has ended already")]
    Ended,
    /// It has not ended, so there is no round to begin.
    #[error("it has not ended yet")]
    Waiting,
    /// The event's own `expirytime` has passed.
    #[error("its event's expirytime has passed")]
    EventExpired,
    /// The history has let the body go.
    #[error("its event's body is not kept any more")]
    BodyGone,
    /// Its subscription is not there any more.
    #[error("its subscription is not there any more")]
    SubscriptionGone,
}
