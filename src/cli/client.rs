//! The commands' HTTP client: one request over one connection, to an address or a unix socket of this appliance.
//!
//! Every wait is bounded and so is every body. It speaks `http://` only and follows no redirect; names other than
//! `localhost` are not looked up (a static binary has no resolver of its own before outbound HTTP comes).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::exit::{Exit, Failure};
use crate::http::settings::ListenAddress;

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The largest answer that is read: a page ends at 4 MiB of events (contracts/polling.md), metrics are smaller.
const MAX_ANSWER: usize = 64 << 20;

/// A server: where to dial, what it calls itself, and the path that its paths are below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    dial: Vec<Dial>,
    host: String,
    base: String,
    shown: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Dial {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    /// The method.
    pub(super) method: Method,
    /// The path below the target's base, with its query.
    pub(super) path: String,
    /// Headers besides `Host` and `User-Agent`.
    pub(super) headers: Vec<(HeaderName, String)>,
    /// The body; may be empty.
    pub(super) body: Bytes,
    /// How long the answer may take, from the first byte sent to the last received.
    pub(super) limit: Duration,
}

impl Call {
    /// A GET of `path` that is given 30 seconds.
    pub(super) fn get(path: impl Into<String>) -> Self {
        let limit = Duration::from_secs(30);
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: Bytes::new(), limit }
    }

    /// A POST of `body` to `path` that is given 30 seconds.
    pub(super) fn post(path: impl Into<String>, content_type: &str, body: impl Into<Bytes>) -> Self {
        let call = Self { method: Method::POST, body: body.into(), ..Self::get(path) };
        call.header(hyper::header::CONTENT_TYPE, content_type)
    }

    /// The same with one header more.
    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its `Retry-After` in seconds, where it has one in that form.
    pub(super) retry_after: Option<u64>,
    /// Its body.
    pub(super) body: Bytes,
}

