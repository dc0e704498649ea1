//! Requests that a browser was tricked into: refused on TCP.
//!
//! A page of any site can make a browser ask `http://127.0.0.1:8421`, and a name that suddenly points there (DNS
//! rebinding) lets it read the answer. Both show: the first in `Origin`, the second in `Host`.

use std::net::IpAddr;

use crate::http::settings::ListenAddress;

/// The hosts by which the admin listener may be asked.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    own: Vec<IpAddr>,
    /// It listens on every address of the machine: then any address may be one of them. A name still may not.
    any_address: bool,
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

    /// What is wrong with these headers, for the caller; `None`: nothing.
    pub(super) fn objection(&self, host: Option<&str>, origin: Option<&str>) -> Option<String> {
        let Some(host) = host.filter(|host| self.is_own(name_of(host))) else {
            let host = host.unwrap_or_default();
            return Some(format!("Host `{host}` is not the admin listener's: ask it by its address, or by localhost"));
        };
        let origin = origin?;
        let ours = origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host));
        (!ours).then(|| format!("Origin `{origin}` is another site's: the admin listener answers only its own pages"))
    }

    fn is_own(&self, name: &str) -> bool {
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let literal = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
        literal.parse::<IpAddr>().is_ok_and(|ip| self.any_address || ip.is_loopback() || self.own.contains(&ip))
    }
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

    #[test]
    fn only_our_own_names_are_answered() {
        let hosts = hosts("10.0.0.7:8421");
        for good in ["localhost", "LocalHost:1", "127.0.0.1:8421", "[::1]:8421", "[::1]", "10.0.0.7:8421", "10.0.0.7"] {
            assert_eq!(hosts.objection(Some(good), None), None, "{good}");
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
            assert!(hosts.objection(Some(bad), None).is_some(), "{bad}");
        }
        assert!(hosts.objection(None, None).is_some());
    }

    #[test]
    fn a_listener_on_every_address_answers_any_address_but_no_name() {
        let hosts = hosts("[::]:8421");
        assert_eq!(hosts.objection(Some("192.168.1.1:8421"), None), None);
        assert!(hosts.objection(Some("evil.example"), None).is_some());
    }

    #[test]
    fn only_our_own_origin_may_ask() {
        let hosts = hosts("127.0.0.1:8421");
        let objection = |origin| hosts.objection(Some("localhost:8421"), Some(origin));
        assert_eq!(objection("http://localhost:8421"), None);
        for bad in
            ["null", "", "http://localhost", "http://localhost:1", "https://localhost:8421", "http://evil.example"]
        {
            assert!(objection(bad).is_some(), "{bad}");
        }
    }
}
