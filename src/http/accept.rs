//! Takes new connections from a listener, and goes on when that fails.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::contract::Refusal;
use super::desk::Desk;
use super::drive;
use super::listener::Listener;
use super::registry::Registry;
use super::stream::Socket;
use super::tls::TlsSlot;
use crate::base::stop::Stop;

/// How long to wait before trying again where the process or the machine is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a failing listener is mentioned at most.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(1);

/// One listener at work.
pub(super) struct Acceptor {
    pub(super) listener: Listener,
    /// What it speaks TLS with, if it does.
    pub(super) tls: Option<TlsSlot>,
    pub(super) desk: Arc<Desk>,
    pub(super) registry: Arc<Registry>,
    pub(super) stop: Stop,
}

impl Acceptor {
    /// Accepts until the stop.
    pub(super) async fn run(self) {
        let mut complained = None;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.stopped() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => self.admit(socket, peer),
                Err(error) if is_the_callers(&error) => {}
                Err(error) => self.recover(&error, &mut complained).await,
            }
        }
    }

    fn admit(&self, socket: Socket, peer: Option<std::net::SocketAddr>) {
        match self.registry.admit(peer, socket.peer_uid()) {
            Some(place) => {
                let tls = self.tls.as_ref().map(TlsSlot::config);
                drop(tokio::spawn(drive::serve(Arc::clone(&self.desk), place, socket, tls)));
            }
            None => self.turn_away(&socket, peer),
        }
    }

    /// Best effort: what the socket takes at once, and no place is kept while the caller reads it. Over TLS nothing can
    /// be said before a handshake, which is not done for somebody who is turned away.
    fn turn_away(&self, socket: &Socket, peer: Option<std::net::SocketAddr>) {
        if self.tls.is_some() {
            tracing::debug!(?peer, "turned away before the handshake: all connections are in use");
            return;
        }
        let detail = "all connections are in use (server.max_connections)".to_owned();
        let answer = self.desk.refuse_connection(&Refusal::Unavailable { detail }, peer);
        if let Err(error) = socket.try_write(&answer) {
            tracing::debug!(?peer, %error, "turned away without an answer");
        }
    }

    /// Out of descriptors or memory: an idle connection is given up, and the listener tried again a little later.
    async fn recover(&self, error: &io::Error, complained: &mut Option<Instant>) {
        let evicted = self.registry.evict_one();
        if complained.is_none_or(|at: Instant| at.elapsed() >= COMPLAINT_INTERVAL) {
            *complained = Some(Instant::now());
            tracing::error!(
                listener = %self.listener.address(), %error, evicted,
                "cannot accept connections; raise the limit of open files (LimitNOFILE) or lower server.max_connections"
            );
        }
        tokio::select! {
            () = self.stop.stopped() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Whether only the one connection failed that was to be accepted (accept(2)).
fn is_the_callers(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [Kind::ConnectionAborted, Kind::ConnectionReset, Kind::ConnectionRefused, Kind::Interrupted];
    kinds.contains(&error.kind())
}
