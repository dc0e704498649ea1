//! The client: requests out, answers in, within limits.

use std::error::Error as _;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use rustls::ClientConfig;

use super::destination::Destination;
use super::names::Names;
use super::policy::Policy;
use super::trust::{Trust, TrustSettings, no_trust};

/// What all outbound connections share.
pub struct Outbound {
    names: Arc<Names>,
    trust: Trust,
}

/// What one [`Client`] is for. The port is fixed because a name is resolved without one, and the policy wants both.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// `https`, not `http`.
    pub secure: bool,
    /// The one port that it connects to.
    pub port: u16,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How many unused connections to one host are kept open for the next request.
    pub idle_connections: usize,
}

/// Sends requests where its policy allows. Clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    policy: Arc<dyn Policy>,
    secure: bool,
    port: u16,
}

/// A request.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    /// GET, POST, …
    pub method: Method,
    /// Where to.
    pub to: Destination,
    /// Its headers, besides `Host`, `User-Agent` and those of the body.
    pub headers: HeaderMap,
    /// Its body; may be empty.
    pub body: Bytes,
    /// How long all of it may take, to the last byte of the answer.
    pub timeout: Duration,
    /// How many bytes of the answer's body are read.
    pub max_answer: usize,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or as much of it as was to be read.
    pub body: Bytes,
    /// Whether that is all of it.
    pub complete: bool,
}

/// Why there is no answer. The texts are for the log: they name the host, but no path and no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The policy allows none of the addresses.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("there was no whole answer within {0:?}")]
    TimedOut(Duration),
    /// Resolving, connecting, TLS or HTTP went wrong.
    #[error("{0}")]
    Failed(String),
}

impl Outbound {
    /// What believes the authorities of `trust`, and this machine's files for names.
    #[must_use]
    pub fn new(trust: TrustSettings) -> Self {
        Self { names: Arc::new(Names::of_system()), trust: Trust::new(trust) }
    }

    /// How names become addresses: for what speaks another protocol than HTTP.
    #[must_use]
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }

    /// What TLS connections are begun with, for the same. The first call reads the system's store of authorities, which
    /// blocks for some milliseconds.
    #[must_use]
    pub fn tls(&self) -> ClientConfig {
        self.trust.config()
    }

    /// A client for what `policy` allows. The first one for TLS reads the system's store of authorities, which blocks
    /// for some milliseconds.
    pub fn client(&self, settings: ClientSettings, policy: Arc<dyn Policy>) -> Result<Client, SendError> {
        let ClientSettings { secure, port, connect_timeout, idle_connections } = settings;
        let tls = if secure { self.trust.config() } else { no_trust() };
        let names = Checked { names: Arc::clone(&self.names), policy: Arc::clone(&policy), port };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(secure)
            .dns_resolver(Arc::new(names))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(idle_connections)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(failed)?;
        Ok(Client { http, policy, secure, port })
    }
}

impl Client {
    /// Sends `request` and reads its answer. Dropped, the request is broken off.
    pub async fn send(&self, request: OutboundRequest) -> Result<Answer, SendError> {
        self.check(&request.to)?;
        let timeout = request.timeout;
        tokio::time::timeout(timeout, self.exchange(request)).await.unwrap_or(Err(SendError::TimedOut(timeout)))
    }

    /// What the resolver is not asked for: the scheme, the port, and an address that stands in the URL.
    fn check(&self, to: &Destination) -> Result<(), SendError> {
        if to.is_secure() != self.secure || to.port() != self.port {
            return Err(SendError::Refused(format!("no policy allows connections to {}:{}", to.host(), to.port())));
        }
        let address = to.address().map(|ip| SocketAddr::new(ip.to_canonical(), self.port));
        match address {
            Some(address) if !self.policy.allows(to.host(), address) => {
                Err(SendError::Refused(format!("no policy allows connections to {address}")))
            }
            _ => Ok(()),
        }
    }

    async fn exchange(&self, request: OutboundRequest) -> Result<Answer, SendError> {
        let OutboundRequest { method, to, headers, body, timeout: _, max_answer } = request;
        let mut sent = self.http.request(method, to.url().clone()).headers(headers);
        if !body.is_empty() {
            sent = sent.body(body);
        }
        let mut response = sent.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = max_answer - body.len();
            if chunk.len() > room {
                body.extend_from_slice(&chunk[..room]);
                return Ok(Answer { status, headers, body: body.freeze(), complete: false });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.freeze(), complete: true })
    }
}

/// The resolver of one client: it gives only addresses that the policy allows.
struct Checked {
    names: Arc<Names>,
    policy: Arc<dyn Policy>,
    port: u16,
}

/// Marks an error that the policy made, on its way through reqwest.
#[derive(Debug, thiserror::Error)]
#[error("no policy allows connections to port {port} of {name}, which is {addresses}")]
struct NotAllowed {
    name: String,
    port: u16,
    addresses: String,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, policy, port) = (Arc::clone(&self.names), Arc::clone(&self.policy), self.port);
        Box::pin(async move {
            let name = name.as_str();
            let found = names.lookup(name).await?;
            let addresses: Vec<_> = found.iter().map(|ip| SocketAddr::new(ip.to_canonical(), port)).collect();
            let allowed: Vec<_> = addresses.into_iter().filter(|address| policy.allows(name, *address)).collect();
            if allowed.is_empty() {
                let addresses = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Err(NotAllowed { name: name.to_owned(), port, addresses }.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The error with its causes, without the URL.
fn failed(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<NotAllowed>() {
            return SendError::Refused(refused.to_string());
        }
        // Writing to a String cannot fail.
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    SendError::Failed(text)
}
