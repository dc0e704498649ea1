//! `[server]` and `[admin]`: addresses, the public URL, limits of the wire.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::kind::{HOUR, KIB, MIB, SECOND, count, duration, list, memory, text};
use super::reader::{Item, Located, Section, Shown};
use super::sources::Sources;
use super::tls::tls;
use crate::base::network::Network;
use crate::http::settings::{ListenAddress, ServerSettings};
use crate::http::{ProxyHeader, TrustedProxies};

/// The longest path of a unix socket in bytes: `sun_path` of unix(7) less its final zero.
const MAX_SOCKET_PATH: usize = 107;

/// `[server]` and `[admin]`.
pub(super) struct Servers {
    pub(super) server: ServerSettings,
    pub(super) admin: ServerSettings,
    pub(super) public_url: String,
}

impl Servers {
    /// Where they listen, as far as that is TCP.
    pub(super) fn tcp(&self) -> impl Iterator<Item = SocketAddr> {
        self.server.listen.iter().chain(&self.admin.listen).filter_map(ListenAddress::tcp)
    }

    /// Whether the contracts are for this machine only: neither the listeners nor the public URL lead others here.
    pub(super) fn are_local(&self) -> bool {
        let uri = self.public_url.parse::<::http::Uri>().unwrap_or_default();
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let local_host = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        // Whoever tries a sample has no use for a certificate that curl does not know.
        local_host && self.server.tls.is_none() && self.server.listen.iter().all(ListenAddress::is_local)
    }
}

/// Reads `[server]` and `[admin]`.
pub(super) fn read(top: &Section<'_>, sources: &Sources) -> Servers {
    let (server, addresses, public_url, plaintext) = top.section("server", |server| {
        let addresses = server.required("listen", list(1, listen_address));
        let public_url = server.optional("public_url", public_url);
        let plaintext = server.optional("plaintext", |item| item.one_of(&[("behind-proxy", ())])).is_some();
        let settings = ServerSettings {
            listen: addresses.iter().map(|a| a.value.clone()).collect(),
            tls: server.optional("tls", tls(sources)),
            trusted_proxies: read_proxies(server),
            socket_mode: server.required("socket_mode", socket_mode),
            max_body: server.required("max_body", memory(KIB..=16 * MIB)),
            max_connections: server.required("max_connections", count(1..=1_000_000)),
            header_timeout: server.required("header_timeout", duration(SECOND..=HOUR)),
            body_timeout: server.required("body_timeout", duration(SECOND..=HOUR)),
        };
        let public_url = public_url.unwrap_or_else(|| default_public_url(server, &addresses));
        check_exposure(server, &addresses, plaintext);
        (settings, addresses, public_url, plaintext)
    });
    let (admin_addresses, admin_tls, admin_mode) = top.section("admin", |admin| {
        let addresses = admin.required("listen", list(1, listen_address));
        check_exposure(admin, &addresses, plaintext);
        (addresses, admin.optional("tls", tls(sources)), admin.required("socket_mode", socket_mode))
    });
    refuse_shared(top, addresses.iter().chain(&admin_addresses));
    let listen = admin_addresses.into_iter().map(|a| a.value).collect();
    // No proxy belongs in front of the admin listener: nobody is believed there.
    let trusted_proxies = TrustedProxies::default();
    let admin = ServerSettings { listen, tls: admin_tls, trusted_proxies, socket_mode: admin_mode, ..server.clone() };
    Servers { server, admin, public_url }
}

/// `trusted_proxies` and `proxy_header`.
fn read_proxies(server: &Section<'_>) -> TrustedProxies {
    const HEADERS: [(&str, ProxyHeader); 2] =
        [("x-forwarded-for", ProxyHeader::XForwardedFor), ("forwarded", ProxyHeader::Forwarded)];
    let entries: Vec<_> = server.required("trusted_proxies", list(0, proxy));
    let header = server.choice("proxy_header", &HEADERS);
    let networks = entries.iter().filter_map(|entry| entry.value.0).collect();
    TrustedProxies { networks, unix: entries.iter().any(|entry| entry.value.0.is_none()), header }
}

/// A network of proxies, or those who connect over a unix socket.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Proxy(Option<Network>);

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(Some(network)) => network.fmt(f),
            Self(None) => f.write_str("unix"),
        }
    }
}

fn proxy(item: &Item<'_>) -> Option<Proxy> {
    let text = text(item)?;
    if text == "unix" {
        return Some(Proxy(None));
    }
    match Network::parse(&text) {
        Ok(network) => Some(Proxy(Some(network))),
        Err(fault) => item.refuse(format!("{fault}, or \"unix\" for those who connect over a unix socket")),
    }
}

