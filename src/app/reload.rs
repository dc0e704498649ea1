//! The reload: the files are read again, all that can fail is built, the store is brought to what they declare, and then
//! everything is put in place at once.
//!
//! One at a time. A failed one changes nothing, and whoever asked for it is told why. What was begun goes on as it began:
//! requests, connections, deliveries. It is done to its end also if whoever asked is gone.

use std::sync::Arc;

use async_trait::async_trait;

use super::board::{Board, Trigger};
use super::configured::Files;
use super::last_good;
use super::report;
use super::start::changes_of;
use super::works::Works;
use crate::api::admin::{
    ConfigurationReport, DiskReport, NotReloaded, PlanReport, ProblemReport, Reconfigure, ReloadReport,
};
use crate::base::audit::{Actor, Entry, Outcome, Trail};
use crate::config::{Loaded, Problems};
use crate::engine::ProvisionError;

/// The most errors of a refused reload that the log has.
const MAX_TOLD: usize = 20;

/// Reloads a running appliance. Clones do the same.
#[derive(Clone)]
pub struct Reloads(pub(super) Arc<Reloader>);

impl Reloads {
    /// Reads the files again and goes by them from now on, all or nothing.
    pub async fn reload(&self, by: Trigger) -> Result<ReloadReport, NotReloaded> {
        self.0.reload(by).await
    }

    /// What a reload would change.
    pub async fn plan(&self) -> Result<PlanReport, NotReloaded> {
        self.0.plan().await
    }

    /// What runs, and what is on disk.
    pub async fn show(&self) -> ConfigurationReport {
        self.0.show().await
    }
}

/// Who reloads.
pub(super) struct Reloader {
    pub(super) works: Works,
    /// `None` where the settings come from no files.
    pub(super) files: Option<Files>,
    pub(super) board: Arc<Board>,
    pub(super) trail: Trail,
    pub(super) one_at_a_time: tokio::sync::Mutex<()>,
}

impl Reloader {
    /// Reloads, in a task of its own: it is done to its end, whoever waits for it.
    pub(super) async fn reload(self: &Arc<Self>, by: Trigger) -> Result<ReloadReport, NotReloaded> {
        let this = Arc::clone(self);
        let work = tokio::spawn(async move { this.run(by).await });
        work.await.unwrap_or_else(|error| Err(unavailable(format!("the reload ended early: {error}"))))
    }

    async fn run(&self, by: Trigger) -> Result<ReloadReport, NotReloaded> {
        let _alone = self.one_at_a_time.lock().await;
        let outcome = self.attempt(by).await;
        self.tell(by, &outcome).await;
        outcome
    }

    async fn attempt(&self, by: Trigger) -> Result<ReloadReport, NotReloaded> {
        let Loaded { settings, effective, warnings, .. } = self.read().await?;
        let running = self.works.current.lock().effective.clone();
        let differences = running.differences(&effective);
        let restart = report::restart_keys(&differences);
        let differences = differences.iter().filter(|difference| !difference.restart).count();
        let effective = effective.held_back(&running);
        let mut done = ReloadReport {
            changed: differences > 0,
            digest: effective.digest(),
            differences,
            restart: restart.clone(),
            warnings: warnings.iter().map(report::problem).collect(),
            ..ReloadReport::default()
        };
        // A file that was only touched is no reason to provision.
        let is_same = differences == 0 && self.board.known().instead_of.is_none();
        if !(is_same && by == Trigger::Change) {
            let next = self.works.build(settings, effective.clone()).map_err(|error| refused(error.to_string()))?;
            let engine = next.current.settings.engine.clone();
            let provisioned = self.works.engine.replace_settings(engine, || self.works.put(next)).await;
            let provisioned = provisioned.map_err(|error| not_provisioned(&error))?;
            self.works.engine.reloaded();
            done.subscriptions = report::counts(&provisioned);
            self.trail.record_all(changes_of(&provisioned)).await;
            self.keep_last_good().await;
        }
        self.board.replaced(done.digest.clone(), restart, self.works.clock.now(), by);
        Ok(done)
    }

    /// What the files say now.
    async fn read(&self) -> Result<Loaded, NotReloaded> {
        let files = self.files.clone().ok_or_else(|| unavailable("it was started without files".to_owned()))?;
        let read = tokio::task::spawn_blocking(move || files.read()).await;
        let read = read.map_err(|error| unavailable(format!("the files were not read: {error}")))?;
        read.map_err(|Problems { problems, .. }| NotReloaded::Refused(problems.iter().map(report::problem).collect()))
    }

    /// Whether the files can be used as they are now.
    pub(super) async fn can_be_read(&self) -> bool {
        self.read().await.is_ok()
    }

