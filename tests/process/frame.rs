//! The least of HTTP/1.1 (RFC 9112) that is needed to find where an answer ends.
//!
//! Only what the appliance sends: a status line, `Content-Length`, no transfer coding. Cheap, because the load
//! generator shares the processor with what it measures.

use std::io;

/// Where an answer's parts lie in the bytes that have been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The status code.
    pub(crate) status: u16,
    /// Bytes of the status line and the headers, with the empty line.
    pub(crate) head: usize,
    /// Bytes of the body.
    pub(crate) body: usize,
}

impl Frame {
    /// Bytes of the whole answer.
    pub(crate) const fn total(&self) -> usize {
        self.head + self.body
    }
}

/// The frame of the answer that `received` begins with, `None` while its head is not complete.
pub(crate) fn frame(received: &[u8]) -> io::Result<Option<Frame>> {
    let Some(end) = received.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = received[..end].split(|&b| b == b'\n');
    let status = lines.next().and_then(status_of).ok_or_else(|| io::Error::other("not an HTTP/1.1 status line"))?;
    let body = match lines.find_map(content_length) {
        None => 0,
        Some(digits) => parsed(digits).ok_or_else(|| io::Error::other("a Content-Length that is no number"))?,
    };
    Ok(Some(Frame { status, head: end + 4, body }))
}

fn status_of(line: &[u8]) -> Option<u16> {
    parsed(line.strip_prefix(b"HTTP/1.1 ")?.get(..3)?)
}

/// The value of `line` if it is a `Content-Length`.
fn content_length(line: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    name.eq_ignore_ascii_case(NAME).then_some(value)
}

fn parsed<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}
