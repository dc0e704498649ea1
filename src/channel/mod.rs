//! How a message leaves: webhook, e-mail, templates. No store, no retry loop.
//!
//! A [`Channel`] sends one message to one target and says what came of it: delivered, refused, or a fault and whose. What
//! is done about that (schedules, circuits, order, records) is the engine's business.

pub mod email;
pub mod webhook;

use std::sync::Arc;

use async_trait::async_trait;

use crate::base::clock::Timestamp;
use crate::base::rate::Rate;
use crate::model::attempt::Phases;
use crate::model::event::Event;
use crate::model::id::{Epoch, LedgerId};
use crate::model::subscription::Subscription;
use crate::model::target::Target;

/// A notification that is to be sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// The notification's id: what a receiver knows repeats by.
    pub id: LedgerId,
    /// The subscription that it is for.
    pub subscription: Arc<Subscription>,
    /// Its number among those of its receiver, where it is counted ([`crate::model::target::Shape::Management`]).
    pub number: Option<u64>,
    /// Its event.
    pub event: Event,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The ledger's time now: what signatures, dates and validity go by.
    pub now: Timestamp,
    /// The store's generation.
    pub epoch: Epoch,
}

/// What came of sending a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What it means.
    pub verdict: Verdict,
    /// The class of the outcome, such as `status-503`, `connect-refused`, `timeout`: of a bounded number, for metrics.
    pub reason: String,
    /// The status of an HTTP answer, or the code of an SMTP reply.
    pub status: Option<u16>,
    /// What happened, for people. No secrets.
    pub detail: String,
    /// The text of the answer, at most [`crate::model::attempt::ANSWER_BYTES`]; empty where the policy does not show it.
    pub answer: String,
    /// How long the parts took.
    pub phases: Phases,
}

/// What an outcome means for the message, its endpoint and those who share its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Delivered,
    /// It was refused for what it is: the next one may be taken.
    Rejected {
        /// Whether the address does not exist, so that it is not mailed to for a while.
        suppress: bool,
    },
    /// The endpoint is gone for good, by its own word.
    Gone,
    /// The endpoint did not take it, for a reason that may pass.
    Fault {
        /// Before this instant it wants no other try.
        retry_after: Option<Timestamp>,
        /// Whether all that shares the target is to be slower.
        slow: bool,
    },
    /// What all endpoints of the target share (the relay) does not work: no fault of this endpoint or message.
    Down,
    /// No try was made, as none can be now: no secret is valid.
    Unable,
}

/// What endpoints share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Endpoints of one key go to one place: they share limits, pauses and what is [`Verdict::Down`].
    pub target: String,
    /// The name of what is limited to `rate`, and the rate; shared by all of that name.
    pub rate: Option<(String, Rate)>,
}

/// A way out. What it does is bounded in time and memory, and cancelled when the future is dropped.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// What this endpoint shares with others.
    fn shared(&self, target: &Target) -> Shared;

    /// Why nothing could ever be sent to `target`, which a caller of an API names; for that caller.
    fn objection(&self, target: &Target) -> Option<String> {
        let _ = target;
        None
    }

    /// Whether those who own a subscription may see the text of the answers of its `target`.
    fn shows_answers(&self, target: &Target) -> bool {
        let _ = target;
        false
    }

    /// Sends one message.
    async fn send(&self, target: &Target, message: &Message) -> Sent;
}
