//! What holds for all calls of a client or key: whether it is enabled, from where, how often, what it may publish.

use std::net::IpAddr;
use std::sync::Arc;

use super::publish::PublishBounds;
use crate::base::network::Network;
use crate::base::rate::Rate;

/// What an entry of `[[clients]]` or `[[api_keys]]` says of its calls.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `enabled`: if not, it is refused whatever it shows.
    pub enabled: bool,
    /// `allowed_from`; `None` for everywhere.
    pub allowed_from: Option<AllowedFrom>,
    /// `request_rate`, or that of `[limits]`; `None` for unlimited.
    pub request_rate: Option<Rate>,
    /// `publish`; `None` for everything.
    pub publish: Option<Arc<PublishBounds>>,
}

/// Where calls may come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedFrom {
    /// Networks.
    pub networks: Vec<Network>,
    /// Unix sockets, over which no address is known: who may connect there is said by the socket's mode.
    pub unix: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { enabled: true, allowed_from: None, request_rate: None, publish: None }
    }
}

impl Terms {
    /// Whether calls may come from `address`; `None` stands for a unix socket.
    #[must_use]
    pub fn allow(&self, address: Option<IpAddr>) -> bool {
        self.allowed_from.as_ref().is_none_or(|from| from.holds(address))
    }
}

impl AllowedFrom {
    /// Whether `address` is among them; `None` stands for a unix socket.
    #[must_use]
    pub fn holds(&self, address: Option<IpAddr>) -> bool {
        address.map_or(self.unix, |address| self.networks.iter().any(|network| network.contains(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_socket_is_none_of_the_networks() {
        let networks = vec![Network::parse("0.0.0.0/0").unwrap(), Network::parse("::/0").unwrap()];
        let everywhere = AllowedFrom { networks, unix: false };
        assert!(everywhere.holds(Some("1.2.3.4".parse().unwrap())) && everywhere.holds(Some("::1".parse().unwrap())));
        assert!(!everywhere.holds(None));
        let unix = AllowedFrom { networks: Vec::new(), unix: true };
        assert!(unix.holds(None) && !unix.holds(Some("::1".parse().unwrap())));
        assert!(Terms::default().allow(None) && Terms::default().allow(Some("::1".parse().unwrap())));
    }
}
