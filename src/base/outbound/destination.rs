//! A URL that can be connected to.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// An `http` or `https` URL with a host, without a user name and a fragment. Its host is in the form that is connected
/// to: `http://2130706433` has the host `127.0.0.1`.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination(Url);

/// Why a text is no [`Destination`]; the text itself is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It is no absolute URL.
    #[error("must be a URL such as \"https://example.com/path\"")]
    NoUrl,
    /// Its scheme is another one.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// It names a user.
    #[error("must have no user name and no password")]
    User,
    /// It has a fragment.
    #[error("must have no fragment (the part after #)")]
    Fragment,
}

impl Destination {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        // The URL standard drops blanks around it, and line ends and tabs in it: what was written is not what is called.
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(DestinationError::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| DestinationError::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(DestinationError::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(DestinationError::NoUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DestinationError::User);
        }
        if url.fragment().is_some() {
            return Err(DestinationError::Fragment);
        }
        Ok(Self(url))
    }

    /// The name or address, an IPv6 one without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        // There is a host: `parse` lets nothing through without one.
        self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The address, where the host is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// The port, where none is written that of the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Whether it is `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Scheme, host and port, and nothing else of it: `https://h.example:443`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.0.scheme(), self.0.host_str().unwrap_or_default(), self.port())
    }

    /// Whether its host is a loopback address, or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.address().is_some_and(|address| address.to_canonical().is_loopback())
    }

    /// The URL in the one form that all spellings of it have. Its query may hold a secret.
    #[must_use]
    pub fn whole(&self) -> &str {
        self.0.as_str()
    }

    pub(super) const fn url(&self) -> &Url {
        &self.0
    }
}

/// Without the query, which may hold a secret.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_scheme_host_and_port() {
        for (text, host, port, secure, loopback) in [
            ("https://Login.Example.com/jwks", "login.example.com", 443, true, false),
            ("http://localhost:8080", "localhost", 8080, false, true),
            ("http://127.1/x", "127.0.0.1", 80, false, true),
            ("http://2130706433/x", "127.0.0.1", 80, false, true),
            ("http://[::ffff:127.0.0.1]:81/x", "::ffff:7f00:1", 81, false, true),
            ("https://[fd00::1]/", "fd00::1", 443, true, false),
            ("http://localhost.example.com", "localhost.example.com", 80, false, false),
        ] {
            let it = Destination::parse(text).unwrap();
            assert_eq!(
                (it.host(), it.port(), it.is_secure(), it.is_loopback()),
                (host, port, secure, loopback),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_connected_to_is_none() {
        for (text, error) in [
            ("", DestinationError::NoUrl),
            ("/jwks", DestinationError::NoUrl),
            ("login.example.com/jwks", DestinationError::NoUrl),
            ("https://", DestinationError::NoUrl),
            ("https://a b/", DestinationError::NoUrl),
            (" https://h/", DestinationError::NoUrl),
            ("https://h/\n", DestinationError::NoUrl),
            ("https://h/\r\nx: y", DestinationError::NoUrl),
            ("https://h\t/", DestinationError::NoUrl),
            ("https://h/\u{85}", DestinationError::NoUrl),
            ("file:///etc/passwd", DestinationError::Scheme),
            ("ftp://h/", DestinationError::Scheme),
            ("https://u@h/", DestinationError::User),
            ("https://:p@h/", DestinationError::User),
            ("https://h/#x", DestinationError::Fragment),
        ] {
            assert_eq!(Destination::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        let it = Destination::parse("https://h/a?key=s3cret").unwrap();
        assert_eq!(format!("{it} {it:?}"), "https://h/a Destination(https://h/a)");
        assert_eq!(it.origin(), "https://h:443");
        assert_eq!(Destination::parse("HTTPS://H:443/b/../a?key=s3cret").unwrap().whole(), "https://h/a?key=s3cret");
        assert_eq!(Destination::parse("http://[FD00::1]:80/x").unwrap().origin(), "http://[fd00::1]:80");
    }
}
