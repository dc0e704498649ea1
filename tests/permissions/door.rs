//! The listeners of an appliance, and a kept connection to each.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use tidings::app::Running;
use tidings::http::settings::ListenAddress;
use tokio::net::{TcpStream, UnixStream};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a request goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The contracts, over TCP.
    Api,
    /// The contracts, over a unix socket.
    ApiSocket,
    /// The admin listener, over TCP.
    Admin,
    /// The admin listener, over its unix socket.
    AdminSocket,
}

impl Door {
    /// Those that lead to the contracts, or to the admin listener.
    pub(crate) const fn of(admin: bool) -> [Self; 2] {
        if admin { [Self::Admin, Self::AdminSocket] } else { [Self::Api, Self::ApiSocket] }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Api => "api tcp",
            Self::ApiSocket => "api unix",
            Self::Admin => "admin tcp",
            Self::AdminSocket => "admin unix",
        }
    }

    /// A connection through it.
    pub(crate) fn open(self, running: &Running) -> Line {
        let addresses = match self {
            Self::Api | Self::ApiSocket => running.addresses(),
            Self::Admin | Self::AdminSocket => running.admin_addresses(),
        };
        let over_unix = matches!(self, Self::ApiSocket | Self::AdminSocket);
        let fits = |address: &&ListenAddress| matches!(address, ListenAddress::Unix(_)) == over_unix;
        Line { address: addresses.iter().find(fits).unwrap().clone(), sender: None }
    }
}

/// A connection on which one request follows the other; a new one where the server has closed it.
pub(crate) struct Line {
    address: ListenAddress,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Line {
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        answer.unwrap_or_else(|_| panic!("no answer to {asked}"))
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.ready().await.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.into()).unwrap();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    async fn ready(&mut self) -> &mut SendRequest<Full<Bytes>> {
        let kept = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !kept {
            self.sender = Some(connect(&self.address).await);
        }
        self.sender.as_mut().unwrap()
    }
}

impl Answer {
    /// The only value of the header `name`.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} twice in {self:?}");
        value
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// This answer, which must have the status `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

async fn connect(address: &ListenAddress) -> SendRequest<Full<Bytes>> {
    match address {
        ListenAddress::Tcp(address) => {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender
        }
        ListenAddress::Unix(path) => {
            let (sender, connection) = handshake(TokioIo::new(UnixStream::connect(path).await.unwrap())).await.unwrap();
            tokio::spawn(connection);
            sender
        }
    }
}
