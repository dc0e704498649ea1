//! An attempt, as it is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::model::attempt::{ANSWER_BYTES, Attempt, AttemptOutcome, Phases};
use crate::store::StoreError;

/// An attempt. Durations are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AttemptRow {
    started: i64,
    took: u64,
    connect: Option<u64>,
    answered: Option<u64>,
    body: Option<u64>,
    outcome: u8,
    reason: String,
    status: Option<u16>,
    detail: String,
    answer: String,
    probe: bool,
}

impl AttemptRow {
    pub(super) fn new(attempt: &Attempt) -> Self {
        let Attempt { started, took, phases, outcome, reason, status, detail, answer, probe } = attempt;
        let Phases { connect, answer: answered, body } = phases;
        Self {
            started: started.as_millis(),
            took: micros(*took),
            connect: connect.map(micros),
            answered: answered.map(micros),
            body: body.map(micros),
            outcome: outcome_to_byte(*outcome),
            reason: super::course::cut(reason).to_owned(),
            status: *status,
            detail: super::course::cut(detail).to_owned(),
            answer: answer[..answer.floor_char_boundary(ANSWER_BYTES)].to_owned(),
            probe: *probe,
        }
    }

    /// The same without what happened, in words, and what was answered.
    pub(super) fn erased(self) -> Self {
        Self { detail: String::new(), answer: String::new(), ..self }
    }

    pub(super) fn into_attempt(self) -> Result<Attempt, StoreError> {
        let Self { started, took, connect, answered, body, outcome, reason, status, detail, answer, probe } = self;
        let [connect, answered, body] = [connect, answered, body].map(|micros| micros.map(Duration::from_micros));
        Ok(Attempt {
            started: Timestamp::from_millis(started),
            took: Duration::from_micros(took),
            phases: Phases { connect, answer: answered, body },
            outcome: outcome_from_byte(outcome)?,
            reason,
            status,
            detail,
            answer,
            probe,
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

const fn outcome_to_byte(outcome: AttemptOutcome) -> u8 {
    match outcome {
        AttemptOutcome::Delivered => 0,
        AttemptOutcome::Fault => 1,
        AttemptOutcome::Rejected => 2,
    }
}

fn outcome_from_byte(byte: u8) -> Result<AttemptOutcome, StoreError> {
    [AttemptOutcome::Delivered, AttemptOutcome::Fault, AttemptOutcome::Rejected]
        .into_iter()
        .find(|outcome| outcome_to_byte(*outcome) == byte)
        .ok_or_else(|| StoreError::Corrupt { detail: format!("outcome {byte} of an attempt is not known") })
}