    /// Keeps what runs as the last good configuration. That it cannot be kept is told, and stops nothing.
    pub(super) async fn keep_last_good(&self) {
        if self.files.is_none() {
            return;
        }
        let current = self.works.current.lock().clone();
        let (folder, random) = (current.settings.data_dir, Arc::clone(&self.works.random));
        let kept = tokio::task::spawn_blocking(move || last_good::keep(&folder, &current.effective, &*random)).await;
        if let Err(error) = kept.map_err(std::io::Error::other).and_then(|kept| kept) {
            tracing::error!(%error, "the last good configuration cannot be kept: make room in data_dir, and reload");
        }
    }

    async fn tell(&self, by: Trigger, outcome: &Result<ReloadReport, NotReloaded>) {
        self.record(by, outcome).await;
        match outcome {
            Ok(done) => tell_done(by, done),
            Err(why) => {
                let problems = match why {
                    NotReloaded::Refused(problems) => problems.clone(),
                    NotReloaded::Unavailable(detail) => vec![ProblemReport::of(detail.clone())],
                };
                tell_refused(by, &problems);
                self.board.refused(&problems, self.works.clock.now(), by);
                // The watch for conditions tells of it as `tidings.reload.failed`.
            }
        }
    }

    /// A reload over HTTP has a line in the audit trail already.
    async fn record(&self, by: Trigger, outcome: &Result<ReloadReport, NotReloaded>) {
        let actor = match by {
            Trigger::Command => return,
            Trigger::Signal => Actor::Signal,
            Trigger::Change => Actor::Configuration,
        };
        let line = |outcome| Entry::new("configuration.reload", outcome).by(actor);
        let line = match outcome {
            Ok(done) => line(Outcome::Ok).about(&done.digest),
            Err(NotReloaded::Refused(problems)) => {
                let errors = problems.iter().filter(|problem| problem.is_error()).count();
                line(Outcome::Failed).because(&format!("errors in the configuration: {errors}"))
            }
            Err(NotReloaded::Unavailable(detail)) => line(Outcome::Failed).because(detail),
        };
        self.trail.record(line).await;
    }
}

#[async_trait]
impl Reconfigure for Arc<Reloader> {
    async fn show(&self) -> ConfigurationReport {
        let known = self.board.known();
        let mut shown = ConfigurationReport {
            digest: known.digest.clone(),
            since: known.since.to_rfc3339_millis(),
            source: known.source().to_owned(),
            restart: known.restart.clone(),
            last_reload: known.last.as_ref().map(super::board::Ended::report),
            ..ConfigurationReport::default()
        };
        match self.read().await {
            Ok(loaded) => {
                let differences = self.works.current.lock().effective.differences(&loaded.effective);
                shown.restart = report::restart_keys(&differences);
                let problems = loaded.warnings.iter().map(report::problem).collect();
                shown.disk = DiskReport { digest: Some(loaded.effective.digest()), problems };
            }
            Err(NotReloaded::Refused(problems)) => shown.disk.problems = problems,
            Err(NotReloaded::Unavailable(detail)) => shown.disk.problems = vec![ProblemReport::of(detail)],
        }
        shown
    }

    async fn plan(&self) -> Result<PlanReport, NotReloaded> {
        let loaded = self.read().await?;
        let running = self.works.current.lock().effective.clone();
        let foreseen = self.works.engine.foresee(&loaded.settings.engine).map_err(|error| not_provisioned(&error))?;
        let store = &self.works.store;
        Ok(report::plan(&running, &loaded, &foreseen, store.subscriptions(), store.subscription_sums()))
    }

    async fn reload(&self) -> Result<ReloadReport, NotReloaded> {
        Reloader::reload(self, Trigger::Command).await
    }
}

fn refused(message: String) -> NotReloaded {
    NotReloaded::Refused(vec![ProblemReport::of(message)])
}

const fn unavailable(detail: String) -> NotReloaded {
    NotReloaded::Unavailable(detail)
}

fn not_provisioned(error: &ProvisionError) -> NotReloaded {
    match error {
        ProvisionError::MadeThroughApi(_) => refused(error.to_string()),
        ProvisionError::Refused(_) | ProvisionError::Store(_) => unavailable(error.to_string()),
    }
}

fn tell_done(by: Trigger, done: &ReloadReport) {
    let by = by.as_str();
    if done.changed {
        tracing::info!(by, digest = done.digest, differences = done.differences, "the configuration was reloaded");
    } else {
        tracing::info!(by, digest = done.digest, "the configuration was reloaded: it says what it said before");
    }
    for warning in &done.warnings {
        tracing::warn!("{warning}");
    }
    if !done.restart.is_empty() {
        tracing::warn!("these keys wait for a restart, all else is applied: {}", done.restart.join(", "));
    }
}

fn tell_refused(by: Trigger, problems: &[ProblemReport]) {
    let errors = problems.iter().filter(|problem| problem.is_error());
    for problem in errors.clone().take(MAX_TOLD) {
        tracing::error!("{problem}");
    }
    let errors = errors.count();
    if errors > MAX_TOLD {
        tracing::error!("and {} more: tidings check shows them", errors - MAX_TOLD);
    }
    tracing::error!(by = by.as_str(), errors, "the reload was refused: nothing was changed");
}
