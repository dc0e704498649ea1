//! Where lines go.

use std::io::{self, Write};

/// Not all was taken.
#[derive(Debug)]
pub struct Short {
    /// How many bytes were.
    pub taken: usize,
    /// Why no more.
    pub error: io::Error,
}

/// An output of lines. It is used by one thread, and may block it.
pub trait Sink: Send + 'static {
    /// Called before lines are written: what was rotated away is opened anew.
    fn prepare(&mut self) -> io::Result<()>;
    /// Writes `bytes`.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Short>;
    /// Brings what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// stderr, which journald reads where it is connected to it.
pub(super) struct Journal;

impl Sink for Journal {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Short> {
        // Held from the first byte to the last: the log writes its lines to the same stream.
        write_counted(&mut io::stderr().lock(), bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As `write_all`, but says how far it came.
pub(super) fn write_counted(out: &mut impl Write, bytes: &[u8]) -> Result<(), Short> {
    let mut taken = 0;
    while taken < bytes.len() {
        match out.write(&bytes[taken..]) {
            Ok(0) => return Err(Short { taken, error: io::ErrorKind::WriteZero.into() }),
            Ok(more) => taken += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Short { taken, error }),
        }
    }
    Ok(())
}

/// What has to be written after `taken` bytes of these lines were, if anything else may have been written since: a
/// line that was cut short is closed off, and written anew.
pub(super) fn rest(lines: &[u8], taken: usize) -> Vec<u8> {
    let (before, after) = lines.split_at(taken);
    let begun = before.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    if begun == taken || after.first() == Some(&b'\n') {
        // Nothing of a line, or all of it but its end.
        return after.to_vec();
    }
    let mut rest = vec![b'\n'];
    rest.extend_from_slice(&lines[begun..]);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_is_written_anew() {
        let lines = b"one\ntwo\n";
        for (taken, expected) in
            [(0, "one\ntwo\n"), (1, "\none\ntwo\n"), (3, "\ntwo\n"), (4, "two\n"), (6, "\ntwo\n"), (7, "\n"), (8, "")]
        {
            assert_eq!(String::from_utf8(rest(lines, taken)).unwrap(), expected, "{taken}");
        }
    }
}
