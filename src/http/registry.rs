//! The open connections: how many there may be, which one goes first, and that all of them go at the end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::connection::Connection;
use super::metrics::HttpMetrics;

/// The connections of a server.
pub(super) struct Registry {
    max: usize,
    metrics: HttpMetrics,
    open: Mutex<Open>,
    emptied: Notify,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    last: u64,
    draining: bool,
}

impl Registry {
    pub(super) fn new(max: usize, metrics: HttpMetrics) -> Self {
        Self { max, metrics, open: Mutex::default(), emptied: Notify::new() }
    }

    /// A place for a new connection, if need be that of the longest idle one; `None` if all are busy.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<SocketAddr>, uid: Option<u32>) -> Option<Place> {
        let mut open = self.open.lock();
        if open.connections.len() >= self.max && !self.evict(&mut open) {
            self.metrics.refused.inc();
            return None;
        }
        open.last += 1;
        let connection = Arc::new(Connection::new(open.last, peer, uid, open.draining));
        open.connections.insert(connection.number, Arc::clone(&connection));
        self.metrics.connections.inc();
        Some(Place { connection, registry: Arc::clone(self) })
    }

    /// Closes the longest idle connection, if there is one, because the process is out of room for another.
    pub(super) fn evict_one(&self) -> bool {
        self.evict(&mut self.open.lock())
    }

    fn evict(&self, open: &mut Open) -> bool {
        // A request may come between the look and the eviction: then the next one is tried.
        loop {
            let idle = open.connections.values().filter_map(|c| Some((c.idle_since()?, c.number)));
            let Some((_, number)) = idle.min() else { return false };
            if open.connections.get(&number).is_some_and(|c| c.evict()) {
                open.connections.remove(&number);
                self.metrics.evicted.inc();
                return true;
            }
        }
    }

    /// Closes idle connections, and the others after their request; also those still to be admitted.
    pub(super) fn drain(&self) {
        let mut open = self.open.lock();
        open.draining = true;
        open.connections.values().for_each(|connection| connection.drain());
    }

    /// Closes all connections, and says how many there were.
    pub(super) fn close_all(&self) -> usize {
        let open = self.open.lock();
        open.connections.values().for_each(|connection| connection.close());
        open.connections.len()
    }

    /// Resolves once there is none.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open.lock().connections.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// A connection's place among the open ones; dropped last of what belongs to it, after hyper and the socket.
pub(super) struct Place {
    pub(super) connection: Arc<Connection>,
    registry: Arc<Registry>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.end();
        self.registry.metrics.connections.dec();
        let mut open = self.registry.open.lock();
        open.connections.remove(&self.connection.number);
        if open.connections.is_empty() {
            self.registry.emptied.notify_waiters();
        }
    }
}
