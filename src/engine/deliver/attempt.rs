//! One attempt: it is sent, judged and settled.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::circuit::Change;
use super::gates::Permit;
use super::judge::{self, Judgement};
use super::lane::{Lane, Spec, TROUBLE_PAUSE};
use crate::base::clock::Timestamp;
use crate::channel::{Message, Sent, Verdict};
use crate::model::attempt::{Attempt, AttemptOutcome, Phases};
use crate::model::target::Target;
use crate::store::{Claimed, Settle, Settlement, StoreError, Suppression};

/// The channels' timeouts end an attempt: one by mail can take 22 minutes, ten of them after the message's end, when a
/// relay may have taken it. Should one ever not do it, this does.
const BACKSTOP: Duration = Duration::from_mins(30);

/// An attempt that is to be made, and all that it holds. Dropped before it is settled, it puts back its notification.
pub(super) struct Job {
    lane: Arc<Lane>,
    spec: Arc<Spec>,
    claimed: Claimed,
    probe: bool,
    permit: Option<Permit>,
    has_answer: bool,
    is_settled: bool,
}

impl Job {
    pub(super) fn new(lane: Arc<Lane>, spec: Arc<Spec>, claimed: Claimed, probe: bool, permit: Permit) -> Self {
        lane.begin_attempt(claimed.id, probe);
        Self { lane, spec, claimed, probe, permit: Some(permit), has_answer: false, is_settled: false }
    }

    /// Makes the attempt.
    pub(super) async fn run(mut self) {
        let now = self.lane.crew.time.now();
        if now >= self.claimed.deadline {
            return;
        }
        match self.suppression().await {
            Ok(None) => self.try_to_send(now).await,
            Ok(Some(suppression)) => self.give_up(&suppression, now).await,
            Err(error) => {
                let _ = self.lane.crew.note(Err::<(), _>(error));
                self.lane.crew.time.pause(TROUBLE_PAUSE).await;
            }
        }
    }

    /// Why the address is not mailed to, where it is one that is not.
    async fn suppression(&self) -> Result<Option<Suppression>, StoreError> {
        match &*self.spec.target {
            Target::Email(email) => {
                self.lane.crew.store.suppression(&email.address, self.spec.outlet.suppress_for).await
            }
            Target::Webhook(_) | Target::Poll => Ok(None),
        }
    }

    async fn try_to_send(&mut self, started: Timestamp) {
        let crew = Arc::clone(&self.lane.crew);
        let kind = self.lane.kind;
        if self.claimed.attempts == 0 {
            crew.metrics.first_attempt(kind, started.since(self.claimed.event.accepted));
        }
        let begun = crew.time.monotonic();
        let sent = self.send(started).await;
        let took = crew.time.monotonic().saturating_sub(begun);
        let now = crew.time.now();
        if sent.verdict == (Verdict::Rejected { suppress: true }) {
            self.suppress(&sent, now).await;
        }
        let Judgement { settle, outcome, change, finding } =
            judge::judge((&self.lane, &self.spec.outlet), &sent, &self.claimed, self.probe, now);
        let mut turned = None;
        if let Some(verdict) = settle {
            turned = self.permit.as_mut().and_then(|permit| permit.pass_on(finding, took, now, &*crew.random));
            self.has_answer();
            crew.metrics.attempt(kind, outcome, &sent.reason, took);
            let attempt = self.attempt(started, took, outcome, &sent);
            self.settle(attempt, verdict).await;
        } else {
            // No try was made.
            self.put_back();
            self.lane.keep_surely().await;
        }
        if change != Change::None {
            self.lane.tell(change);
        }
        if let Some(turned) = turned {
            self.lane.tell_of_target(&turned);
        }
    }

