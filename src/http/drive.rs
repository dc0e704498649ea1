//! One accepted connection from its socket to its end.

use std::sync::Arc;

use super::desk::Desk;
use super::guard::Guard;
use super::http1;
use super::registry::Place;
use super::stream::Stream;

/// Serves `stream` until it is closed.
pub(super) async fn serve(desk: Arc<Desk>, place: Place, stream: Stream) {
    let connection = Arc::clone(&place.connection);
    let mut guard = Guard::new(Arc::clone(&connection), desk.limits);
    http1::serve(&desk, &connection, &mut guard, stream).await;
}