/// Octal, and the owner may read and write: `"0660"`.
fn socket_mode(item: &Item<'_>) -> Option<u32> {
    let text = text(item)?;
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = if digits { u32::from_str_radix(&text, 8).ok() } else { None };
    mode.filter(|mode| mode & 0o600 == 0o600 && mode & !0o666 == 0)
        .or_else(|| item.refuse("must be an octal mode from \"0600\" to \"0666\", such as \"0660\""))
}

fn listen_address(item: &Item<'_>) -> Option<ListenAddress> {
    let text = text(item)?;
    match ListenAddress::parse(&text) {
        Some(ListenAddress::Unix(path)) if path.as_os_str().len() > MAX_SOCKET_PATH => {
            item.refuse(format!("the path of a socket has at most {MAX_SOCKET_PATH} bytes"))
        }
        Some(address) => Some(address),
        None => item.refuse(format!(
            "must be an address and port such as \"127.0.0.1:8420\" or \"[::1]:8420\" (no host name), or a socket \
             such as \"unix:/run/tidings/api.sock\", not {}",
            Shown(&text)
        )),
    }
}

/// The URL of the first address, which only this machine can reach: others need one that they can.
fn default_public_url(server: &Section<'_>, addresses: &[Located<ListenAddress>]) -> String {
    // One that is there and wrong has been reported.
    if !server.has("public_url")
        && let Some(open) = addresses.iter().find(|a| !a.value.is_local())
    {
        let message = format!("is required, because {} can be reached from other machines", open.value);
        let advice = "set it to the URL that clients use, such as \"https://tidings.example.com\"".to_owned();
        server.reader.missing_elsewhere("server.public_url", message, Some(advice));
    }
    let scheme = if server.has("tls") { "https" } else { "http" };
    let tcp = addresses.iter().find_map(|a| match &a.value {
        ListenAddress::Tcp(address) => Some(format!("{scheme}://{address}")),
        ListenAddress::Unix(_) => None,
    });
    tcp.unwrap_or_else(|| "http://localhost".to_owned())
}

/// No address twice; within one list that has been reported by the list.
fn refuse_shared<'a>(top: &Section<'_>, addresses: impl Iterator<Item = &'a Located<ListenAddress>>) {
    let mut seen = HashSet::new();
    for address in addresses {
        let any_port = matches!(&address.value, ListenAddress::Tcp(tcp) if tcp.port() == 0);
        if !seen.insert(&address.value) && !any_port && address.path.starts_with("admin") {
            top.reader.error(&address.path, format!("{} is listened on already", address.value));
        }
    }
}

/// What other machines reach has TLS, of its own or a proxy's. One that is there and wrong has been reported.
fn check_exposure(section: &Section<'_>, addresses: &[Located<ListenAddress>], plaintext: bool) {
    if plaintext || section.has("tls") {
        return;
    }
    for address in addresses.iter().filter(|a| !a.value.is_local()) {
        let message = format!(
            "{} can be reached from other machines, and tokens must not cross a network in the clear",
            address.value
        );
        let advice = format!(
            "write {}.tls = {{ certificate = \"…\", key = {{ file = \"…\" }} }}, or listen on a loopback address or a unix \
             socket, or put a proxy that does TLS in front and write server.plaintext = \"behind-proxy\"",
            section.path
        );
        section.reader.error_with(&address.path, message, Some(advice));
    }
}

/// `http` or `https`, a host, perhaps a port and a path: what our own URLs are made of by appending.
fn public_url(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    match url_fault(&text) {
        None => Some(text),
        Some(fault) => item.refuse(format!("{fault}: {}", Shown(&text))),
    }
}

fn url_fault(text: &str) -> Option<&'static str> {
    let Ok(uri) = text.parse::<::http::Uri>() else {
        return Some("must be a URL such as \"https://tidings.example.com\"");
    };
    let authority = uri.authority().map_or("", ::http::uri::Authority::as_str);
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        Some("must begin with http:// or https://")
    } else if uri.host().is_none_or(str::is_empty) || authority.contains('@') {
        Some("must have a host, and no user name")
    } else if text.contains(['?', '#']) {
        Some("must have no query and no fragment")
    } else if text.ends_with('/') {
        Some("must not end with a slash")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_can_be_appended_to() {
        for good in ["http://127.0.0.1:8420", "https://tidings.example.com", "https://[::1]:1/a/b", "http://h:80"] {
            assert_eq!(url_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "h",
            "/a",
            "ftp://h",
            "http://",
            "http:///a",
            "http://h/",
            "http://h?a",
            "http://h#a",
            "http://u@h",
            "http://h /",
        ] {
            assert!(url_fault(bad).is_some(), "{bad}");
        }
    }
}
