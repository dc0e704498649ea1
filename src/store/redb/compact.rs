//! Compaction while the store is open: where nearly all of a large file is free, but no use on a full volume.
//!
//! redb doubles the file to grow it. Where the volume cannot fill the file, what is free inside is not safe to use
//! ([`super::room`]), and the file stays as long as one page at its end is in use. So a file of which little is used is
//! made as small as that, which gives its blocks back to the volume. Readers wait for it, a second at most: where much
//! is used, that is left to a person.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{CompactionError, Database};

use super::storage;
use super::writer::Writer;

/// How often it is tried.
const EVERY: Duration = Duration::from_mins(1);

/// How long readers that are at work are waited for.
const READERS_LEAVE: Duration = Duration::from_millis(200);

/// Compacts the file if that brings publishing back.
pub(super) fn run(writer: &mut Writer) {
    let wanted = writer.shared.wants_compaction();
    if !wanted || writer.last_compaction.is_some_and(|last| last.elapsed() < EVERY) {
        return;
    }
    writer.last_compaction = Some(Instant::now());
    let mut db = writer.shared.db.write();
    let Some(db) = db.as_mut().and_then(alone) else { return };
    match db.compact() {
        Ok(_) => {
            writer.quick = false;
            tracing::info!("the data file was nearly empty and has been compacted, as its volume is short of room");
        }
        Err(CompactionError::Storage(error)) => {
            let error = storage(error);
            tracing::error!(%error, "the data file cannot be compacted; it is opened anew");
            *writer.shared.trouble.write() = Some(error.to_string());
        }
        Err(error) => tracing::debug!(%error, "the data file is not compacted"),
    }
}

/// The database once nobody else has it; `None` if somebody keeps it.
fn alone(db: &mut Arc<Database>) -> Option<&mut Database> {
    let started = Instant::now();
    while Arc::strong_count(db) > 1 && started.elapsed() < READERS_LEAVE {
        std::thread::sleep(Duration::from_millis(1));
    }
    Arc::get_mut(db)
}
