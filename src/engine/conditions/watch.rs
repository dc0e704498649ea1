//! The worker: looks every few seconds at what there is to see, and tells what has changed.

use std::sync::Arc;
use std::time::Duration;

use super::course::{Step, steps};
use super::down::DownTargets;
use super::expiry::{self, Expiry};
use super::files::{self, RefusedFiles};
use super::finding::{Finding, Key};
use super::kept::Kept;
use super::queues::{EXPIRED_TOLD, Look, Seen};
use super::telling::Telling;
use super::{appliance, endpoints};
use crate::base::clock::Timestamp;
use crate::engine::{Engine, PublishError};
use crate::model::condition::Condition;
use crate::store::{KeptCondition, Store, StoreError};

/// From the end of one look to the begin of the next.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long after a start it is not known whether a target that was down before still is: delivery has to try first.
const UNKNOWN_FOR: Duration = Duration::from_mins(5);

/// What conditions are found with, besides the store.
#[derive(Clone)]
pub struct ConditionParts {
    /// The targets that are down.
    pub down: Arc<DownTargets>,
    /// The certificates and secrets that the files name and that have an end, as they are now.
    pub expiring: Arc<dyn Fn() -> Vec<Expiry> + Send + Sync>,
    /// Why the configuration on disk does not run, if it does not.
    pub refused: Arc<dyn Fn() -> Option<RefusedFiles> + Send + Sync>,
    /// `limits.queue_total`, as it is now.
    pub queue_total: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Looks for conditions and tells of them.
pub struct ConditionWatch {
    engine: Arc<Engine>,
    parts: ConditionParts,
    seen: Seen,
    /// `None` until it is read, and again after a failure.
    kept: Option<Kept>,
    started: Timestamp,
    /// Why it fails at present.
    failure: Option<String>,
}

/// Why conditions were not told. They are looked for again.
#[derive(Clone, Debug, thiserror::Error)]
enum NotTold {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl ConditionWatch {
    /// One over `engine`.
    #[must_use]
    pub fn new(engine: Arc<Engine>, parts: ConditionParts) -> Self {
        let started = engine.store.now();
        Self { engine, parts, seen: Seen::default(), kept: None, started, failure: None }
    }

