//! The client: requests out, answers in, within limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use reqwest::dns::Resolve;
use reqwest::{Response, redirect};
use tokio::time::{Instant, timeout_at};

use super::destination::Destination;
use super::fault::{FaultClass, SendError};
use super::names::Names;
use super::policy::{Policy, Refusal};
use super::proxy::ProxySettings;
use super::resolver::{Checked, Unchecked};
use super::timings::{Noting, Timings, Watch};

/// How long an unused connection is kept. Many servers close theirs after a minute; one that is about to be closed is
/// better not used.
const IDLE: Duration = Duration::from_secs(30);

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

/// What a client is made of.
pub(super) struct ClientParts<'p> {
    pub(super) settings: ClientSettings,
    pub(super) policy: Arc<dyn Policy>,
    pub(super) names: Arc<Names>,
    pub(super) tls: rustls::ClientConfig,
    pub(super) proxy: Option<&'p ProxySettings>,
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
    /// How many bytes of the answer's body are kept.
    pub max_answer: usize,
    /// How many bytes more are read and thrown away, so that the connection can be used again.
    pub drain: usize,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or as much of it as was to be kept.
    pub body: Bytes,
    /// Whether that is all of it.
    pub complete: bool,
    /// Why its body has no end.
    pub broken: Option<SendError>,
    /// Who has answered: the proxy, if there is one.
    pub from: Option<SocketAddr>,
    /// How long its parts took.
    pub timings: Timings,
}

impl Client {
    pub(super) fn new(parts: ClientParts<'_>) -> Result<Self, SendError> {
        let ClientParts { settings, policy, names, tls, proxy } = parts;
        let ClientSettings { secure, port, connect_timeout, idle_connections } = settings;
        let resolver: Arc<dyn Resolve> = match proxy {
            None => Arc::new(Checked { names, policy: Arc::clone(&policy), port }),
            Some(proxy) => Arc::new(Unchecked { names, port: proxy.port() }),
        };
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(secure)
            .dns_resolver(resolver)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connector_layer(Noting)
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(idle_connections)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")));
        let unusable = |error: reqwest::Error| SendError::of(error, true);
        let builder = match proxy {
            None => builder,
            Some(proxy) => builder.proxy(proxy.to_reqwest().map_err(unusable)?),
        };
        Ok(Self { http: builder.build().map_err(unusable)?, policy, secure, port })
    }

    /// Sends `request` and reads its answer. Dropped, the request is broken off.
    pub async fn send(&self, request: OutboundRequest) -> Result<Answer, SendError> {
        self.check(&request.to).map_err(|refusal| SendError::new(FaultClass::Refused, refusal.to_string()))?;
        let answer = self.exchange(request).await?;
        match answer.broken {
            None => Ok(answer),
            Some(error) => Err(error),
        }
    }

    /// Makes a connection as a request to `to` would, TLS included, and closes it: nothing is sent. What a server says to
    /// our certificate only after that (TLS 1.3) is not seen.
    pub(super) async fn reach(&self, to: &Destination, timeout: Duration) -> Result<Timings, SendError> {
        let watch = Watch::over_connecting();
        let request = self.http.get(to.url().clone()).send();
        let reached = watch.over(async {
            tokio::select! {
                () = watch.connected() => Ok(()),
                answer = request => answer.map(drop),
            }
        });
        let outcome = match timeout_at(Instant::now() + timeout, reached).await {
            Ok(Ok(())) => return Ok(watch.timings()),
            Ok(Err(error)) => SendError::of(error, watch.is_connecting()),
            Err(_) => too_late(timeout, true),
        };
        Err(SendError { timings: watch.timings(), ..outcome })
    }

    /// What the resolver is not asked for: the scheme, the port, and an address that stands in the URL.
    fn check(&self, to: &Destination) -> Result<(), Refusal> {
        if to.is_secure() != self.secure || to.port() != self.port {
            return Err(Refusal(format!("no policy allows connections to {}:{}", to.host(), to.port())));
        }
        check(&*self.policy, to)
    }

    /// The same without a check, and with the beginning of an answer whose body has no end.
    pub(super) async fn exchange(&self, request: OutboundRequest) -> Result<Answer, SendError> {
        let OutboundRequest { method, to, headers, body, timeout, max_answer, drain } = request;
        let (watch, deadline) = (Watch::start(), Instant::now() + timeout);
        let mut sent = self.http.request(method, to.url().clone()).headers(headers);
        if !body.is_empty() {
            sent = sent.body(body);
        }
        let response = match watch.over(timeout_at(deadline, sent.send())).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let error = SendError::of(error, watch.is_connecting());
                return Err(SendError { timings: watch.timings(), ..error });
            }
            Err(_) => return Err(SendError { timings: watch.timings(), ..too_late(timeout, watch.is_connecting()) }),
        };
        watch.answered();
        let mut reading = Reading { response, kept: BytesMut::new(), room: max_answer, drain, complete: true };
        let broken = match timeout_at(deadline, reading.read()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(SendError::of(error, false)),
            Err(_) => Some(too_late(timeout, false)),
        };
        let timings = watch.timings();
        Ok(reading.end(broken.map(|error| SendError { timings, ..error }), timings))
    }
}

/// What can be said against `to` before any name is looked up.
pub(super) fn check(policy: &dyn Policy, to: &Destination) -> Result<(), Refusal> {
    match to.address() {
        Some(address) => policy.check_address(to.host(), SocketAddr::new(address.to_canonical(), to.port())),
        None => policy.check_name(to.host(), to.port()),
    }
}

fn too_late(timeout: Duration, connecting: bool) -> SendError {
    if connecting {
        return SendError::new(FaultClass::ConnectTimeout, format!("there was no connection within {timeout:?}"));
    }
    SendError::new(FaultClass::Timeout, format!("there was no whole answer within {timeout:?}"))
}

/// An answer whose body is being read.
struct Reading {
    response: Response,
    kept: BytesMut,
    /// How much more is kept.
    room: usize,
    /// How much more is thrown away.
    drain: usize,
    complete: bool,
}

impl Reading {
    async fn read(&mut self) -> Result<(), reqwest::Error> {
        while let Some(chunk) = self.response.chunk().await? {
            let kept = chunk.len().min(self.room);
            self.kept.extend_from_slice(&chunk[..kept]);
            self.room -= kept;
            if kept < chunk.len() {
                self.complete = false;
                let rest = chunk.len() - kept;
                if rest > self.drain {
                    return Ok(());
                }
                self.drain -= rest;
            }
        }
        Ok(())
    }

    fn end(mut self, broken: Option<SendError>, timings: Timings) -> Answer {
        Answer {
            status: self.response.status(),
            headers: std::mem::take(self.response.headers_mut()),
            body: self.kept.freeze(),
            complete: self.complete && broken.is_none(),
            broken,
            from: self.response.remote_addr(),
            timings,
        }
    }
}
