//! Opening the data file: new, closed properly, or after a kill.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase};

use super::backend::GrowingFile;
use super::memory::Memory;
use super::record::{FORMAT, Meta};
use super::tables::{
    ATTEMPTS, CONDITIONS, ENDPOINTS, ERASING, EVENTS, HEADS, NUMBERS, OPEN, OUTCOMES, PAGES, POLLED, REPEATS, SECRETS,
    SETTLED, STANDINGS, SUBSCRIPTIONS, SUPPRESSED, TALLIES, WEBHOOK_DOMAINS,
};
use super::writer::write_meta;
use super::{Options, load, storage};
use crate::base::clock::Timestamp;
use crate::store::{StoreError, StoreSettings};

/// Bytes of memory that redb's page cache may take. Its own default is 1 GiB.
pub const CACHE_BYTES: usize = 64 << 20;

/// What redb is told: it counts pages of 4 KiB, for each of which the allocator takes 5 KiB, as the page has a header.
const CACHED_PAGE_BYTES: usize = CACHE_BYTES / 5 * 4;

/// What opening does, for those who wait for it.
#[derive(Clone, Copy, Debug)]
pub enum Opening {
    /// The file was not closed properly and is being repaired.
    Repairing {
        /// How much is done, in percent.
        percent: u8,
    },
    /// What waits is being read.
    Reading {
        /// Events read so far.
        events: u64,
    },
}

impl Opening {
    /// `done` is 0 to 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    pub(super) fn repairing(done: f64) -> Self {
        Self::Repairing { percent: (done * 100.0).clamp(0.0, 100.0) as u8 }
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repairing { percent } => write!(f, "repairing, {percent} %"),
            Self::Reading { events } => write!(f, "reading, {events} events so far"),
        }
    }
}

/// Is told how opening goes on.
pub type Progress = Arc<dyn Fn(Opening) + Send + Sync>;

/// Why a data file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{path} is in use by another process: only one appliance can run on a data file; stop the other one first")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened or read.
    #[error(
        "{path} cannot be opened: {detail}; see to it that it is on a working disk and belongs to the user that tidings runs as"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// It is no data file of ours, or one that is damaged.
    #[error(
        "{path} is not a data file that can be read: {detail}; restore it from a backup, or move it away to start with an empty one"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A later release has written it.
    #[error(
        "{path} was written by a later release (format {found}; this one reads up to {known}): install that release again"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
}

/// A data file that is open.
pub(super) struct Opened {
    pub(super) db: Database,
    /// The file under it.
    pub(super) file: Arc<File>,
    /// Its state.
    pub(super) meta: Meta,
}

/// Opens the file.
pub(super) fn open(options: &Options) -> Result<Opened, OpenError> {
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&options.path);
    let file = Arc::new(file.map_err(|e| io_error(&options.path, &e))?);
    let spare = options.settings.disk_reserve.saturating_mul(2);
    let backend = GrowingFile::new(Arc::clone(&file), spare, options.faults.clone());
    let db = open_database(&options.path, backend, &options.progress)?;
    refuse_newer(&db, &options.path)?;
    let meta = create_tables(&db).map_err(|e| damaged(options, &e))?;
    Ok(Opened { db, file, meta })
}

/// Reads memory from the file. `now` is the ledger's time.
pub(super) fn read(
    db: &Database,
    options: &Options,
    settings: &StoreSettings,
    now: Timestamp,
) -> Result<Memory, OpenError> {
    load::load(db, settings, &options.seal, now, &options.progress).map_err(|e| damaged(options, &e))
}

fn damaged(options: &Options, error: &StoreError) -> OpenError {
    OpenError::Damaged { path: options.path.clone(), detail: error.to_string() }
}

pub(super) fn io_error(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), detail: error.to_string() }
}

/// redb on a file of ours.
pub(super) fn open_database(
    path: &Path,
    backend: io::Result<GrowingFile>,
    progress: &Progress,
) -> Result<Database, OpenError> {
    let backend = backend.map_err(|e| io_error(path, &e))?;
    let progress = Arc::clone(progress);
    let opened = Database::builder()
        .set_cache_size(CACHED_PAGE_BYTES)
        .set_repair_callback(move |session| progress(Opening::repairing(session.progress())))
        .create_with_backend(backend);
    opened.map_err(|e| match e {
        redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path: path.to_owned() },
        redb::DatabaseError::Storage(redb::StorageError::Io(e)) if e.kind() != io::ErrorKind::InvalidData => {
            io_error(path, &e)
        }
        other => OpenError::Damaged { path: path.to_owned(), detail: other.to_string() },
    })
}

/// Refuses what a later release has written, before any of its records is read.
pub(super) fn refuse_newer(db: &Database, path: &Path) -> Result<(), OpenError> {
    let read = db.begin_read().map_err(|e| OpenError::Io { path: path.to_owned(), detail: e.to_string() })?;
    let refused = |found| Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT });
    load::later_format(&read).map_or(Ok(()), refused)
}

/// How many tables there are, META among them.
const TABLES: usize = 20;

/// Makes the tables that a file has not; answers the state of any.
fn create_tables(db: &Database) -> Result<Meta, StoreError> {
    let read = db.begin_read().map_err(storage)?;
    let tables = read.list_tables().map_err(storage)?.count();
    let known = if tables == 0 { None } else { Some(load::read_meta(&read)?) };
    if let Some(meta) = &known
        && (tables, meta.format) == (TABLES, FORMAT)
    {
        return Ok(meta.clone());
    }
    let write = db.begin_write().map_err(storage)?;
    write.open_table(HEADS).map_err(storage)?;
    write.open_table(EVENTS).map_err(storage)?;
    write.open_table(PAGES).map_err(storage)?;
    write.open_table(OPEN).map_err(storage)?;
    write.open_table(OUTCOMES).map_err(storage)?;
    write.open_table(ENDPOINTS).map_err(storage)?;
    write.open_table(SUBSCRIPTIONS).map_err(storage)?;
    write.open_table(POLLED).map_err(storage)?;
    write.open_table(TALLIES).map_err(storage)?;
    write.open_table(SETTLED).map_err(storage)?;
    write.open_table(SECRETS).map_err(storage)?;
    write.open_table(ATTEMPTS).map_err(storage)?;
    write.open_table(STANDINGS).map_err(storage)?;
    write.open_table(SUPPRESSED).map_err(storage)?;
    write.open_table(CONDITIONS).map_err(storage)?;
    write.open_table(NUMBERS).map_err(storage)?;
    write.open_table(REPEATS).map_err(storage)?;
    write.open_table(ERASING).map_err(storage)?;
    write.open_table(WEBHOOK_DOMAINS).map_err(storage)?;
    // An earlier release had fewer tables, and could not read what this one writes.
    let meta = known.map_or_else(Meta::new, |meta| Meta { format: FORMAT, ..meta });
    write_meta(&write, &meta)?;
    write.commit().map_err(storage)?;
    Ok(meta)
}
