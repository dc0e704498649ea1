//! The file under redb: its own backend, with blocks made ahead of need.
//!
//! redb extends its file sparsely. Writing into a hole makes the file system allocate blocks in its journal at every
//! flush, which makes publishing on a growing file 2 to 4 times slower (performance.md). So zeros are written ahead of
//! where redb writes, in steps of [`AHEAD`], but not on a volume that fills up: there the reserve comes before speed.
//! Locking stays redb's own.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::room::Volume;

/// How far zeros are written ahead, in bytes.
const AHEAD: u64 = 16 << 20;

/// Faults to inject below the store, in tests: each is asked before the real operation, and an error takes its place.
pub trait Faults: Send + Sync + std::fmt::Debug + 'static {
    /// Before `len` bytes are written at `offset`.
    fn write(&self, offset: u64, len: usize) -> io::Result<()>;
    /// Before a flush.
    fn flush(&self) -> io::Result<()>;
    /// Before the file is extended to `len` bytes.
    fn extend(&self, len: u64) -> io::Result<()>;
    /// Before `len` zeros are written ahead at `offset`.
    fn fill(&self, offset: u64, len: u64) -> io::Result<()> {
        let _ = (offset, len);
        Ok(())
    }
    /// What the volume is to look like; `None`: as it is.
    fn volume(&self) -> Option<Volume> {
        None
    }
}

#[derive(Debug)]
pub(super) struct GrowingFile {
    inner: FileBackend,
    file: Arc<File>,
    /// Where the file's length ends.
    end: AtomicU64,
    /// Up to where blocks exist, or were tried for in vain: nothing was written behind it.
    filled: AtomicU64,
    /// What stays free on the volume when zeros are written ahead, in bytes.
    spare: u64,
    faults: Option<Arc<dyn Faults>>,
}

impl GrowingFile {
    pub(super) fn new(file: Arc<File>, spare: u64, faults: Option<Arc<dyn Faults>>) -> io::Result<Self> {
        let end = file.metadata()?.len();
        let filled = end_of_data(&file, end)?;
        let inner = FileBackend::new(file.try_clone()?).map_err(io::Error::other)?;
        Ok(Self { inner, file, end: AtomicU64::new(end), filled: AtomicU64::new(filled), spare, faults })
    }

    /// Makes blocks from where they end to [`AHEAD`] behind `until`, inside the file's length. What is about to be
    /// written up to `until` is behind the filled part afterwards, come what may: it is never filled over.
    fn fill_ahead(&self, until: u64) {
        let filled = self.filled.load(Ordering::Acquire);
        let end = self.end.load(Ordering::Acquire);
        if until <= filled || filled >= end {
            return;
        }
        let target = until.saturating_add(AHEAD).min(end);
        if let Err(error) = self.spare(target - filled).and_then(|()| self.fill(filled, target)) {
            // Only speed is lost: there may be room yet for what is written itself.
            tracing::debug!(%error, "no blocks are made ahead of need");
            self.filled.store(until, Ordering::Release);
        } else {
            self.filled.store(target, Ordering::Release);
        }
    }

    /// Refuses where the volume would have too little left with `len` bytes less.
    fn spare(&self, len: u64) -> io::Result<()> {
        let volume = self.faults.as_ref().and_then(|f| f.volume()).or_else(|| Volume::of(&self.file));
        match volume {
            Some(volume) if volume.free < len.saturating_add(self.spare) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    /// Writes zeros over `from..to`, where nothing was ever written.
    fn fill(&self, from: u64, to: u64) -> io::Result<()> {
        if let Some(faults) = &self.faults {
            faults.fill(from, to - from)?;
        }
        let zeros = vec![0; 1 << 20];
        let mut at = from;
        while at < to {
            let len = zeros.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
            self.file.write_all_at(&zeros[..len], at)?;
            at += len as u64;
        }
        Ok(())
    }
}

/// Gives blocks to every hole of the file.
pub(super) fn fill_holes(file: &File, faults: Option<&dyn Faults>) -> io::Result<()> {
    let len = file.metadata()?.len();
    if let Some(faults) = faults {
        faults.fill(0, len)?;
    }
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, len)?;
    Ok(())
}

/// Where the last block with data ends: everything behind is a hole.
fn end_of_data(file: &File, len: u64) -> io::Result<u64> {
    use rustix::fs::{SeekFrom, seek};
    let mut end = 0;
    while end < len {
        let data = match seek(file, SeekFrom::Data(end)) {
            Ok(data) => data,
            Err(rustix::io::Errno::NXIO) => break,
            // A file system that does not know holes has none.
            Err(rustix::io::Errno::INVAL) => return Ok(len),
            Err(e) => return Err(e.into()),
        };
        end = seek(file, SeekFrom::Hole(data))?;
    }
    Ok(end.min(len))
}

impl StorageBackend for GrowingFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if let Some(faults) = &self.faults {
            faults.extend(len)?;
        }
        self.inner.set_len(len)?;
        self.end.store(len, Ordering::Release);
        // What was cut off and is added again is a hole.
        self.filled.fetch_min(len, Ordering::AcqRel);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Some(faults) = &self.faults {
            faults.flush()?;
        }
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Some(faults) = &self.faults {
            faults.write(offset, data.len())?;
        }
        self.fill_ahead(offset + data.len() as u64);
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_made_ahead_and_content_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let backend = GrowingFile::new(Arc::new(open()), 0, None).unwrap();
        backend.set_len(64 << 20).unwrap();
        backend.write(4096, b"here").unwrap();
        assert_eq!(backend.filled.load(Ordering::Acquire), 4096 + 4 + AHEAD);
        backend.write(0, b"first").unwrap();
        drop(backend);

        let again = GrowingFile::new(Arc::new(open()), 0, None).unwrap();
        assert!(again.filled.load(Ordering::Acquire) >= 4096 + 4 + AHEAD);
        again.write(AHEAD + 5000, b"later").unwrap();
        let mut read = [0; 4];
        again.read(4096, &mut read).unwrap();
        assert_eq!(&read, b"here");
        assert_eq!(again.len().unwrap(), 64 << 20);
    }

    #[test]
    fn what_is_cut_off_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::options().read(true).write(true).create_new(true).open(dir.path().join("file")).unwrap();
        let backend = GrowingFile::new(Arc::new(file), 0, None).unwrap();
        backend.set_len(8 << 20).unwrap();
        backend.write(0, b"x").unwrap();
        assert_eq!(backend.filled.load(Ordering::Acquire), 8 << 20);
        backend.set_len(4096).unwrap();
        backend.set_len(8 << 20).unwrap();
        assert_eq!(backend.filled.load(Ordering::Acquire), 4096);
    }
}