    /// Looks every few seconds until the engine's stop is given. Neither a failure nor a panic ends it.
    pub async fn run(mut self) {
        let stop = self.engine.stop.clone();
        while !stop.is_stopped() {
            self = self.look_apart().await;
            let clock = &self.engine.clock;
            // A wall clock that is set back must not hold this up for as long.
            tokio::select! {
                () = stop.stopped() => {}
                () = clock.sleep_until(clock.now().plus(INTERVAL)) => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Looks once. What could not be told is told at the next look; the log has the first failure of a row.
    pub async fn look(&mut self) {
        let failure = self.tell_all().await.err().map(|error| error.to_string());
        self.note(failure);
    }

    /// Looks in a task of its own, so that a panic becomes a failure.
    async fn look_apart(self) -> Self {
        let (engine, parts, started) = (Arc::clone(&self.engine), self.parts.clone(), self.started);
        let looked = tokio::spawn(async move {
            let mut watch = self;
            watch.look().await;
            watch
        });
        looked.await.unwrap_or_else(|ended| {
            let mut watch = Self { engine, parts, seen: Seen::default(), kept: None, started, failure: None };
            watch.note(Some(format!("the look ended early: {ended}")));
            watch
        })
    }

    fn note(&mut self, failure: Option<String>) {
        match (&self.failure, &failure) {
            (None, Some(failure)) => tracing::error!(failure, "conditions that need a person are not being told"),
            (Some(_), None) => tracing::info!("conditions that need a person are being told again"),
            _ => {}
        }
        self.failure = failure;
    }

    async fn tell_all(&mut self) -> Result<(), NotTold> {
        let engine = Arc::clone(&self.engine);
        let store = &*engine.store;
        // Only what was noted to its end is taken over from look to look.
        let mut kept = match self.kept.take() {
            Some(kept) => kept,
            None => Kept::load(store).await?,
        };
        let now = store.now();
        let found = self.find(store, &kept, now);
        let (started, is_early) = (self.started, |since| now.since(since) < UNKNOWN_FOR);
        let unknown = |condition, kept: &KeptCondition| is_of_target(condition, kept) && is_early(started);
        for step in steps(found.findings, &kept, unknown, now) {
            tell(&engine, &mut kept, step, now).await?;
        }
        for subscription in found.forgotten {
            kept.end(store, EXPIRED_TOLD, &subscription).await?;
        }
        self.kept = Some(kept);
        Ok(())
    }

    fn find(&mut self, store: &dyn Store, kept: &Kept, now: Timestamp) -> Found {
        let set = store.subscriptions();
        let look = Look { store, set: &set, kept, queue_total: (self.parts.queue_total)(), now };
        let mut findings = look.find(&mut self.seen);
        findings.extend(endpoints::find(store, &set));
        findings.extend(appliance::find(store));
        findings.extend((self.parts.refused)().map(files::of_refused));
        findings.extend(expiry::find((self.parts.expiring)(), &set, now));
        findings.extend(self.parts.down.find());
        Found { findings, forgotten: look.forgotten() }
    }
}

/// What one look has found.
struct Found {
    findings: Vec<Finding>,
    /// Subscriptions that are not there any more, of which something is kept.
    forgotten: Vec<String>,
}

/// Whether it is about what endpoints share: after a start it has to be tried before anybody knows.
fn is_of_target(condition: Condition, kept: &KeptCondition) -> bool {
    condition == Condition::EndpointHeld && matches!(Key::read(&kept.subject), Key::Other(_))
}

async fn tell(engine: &Engine, kept: &mut Kept, step: Step, now: Timestamp) -> Result<(), NotTold> {
    match step {
        Step::Begin(finding, row) => {
            let row = match row {
                Some(row) => row,
                None => begin(engine, kept, &finding, now).await?,
            };
            go_on(engine, kept, (finding, row), now).await
        }
        Step::Continue(finding, row) => go_on(engine, kept, (finding, row), now).await,
        Step::End(condition, row) => {
            publish(engine, &Telling::ended(condition, &row), now).await?;
            Ok(kept.end(&*engine.store, &row.name, &row.subject).await?)
        }
    }
}

/// Keeps since when it holds, so that its identity stays the same whatever happens before it is told.
async fn begin(engine: &Engine, kept: &mut Kept, finding: &Finding, now: Timestamp) -> Result<KeptCondition, NotTold> {
    let row = KeptCondition {
        name: finding.condition.as_str().to_owned(),
        subject: finding.key.written(),
        since: finding.since.unwrap_or(now),
        told: (0, now),
        detail: finding.detail.clone(),
    };
    kept.keep(&*engine.store, row.clone()).await?;
    Ok(row)
}

async fn go_on(
    engine: &Engine,
    kept: &mut Kept,
    (mut finding, row): (Finding, KeptCondition),
    now: Timestamp,
) -> Result<(), NotTold> {
    let mark = finding.mark.take();
    let times = row.told.0.saturating_add(1);
    let telling = Telling::holds(finding, row.since, times);
    publish(engine, &telling, now).await?;
    if let Some(mark) = mark {
        kept.keep(&*engine.store, mark).await?;
    }
    let row = KeptCondition { told: (times, now), detail: telling.detail, ..row };
    Ok(kept.keep(&*engine.store, row).await?)
}

async fn publish(engine: &Engine, telling: &Telling, now: Timestamp) -> Result<(), NotTold> {
    match engine.publish_own(&telling.draft(now), telling.about()).await {
        // It was told before the appliance was interrupted, in other words.
        Err(PublishError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(receipts) => {
            if receipts.iter().any(|receipt| !receipt.duplicate) {
                telling.log();
            }
            Ok(())
        }
    }
}
