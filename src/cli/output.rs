//! stdout for results, stderr for the rest. A reader that has gone away is no error: there is nobody left to tell.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use super::exit::{Exit, Failure};
use crate::store::redb::Progress;

/// Whether there was still somebody to take what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was taken whole.
    Yes,
    /// The reader has gone away.
    No,
}

/// Writes `text` to stdout, as it is.
pub(super) fn result(text: &str) -> Result<(), Failure> {
    result_taken(text).map(drop)
}

/// The same, and says whether it was taken.
pub(super) fn result_taken(text: &str) -> Result<Taken, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Taken::Yes),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Taken::No),
        Err(error) => Err(Failure::new(Exit::Io, format!("cannot write the result to standard output: {error}"))),
    }
}

/// Writes `text` and a line end to stderr.
pub(super) fn remark(text: &str) {
    // If stderr is closed there is no place left to say so.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells on stderr how the opening of a data file goes on, where that is a terminal.
pub(super) fn progress() -> Progress {
    let seen = io::stderr().is_terminal();
    Arc::new(move |opening| {
        if seen {
            remark(&opening.to_string());
        }
    })
}

/// `text` with every control character but line ends and tabs shown as `\u{…}`: what a server or a file says must
/// not move a terminal's cursor.
#[must_use]
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n\tc"), "a\\u{1b}[2Jb\\u{d}\n\tc");
    }
}
