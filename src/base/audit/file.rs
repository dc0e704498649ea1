//! A file as the output: appended to, opened anew when it was rotated away, and read at its end at the start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::chain::Head;
use super::line::{self, MAX_LINE};
use super::sink::{Short, Sink, write_counted};

/// Its owner writes it, its group may read it.
const MODE: u32 = 0o640;

/// How much of the end is read for the last line: one that is whole, after one that is not.
const TAIL: u64 = 2 * MAX_LINE as u64 + 2;

/// The file that lines are appended to.
pub(super) struct FileSink {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
    /// The file does not end with a line end: what was cut short there is closed off before the next line.
    open_end: bool,
}

/// What the end of a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last line of ours that is whole.
    pub(super) last: Option<Head>,
    /// Bytes at the very end that are no whole line.
    pub(super) torn: usize,
    /// There is no line end at the very end.
    open_end: bool,
}

impl FileSink {
    /// Opens the file at `path`, or makes it. `WouldBlock` if another process writes it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Tail)> {
        // Not blocking: a pipe that nobody reads is an error, not a wait without end. Files do not mind.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).custom_flags(flags).open(path)?;
        // Some file systems have no locks; then nothing stands in the way.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let metadata = file.metadata()?;
        let tail = if metadata.is_file() { tail(&file, metadata.len())? } else { Tail::default() };
        let identity = (metadata.dev(), metadata.ino());
        Ok((Self { path: path.to_owned(), file, identity, open_end: tail.open_end }, tail))
    }
}

impl Sink for FileSink {
    fn prepare(&mut self) -> io::Result<()> {
        let present = fs::metadata(&self.path).map(|metadata| (metadata.dev(), metadata.ino()));
        if present.is_ok_and(|present| present == self.identity) {
            return Ok(());
        }
        let (opened, _) = Self::open(&self.path)?;
        // Best effort: the old file is in others' hands by now.
        let _ = self.file.sync_data();
        *self = opened;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Short> {
        if self.open_end {
            write_counted(&mut self.file, b"\n").map_err(|Short { error, .. }| Short { taken: 0, error })?;
            self.open_end = false;
        }
        write_counted(&mut self.file, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.file.sync_data() {
            // Pipes and devices have nothing to flush.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            other => other,
        }
    }
}

fn tail(file: &File, length: u64) -> io::Result<Tail> {
    let from = length.saturating_sub(TAIL);
    let mut bytes = vec![0; usize::try_from(length - from).unwrap_or_default()];
    file.read_exact_at(&mut bytes, from)?;
    Ok(tail_of(&bytes))
}

fn tail_of(bytes: &[u8]) -> Tail {
    let open_end = bytes.last().is_some_and(|last| *last != b'\n');
    let mut lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).rsplit(|b| *b == b'\n').peekable();
    let torn = lines.peek().filter(|last| open_end && line::read(last).is_none()).map_or(0, |last| last.len());
    let last = lines.find_map(|text| line::read(text).map(|read| Head::of(read.seq, text)));
    Tail { last, torn, open_end }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"{"audit":1,"seq":3,"time":"1970-01-01T00:00:00.000Z","action":"a","outcome":"ok","previous":"00"}"#;

    #[test]
    fn the_last_whole_line_is_found() {
        let last = Some(Head::of(3, LINE.as_bytes()));
        for (text, expected) in [
            (String::new(), Tail::default()),
            ("something else\n".to_owned(), Tail::default()),
            (format!("{LINE}\n"), Tail { last, ..Tail::default() }),
            // Only the line end is missing: the line is whole.
            (LINE.to_owned(), Tail { last, torn: 0, open_end: true }),
            (format!("{LINE}\n{}", &LINE[..40]), Tail { last, torn: 40, open_end: true }),
            (format!("{LINE}\n{}\n", &LINE[..40]), Tail { last, torn: 0, open_end: false }),
            (format!("{}{LINE}\n", "x\n".repeat(9)), Tail { last, ..Tail::default() }),
        ] {
            assert_eq!(tail_of(text.as_bytes()), expected, "{text}");
        }
    }
}
