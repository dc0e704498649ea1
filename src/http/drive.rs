//! One accepted connection from its socket to its end: the handshake if there is one, then the requests.

use std::sync::Arc;

use rustls::ServerConfig;

use super::desk::Desk;
use super::guard::Guard;
use super::registry::Place;
use super::stream::{Metered, Socket, Stream};
use super::{http1, tls};

/// Serves `socket` until it is closed.
pub(super) async fn serve(desk: Arc<Desk>, place: Place, socket: Socket, tls: Option<Arc<ServerConfig>>) {
    let connection = Arc::clone(&place.connection);
    let mut guard = Guard::new(Arc::clone(&connection), desk.limits);
    let socket = Metered::new(socket, Arc::clone(&connection));
    let stream = match tls {
        None => Some(Stream::plain(socket)),
        Some(config) => {
            tls::handshake(config, socket, &connection, &mut guard, desk.limits.header, &desk.metrics).await
        }
    };
    if let Some(stream) = stream {
        http1::serve(&desk, &connection, &mut guard, stream).await;
    }
}
