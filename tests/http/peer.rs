//! A caller that speaks HTTP/2, by h2's own client or by hand.

use std::pin::Pin;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use tidings::http::settings::ListenAddress;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use crate::client::{Socket, soon};
use crate::secure::Caller;
use crate::toy::Running;

/// One connection.
pub(crate) struct Peer {
    pub(crate) send: SendRequest<Bytes>,
    /// Ends when the connection does.
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
}

/// A request that has been sent.
pub(crate) struct Asked {
    pub(crate) response: ResponseFuture,
    pub(crate) body: SendStream<Bytes>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Peer {
    /// Over TLS, agreed on by ALPN.
    pub(crate) async fn connect(server: &Running, caller: Caller) -> Self {
        let stream = caller.speaking(&["h2"]).dial(server).await.unwrap();
        Self::over(stream, &Builder::new()).await
    }

    /// Without TLS and without asking (RFC 9113, 3.3).
    pub(crate) async fn in_the_clear(server: &Running, builder: &Builder) -> Self {
        Self::over(plain(&server.addresses[0]).await, builder).await
    }

    async fn over(stream: impl Socket + 'static, builder: &Builder) -> Self {
        let (send, connection) = soon(builder.handshake(Box::pin(stream) as Pin<Box<dyn Socket>>)).await.unwrap();
        Self { send, driver: tokio::spawn(connection) }
    }

    /// Sends the head of a request, and its body's end with it if there is none to come.
    pub(crate) async fn begin(&mut self, request: Request<()>, whole: bool) -> Asked {
        let mut send = soon(self.send.clone().ready()).await.unwrap();
        let (response, body) = send.send_request(request, whole).unwrap();
        Asked { response, body }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.begin(head("GET", path), true).await.answer().await
    }

    pub(crate) async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Answer {
        let mut asked = self.begin(head("POST", path), false).await;
        asked.body.send_data(body.into(), true).unwrap();
        asked.answer().await
    }

    /// How the connection ended.
    pub(crate) async fn ended(self) -> Result<(), h2::Error> {
        drop(self.send);
        soon(self.driver).await.unwrap()
    }
}

impl Asked {
    pub(crate) async fn answer(self) -> Answer {
        self.outcome().await.unwrap()
    }

    pub(crate) async fn outcome(self) -> Result<Answer, h2::Error> {
        // The request's stream is reset when its handle goes before the body's end.
        let Self { response, body: _body } = self;
        let (head, body) = soon(response).await?.into_parts();
        let body = read(body).await?;
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// The whole of a body, whose reader makes room as it reads.
pub(crate) async fn read(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut whole = Vec::new();
    while let Some(data) = soon(body.data()).await.transpose()? {
        body.flow_control().release_capacity(data.len()).unwrap();
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

/// The head of a request.
pub(crate) fn head(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("https://test{path}")).body(()).unwrap()
}

async fn plain(address: &ListenAddress) -> Pin<Box<dyn Socket>> {
    match address {
        ListenAddress::Tcp(address) => Box::pin(soon(TcpStream::connect(address)).await.unwrap()),
        ListenAddress::Unix(path) => Box::pin(soon(UnixStream::connect(path)).await.unwrap()),
    }
}

/// A connection whose frames are made by hand.
pub(crate) struct Raw<S> {
    pub(crate) stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// A connection that has sent the preface and empty settings.
    pub(crate) async fn over(stream: S) -> Self {
        let mut raw = Self { stream };
        assert!(raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await);
        assert!(raw.frame(4, 0, 0, &[]).await);
        raw
    }

    /// Whether it could be sent.
    pub(crate) async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.send(&frame(kind, flags, stream, payload)).await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        soon(self.stream.write_all(bytes)).await.is_ok()
    }

    /// The next frame: its kind, its flags and its payload.
    pub(crate) async fn next(&mut self) -> (u8, u8, Vec<u8>) {
        let mut head = [0; 9];
        soon(self.stream.read_exact(&mut head)).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        soon(self.stream.read_exact(&mut payload)).await.unwrap();
        (head[3], head[4], payload)
    }

    /// All that comes until the server closes the connection.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset ends it as well.
        let _ = soon(self.stream.read_to_end(&mut rest)).await;
        rest
    }
}

/// A frame (RFC 9113, 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /toy/wait` of `https://test` in HPACK, without compression (RFC 7541, 6.2.2 and appendix A).
pub(crate) fn waiting() -> Vec<u8> {
    let mut block = vec![0x82, 0x87, 0x04, 9];
    block.extend(b"/toy/wait");
    block.extend([0x01, 4]);
    block.extend(b"test");
    block
}

/// A connection without TLS whose frames are made by hand.
pub(crate) async fn raw(server: &Running) -> Raw<TcpStream> {
    let ListenAddress::Tcp(address) = server.addresses[0] else { panic!("a TCP address") };
    Raw::over(soon(TcpStream::connect(address)).await.unwrap()).await
}
