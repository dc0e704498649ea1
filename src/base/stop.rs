//! Stopping: a signal that everything that waits listens to, and a list of named, bounded steps.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock::BoxFuture;

/// The signal to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// A signal that has not been given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal; giving it twice does nothing more.
    pub fn stop(&self) {
        self.0.cancel();
    }

    /// Whether it has been given.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves once it has been given.
    pub async fn stopped(&self) {
        self.0.cancelled().await;
    }
}

/// One step of stopping: what it is called, how long it may take, and what it does.
pub struct Step {
    /// The name that a failure is reported under.
    pub name: &'static str,
    /// How long it may take before it is given up.
    pub limit: Duration,
    /// What it does.
    pub run: BoxFuture<'static, Result<(), String>>,
}

/// Runs `steps` one after another and reports every failure, each with the name of its step.
pub async fn run_steps(steps: Vec<Step>) -> Vec<String> {
    let mut failures = Vec::new();
    for step in steps {
        tracing::debug!(step = step.name, "stopping");
        match tokio::time::timeout(step.limit, step.run).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => failures.push(format!("{}: {problem}", step.name)),
            Err(_) => failures.push(format!("{}: not done within {:?}", step.name, step.limit)),
        }
    }
    failures
}
