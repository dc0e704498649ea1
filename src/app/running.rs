//! A running appliance, from outside.

use tokio::sync::mpsc;

use super::reload::Reloads;
use super::stopping::Stopping;
use crate::base::audit::{Actor, Entry, Outcome, Trail};
use crate::http::contract::{Contract, Route};
use crate::http::settings::ListenAddress;

/// An appliance that does its work. It goes on until [`Running::stop`]; dropped, it is left to the runtime's end.
pub struct Running {
    pub(super) addresses: Vec<ListenAddress>,
    pub(super) admin_addresses: Vec<ListenAddress>,
    pub(super) public_url: String,
    pub(super) sample: Option<String>,
    pub(super) served: Vec<Served>,
    pub(super) trail: Trail,
    pub(super) reloads: Reloads,
    pub(super) ended: mpsc::Receiver<&'static str>,
    pub(super) stopping: Stopping,
}

/// One contract as it is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Whether that is on the admin listener.
    pub admin: bool,
    /// Its name.
    pub contract: &'static str,
    /// Where it is mounted; `""` for the root.
    pub mount: String,
    /// Its routes.
    pub routes: Vec<Route<()>>,
}

impl Served {
    pub(super) fn by(contract: &dyn Contract, admin: bool) -> Self {
        Self { admin, contract: contract.name(), mount: contract.mount().to_owned(), routes: contract.routes() }
    }
}

/// Takes note of the signals that a process is sent.
#[derive(Clone)]
pub struct SignalLog(Trail);

impl SignalLog {
    /// The signal of this name came.
    pub async fn note(&self, name: &'static str) {
        self.0.record(Entry::new("signal", Outcome::Ok).by(Actor::Signal).about(name)).await;
    }
}

impl Running {
    /// What is served, on the admin listener and by the contracts.
    #[must_use]
    pub fn served(&self) -> &[Served] {
        &self.served
    }

    /// Writes the signals that come into the audit trail.
    #[must_use]
    pub fn signal_log(&self) -> SignalLog {
        SignalLog(self.trail.clone())
    }

    /// Reloads the configuration.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    /// Where the contracts listen, in the order of `server.listen`; port 0 has become the port that was given.
    #[must_use]
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// Where health and metrics are served, in the order of `admin.listen`.
    #[must_use]
    pub fn admin_addresses(&self) -> &[ListenAddress] {
        &self.admin_addresses
    }

    /// `server.public_url`, with the port that was given for port 0.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The `curl` lines of a sample configuration.
    #[must_use]
    pub fn sample(&self) -> Option<&str> {
        self.sample.as_deref()
    }

    /// Resolves when a part that is to run until the stop has ended by itself, with its name: then it is time to stop.
    pub async fn wait(&mut self) -> &'static str {
        match self.ended.recv().await {
            Some(name) => name,
            // Every part was stopped, and none will ever report.
            None => std::future::pending().await,
        }
    }

    /// Stops: refuses new work, drains HTTP, stops the workers, closes the store, the admin listener, and last the audit trail. Each step
    /// is bounded, two minutes in all; answers what did not end well.
    pub async fn stop(self) -> Vec<String> {
        self.stopping.run().await
    }
}
