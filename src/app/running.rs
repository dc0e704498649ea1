//! A running appliance, from outside.

use tokio::sync::mpsc;

use super::stopping::Stopping;
use crate::http::settings::ListenAddress;

/// An appliance that does its work. It goes on until [`Running::stop`]; dropped, it is left to the runtime's end.
pub struct Running {
    pub(super) addresses: Vec<ListenAddress>,
    pub(super) admin_addresses: Vec<ListenAddress>,
    pub(super) public_url: String,
    pub(super) sample: Option<String>,
    pub(super) ended: mpsc::Receiver<&'static str>,
    pub(super) stopping: Stopping,
}

impl Running {
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

    /// Stops: refuses new work, drains HTTP, stops the workers, closes the store, and last the admin listener. Each step
    /// is bounded, a minute and a half in all; answers what did not end well.
    pub async fn stop(self) -> Vec<String> {
        self.stopping.run().await
    }
}
