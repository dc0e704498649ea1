//! One accepted connection from its socket to its end: the handshake if there is one, then the protocol that is spoken.

use std::sync::Arc;

use rustls::ServerConfig;

use super::connection::Connection;
use super::desk::Desk;
use super::guard::{End, Guard};
use super::preface::Preface;
use super::registry::Place;
use super::stream::{Metered, Socket, Stream};
use super::{http1, http2, tls};

/// Serves `socket` until it is closed.
pub(super) async fn serve(desk: Arc<Desk>, place: Place, socket: Socket, tls: Option<Arc<ServerConfig>>) {
    let connection = Arc::clone(&place.connection);
    let limits = desk.serving.limits();
    let mut guard = Guard::new(Arc::clone(&connection), limits);
    let socket = Metered::new(socket, Arc::clone(&connection));
    let stream = match tls {
        None => Some(Stream::plain(socket)),
        Some(config) => tls::handshake(config, socket, &connection, &mut guard, limits.header, &desk.metrics).await,
    };
    let Some(mut stream) = stream else { return };
    match speaks_http2(&mut stream, &connection, &mut guard).await {
        // Few connections speak it: the others do not carry its state.
        Ok(true) => Box::pin(http2::serve(desk, place, &mut guard, stream)).await,
        Ok(false) => http1::serve(&desk, &connection, &mut guard, stream).await,
        Err(end) => http1::close(&desk, &connection, stream, Err(end), limits).await,
    }
}

/// By what the handshake has agreed on; in the clear by the first words.
async fn speaks_http2(stream: &mut Stream, connection: &Connection, guard: &mut Guard) -> Result<bool, End> {
    if let Some(session) = stream.session() {
        return Ok(session.alpn_protocol() == Some(b"h2"));
    }
    let mut preface = Preface::default();
    guard.run(|cx| preface.poll(cx, stream, connection)).await
}
