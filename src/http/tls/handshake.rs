//! From an accepted socket to an encrypted stream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::{Error, ServerConfig};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::certificate::ClientCertificate;
use crate::http::connection::Connection;
use crate::http::guard::Guard;
use crate::http::metrics::{HandshakeFailure, HttpMetrics};
use crate::http::parting;
use crate::http::stream::{Metered, Stream};

/// The stream over `socket`, and the certificate that the caller has shown is put down in `connection`; `None` if there
/// is no stream, because the caller does not speak TLS as it is spoken here, or took longer than `limit` for it.
///
/// That is everyday life on an open port (scanners, health checks, plain HTTP by mistake): it is counted, and
/// logged at the level debug only.
pub(in crate::http) async fn handshake(
    config: Arc<ServerConfig>,
    socket: Metered,
    connection: &Connection,
    guard: &mut Guard,
    limit: Duration,
    metrics: &HttpMetrics,
) -> Option<Stream> {
    let mut accepting = Box::pin(timeout(limit, TlsAcceptor::from(config).accept(socket).into_fallible()));
    let failure = match guard.run(|cx| Pin::new(&mut accepting).poll(cx)).await {
        Ok(Ok(Ok(stream))) => {
            let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            if let Some(leaf) = leaf {
                connection.shows(ClientCertificate::new(leaf));
            }
            return Some(Stream::tls(stream));
        }
        Ok(Ok(Err((error, mut socket)))) => {
            tracing::debug!(peer = ?connection.peer, %error, "no TLS: the handshake failed");
            // The alert that says why is to be read before the connection goes.
            parting::bounded(connection, parting::linger(&mut socket)).await;
            reason(&error)
        }
        Ok(Err(_)) => {
            tracing::debug!(peer = ?connection.peer, "no TLS: the handshake took longer than {limit:?}");
            HandshakeFailure::Timeout
        }
        // Its place or the server's time was wanted: that is counted elsewhere.
        Err(_) => return None,
    };
    metrics.handshake_failed(failure);
    None
}

fn reason(error: &io::Error) -> HandshakeFailure {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return HandshakeFailure::HungUp;
    };
    match error {
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => HandshakeFailure::ClientCertificate,
        Error::AlertReceived(_) => HandshakeFailure::Refused,
        _ => HandshakeFailure::Protocol,
    }
}
