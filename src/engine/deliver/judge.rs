//! What an outcome means: for the notification, for its endpoint's circuit, and for the target.

use super::circuit::{Change, Fault};
use super::crew::Outlet;
use super::keep::State;
use super::lane::Lane;
use super::rest::Finding;
use super::schedule::next_try;
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::channel::{Sent, Verdict};
use crate::model::attempt::AttemptOutcome;
use crate::store::{Claimed, Settle};

/// The reason of what was tried as often as the schedule says.
const EXHAUSTED: &str = "retries-exhausted";

/// The reason of what was not taken by an endpoint that has one try for each.
const NOT_RETRIED: &str = "not-retried";

/// What is made of an outcome.
#[derive(Debug)]
pub(super) struct Judgement<'a> {
    /// What becomes of the notification; `None`: no try was made, it is put back.
    pub settle: Option<Settle>,
    /// What stands in the record.
    pub outcome: AttemptOutcome,
    /// What has become of the endpoint's circuit.
    pub change: Change,
    /// What it says of the target.
    pub finding: Finding<'a>,
}

/// Judges what `lane` has sent by `outlet`; the endpoint's circuit takes note.
pub(super) fn judge<'a>(
    (lane, outlet): (&Lane, &Outlet),
    sent: &'a Sent,
    claimed: &Claimed,
    probe: bool,
    now: Timestamp,
) -> Judgement<'a> {
    let random = &*lane.crew.random;
    let outcome = outcome(sent.verdict);
    let finding = finding(sent);
    let ordering = lane.spec().target.ordering();
    let retries = lane.spec().target.retries();
    let (settle, change) = lane.with(|State { circuit, .. }| match &sent.verdict {
        Verdict::Delivered => (Some(Settle::Delivered), circuit.answered(now, true, probe)),
        Verdict::Rejected { .. } => {
            (Some(Settle::Failed { reason: sent.reason.clone() }), circuit.answered(now, false, probe))
        }
        // It was not asked for what it is, so it waits until somebody resumes the endpoint.
        Verdict::Gone => (Some(Settle::Retry { due: now, counts: false }), circuit.gone(now, &sent.detail)),
        Verdict::Fault { .. } => {
            let change = circuit.fault(now, &Fault { text: &sent.detail, probe, ordering }, random);
            let probe_at = circuit.hold().and_then(|hold| hold.probe_at);
            (Some(after_fault((sent, claimed), outlet, (probe, probe_at), now, random)), change)
        }
        // All that goes there waits for the target, and then flows in order.
        Verdict::Down => (Some(Settle::Retry { due: now, counts: false }), Change::None),
        Verdict::Unable => (None, circuit.unable(now, &sent.detail)),
    });
    if let Verdict::Fault { retry_after: Some(until), .. } = sent.verdict {
        lane.keep_quiet(until, now);
    }
    if matches!(change, Change::Closed | Change::Opened | Change::Disabled | Change::Unable) {
        lane.wake();
    }
    let settle = settle.map(|settle| if retries { settle } else { without_retry(settle) });
    Judgement { settle, outcome, change, finding }
}

/// An endpoint that has one try for each notification: a probe is one.
fn without_retry(settle: Settle) -> Settle {
    match settle {
        Settle::Retry { .. } => Settle::Failed { reason: NOT_RETRIED.to_owned() },
        end => end,
    }
}

const fn outcome(verdict: Verdict) -> AttemptOutcome {
    match verdict {
        Verdict::Delivered => AttemptOutcome::Delivered,
        Verdict::Rejected { .. } => AttemptOutcome::Rejected,
        Verdict::Gone | Verdict::Fault { .. } | Verdict::Down | Verdict::Unable => AttemptOutcome::Fault,
    }
}

fn finding(sent: &Sent) -> Finding<'_> {
    match sent.verdict {
        Verdict::Delivered | Verdict::Rejected { .. } => Finding::Works,
        Verdict::Fault { retry_after, slow: true } => Finding::Tired(retry_after),
        // Who answers with a status is there.
        Verdict::Gone | Verdict::Fault { .. } if sent.status.is_some() => Finding::Answered,
        Verdict::Down => Finding::Down(&sent.detail),
        Verdict::Gone | Verdict::Fault { .. } | Verdict::Unable => Finding::Nothing,
    }
}

/// When it is tried again, or that it is not.
fn after_fault(
    (sent, claimed): (&Sent, &Claimed),
    outlet: &Outlet,
    (probe, probe_at): (bool, Option<Timestamp>),
    now: Timestamp,
    random: &dyn Random,
) -> Settle {
    let Verdict::Fault { retry_after, .. } = sent.verdict else { return Settle::Retry { due: now, counts: true } };
    if probe {
        // Behind the next probe, so that this is made with another one where there is one. The endpoint's recovery makes
        // it due in any case.
        let next = probe_at.map_or(now, |at| at.plus(at.since(now)));
        return Settle::Retry { due: retry_after.map_or(next, |after| after.max(next)), counts: false };
    }
    match next_try(&outlet.schedule, claimed.tried, now, retry_after, random) {
        Some(due) => Settle::Retry { due, counts: true },
        None => Settle::Failed { reason: EXHAUSTED.to_owned() },
    }
}