    /// Sends it, in a task of its own so that a panic in it becomes a fault.
    async fn send(&self, now: Timestamp) -> Sent {
        let message = Message {
            id: self.claimed.id,
            subscription: Arc::clone(&self.spec.subscription),
            number: self.claimed.number,
            event: self.claimed.event.clone(),
            attempt: self.claimed.attempts.saturating_add(1),
            now,
            epoch: self.claimed.id.parts().epoch,
        };
        let (channel, target) = (Arc::clone(&self.spec.outlet.channel), Arc::clone(&self.spec.target));
        let mut task = JoinSet::new();
        task.spawn(async move { tokio::time::timeout(BACKSTOP, channel.send(&target, &message)).await });
        match task.join_next().await {
            Some(Ok(Ok(sent))) => sent,
            Some(Ok(Err(_))) => fault("timeout", format!("it took longer than {BACKSTOP:?} and was given up")),
            Some(Err(error)) => {
                tracing::error!(notification = %self.claimed.id, "sending a notification broke off: {error}");
                fault("internal-error", "sending it broke off by a fault of the program; the log says more".to_owned())
            }
            None => fault("internal-error", "it was not sent".to_owned()),
        }
    }

    fn attempt(&self, started: Timestamp, took: Duration, outcome: AttemptOutcome, sent: &Sent) -> Attempt {
        let Sent { verdict: _, reason, status, detail, answer, phases } = sent.clone();
        Attempt { started, took, phases, outcome, reason, status, detail, answer, probe: self.probe }
    }

    /// It is not even tried: the address does not exist.
    async fn give_up(&mut self, suppression: &Suppression, now: Timestamp) {
        let since = suppression.since.to_rfc3339_seconds();
        let detail = format!("the address has not been mailed to since {since}: {}", suppression.reply);
        let sent = Sent { detail, ..fault("suppressed", String::new()) };
        let outcome = AttemptOutcome::Rejected;
        self.lane.crew.metrics.attempt(self.lane.kind, outcome, &sent.reason, Duration::ZERO);
        let attempt = self.attempt(now, Duration::ZERO, outcome, &sent);
        self.settle(attempt, Settle::Failed { reason: sent.reason }).await;
    }

    /// The address does not exist: it is not mailed to for a while.
    async fn suppress(&self, sent: &Sent, since: Timestamp) {
        let Target::Email(email) = &*self.spec.target else { return };
        let suppression = Suppression { address: email.address.clone(), since, reply: sent.detail.clone() };
        // Where it fails, the relay says so again next time.
        let _ = self.lane.crew.note(self.lane.crew.store.suppress(&email.address, Some(suppression)).await);
    }

    async fn settle(&mut self, attempt: Attempt, verdict: Settle) {
        let delivered = verdict == Settle::Delivered;
        let settlement =
            Settlement { notification: self.claimed.id, endpoint: self.lane.number, attempt, verdict, standing: None };
        if self.lane.settle(&settlement).await.is_some() {
            self.is_settled = true;
            let crew = &self.lane.crew;
            if delivered {
                let took = crew.time.now().since(self.claimed.event.accepted);
                crew.metrics.delivered(self.lane.kind, took);
            }
        }
    }

    /// The target has nothing more to do with it.
    fn has_answer(&mut self) {
        if !std::mem::replace(&mut self.has_answer, true) {
            self.lane.has_answer();
        }
    }

    fn put_back(&mut self) {
        if !std::mem::replace(&mut self.is_settled, true) {
            self.lane.crew.store.put_back(self.lane.number, &[self.claimed.id]);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.put_back();
        // Its permit is there for the next one before the lane looks for it.
        drop(self.permit.take());
        self.has_answer();
        self.lane.end_attempt(self.claimed.id, self.probe);
    }
}

/// What came of an attempt that ended otherwise than its channel ends one.
fn fault(reason: &str, detail: String) -> Sent {
    Sent {
        verdict: Verdict::Fault { retry_after: None, slow: false },
        reason: reason.to_owned(),
        status: None,
        detail,
        answer: String::new(),
        phases: Phases::default(),
    }
}
