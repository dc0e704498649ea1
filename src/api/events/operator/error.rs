//! What an operator is answered instead of what was asked for.

use crate::api::events::error::Error;
use crate::api::problem::Problem;
use crate::engine::{ActError, BulkError, NotDone, PurgeError, UnsubscribeError};

use super::cursor;

/// There is no such notification, or not any more.
pub(super) fn no_notification() -> Error {
    Error::new(Problem::NotFound, "There is no such notification, or the history has forgotten it.")
}

/// There is no such event, or not any more.
pub(super) fn no_event() -> Error {
    Error::new(Problem::NotFound, "There is no such event, or the history has let its body go.")
}

/// There is no such subscription.
pub(super) fn no_subscription() -> Error {
    Error::new(Problem::NotFound, "There is no such subscription.")
}

impl From<ActError> for Error {
    fn from(error: ActError) -> Self {
        match error {
            ActError::NotDone(NotDone::NotFound) => no_notification(),
            ActError::NotDone(
                reason @ (NotDone::Ended
                | NotDone::Waiting
                | NotDone::EventExpired
                | NotDone::BodyGone
                | NotDone::SubscriptionGone),
            ) => Self::new(Problem::WrongState, format!("Nothing was done with the notification: {reason}.")),
            ActError::Store(error) => error.into(),
        }
    }
}

impl From<UnsubscribeError> for Error {
    fn from(error: UnsubscribeError) -> Self {
        match error {
            UnsubscribeError::NotFound => no_subscription(),
            UnsubscribeError::Declared(id) => Self::new(
                Problem::Declared,
                format!("The configuration declares the subscription {id}: take it out of [[subscriptions]] there."),
            ),
            UnsubscribeError::Store(error) => error.into(),
        }
    }
}

impl From<PurgeError> for Error {
    fn from(error: PurgeError) -> Self {
        match error {
            PurgeError::Unsettled => Self::new(Problem::Unavailable, format!("Nothing was ended: {error}.")),
            PurgeError::Store(error) => error.into(),
        }
    }
}

impl From<BulkError> for Error {
    fn from(error: BulkError) -> Self {
        let BulkError { error, so_far } = error;
        let whence = so_far.cursor.map(|at| format!("; to go on, give the cursor {}", cursor::write(at)));
        let done = format!("It was done with {} notifications before{}.", so_far.done, whence.unwrap_or_default());
        Self::from(error).with_detail(&done)
    }
}
