//! Networks in CIDR notation (RFC 4632, RFC 4291), as the files name them.

use std::fmt;
use std::net::IpAddr;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkFault {
    /// It has another form.
    #[error("must be a network such as \"10.0.0.0/8\" or \"fd00::/8\", or one address")]
    Form,
    /// It has bits behind its prefix.
    #[error("has bits set behind its prefix: write {0}")]
    Bits(Network),
}

impl Network {
    /// The network that `text` names: `address/prefix`, or one address alone. An IPv4 address inside IPv6
    /// (`::ffff:a.b.c.d`) alone is taken as what it stands for.
    pub fn parse(text: &str) -> Result<Self, NetworkFault> {
        let Some((address, prefix)) = text.split_once('/') else {
            let address = text.parse::<IpAddr>().map_err(|_| NetworkFault::Form)?.to_canonical();
            return Ok(Self { first: address, prefix: width(address) });
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkFault::Form)?;
        let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|p| digits && *p <= width(address)).ok_or(NetworkFault::Form)?;
        let network = Self { first: masked(address, prefix), prefix };
        if network.first == address { Ok(network) } else { Err(NetworkFault::Bits(network)) }
    }

    /// Whether `address` lies in it. An IPv4 address inside IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }

    /// Whether all of `other` lies in it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.first)
    }

    /// Whether it is one address.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        self.prefix == width(self.first)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// `address` with nothing behind its first `prefix` bits, at most its width.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn it_holds_what_begins_alike() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("2001:db8::/64", "2001:db8::ffff", "2001:db8:0:1::"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "ffff::", "1.2.3.4"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.0.0.0"),
            ("::ffff:10.1.1.1", "10.1.1.1", "10.1.1.2"),
        ] {
            assert!(network(text).contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!network(text).contains(outside.parse().unwrap()), "{text} {outside}");
        }
    }

    #[test]
    fn a_network_holds_smaller_ones() {
        assert!(network("10.0.0.0/8").holds(&network("10.1.0.0/16")) && network("::/0").holds(&network("fd00::/8")));
        assert!(!network("10.1.0.0/16").holds(&network("10.0.0.0/8")));
        assert!(!network("0.0.0.0/0").holds(&network("::/0")));
        assert!(network("10.0.0.1").is_single() && network("::1/128").is_single() && !network("::/127").is_single());
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "a/8", "10.0.0.0/+8", "10.0.0.0/8 "] {
            assert_eq!(Network::parse(bad), Err(NetworkFault::Form), "{bad}");
        }
        assert_eq!(Network::parse("10.0.0.1/8"), Err(NetworkFault::Bits(network("10.0.0.0/8"))));
        assert_eq!(network("fd00::/8").to_string(), "fd00::/8");
    }
}
