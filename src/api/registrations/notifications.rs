//! Notifications with their attempts, and retrying one that has failed.

use hyper::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::contract::{RegistrationsContract, not_stored};
use super::error::{Error, Problem, What};
use super::paging::{LAST, Paging};
use super::registration::subscriber_of;
use super::subscriber;
use crate::auth::Principal;
use crate::engine::{KeptAttempt, StoryReport};
use crate::http::contract::{Request, Response};
use crate::model::id::{LedgerId, SubscriptionId};
use crate::model::notification::State;
use crate::model::subscription::{ContractName, Subscription};

/// A page of notifications, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Notifications)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    /// The notifications.
    notification_events: Vec<Item>,
    /// How many pages there are; never more than those of 10,000 notifications.
    total_pages: usize,
}

/// A notification.
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
#[serde(rename_all = "camelCase")]
struct Item {
    /// Its id, which its webhook has too.
    #[schema(format = "uuid")]
    notification_id: String,
    /// The subscriber that it is for.
    subscriber_id: String,
    /// What was tried to deliver it, oldest first.
    attempts: Vec<Attempt>,
}

/// One try to deliver a notification.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    /// The status of the HTTP answer, or the code of the mail relay; absent where there was none.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    response_code: Option<u16>,
    /// The beginning of the answer's text, control characters escaped; empty unless the egress policy shows it.
    response_body: String,
    /// When it began.
    #[schema(format = DateTime)]
    #[serde(rename = "attemptTime")]
    time: String,
}

/// A notification that is tried again.
#[derive(Serialize, ToSchema)]
#[schema(as = Retry)]
#[serde(rename_all = "camelCase")]
pub(super) struct Retried {
    /// Its id, which is the same as before.
    #[schema(format = "uuid")]
    notification_id: String,
    /// How it stands.
    #[schema(pattern = "^(SENT|FAILED|PENDING)$")]
    notification_status: &'static str,
    /// What becomes of it.
    details: String,
}

/// What the contract calls the states of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Sent,
    Failed,
    Pending,
}

impl Status {
    const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Pending];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
            Self::Pending => "PENDING",
        }
    }

    /// design.md, "Nouns".
    const fn of(state: State) -> Self {
        match state {
            State::Delivered | State::Consumed => Self::Sent,
            State::Failed | State::Expired | State::Cancelled => Self::Failed,
            State::Queued | State::Leased | State::Held => Self::Pending,
        }
    }
}

impl RegistrationsContract {
    pub(super) async fn notifications(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let (paging, status) = both(Paging::of(request), status(request))?;
        let registrations = match request.query_value("registrationId") {
            Some(id) => vec![self.own(&id, &subscriber)?],
            None => self.registrations_of(&subscriber),
        };
        let ids: Vec<SubscriptionId> = registrations.iter().map(|registration| registration.id.clone()).collect();
        let wanted = |state| status.is_none_or(|status| status == Status::of(state));
        let all = self.engine.history_of(&ids, wanted, LAST).await?;
        let mut notification_events = Vec::new();
        for view in paging.cut(&all) {
            // What the history has forgotten meanwhile is gone.
            if let Some(story) = self.engine.story(view.id).await? {
                notification_events.push(self.item(&story, &subscriber));
            }
        }
        let list = List { notification_events, total_pages: all.len().div_ceil(paging.limit) };
        let body = serde_json::to_vec(&list).expect("strings and numbers always have a JSON form");
        Ok(not_stored(Response::json(StatusCode::OK, body)))
    }

    pub(super) async fn retry(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let none = || Error::NotFound(What::Notification);
        let id = LedgerId::parse(request.param("notificationId")).ok_or_else(none)?;
        let story = self.engine.story(id).await?.ok_or_else(none)?.story;
        let of = story.view.subscription.as_ref().ok_or_else(none)?;
        let registration = self.engine.subscription_in(ContractName::Registrations, of.as_str()).ok_or_else(none)?;
        if subscriber_of(&registration) != Some(&*subscriber) {
            return Err(none());
        }
        match story.view.state {
            State::Failed | State::Expired => {}
            State::Cancelled => return Err(not_failed("it was cancelled")),
            state => return Err(not_failed(&format!("it is {}", Status::of(state).as_str()))),
        }
        let view = self.engine.retry(id, caller.client_id.as_str(), false).await?;
        let retried = Retried {
            notification_id: view.id.to_string(),
            notification_status: Status::Pending.as_str(),
            details: "The notification is queued before those that wait, and is tried again.".to_owned(),
        };
        let body = serde_json::to_vec(&retried).expect("strings always have a JSON form");
        Ok(not_stored(Response::json(StatusCode::OK, body)))
    }

    fn item(&self, report: &StoryReport, subscriber: &str) -> Item {
        let story = &report.story;
        let of = story.view.subscription.as_ref();
        let registration = of.and_then(|id| self.engine.subscription_in(ContractName::Registrations, id.as_str()));
        let shows = registration.is_some_and(|registration| self.shows_answers(&registration));
        Item {
            notification_id: story.view.id.to_string(),
            subscriber_id: subscriber.to_owned(),
            attempts: story.push.attempts.iter().map(|kept| attempt(kept, shows)).collect(),
        }
    }

    fn shows_answers(&self, registration: &Subscription) -> bool {
        registration.endpoints.iter().all(|endpoint| self.engine.shows_answers(&endpoint.target))
    }
}

fn attempt(kept: &KeptAttempt, shows: bool) -> Attempt {
    let KeptAttempt { number: _, attempt } = kept;
    Attempt {
        response_code: attempt.status,
        response_body: if shows { escaped(&attempt.answer) } else { String::new() },
        time: attempt.started.to_rfc3339_seconds(),
    }
}

/// `text` with its control characters as `\\u{…}`, and line ends and tabs as `\\n`, `\\r`, `\\t`.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

fn not_failed(because: &str) -> Error {
    let message = format!("Only a notification that is FAILED can be retried: {because}.");
    Error::Conflict(Problem { field: None, message })
}

fn status(request: &Request) -> Result<Option<Status>, Error> {
    let Some(text) = request.query_value("status") else { return Ok(None) };
    let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
    let problem = || Error::Invalid(vec![Problem::of("status", "must be SENT, FAILED or PENDING")]);
    found.map(Some).ok_or_else(problem)
}

/// Both, or all that is wrong with them.
fn both<A, B>(a: Result<A, Error>, b: Result<B, Error>) -> Result<(A, B), Error> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(Error::Invalid(a)), Err(Error::Invalid(b))) => Err(Error::Invalid([a, b].concat())),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_nothing_else() {
        assert_eq!(escaped("é \"x\" \u{1b}[31m\r\n\u{9b}"), "é \"x\" \\u{1b}[31m\\r\\n\\u{9b}");
    }
}
