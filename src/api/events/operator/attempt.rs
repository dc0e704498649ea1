//! The attempts of a notification as the operator sees them: each time that it was handed out, or sent.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::clock::Timestamp;
use crate::engine::{HandedOut, KeptAttempt, Story};
use crate::model::attempt::{Attempt as Made, Phases};

/// One attempt: of what is polled a hand-out, else a sending.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Attempt {
    HandOut(HandOut),
    Sending(Sending),
}

/// One time that a notification was handed out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HandOut {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// To which client.
    client: String,
    /// In answer to which request (its `X-Request-Id`).
    request_id: String,
    /// Until when it was leased; absent where the hand-out consumed it.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    leased_until: Option<String>,
    /// Whether the answer reached the socket whole; absent where it was leased: then an acknowledgement says so.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<bool>,
}

/// One time that a notification was sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sending {
    /// Which of the notification, over all rounds.
    #[schema(minimum = 1)]
    number: u32,
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// How long it took, in milliseconds.
    took_millis: u64,
    /// How long it took until there was a connection; absent where there was one already, or never was.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_millis: Option<u64>,
    /// How long it took from then to the first byte of the answer, or to the reply to the message.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_millis: Option<u64>,
    /// How long it took from then to the last byte.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    body_millis: Option<u64>,
    /// `delivered`, `fault` (it is tried again), or `rejected`.
    #[schema(pattern = "^(delivered|fault|rejected)$")]
    outcome: &'static str,
    /// The class of the outcome, such as `status-503`, `connect-refused`, `timeout`.
    reason: String,
    /// The status of the HTTP answer, or the code of the SMTP reply.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// What happened.
    detail: String,
    /// The text of the answer; absent where there is none, or the policy does not show it.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// Whether it was to find out if the endpoint is there again.
    probe: bool,
}

/// All attempts of a notification, oldest first.
pub(super) fn attempts_of(story: &Story) -> Vec<Attempt> {
    let hand_outs = story.handed_out.iter().map(|handed_out| Attempt::HandOut(HandOut::of(handed_out)));
    let sendings = story.push.attempts.iter().map(|attempt| Attempt::Sending(Sending::of(attempt)));
    hand_outs.chain(sendings).collect()
}

impl HandOut {
    fn of(handed_out: &HandedOut) -> Self {
        let HandedOut { at, client, request_id, leased_until, confirmed } = handed_out;
        Self {
            at: at.to_rfc3339_millis(),
            client: client.to_string(),
            request_id: request_id.clone(),
            leased_until: leased_until.map(Timestamp::to_rfc3339_millis),
            confirmed: leased_until.is_none().then_some(*confirmed),
        }
    }
}

impl Sending {
    fn of(kept: &KeptAttempt) -> Self {
        let KeptAttempt { number, attempt } = kept;
        let Made { started, took, phases, outcome, reason, status, detail, answer, probe } = attempt;
        let Phases { connect, answer: answered, body } = phases;
        Self {
            number: *number,
            at: started.to_rfc3339_millis(),
            took_millis: millis(*took),
            connect_millis: connect.map(millis),
            answer_millis: answered.map(millis),
            body_millis: body.map(millis),
            outcome: outcome.as_str(),
            reason: reason.clone(),
            status: *status,
            detail: detail.clone(),
            answer: Some(answer.clone()).filter(|answer| !answer.is_empty()),
            probe: *probe,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
