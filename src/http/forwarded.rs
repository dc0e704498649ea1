//! Who really calls, where a proxy stands in between: `X-Forwarded-For` or `Forwarded` (RFC 7239).
//!
//! Each proxy adds the address that it was called from, at the end. So the list is read from its end, and only as long as
//! what comes next was said by a proxy that `server.trusted_proxies` names: whatever a caller has put there itself lies
//! behind the first address that is not trusted. One of the two headers is read, which the settings say: a proxy hands on
//! the other one as its caller wrote it.

use std::net::IpAddr;

use hyper::header::{FORWARDED, HeaderMap, HeaderName};

use crate::base::network::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The most entries that are looked at: more proxies in a row are none of ours.
const MAX_ENTRIES: usize = 64;

/// The header in which proxies say for whom they ask (`server.proxy_header`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}

/// Which proxies are believed, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Their addresses.
    pub networks: Vec<Network>,
    /// Whether those who connect over a unix socket are proxies too.
    pub unix: bool,
    /// Where they say for whom they ask.
    pub header: ProxyHeader,
}

impl TrustedProxies {
    /// The caller's address: that of the connection, or what a trusted proxy says. `None` on a unix socket that no proxy
    /// uses, and where a proxy does not say it.
    #[must_use]
    pub fn caller(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let believed = peer.map_or(self.unix, |peer| self.trusts(peer));
        if !believed {
            return peer;
        }
        let entries = match self.header {
            ProxyHeader::XForwardedFor => entries(headers, &X_FORWARDED_FOR, address),
            ProxyHeader::Forwarded => entries(headers, &FORWARDED, forwarded_for),
        };
        let mut caller = peer;
        for entry in entries.into_iter().rev().take(MAX_ENTRIES) {
            // What hides itself or is malformed cannot be told: the last proxy that is known stands for it.
            let Some(address) = entry else { break };
            caller = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        caller
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// The entries of all headers of this name, in order.
fn entries(headers: &HeaderMap, name: &HeaderName, read: impl Fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| match value.to_str() {
            Ok(text) => text.split(',').map(|entry| read(entry.trim())).collect(),
            Err(_) => vec![None],
        })
        .collect()
}

/// The `for` of one element of `Forwarded`. Quoted strings hold addresses only, so that no comma or semicolon is in them.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(value.trim().trim_matches('"'))
}

/// An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let ip = text.parse::<IpAddr>().ok().or_else(|| {
        let inside = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside);
        let host = inside.or_else(|| text.rsplit_once(':').map(|(host, _)| host))?;
        host.parse().ok()
    });
    ip.map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn trusted(header: ProxyHeader) -> TrustedProxies {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|n| Network::parse(n).unwrap()).to_vec();
        TrustedProxies { networks, unix: false, header }
    }

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[expect(clippy::unnecessary_wraps, reason = "as callers are told")]
    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[track_caller]
    fn x_forwarded_for(peer: &str, values: &[&str], expected: &str) {
        let proxies = trusted(ProxyHeader::XForwardedFor);
        assert_eq!(proxies.caller(ip(peer), &headers("x-forwarded-for", values)), ip(expected), "{values:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        x_forwarded_for("192.0.2.9", &["198.51.100.1"], "192.0.2.9");
        x_forwarded_for("10.1.2.3", &["198.51.100.1"], "198.51.100.1");
        x_forwarded_for("::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1");
        x_forwarded_for("fd00::1", &["2001:db8::1"], "2001:db8::1");
        x_forwarded_for("10.1.2.3", &[], "10.1.2.3");
    }

    #[test]
    fn what_the_caller_wrote_itself_is_not_believed() {
        x_forwarded_for("10.1.2.3", &["203.0.113.7, 198.51.100.1"], "198.51.100.1");
        x_forwarded_for("10.1.2.3", &["203.0.113.7", "198.51.100.1, 10.9.9.9"], "198.51.100.1");
        x_forwarded_for("10.1.2.3", &["10.0.0.1, 198.51.100.1"], "198.51.100.1");
        x_forwarded_for("10.1.2.3", &["198.51.100.1, unknown"], "10.1.2.3");
        x_forwarded_for("10.1.2.3", &["198.51.100.1, unknown, 10.4.4.4"], "10.4.4.4");
        let both = {
            let mut both = headers("x-forwarded-for", &["198.51.100.1"]);
            both.insert("forwarded", HeaderValue::from_static("for=203.0.113.7"));
            both
        };
        assert_eq!(trusted(ProxyHeader::XForwardedFor).caller(ip("10.0.0.1"), &both), ip("198.51.100.1"));
        assert_eq!(trusted(ProxyHeader::Forwarded).caller(ip("10.0.0.1"), &both), ip("203.0.113.7"));
    }

    #[test]
    fn all_forms_of_an_address_are_read() {
        for (form, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:443", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(address(form), ip(expected), "{form}");
        }
        for bad in ["", "unknown", "_hidden", "192.0.2", "a:b", "[", "[::1", "192.0.2.1:x:y"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        let proxies = trusted(ProxyHeader::Forwarded);
        for value in [
            "for=198.51.100.1",
            "For=\"198.51.100.1:4711\";proto=https;by=203.0.113.43",
            "for=203.0.113.9, proto=https ; FOR = 198.51.100.1",
            "for=_gazonk, for=198.51.100.1, for=\"[fd00::2]:80\"",
        ] {
            assert_eq!(proxies.caller(ip("10.0.0.1"), &headers("forwarded", &[value])), ip("198.51.100.1"), "{value}");
        }
    }

    #[test]
    fn a_unix_socket_is_a_proxy_s_only_where_that_is_said() {
        let headers = headers("x-forwarded-for", &["198.51.100.1"]);
        let mut proxies = trusted(ProxyHeader::XForwardedFor);
        assert_eq!(proxies.caller(None, &headers), None);
        proxies.unix = true;
        assert_eq!(proxies.caller(None, &headers), ip("198.51.100.1"));
    }

    proptest! {
        #[test]
        fn nobody_but_a_trusted_proxy_decides(value in "[ -~]{0,60}", peer in any::<[u8; 4]>()) {
            let proxies = trusted(ProxyHeader::XForwardedFor);
            let peer = IpAddr::from(peer);
            let caller = proxies.caller(Some(peer), &headers("x-forwarded-for", &[&value]));
            prop_assert!(caller.is_some());
            if !proxies.trusts(peer) {
                prop_assert_eq!(caller, Some(peer));
            }
        }
    }
}
