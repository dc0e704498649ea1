//! One entry of what an egress policy allows.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::address::{AddressKind, is_carrier, is_loopback};
use crate::base::network::{Network, NetworkFault};

/// What an egress policy allows: addresses or names, at one port.
///
/// `10.0.0.0/8:443`, `[fd00::/8]:443`, `10.0.0.7:443`, `public:443`, `hook.example.com:443`, `*.example.com:443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowEntry {
    pub(super) what: Allowed,
    pub(super) port: u16,
}

/// What is allowed at a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Allowed {
    /// The addresses of a network.
    Network(Network),
    /// All addresses on the internet.
    Public,
    /// One name.
    Name(String),
    /// All names below one, at any depth; that one itself is none of them.
    Below(String),
}

/// Why a text is no [`AllowEntry`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowFault {
    /// It has no port, or none that there is.
    #[error("must end with a port from 1 to 65535, such as \"10.0.0.0/8:443\"")]
    Port,
    /// An IPv6 address without brackets.
    #[error("must have an IPv6 network in brackets, such as \"[fd00::/8]:443\"")]
    Brackets,
    /// What stands before the port is none of what can.
    #[error("must name a network, \"public\", a host or all hosts below one (\"*.example.com\") before the port")]
    Form,
    /// The network is none.
    #[error("{0}")]
    Network(#[from] NetworkFault),
    /// All of it stands for IPv4 addresses.
    #[error("stands for IPv4 addresses: name those, such as \"10.0.0.0/8:443\"")]
    Carrier,
    /// A network of loopback addresses.
    #[error("has only loopback addresses, which have to be named one by one, such as \"{example}\"")]
    OneByOne {
        /// An entry for one of them.
        example: String,
    },
}

impl AllowEntry {
    /// Reads an entry.
    pub fn parse(text: &str) -> Result<Self, AllowFault> {
        let (what, port) = text.rsplit_once(':').ok_or(AllowFault::Port)?;
        let what = match what.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(inside)) if inside.contains(':') => network(inside, port)?,
            Some(_) => return Err(AllowFault::Form),
            None if what.contains(':') => return Err(AllowFault::Brackets),
            None => allowed(what, port)?,
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0).ok_or(AllowFault::Port)?;
        Ok(Self { what, port })
    }

    /// Whether it is about addresses, not about names.
    pub(super) const fn is_of_addresses(&self) -> bool {
        matches!(self.what, Allowed::Network(_) | Allowed::Public)
    }

    /// Whether it covers an address of this kind at its port; `by_class`: `public` counts too.
    pub(super) fn covers(&self, address: IpAddr, kind: AddressKind, by_class: bool) -> bool {
        match &self.what {
            Allowed::Network(network) => network.contains(address) && (network.is_single() || !kind.is_named_alone()),
            Allowed::Public => by_class && kind == AddressKind::Public,
            Allowed::Name(_) | Allowed::Below(_) => false,
        }
    }

    /// Whether it names this host, which is in small letters and has no dot at its end.
    pub(super) fn names(&self, host: &str) -> bool {
        match &self.what {
            Allowed::Name(name) => name == host,
            Allowed::Below(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Allowed::Network(_) | Allowed::Public => false,
        }
    }
}

impl fmt::Display for AllowEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.what {
            Allowed::Network(network) if network.to_string().contains(':') => write!(f, "[{network}]:{port}"),
            Allowed::Network(network) => write!(f, "{network}:{port}"),
            Allowed::Public => write!(f, "public:{port}"),
            Allowed::Name(name) => write!(f, "{name}:{port}"),
            Allowed::Below(name) => write!(f, "*.{name}:{port}"),
        }
    }
}

fn allowed(text: &str, port: &str) -> Result<Allowed, AllowFault> {
    if text == "public" {
        return Ok(Allowed::Public);
    }
    if text.contains('/') || text.parse::<IpAddr>().is_ok() {
        return network(text, port);
    }
    match text.strip_prefix("*.") {
        Some(rest) => host(rest).map(Allowed::Below),
        None => host(text).map(Allowed::Name),
    }
    .ok_or(AllowFault::Form)
}

