//! How requests that a browser was tricked into are told from others.
//!
//! A page of any site can make a browser ask `http://127.0.0.1:8421`, and a name that suddenly points there (DNS
//! rebinding) lets it read the answer. Both show: the first in `Origin` and `Sec-Fetch-Site` (W3C Fetch Metadata), the
//! second in `Host`.

use std::net::IpAddr;

use hyper::header::HeaderMap;

use crate::http::settings::ListenAddress;

/// The hosts by which the admin listener may be asked.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    own: Vec<IpAddr>,
    /// It listens on every address of the machine: then any address may be one of them. A name still may not.
    any_address: bool,
}

/// What a request says of where it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'r> {
    /// `Host`
    pub(super) host: Option<&'r str>,
    /// `Origin`
    pub(super) origin: Option<&'r str>,
    /// `Sec-Fetch-Site`
    pub(super) site: Option<&'r str>,
    /// Whether it would change something.
    pub(super) changes: bool,
}

/// Whether a browser has sent a request with these headers, as far as it says: they all say so, and no page can keep
/// them from it.
pub(super) fn is_a_browser(headers: &HeaderMap) -> bool {
    headers.contains_key("origin") || headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}

impl Hosts {
    pub(super) fn of(listen: &[ListenAddress]) -> Self {
        let own: Vec<_> = listen
            .iter()
            .filter_map(|address| match address {
                ListenAddress::Tcp(address) => Some(address.ip()),
                ListenAddress::Unix(_) => None,
            })
            .collect();
        Self { any_address: own.iter().any(IpAddr::is_unspecified), own }
    }

    /// What is wrong with where it comes from, for the caller; `None`: nothing.
    pub(super) fn objection(&self, asked: &Asked<'_>) -> Option<String> {
        let Some(host) = asked.host.filter(|host| self.is_own(name_of(host))) else {
            let host = asked.host.unwrap_or_default();
            return Some(format!("Host `{host}` is not the admin listener's: ask it by its address, or by localhost"));
        };
        if let Some(origin) = asked.origin
            && !is_ours(origin, host)
        {
            let ours = "the admin listener answers only its own pages";
            return Some(format!("Origin `{origin}` is another site's: {ours}"));
        }
        // A link on another site may lead here; what it leads to must not change anything.
        let foreign = asked.site.filter(|site| asked.changes && !matches!(*site, "same-origin" | "none"))?;
        Some(format!("Sec-Fetch-Site `{foreign}` is another site's: the admin listener changes nothing for its pages"))
    }

    fn is_own(&self, name: &str) -> bool {
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let literal = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
        literal.parse::<IpAddr>().is_ok_and(|ip| self.any_address || ip.is_loopback() || self.own.contains(&ip))
    }
}

/// Only one of the two schemes is spoken at an address (`admin.tls`), so the other's pages cannot be another's.
fn is_ours(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// The host without its port (RFC 3986, 3.2).
fn name_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listen: &str) -> Hosts {
        Hosts::of(&[ListenAddress::parse(listen).unwrap()])
    }

    fn objection(hosts: &Hosts, host: Option<&str>, origin: Option<&str>) -> Option<String> {
        hosts.objection(&Asked { host, origin, site: None, changes: false })
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let hosts = hosts("10.0.0.7:8421");
        for good in ["localhost", "LocalHost:1", "127.0.0.1:8421", "[::1]:8421", "[::1]", "10.0.0.7:8421", "10.0.0.7"] {
            assert_eq!(objection(&hosts, Some(good), None), None, "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:8421",
            "localhost.evil.example",
            "10.0.0.8",
            "127.0.0.1.evil.example",
            "a@localhost",
            "localhost:x",
        ] {
            assert!(objection(&hosts, Some(bad), None).is_some(), "{bad}");
        }
        assert!(objection(&hosts, None, None).is_some());
    }

    #[test]
    fn a_listener_on_every_address_answers_any_address_but_no_name() {
        let hosts = hosts("[::]:8421");
        assert_eq!(objection(&hosts, Some("192.168.1.1:8421"), None), None);
        assert!(objection(&hosts, Some("evil.example"), None).is_some());
    }

    #[test]
    fn only_our_own_origin_may_ask() {
        let hosts = hosts("127.0.0.1:8421");
        let objection = |origin| objection(&hosts, Some("localhost:8421"), Some(origin));
        assert_eq!(objection("http://localhost:8421"), None);
        assert_eq!(objection("https://localhost:8421"), None);
        for bad in
            ["null", "", "http://localhost", "http://localhost:1", "ftp://localhost:8421", "https://evil.example"]
        {
            assert!(objection(bad).is_some(), "{bad}");
        }
    }
}