impl Answer {
    /// The body as the JSON of a `T`; `what` it is, for people.
    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self, what: &str) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::new(Exit::Unreachable, format!("{what} cannot be read: {error}; is this a Tidings server?"))
        })
    }

    /// The body as text; what is no UTF-8 is shown as U+FFFD.
    #[must_use]
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Target {
    /// The server at `url`: `http://HOST[:PORT][/PATH]` or `unix:/PATH`.
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::new(Exit::Usage, format!("cannot use the address {url}: {what}"));
        if let Some(path) = url.strip_prefix("unix:") {
            let address = ListenAddress::parse(url).ok_or_else(|| wrong("the socket's path is missing"))?;
            return if path.starts_with('/') {
                Ok(Self::of(&address))
            } else {
                Err(wrong("the socket's path must begin with /"))
            };
        }
        let uri: hyper::Uri =
            url.parse().map_err(|_| wrong("it is not a URL; write for example http://127.0.0.1:8420"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(wrong(
                    "https is not spoken by the commands of this release; give a loopback address or a unix socket of the appliance",
                ));
            }
            _ => return Err(wrong("it must begin with http:// or unix:")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("the host is missing"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a name and password in the URL are not used; take them out"));
        }
        let addresses = addresses_of(authority.host()).ok_or_else(|| {
            wrong("host names other than localhost are not looked up in this release; give the IP address")
        })?;
        let port = authority.port_u16().unwrap_or(80);
        let dial = addresses.into_iter().map(|ip| Dial::Tcp(SocketAddr::new(ip, port))).collect();
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { dial, host: authority.to_string(), base, shown: url.to_owned() })
    }

    /// The server that listens on `address`; one that listens everywhere is dialled on the loopback.
    #[must_use]
    pub(super) fn of(address: &ListenAddress) -> Self {
        let (dial, host) = match address {
            ListenAddress::Tcp(address) => {
                let address = SocketAddr::new(reachable(address.ip()), address.port());
                (Dial::Tcp(address), address.to_string())
            }
            ListenAddress::Unix(path) => (Dial::Unix(path.clone()), "localhost".to_owned()),
        };
        Self { dial: vec![dial], host, base: String::new(), shown: address.to_string() }
    }

    /// Whether it is a unix socket.
    #[must_use]
    pub(super) fn is_local_socket(&self) -> bool {
        self.dial.iter().all(|dial| matches!(dial, Dial::Unix(_)))
    }

    /// What a person knows it by.
    #[must_use]
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends `call` and reads the whole answer, whatever its status.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, Failure> {
        let stream = self.open().await?;
        self.exchange(stream, call).await
    }

    /// Whether somebody listens there. Nothing is sent.
    pub(super) async fn listens(&self) -> Result<(), Failure> {
        self.open().await.map(drop)
    }

    async fn open(&self) -> Result<Box<dyn Stream>, Failure> {
        let mut refusal = None;
        for dial in &self.dial {
            match self.connect(dial).await {
                Ok(stream) => return Ok(stream),
                Err(failure) => refusal = Some(failure),
            }
        }
        Err(refusal.unwrap_or_else(|| self.unreachable("it has no address")))
    }

    async fn connect(&self, dial: &Dial) -> Result<Box<dyn Stream>, Failure> {
        let connect = async {
            Ok::<Box<dyn Stream>, std::io::Error>(match dial {
                Dial::Tcp(address) => Box::new(TcpStream::connect(address).await?),
                Dial::Unix(path) => Box::new(UnixStream::connect(path).await?),
            })
        };
        match tokio::time::timeout(CONNECT_LIMIT, connect).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(Failure::new(
                Exit::NotAllowed,
                format!(
                    "may not connect to {}: {error}; run the command as root or as a member of the group tidings",
                    self.shown
                ),
            )),
            Ok(Err(error)) => Err(self.unreachable(&error.to_string())),
            Err(_) => Err(self.unreachable(&format!("no connection within {} s", CONNECT_LIMIT.as_secs()))),
        }
    }

    async fn exchange(&self, stream: Box<dyn Stream>, call: Call) -> Result<Answer, Failure> {
        let limit = call.limit;
        match tokio::time::timeout(limit, self.exchange_unbounded(stream, call)).await {
            Ok(done) => done,
            Err(_) => Err(Failure::new(
                Exit::TryAgain,
                format!("{} did not answer within {} s; look at its log, and try again", self.shown, limit.as_secs()),
            )),
        }
    }

    async fn exchange_unbounded(&self, stream: Box<dyn Stream>, call: Call) -> Result<Answer, Failure> {
        let broken = |error: hyper::Error| self.unreachable(&format!("the connection broke: {error}"));
        let request = self.request(call)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driver = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        driver.abort();
        let body = body.map_err(|error| self.unreachable(&format!("the answer cannot be read: {error}")))?;
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Answer { status: head.status, retry_after, body: body.to_bytes() })
    }

    fn request(&self, call: Call) -> Result<hyper::Request<Full<Bytes>>, Failure> {
        let wrong = |what: String| Failure::new(Exit::Usage, what);
        let mut request = hyper::Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        let path = format!("{}{}", self.base, call.path);
        *request.uri_mut() = path.parse().map_err(|_| wrong(format!("{path:?} is no path of a URL")))?;
        let own = [(HOST, self.host.clone()), (USER_AGENT, concat!("tidings/", env!("CARGO_PKG_VERSION")).to_owned())];
        for (name, value) in own.into_iter().chain(call.headers) {
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                wrong(format!("the value for the header {name} holds characters that no header can have"))
            })?;
            value.set_sensitive(name == hyper::header::AUTHORIZATION);
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }

    fn unreachable(&self, what: &str) -> Failure {
        Failure::new(
            Exit::Unreachable,
            format!("cannot reach {}: {what}; is the appliance running, and is this its address?", self.shown),
        )
    }
}

/// What HTTP can be spoken over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The addresses of `host`: an IP literal or `localhost`.
fn addresses_of(host: &str) -> Option<Vec<IpAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    literal.parse().ok().map(|ip| vec![ip])
}

fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::parse("http://127.0.0.1:8420/tidings/").unwrap();
        assert_eq!(target.dial, [Dial::Tcp("127.0.0.1:8420".parse().unwrap())]);
        assert_eq!((target.host.as_str(), target.base.as_str()), ("127.0.0.1:8420", "/tidings"));
        assert_eq!(Target::parse("http://[::1]").unwrap().dial, [Dial::Tcp("[::1]:80".parse().unwrap())]);
        assert_eq!(Target::parse("http://LOCALHOST:1").unwrap().dial.len(), 2);
        assert_eq!(Target::parse("unix:/run/x.sock").unwrap().dial, [Dial::Unix("/run/x.sock".into())]);
    }

    #[test]
    fn what_cannot_be_reached_is_refused_as_usage() {
        for bad in [
            "",
            "127.0.0.1:8420",
            "https://127.0.0.1",
            "http://tidings.example",
            "ftp://127.0.0.1",
            "unix:",
            "unix:x",
            "http://a:b@127.0.0.1/",
        ] {
            assert_eq!(Target::parse(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_dialled_on_the_loopback() {
        let target = Target::of(&ListenAddress::parse("0.0.0.0:8421").unwrap());
        assert_eq!((target.host.as_str(), target.shown()), ("127.0.0.1:8421", "0.0.0.0:8421"));
    }
}