fn network(text: &str, port: &str) -> Result<Allowed, AllowFault> {
    let network = Network::parse(text)?;
    if is_carrier(&network) {
        return Err(AllowFault::Carrier);
    }
    if !network.is_single() && is_loopback(&network) {
        return Err(AllowFault::OneByOne { example: format!("127.0.0.1:{port}") });
    }
    Ok(Allowed::Network(network))
}

/// The name of a host as a URL would have it: in small letters, other scripts in their ASCII form.
fn host(text: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.is_empty() || text.starts_with('.') || text.ends_with('.') || !text.chars().all(plain) {
        return None;
    }
    let url = Url::parse(&format!("http://{text}/")).ok()?;
    let host = url.domain()?;
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_shown() {
        for (text, shown) in [
            ("10.0.0.0/8:443", "10.0.0.0/8:443"),
            ("10.0.0.7:8443", "10.0.0.7/32:8443"),
            ("[fd00::/8]:443", "[fd00::/8]:443"),
            ("[::1]:1", "[::1/128]:1"),
            ("[::ffff:10.0.0.7]:1", "10.0.0.7/32:1"),
            ("[::/0]:65535", "[::/0]:65535"),
            ("127.0.0.1:80", "127.0.0.1/32:80"),
            ("0.0.0.0/0:80", "0.0.0.0/0:80"),
            ("public:443", "public:443"),
            ("Hook.Example.com:443", "hook.example.com:443"),
            ("*.example.com:443", "*.example.com:443"),
            ("*.com:443", "*.com:443"),
            ("hôte.example:443", "xn--hte-kna.example:443"),
            ("localhost:80", "localhost:80"),
        ] {
            assert_eq!(AllowEntry::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, fault) in [
            ("", AllowFault::Port),
            ("10.0.0.0/8", AllowFault::Port),
            ("10.0.0.0/8:", AllowFault::Port),
            ("10.0.0.0/8:0", AllowFault::Port),
            ("10.0.0.0/8:65536", AllowFault::Port),
            ("10.0.0.0/8:+1", AllowFault::Port),
            ("public:*", AllowFault::Port),
            ("public:80-90", AllowFault::Port),
            ("fd00::/8:443", AllowFault::Brackets),
            ("[fd00::/8:443", AllowFault::Form),
            ("[10.0.0.0/8]:443", AllowFault::Form),
            ("*:443", AllowFault::Form),
            (":443", AllowFault::Form),
            ("*.:443", AllowFault::Form),
            ("a.*.example.com:443", AllowFault::Form),
            ("*example.com:443", AllowFault::Form),
            ("u@example.com:443", AllowFault::Form),
            ("example.com.:443", AllowFault::Form),
            ("127.1:443", AllowFault::Form),
            ("2130706433:443", AllowFault::Form),
            ("10.0.0.1/8:443", AllowFault::Network(NetworkFault::Bits(Network::parse("10.0.0.0/8").unwrap()))),
            ("example.com/8:443", AllowFault::Network(NetworkFault::Form)),
            ("[64:ff9b::/96]:443", AllowFault::Carrier),
            ("[2002:a00::/24]:443", AllowFault::Carrier),
        ] {
            assert_eq!(AllowEntry::parse(text), Err(fault), "{text}");
        }
        let loopback = AllowEntry::parse("127.0.0.0/8:80").unwrap_err().to_string();
        assert!(loopback.contains("\"127.0.0.1:80\""), "{loopback}");
    }

    #[test]
    fn names_are_compared_by_labels() {
        let names = |entry: &str, host: &str| AllowEntry::parse(entry).unwrap().names(host);
        assert!(names("a.example.com:1", "a.example.com") && !names("a.example.com:1", "b.a.example.com"));
        assert!(names("*.example.com:1", "a.example.com") && names("*.example.com:1", "b.a.example.com"));
        for other in ["example.com", "aexample.com", ".example.com", "a.example.com.evil.com", "a.example.org"] {
            assert!(!names("*.example.com:1", other), "{other}");
        }
    }
}
