//! The head of the chain beside the data: what the next run goes on from, and what a file can be compared with.
//!
//! The file is one line of a fixed length, written in place after each batch of lines. It holds a lock as long as a run
//! lasts, so that no two runs make one chain. The line comes first and the head after it: a crash in between leaves a
//! head that is too low, never one that is too high.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::chain::Head;

const FORM: &str = "tidings-audit-head 1";

/// How long another process may still hold the file: one that is stopping has closed its data file already.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// There is none: nothing was ever written.
    Nothing,
    /// The last line that a run has noted.
    At {
        /// The line.
        head: Head,
        /// Whether the run wrote its last line.
        stopped: bool,
    },
    /// It cannot be read as one.
    Damaged,
}

/// The file, held by one run.
#[derive(Debug)]
pub struct HeadFile {
    file: File,
}

impl HeadFile {
    /// Opens the file, or makes it, for this run alone. Blocks for up to 5 s while another process has it;
    /// `WouldBlock` if that one keeps it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Known)> {
        let options = || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).to_owned();
        let file = options().open(path)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error.into()),
            }
        }
        let known = read(&file)?;
        Ok((Self { file }, known))
    }

    /// What the file at `path` says now, whoever holds it.
    pub fn read(path: &Path) -> io::Result<Known> {
        match File::open(path) {
            Ok(file) => read(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Known::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Where it is in the data folder.
    #[must_use]
    pub fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join("audit-head")
    }

    /// Notes that `head` has been written.
    pub(super) fn note(&self, head: Head, stopped: bool) -> io::Result<()> {
        self.file.write_all_at(text(head, stopped).as_bytes(), 0)
    }

    /// Brings what was noted to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn text(head: Head, stopped: bool) -> String {
    format!("{FORM} {:020} {} {}\n", head.seq, head.hex(), if stopped { "stopped" } else { "running" })
}

fn read(file: &File) -> io::Result<Known> {
    let mut bytes = [0; 256];
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // An empty one was made by a run that ended before its first line.
    Ok(if length == 0 { Known::Nothing } else { parse(&bytes[..length]).unwrap_or(Known::Damaged) })
}

fn parse(bytes: &[u8]) -> Option<Known> {
    let rest = std::str::from_utf8(bytes).ok()?.strip_prefix(FORM)?.strip_prefix(' ')?.strip_suffix('\n')?;
    let mut words = rest.split(' ');
    let head = Head::parse(words.next()?.parse().ok()?, words.next()?)?;
    let stopped = match (words.next()?, words.next()) {
        ("stopped", None) => true,
        ("running", None) => false,
        _ => return None,
    };
    Some(Known::At { head, stopped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = HeadFile::path_in(folder.path());
        assert_eq!(HeadFile::read(&path).unwrap(), Known::Nothing);
        let (file, known) = HeadFile::open(&path).unwrap();
        assert_eq!((known, HeadFile::read(&path).unwrap()), (Known::Nothing, Known::Nothing));
        for (head, stopped) in [(Head::of(9, b"a"), false), (Head::of(u64::MAX, b"b"), true), (Head::START, false)] {
            file.note(head, stopped).unwrap();
            assert_eq!(HeadFile::read(&path).unwrap(), Known::At { head, stopped });
        }
        drop(file);
        std::fs::write(&path, "tidings-audit-head 1 7 ab running\n").unwrap();
        assert_eq!(HeadFile::open(&path).unwrap().1, Known::Damaged);
    }

    #[test]
    fn nobody_else_gets_it_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = HeadFile::path_in(folder.path());
        let (held, _) = HeadFile::open(&path).unwrap();
        let second = File::open(&path).unwrap();
        assert_eq!(flock(&second, FlockOperation::NonBlockingLockExclusive), Err(Errno::WOULDBLOCK));
        drop(held);
        flock(&second, FlockOperation::NonBlockingLockExclusive).unwrap();
    }
}
