//! A small HTTP server that a test scripts: what the appliance connects to.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What is answered to every request from now on.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This answer: status, further header lines (each with its line end), body.
    Whole(u16, String, Vec<u8>),
    /// A 200 with a body that goes on as long as somebody reads.
    Endless,
    /// The same, and the connection is kept for the next request.
    Kept(u16, String, Vec<u8>),
    /// These bytes, and then nothing, for ever.
    Stuck(Vec<u8>),
    /// These bytes, and the connection is closed.
    Cut(Vec<u8>),
    /// Nothing, for ever.
    Silence,
    /// The connection is closed.
    Closed,
}

impl Reply {
    /// A 200 with this body.
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, String::new(), body.into())
    }
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    reply: Mutex<Reply>,
    /// The heads and bodies of the requests that have come.
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Upstream {
    pub(crate) async fn start(reply: Reply) -> Self {
        Self::listen(reply, None).await
    }

    pub(crate) async fn start_tls(reply: Reply, tls: TlsAcceptor) -> Self {
        Self::listen(reply, Some(tls)).await
    }

    async fn listen(reply: Reply, tls: Option<TlsAcceptor>) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), reply, tls)
    }

    /// Serves what comes to this listener.
    pub(crate) fn serve(listener: TcpListener, reply: Reply, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { reply: Mutex::new(reply), requests: Mutex::default(), connections: AtomicUsize::new(0) });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serving.connections.fetch_add(1, Ordering::Relaxed);
                let (shared, tls) = (Arc::clone(&serving), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &shared).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &shared).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:<port>/<path>`
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Answers so from now on.
    pub(crate) fn reply(&self, reply: Reply) {
        *self.shared.reply.lock() = reply;
    }

    /// The requests that have come.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().clone()
    }

    /// How many connections have been made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many requests have come.
    pub(crate) fn hits(&self) -> usize {
        self.shared.requests.lock().len()
    }
}

/// Serves requests, mostly one; `None` where the other side went away.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> Option<()> {
    while answer(&mut stream, shared).await? {}
    Some(())
}

/// Answers one request; whether there may be another.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), shared: &Shared) -> Option<bool> {
    let request = receive(stream).await?;
    shared.requests.lock().push(request);
    let reply = shared.reply.lock().clone();
    match reply {
        Reply::Whole(status, headers, body) => {
            let head =
                format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
            stream.shutdown().await.ok()?;
        }
        Reply::Kept(status, headers, body) => {
            let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
            return Some(true);
        }
        Reply::Stuck(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            std::future::pending::<()>().await;
        }
        Reply::Cut(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.shutdown().await.ok()?;
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 x\r\nConnection: close\r\n\r\n").await.ok()?;
            loop {
                stream.write_all(&[b' '; 4096]).await.ok()?;
            }
        }
        Reply::Silence => std::future::pending::<()>().await,
        Reply::Closed => {}
    }
    Some(false)
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut received = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        received.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&received);
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().and_then(|length| length.parse().ok()).unwrap_or(0));
        if received.len() >= end + 4 + length {
            return Some(text.into_owned());
        }
    }
}
