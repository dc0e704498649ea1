//! A proxy that connects for us.

use std::fmt;

use reqwest::Proxy;

use super::destination::{Destination, DestinationError};
use crate::base::secret::{ExposeSecret as _, SecretString};

/// An HTTP proxy: `https` goes through a tunnel (CONNECT), `http` is sent to it.
#[derive(Clone)]
pub struct ProxySettings {
    url: Destination,
    credentials: Option<(String, SecretString)>,
}

/// Why a text is no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// It is no URL that can be connected to.
    #[error("{0}")]
    Url(#[from] DestinationError),
    /// It has more than a host and a port, or another scheme.
    #[error("must be http:// with a host and a port, such as \"http://proxy.example.com:3128\"")]
    Form,
}

impl ProxySettings {
    /// The proxy at `http://host:port`.
    pub fn parse(text: &str) -> Result<Self, ProxyFault> {
        let url = Destination::parse(text)?;
        let plain = !url.is_secure() && url.url().path() == "/" && url.url().query().is_none();
        if plain { Ok(Self { url, credentials: None }) } else { Err(ProxyFault::Form) }
    }

    /// The same, where we show who we are by HTTP Basic: with a name and a password.
    #[must_use]
    pub fn with_credentials(self, name: String, password: SecretString) -> Self {
        Self { credentials: Some((name, password)), ..self }
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port()
    }

    pub(super) fn to_reqwest(&self) -> Result<Proxy, reqwest::Error> {
        let proxy = Proxy::all(self.url.url().clone())?;
        Ok(match &self.credentials {
            None => proxy,
            Some((name, password)) => proxy.basic_auth(name, password.expose_secret()),
        })
    }
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxySettings({})", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        let proxy = ProxySettings::parse("http://proxy.example.com:3128").unwrap();
        assert_eq!((proxy.port(), proxy.to_reqwest().is_ok()), (3128, true));
        assert_eq!(ProxySettings::parse("http://[fd00::1]/").unwrap().port(), 80);
        for bad in ["https://p:1", "http://p/x", "http://p/?x"] {
            assert_eq!(ProxySettings::parse(bad).unwrap_err(), ProxyFault::Form, "{bad}");
        }
        for bad in ["", "p:3128", "socks5://p:1", "http://u:p@p:1"] {
            assert!(matches!(ProxySettings::parse(bad), Err(ProxyFault::Url(_))), "{bad}");
        }
    }
}
