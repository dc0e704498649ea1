//! Where a client may connect to.

use std::net::SocketAddr;

use super::destination::Destination;

/// Decides where a client may connect to.
pub trait Policy: Send + Sync + 'static {
    /// Whether this name may be asked for at all, whatever its address: before it is looked up, and the only question where
    /// a proxy looks it up.
    fn check_name(&self, name: &str, port: u16) -> Result<(), Refusal>;

    /// Whether `address` may be connected to for a URL with this `host` (a name, or an address without brackets). An
    /// IPv4 address comes as one, also where it was mapped into IPv6.
    fn check_address(&self, host: &str, address: SocketAddr) -> Result<(), Refusal>;
}

/// Why a policy does not allow something, for people: it names the host, but neither path nor query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

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
    fn check_name(&self, name: &str, port: u16) -> Result<(), Refusal> {
        let allowed = name == self.host && port == self.port;
        allowed.then_some(()).ok_or_else(|| Refusal(format!("no policy allows connections to {name}:{port}")))
    }

    fn check_address(&self, host: &str, address: SocketAddr) -> Result<(), Refusal> {
        self.check_name(host, address.port())?;
        let allowed = !self.loopback_only || address.ip().is_loopback();
        allowed.then_some(()).ok_or_else(|| Refusal(format!("no policy allows connections to {address} without TLS")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_and_port_and_nothing_else() {
        let allows = |policy: &OnlyHost, host: &str, address: &str| {
            policy.check_address(host, address.parse::<SocketAddr>().unwrap()).is_ok()
        };
        let secure = OnlyHost::of(&Destination::parse("https://h.example/jwks").unwrap());
        assert!(allows(&secure, "h.example", "10.0.0.1:443"));
        assert!(!allows(&secure, "h.example", "10.0.0.1:80"));
        assert!(!allows(&secure, "i.example", "10.0.0.1:443"));
        let plain = OnlyHost::of(&Destination::parse("http://localhost:80/jwks").unwrap());
        assert!(allows(&plain, "localhost", "127.0.0.1:80") && allows(&plain, "localhost", "[::1]:80"));
        assert!(!allows(&plain, "localhost", "10.0.0.1:80"));
    }
}
