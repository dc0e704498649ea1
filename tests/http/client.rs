//! A client that sends bytes as they are and takes answers apart no more than needed.

use std::future::Future;
use std::time::Duration;

use tidings::http::settings::ListenAddress;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// Waits for what has to happen; how long that takes is no matter unless it does not happen at all.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it happens in the end")
}

pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// One connection.
pub(crate) struct Client {
    socket: Box<dyn Socket>,
    read: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}

impl Client {
    pub(crate) async fn connect(address: &ListenAddress) -> Self {
        let socket: Box<dyn Socket> = match address {
            ListenAddress::Tcp(address) => Box::new(soon(TcpStream::connect(address)).await.unwrap()),
            ListenAddress::Unix(path) => Box::new(soon(UnixStream::connect(path)).await.unwrap()),
        };
        Self { socket, read: Vec::new() }
    }

    /// A connection over `stream`.
    pub(crate) fn over(stream: impl Socket + 'static) -> Self {
        Self { socket: Box::new(stream), read: Vec::new() }
    }

    /// Sends `text`, whatever the server thinks of it.
    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        soon(self.socket.write_all(text.as_ref())).await.unwrap();
    }

    /// Sends what can be sent; whether it could.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        soon(self.socket.write_all(bytes)).await.is_ok()
    }

    /// Sends no more.
    pub(crate) async fn shut(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// A GET and its answer.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "", "").await
    }

    /// A request, with `headers` that each end in a line end, and its answer.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.send(request(method, path, headers, body)).await;
        self.answer_to(method).await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The next answer; one to HEAD has no body.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        let end = loop {
            match self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => assert!(self.fill().await, "closed within a head: {:?}", String::from_utf8_lossy(&self.read)),
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no status: {head}"));
        let mut answer = Answer { status, head, body: String::new() };
        let bodiless = method == "HEAD" || status == 204 || status == 100;
        let length = if bodiless { 0 } else { answer.header("content-length").unwrap().parse().unwrap() };
        while self.read.len() < length {
            assert!(self.fill().await, "closed within a body: {}", answer.head);
        }
        answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        answer
    }

    /// That the server closes the connection, and says nothing more before that.
    pub(crate) async fn closed(mut self) {
        while self.fill().await {}
        assert_eq!(String::from_utf8_lossy(&self.read), "");
    }

    /// How the next read ends.
    pub(crate) async fn end(&mut self) -> std::io::Result<usize> {
        soon(self.socket.read_buf(&mut self.read)).await
    }

    /// Reads some; `false` at the end.
    pub(crate) async fn fill(&mut self) -> bool {
        let read = soon(self.socket.read_buf(&mut self.read)).await;
        matches!(read, Ok(1..))
    }

    /// Reads at least `bytes`.
    pub(crate) async fn take(&mut self, bytes: usize) {
        let enough = self.read.len() + bytes;
        while self.read.len() < enough {
            assert!(self.fill().await, "closed after {} bytes", self.read.len());
        }
    }

    /// Whether something has come within `time`.
    pub(crate) async fn fill_within(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.socket.read_buf(&mut self.read)).await.is_ok()
    }
}

/// A request with the headers that every one needs.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{headers}{length}\r\n{body}")
}
