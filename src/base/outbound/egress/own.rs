//! Where the appliance itself listens: no webhook ever goes there.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use arc_swap::ArcSwap;

/// The TCP addresses that the appliance listens on.
#[derive(Debug, Default)]
pub struct OwnListeners(ArcSwap<Vec<SocketAddr>>);

impl OwnListeners {
    /// Adds addresses, those that are not there yet. Port 0 stands for one that is not known yet, and is left out.
    pub fn add(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let added: Vec<_> = addresses.into_iter().filter(|address| address.port() != 0).collect();
        self.0.rcu(|known| {
            let new = added.iter().filter(|address| !known.contains(address));
            known.iter().chain(new).copied().collect::<Vec<_>>()
        });
    }

    /// Whether a connection to `address` would be one to ourselves. The unspecified address is this machine too, whether
    /// it is listened on or connected to.
    pub(super) fn contain(&self, address: SocketAddr) -> bool {
        let (to, port) = (address.ip().to_canonical(), address.port());
        let known = self.0.load();
        let mut at_port = known.iter().filter(|own| own.port() == port).map(|own| own.ip().to_canonical());
        at_port.any(|own| own == to || (own.is_unspecified() || to.is_unspecified()) && is_of_this_machine(to))
    }
}

/// Whether `address` is one of this machine's: only those can be bound. Asked of the system each time, for addresses come
/// and go. (Where the system lets any address be bound, all are refused at our ports, which errs on the safe side.)
fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(addresses: &[&str]) -> OwnListeners {
        let own = OwnListeners::default();
        own.add(addresses.iter().map(|address| address.parse().unwrap()));
        own
    }

    #[test]
    fn a_listener_is_its_address_and_port() {
        let own = own(&["127.0.0.1:8420", "10.0.0.1:0"]);
        for (address, contained) in [
            ("127.0.0.1:8420", true),
            ("[::ffff:127.0.0.1]:8420", true),
            ("0.0.0.0:8420", true),
            ("127.0.0.2:8420", false),
            ("127.0.0.1:8421", false),
            ("10.0.0.1:0", false),
            ("192.0.2.1:8420", false),
        ] {
            assert_eq!(own.contain(address.parse().unwrap()), contained, "{address}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_is_all_of_this_machine_s() {
        for wildcard in ["0.0.0.0:8420", "[::]:8420"] {
            let own = own(&[wildcard]);
            for address in ["127.0.0.1:8420", "127.9.9.9:8420", "[::1]:8420", "0.0.0.0:8420", "[::]:8420"] {
                assert!(own.contain(address.parse().unwrap()), "{wildcard} {address}");
            }
            // The address that others reach this machine by, where it has one.
            let reached = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
                socket.connect("192.0.2.1:9")?;
                socket.local_addr()
            });
            assert!(reached.is_err() || own.contain(SocketAddr::new(reached.unwrap().ip(), 8420)), "{wildcard}");
            assert!(!own.contain("192.0.2.1:8420".parse().unwrap()) && !own.contain("127.0.0.1:80".parse().unwrap()));
        }
    }
}
