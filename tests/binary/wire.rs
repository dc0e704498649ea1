//! HTTP written by hand, over a unix socket or TCP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use hyper::header::HeaderMap;
use serde_json::Value;

use crate::openapi::{self, Exchange};
use crate::program::PATIENCE;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, headers: openapi::headers(head), body: body.to_owned() })
    }

    /// This answer with the `request` that it was given to.
    pub(crate) fn to<'a>(&'a self, request: &'a str) -> Exchange<'a> {
        let mut words = request.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        Exchange { method, target, status: self.status, headers: &self.headers, body: self.body.as_bytes() }
    }

    /// The body, of an answer that must have this status.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A GET with a token that closes the connection.
pub(crate) fn get(path: &str, token: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
}

/// A POST with an `Authorization` that closes the connection.
pub(crate) fn post(path: &str, authorization: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends over a unix socket; `None` if nobody answers there.
pub(crate) fn try_send(socket: &Path, request: &str) -> Option<Answer> {
    let mut stream = connect(socket)?;
    stream.write_all(request.as_bytes()).ok()?;
    receive(&mut stream)
}

/// A connection to a unix socket.
pub(crate) fn connect(socket: &Path) -> Option<UnixStream> {
    let stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Some(stream)
}

/// Sends over TCP.
pub(crate) fn send_tcp(address: &str, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    receive(&mut stream).unwrap()
}

/// Reads one answer up to the end of the connection.
pub(crate) fn receive(stream: &mut impl Read) -> Option<Answer> {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    Answer::parse(&String::from_utf8_lossy(&text))
}
