//! The start of a run: which chain it goes on with, and what its first line says of the run before.

use std::io;
use std::path::{Path, PathBuf};

use super::chain::Head;
use super::entry::{Actor, Entry, Outcome};
use super::file::{FileSink, Tail};
use super::head::{HeadFile, Known};
use super::line;
use super::sink::{Journal, Sink};

/// `[audit] output`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// stderr, which journald reads.
    #[default]
    Journal,
    /// This file; a relative path is relative to the working directory.
    File(PathBuf),
}

/// What a run begins with.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// Where the lines go.
    pub output: &'a Output,
    /// Where the head is kept.
    pub data_dir: &'a Path,
    /// The program's version, for the first line.
    pub version: &'static str,
}

/// Why there is no trail.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The output cannot be opened.
    #[error(
        "the audit trail {} cannot be opened: {source}; make its folder and give it to the user that runs tidings, or \
         name another file in audit.output", path.display()
    )]
    Output {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The head cannot be opened.
    #[error("the head of the audit trail, {}, cannot be opened: {source}; it must be readable and writable for the user that runs tidings", path.display())]
    Head {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("another process writes the audit trail {}: give each appliance a file of its own in audit.output", .0.display())]
    InUse(PathBuf),
    /// There is no thread for the writer.
    #[error("no thread can be started for the audit trail: {0}")]
    Thread(io::Error),
}

/// A run that may begin.
pub(super) struct Begun {
    pub(super) sink: Box<dyn Sink>,
    pub(super) head_file: HeadFile,
    pub(super) head: Head,
    pub(super) first: Entry,
}

/// Opens the output and the head. Blocks for some seconds while another process that ends still has them.
pub(super) fn open(opening: &Opening<'_>) -> Result<Begun, OpenError> {
    let (head_file, known) = open_head(opening.data_dir)?;
    let (sink, tail): (Box<dyn Sink>, _) = match opening.output {
        Output::Journal => (Box::new(Journal), Tail::default()),
        Output::File(path) => {
            let (sink, tail) = FileSink::open(path).map_err(|source| match source.kind() {
                io::ErrorKind::WouldBlock => OpenError::InUse(path.clone()),
                _ => OpenError::Output { path: path.clone(), source },
            })?;
            (Box::new(sink), tail)
        }
    };
    let (head, first) = go_on(known, tail);
    Ok(Begun { sink, head_file, head, first: first.with("version", opening.version) })
}

pub(super) fn open_head(data_dir: &Path) -> Result<(HeadFile, Known), OpenError> {
    let path = HeadFile::path_in(data_dir);
    HeadFile::open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse(path),
        _ => OpenError::Head { path, source },
    })
}

/// The chain goes on from the line with the highest number, whether the head or the end of the file has it: a number
/// is never given twice, and what is missing in the file shows as a gap.
pub(super) fn go_on(known: Known, tail: Tail) -> (Head, Entry) {
    let last_run = match known {
        Known::Nothing if tail.last.is_none() => "none",
        Known::Nothing | Known::Damaged => "unknown",
        Known::At { stopped: true, .. } => "stopped",
        Known::At { stopped: false, .. } => "broken-off",
    };
    let entry = Entry::new(line::START, Outcome::Ok).by(Actor::Appliance).with("last_run", last_run);
    let noted = match known {
        Known::At { head, .. } => head,
        Known::Nothing | Known::Damaged => Head::START,
    };
    let (head, unconfirmed) = match tail.last {
        Some(last) if last.seq > noted.seq => (last, last.seq - noted.seq),
        _ => (noted, 0),
    };
    let entry = if unconfirmed > 0 { entry.with("unconfirmed", unconfirmed) } else { entry };
    (head, if tail.torn > 0 { entry.with("torn", tail.torn) } else { entry })
}
