//! The sweep: what time has brought is settled and removed, once a second, in the store's bounded steps; and
//! subscriptions that were to be drained and are, or whose time is over or nearly so.
//!
//! It is a worker over an idempotent operation without input: nothing depends on when it runs (an expired notification
//! is not handed out, swept or not), and a failure is only noted and tried again.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Engine;
use crate::base::clock::Timestamp;
use crate::model::subscription::{Intake, Origin, Subscription};
use crate::store::{StoreError, SubscribeError, SubscriptionChange, Swept};

/// From the end of one sweep to the begin of the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a subscription whose time is over can be read (contracts/management.md, "Subscription").
const ENDED_SHOWN: Duration = Duration::from_hours(30 * 24);

/// How the sweep is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepStatus {
    /// How often it has run to its end.
    pub runs: u64,
    /// When it last did.
    pub last_run: Option<Timestamp>,
    /// Why it fails at present; `None` if it does not.
    pub failure: Option<String>,
    /// Notifications that it found past their deadline, since the start.
    pub expired: u64,
    /// Events of the history that it removed, since the start.
    pub removed: u64,
}

/// Where the status is kept.
#[derive(Default)]
pub(super) struct Board(Mutex<SweepStatus>);

impl Engine {
    /// Sweeps every second until the stop is given. Neither a failure nor a panic of a sweep ends it.
    pub async fn run_sweeps(self: Arc<Self>) {
        while !self.stop.is_stopped() {
            self.note(self.sweep().await);
            // A wall clock that is set back must not hold up the sweep for as long.
            tokio::select! {
                () = self.stop.stopped() => {}
                () = self.clock.sleep_until(self.clock.now().plus(INTERVAL)) => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// How the sweep is doing.
    #[must_use]
    pub fn sweep_status(&self) -> SweepStatus {
        self.sweeps.0.lock().clone()
    }

    /// Sweeps until nothing more is to be done at once, or the stop is given.
    async fn sweep(&self) -> Result<(), String> {
        loop {
            let swept = self.sweep_step().await?;
            self.count(swept);
            if !swept.more || self.stop.is_stopped() {
                self.remove_drained().await.map_err(|error| error.to_string())?;
                self.end_expired().await.map_err(|error| error.to_string())?;
                return self.tell_of_ends().await.map_err(|error| error.to_string());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Ends subscriptions whose time is over, and removes those that an API made and that have been so for long enough.
    async fn end_expired(&self) -> Result<(), StoreError> {
        if self.store.clock_doubt().is_some() || self.ends().is_empty() {
            return Ok(());
        }
        // A later end, or another use of it, must not come between.
        let _none_is_changed = self.subscribing.lock().await;
        match self.store.change_subscriptions(self.ends()).await {
            Err(SubscribeError::Store(error)) => Err(error),
            // Somebody ended one meanwhile: the next sweep has the others.
            Ok(_) | Err(SubscribeError::Exists(_) | SubscribeError::Missing(_)) => Ok(()),
        }
    }

    fn ends(&self) -> Vec<SubscriptionChange> {
        let now = self.store.now();
        let set = self.store.subscriptions();
        let change = |subscription: &Arc<Subscription>| {
            let Subscription { id, expires_at, ended_at, origin, intake, .. } = &**subscription;
            match intake {
                Intake::Open if expires_at.is_some_and(|end| end <= now) => Some(SubscriptionChange::End(id.clone())),
                // Those that the files declare stay for as long as they are declared.
                Intake::Ended if *origin == Origin::Api && ended_at.is_some_and(|at| now.since(at) >= ENDED_SHOWN) => {
                    Some(SubscriptionChange::Remove(id.clone()))
                }
                Intake::Open | Intake::Draining | Intake::Ended => None,
            }
        };
        set.iter().filter_map(change).collect()
    }

    /// One step, in a task of its own so that a panic in it becomes a failure.
    async fn sweep_step(&self) -> Result<Swept, String> {
        let store = Arc::clone(&self.store);
        match tokio::spawn(async move { store.sweep().await }).await {
            Ok(result) => result.map_err(|error: StoreError| error.to_string()),
            Err(ended) => Err(format!("the sweep ended early: {ended}")),
        }
    }

    fn count(&self, swept: Swept) {
        let mut status = self.sweeps.0.lock();
        status.expired += swept.expired;
        status.removed += swept.removed;
    }

    /// Notes a run; the log has the first failure of a row and its end.
    fn note(&self, result: Result<(), String>) {
        let mut status = self.sweeps.0.lock();
        let failure = result.err();
        match (&status.failure, &failure) {
            (None, Some(failure)) => tracing::error!(failure, "expired notifications are not being settled"),
            (Some(_), None) => tracing::info!("expired notifications are being settled again"),
            _ => {}
        }
        if failure.is_none() {
            status.runs += 1;
            status.last_run = Some(self.clock.now());
        }
        status.failure = failure;
    }
}
