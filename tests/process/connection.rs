//! A blocking keep-alive connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::frame::frame;

/// How long an answer may take. Longer than any wait that is asked for; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The status line and the headers.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text, for messages.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> io::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).map_err(|e| io::Error::other(format!("{e} in {}", self.text())))
    }

    /// This answer if it has `status`, else an error that shows it.
    pub(crate) fn expect_status(self, status: u16) -> io::Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(io::Error::other(format!("expected {status}, got {}: {}", self.status, self.text())))
    }
}

/// The bytes of a request.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            head.push_str(part);
        }
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A connection on which one request follows the other.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects to `address`.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::with_capacity(64 << 10) })
    }

    /// Sends `request` and waits for its answer.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        self.receive()
    }

    /// Sends `request` and does not wait.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }

    /// Waits for an answer. What ends before the answer does is an error.
    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        self.received.clear();
        loop {
            if let Some(frame) = frame(&self.received)?
                && self.received.len() >= frame.total()
            {
                let head = String::from_utf8_lossy(&self.received[..frame.head]).into_owned();
                let body = self.received[frame.head..frame.total()].to_vec();
                return Ok(Answer { status: frame.status, head, body });
            }
            let mut chunk = [0; 16 << 10];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.received.extend_from_slice(&chunk[..n]),
            }
        }
    }

    /// Hangs up, and returns when the server has let go of the connection too.
    pub(crate) fn hang_up(mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(0) => Ok(()),
            Ok(n) => Err(io::Error::other(format!("{n} bytes came after the hang-up"))),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(e) => Err(e),
        }
    }
}

/// One request on a connection of its own.
pub(crate) fn once(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    Connection::open(address)?.exchange(request)
}
