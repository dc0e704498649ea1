//! `[server]` and `[admin]`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::forwarded::TrustedProxies;
use super::tls::TlsSettings;

/// An address to listen on: `127.0.0.1:8420`, `[::1]:8420` or `unix:/run/tidings/api.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// A TCP address; port 0 takes any free one.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Parses the form that the configuration has; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some("") => None,
            Some(path) => Some(Self::Unix(PathBuf::from(path))),
            None => text.parse().ok().map(Self::Tcp),
        }
    }

    /// The TCP address, where it is one.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What one server (the contracts' or the admin listener's) is told.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Where it listens.
    pub listen: Vec<ListenAddress>,
    /// With it every TCP address speaks TLS, the loopback ones too: what is spoken does not depend on from where one
    /// looks. Unix sockets never do.
    pub tls: Option<TlsSettings>,
    /// Whose word on a caller's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// The mode of unix sockets: who may connect.
    pub socket_mode: u32,
    /// The largest ordinary body in bytes.
    pub max_body: usize,
    /// The most connections at once; at the limit the longest idle one is closed for the new one.
    pub max_connections: usize,
    /// How long a request's head may take from its first byte.
    pub header_timeout: Duration,
    /// How long a request's body may take, and how long an answer may stand still that the caller does not read.
    pub body_timeout: Duration,
}
