//! `tidings serve`: the appliance itself, until a signal stops it.

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::beginning;
use super::exit::{Exit, Failure};
use super::output;
use super::settings::Configuration;
use crate::app::{self, Configured, Parts, Reloads, Running, SignalLog, StartError, Trigger};
use crate::base::audit;
use crate::engine::ProvisionError;
use crate::http::BindError;
use crate::store::redb::OpenError;

/// Files that are open besides the contracts' connections: the data file, listeners, health and metrics.
const OTHER_FILES: u64 = 256;

/// Run the appliance in the foreground
///
/// SIGTERM or SIGINT stops it in order: requests that were begun are answered, then the data file is closed. A second
/// one ends it at once, which loses nothing either. SIGHUP reloads the configuration. If the files are bad at the start,
/// the last good configuration runs, unless they refuse that with `on_bad_configuration`.
#[derive(Args, Debug)]
pub(super) struct Serve {}

/// Runs the command: 0 after an orderly stop, 1 if something did not stop in its time.
pub(super) fn run(_: &Serve, configuration: &Configuration) -> Result<Exit, Failure> {
    let configured = beginning::configured(configuration)?;
    raise_file_limit(configured.settings.server.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, format!("cannot start the worker threads: {error}")))?;
    let outcome = runtime.block_on(serve(configured, configuration));
    // A thread that still repairs the data file is not waited for: that is begun again at the next start.
    runtime.shutdown_background();
    outcome
}

/// Raises the soft limit of open files to what the connections need, as far as the hard one lets us: the usual 1024 is
/// less than the connections that are allowed by default. Where it does not reach, the listeners wait for room.
fn raise_file_limit(max_connections: usize) {
    let needed = u64::try_from(max_connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let current = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit });
    if raised.is_err() || current < needed {
        tracing::warn!(
            "this process may open fewer files than `server.max_connections` needs: set LimitNOFILE={needed}"
        );
    }
}

async fn serve(configured: Configured, configuration: &Configuration) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let mut running = tokio::select! {
        started = start(configured, configuration) => started?,
        name = signals.next(None) => {
            tracing::info!("{name} before the start was done: ended");
            return Ok(Exit::Ok);
        }
    };
    if let Some(lines) = running.sample()
        && let Err(failure) = output::result(lines)
    {
        // They are advice, nobody's result: the appliance goes on.
        tracing::warn!("the lines that show how to try it are lost: {failure}");
    }
    let on_signal = OnSignal { log: running.signal_log(), reloads: running.reloads() };
    let ended = tokio::select! {
        name = signals.next(Some(&on_signal)) => {
            tracing::info!("{name}: stopping; once more ends at once");
            None
        }
        name = running.wait() => Some(name),
    };
    tokio::select! {
        clean = stop(running) => Ok(if clean && ended.is_none() { Exit::Ok } else { Exit::Finding }),
        name = signals.next(Some(&on_signal)) => {
            tracing::warn!("{name} while stopping: ended at once");
            Ok(Exit::Finding)
        }
    }
}

/// Starts the appliance; with the last good configuration if what the files say cannot be brought in.
async fn start(configured: Configured, configuration: &Configuration) -> Result<Running, Failure> {
    let is_of_files = configured.instead_of.is_none();
    let error = match app::start(configured, Parts::system()).await {
        Ok(running) => return Ok(running),
        Err(error) => not_started(&error),
    };
    if error.exit != Exit::Configuration || !is_of_files {
        return Err(error);
    }
    let Some(last_good) = beginning::last_good_instead_of(configuration, &error.text) else { return Err(error) };
    app::start(last_good, Parts::system()).await.map_err(|error| not_started(&error))
}

/// Whether every step was done in its time.
async fn stop(running: Running) -> bool {
    let failures = running.stop().await;
    for failure in &failures {
        tracing::error!("stopping: {failure}");
    }
    tracing::info!("stopped");
    failures.is_empty()
}

fn not_started(error: &StartError) -> Failure {
    let exit = match error {
        StartError::Listen(BindError::Listen { .. }) => Exit::Unreachable,
        StartError::DataFile(OpenError::InUse { .. }) | StartError::Audit(audit::OpenError::InUse(_)) => Exit::TryAgain,
        // What is left of the first are mounts that cannot be.
        StartError::Listen(_) | StartError::Provision(ProvisionError::MadeThroughApi(_)) => Exit::Configuration,
        StartError::DataDir { .. }
        | StartError::StoreKey(_)
        | StartError::StoreKeyLost { .. }
        | StartError::Audit(_)
        | StartError::DataFile(_)
        | StartError::SigningKey(_)
        | StartError::WebhookKey(_)
        | StartError::Credentials(_)
        | StartError::Provision(_)
        | StartError::Inside(_) => Exit::Io,
    };
    Failure::new(exit, error.to_string())
}

/// What signals do to an appliance that runs.
struct OnSignal {
    log: SignalLog,
    reloads: Reloads,
}

/// The signals that stop the appliance, and the one that reloads it.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let cannot = |error| Failure::new(Exit::Io, format!("cannot listen to signals: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
            hangup: signal(SignalKind::hangup()).map_err(cannot)?,
        })
    }

    /// The name of the next one that stops the appliance. One that reloads it does not hold up the others; before it
    /// runs there is nothing to reload.
    async fn next(&mut self, running: Option<&OnSignal>) -> &'static str {
        loop {
            let name = tokio::select! {
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.hangup.recv() => "SIGHUP",
            };
            if let Some(running) = running {
                running.log.note(name).await;
            }
            if name != "SIGHUP" {
                return name;
            }
            let Some(OnSignal { reloads, .. }) = running else {
                tracing::info!("SIGHUP before the start was done: the files have just been read");
                continue;
            };
            let reloads = reloads.clone();
            // How it ends is told in the log.
            drop(tokio::spawn(async move { reloads.reload(Trigger::Signal).await }));
        }
    }
}
