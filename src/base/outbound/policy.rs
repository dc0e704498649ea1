//! Where a client may connect to.

use std::net::SocketAddr;

use super::destination::Destination;

/// Decides where a client may connect to.
pub trait Policy: Send + Sync + 'static {
    /// Whether `address` may be connected to for a URL with this `host` (a name, or an address without brackets). An
    /// IPv4 address comes as one, also where it was mapped into IPv6.
    fn allows(&self, host: &str, address: SocketAddr) -> bool;
}

/// Allows the host and the port of one URL, and of a URL without TLS the loopback addresses only: nobody on the way
/// can see or change what is said.
#[derive(Clone, Debug)]
pub struct OnlyHost {
    host: String,
    port: u16,
    loopback_only: bool,
}

impl OnlyHost {
    /// The policy for `destination` alone.
    #[must_use]
    pub fn of(destination: &Destination) -> Self {
        let (host, port) = (destination.host().to_owned(), destination.port());
        Self { host, port, loopback_only: !destination.is_secure() }
    }
}

impl Policy for OnlyHost {
    fn allows(&self, host: &str, address: SocketAddr) -> bool {
        host == self.host && address.port() == self.port && (!self.loopback_only || address.ip().is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_and_port_and_nothing_else() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let secure = OnlyHost::of(&Destination::parse("https://h.example/jwks").unwrap());
        assert!(secure.allows("h.example", address("10.0.0.1:443")));
        assert!(!secure.allows("h.example", address("10.0.0.1:80")));
        assert!(!secure.allows("i.example", address("10.0.0.1:443")));
        let plain = OnlyHost::of(&Destination::parse("http://localhost:80/jwks").unwrap());
        assert!(plain.allows("localhost", address("127.0.0.1:80")) && plain.allows("localhost", address("[::1]:80")));
        assert!(!plain.allows("localhost", address("10.0.0.1:80")));
    }
}
