//! What the listeners of a running server use at the moment.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

use super::settings::TlsSettings;

/// Holds a server's TLS settings where its listeners look for every new connection. Clones share it.
#[derive(Clone, Debug)]
pub struct TlsSlot(Arc<ArcSwap<TlsSettings>>);

impl TlsSlot {
    /// Holds `settings`.
    #[must_use]
    pub fn new(settings: TlsSettings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// Connections that are accepted from now on use `settings`; those that are there go on as they are.
    pub fn replace(&self, settings: TlsSettings) {
        self.0.store(Arc::new(settings));
    }

    pub(in crate::http) fn config(&self) -> Arc<ServerConfig> {
        self.0.load().config()
    }
}
