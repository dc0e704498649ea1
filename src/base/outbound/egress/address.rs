//! What kind of address one is, and which address is meant by one that has another inside it.
//!
//! Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates), RFC 4291, 2.5.5
//! (IPv4-mapped and -compatible), RFC 6052 and RFC 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use crate::base::network::Network;

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// Anybody's, on the internet.
    Public,
    /// This machine's own.
    Loopback,
    /// None in particular, which systems take for this machine.
    Unspecified,
    /// Where a cloud tells a machine its secrets.
    Metadata,
    /// Of this link only.
    LinkLocal,
    /// Of a private network.
    Private,
    /// Of a provider's network, behind its NAT (RFC 6598).
    Shared,
    /// Of a group.
    Multicast,
    /// Of all on this link.
    Broadcast,
    /// Of examples in documents.
    Documentation,
    /// Of nothing on the internet.
    Reserved,
}

impl AddressKind {
    /// What `address` is for, as it stands: see [`meant`] for what it may stand for.
    pub(super) fn of(address: IpAddr) -> Self {
        let special = SPECIAL.iter().find(|(network, _)| network.contains(address));
        match (special, address) {
            (Some((_, kind)), _) => *kind,
            (None, IpAddr::V4(_)) => Self::Public,
            // RFC 4291, 2.4 and IANA: only 2000::/3 has been given out.
            (None, IpAddr::V6(v6)) if v6.segments()[0] >> 13 == 1 => Self::Public,
            (None, IpAddr::V6(_)) => Self::Reserved,
        }
    }

    /// Whether it is connected to only where it is named alone, in no larger network.
    pub(super) const fn is_named_alone(self) -> bool {
        matches!(self, Self::Loopback | Self::Unspecified | Self::Metadata)
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Loopback => "a loopback address",
            Self::Unspecified => "the unspecified address",
            Self::Metadata => "a metadata address",
            Self::LinkLocal => "a link-local address",
            Self::Private => "a private address",
            Self::Shared => "an address of a provider's NAT",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "an address of documents",
            Self::Reserved => "a reserved address",
        })
    }
}

/// The first that holds an address says what it is for.
const TABLE: &[(&str, AddressKind)] = &[
    // Clouds: AWS, Azure, GCP, Oracle, OpenStack and others; ECS and EKS; Alibaba; Oracle; Azure's wire server; Tencent.
    ("169.254.169.254", AddressKind::Metadata),
    ("169.254.169.253", AddressKind::Metadata),
    ("169.254.170.2", AddressKind::Metadata),
    ("169.254.170.23", AddressKind::Metadata),
    ("169.254.0.23", AddressKind::Metadata),
    ("100.100.100.200", AddressKind::Metadata),
    ("192.0.0.192", AddressKind::Metadata),
    ("168.63.129.16", AddressKind::Metadata),
    ("fd00:ec2::254", AddressKind::Metadata),
    ("fd00:ec2::23", AddressKind::Metadata),
    ("fd20:ce::254", AddressKind::Metadata),
    ("fd00:c1::a9fe:a9fe", AddressKind::Metadata),
    ("0.0.0.0", AddressKind::Unspecified),
    ("0.0.0.0/8", AddressKind::Reserved),
    ("10.0.0.0/8", AddressKind::Private),
    ("100.64.0.0/10", AddressKind::Shared),
    ("127.0.0.0/8", AddressKind::Loopback),
    ("169.254.0.0/16", AddressKind::LinkLocal),
    ("172.16.0.0/12", AddressKind::Private),
    ("192.0.0.0/24", AddressKind::Reserved),
    ("192.0.2.0/24", AddressKind::Documentation),
    ("192.88.99.0/24", AddressKind::Reserved),
    ("192.168.0.0/16", AddressKind::Private),
    ("198.18.0.0/15", AddressKind::Reserved),
    ("198.51.100.0/24", AddressKind::Documentation),
    ("203.0.113.0/24", AddressKind::Documentation),
    ("224.0.0.0/4", AddressKind::Multicast),
    ("255.255.255.255", AddressKind::Broadcast),
    ("240.0.0.0/4", AddressKind::Reserved),
    ("::", AddressKind::Unspecified),
    ("::1", AddressKind::Loopback),
    ("100::/64", AddressKind::Reserved),
    ("2001::/23", AddressKind::Reserved),
    ("2001:db8::/32", AddressKind::Documentation),
    ("2002::/16", AddressKind::Reserved),
    ("3fff::/20", AddressKind::Documentation),
    ("fc00::/7", AddressKind::Private),
    ("fe80::/10", AddressKind::LinkLocal),
    ("fec0::/10", AddressKind::Private),
    ("ff00::/8", AddressKind::Multicast),
];

static SPECIAL: LazyLock<Vec<(Network, AddressKind)>> =
    LazyLock::new(|| TABLE.iter().map(|(network, kind)| (known(network), *kind)).collect());

/// Networks whose addresses have an IPv4 address inside them.
static CARRIERS: LazyLock<Vec<Network>> = LazyLock::new(|| {
    ["::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"].map(known).into()
});

fn known(text: &str) -> Network {
    Network::parse(text).expect("the tables here are made of networks, and a test reads them")
}

/// Whether all addresses of `network` stand for IPv4 addresses inside them.
pub(super) fn is_carrier(network: &Network) -> bool {
    CARRIERS.iter().any(|carrier| carrier.holds(network)) && ![known("::"), known("::1")].contains(network)
}

/// Whether all addresses of `network` are loopback addresses.
pub(super) fn is_loopback(network: &Network) -> bool {
    ["127.0.0.0/8", "::1"].into_iter().any(|all| known(all).holds(network))
}

/// The addresses that `address` may stand for, which are what is judged: itself, or the IPv4 address inside it. Where
/// its form leaves open which that is, all of them.
pub(super) fn meant(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address.to_canonical() else { return vec![address.to_canonical()] };
    let found: Vec<_> = carried(v6).into_iter().map(IpAddr::V4).collect();
    if found.is_empty() { vec![address] } else { found }
}

fn carried(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let b = address.octets();
    let last = Ipv4Addr::new(b[12], b[13], b[14], b[15]);
    match address.segments() {
        // Unspecified and loopback begin as the IPv4-compatible ones do.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // IPv4-compatible, IPv4-translated (RFC 2765), NAT64.
        [0, 0, 0, 0, 0 | 0xffff, 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => vec![last],
        [0x64, 0xff9b, 1, ..] => local_nat64(&b),
        // Teredo: the client's address with all bits turned over.
        [0x2001, 0, ..] => vec![Ipv4Addr::from_bits(!last.to_bits())],
        [0x2002, ..] => vec![Ipv4Addr::new(b[2], b[3], b[4], b[5])],
        _ => Vec::new(),
    }
}

/// RFC 6052, 2.2: with a prefix of 48, 56, 64 or 96 bits; which of them is in use is a matter of the site. What would be
/// in 0.0.0.0/8 is none: nothing is translated to that. One that is none in any of them is that.
fn local_nat64(b: &[u8; 16]) -> Vec<Ipv4Addr> {
    let mut readings = vec![
        Ipv4Addr::new(b[12], b[13], b[14], b[15]),
        Ipv4Addr::new(b[9], b[10], b[11], b[12]),
        Ipv4Addr::new(b[7], b[9], b[10], b[11]),
        Ipv4Addr::new(b[6], b[7], b[9], b[10]),
    ];
    readings.dedup();
    let (none, some): (Vec<_>, Vec<_>) = readings.into_iter().partition(|reading| reading.octets()[0] == 0);
    if some.is_empty() { none } else { some }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_address_is_of_its_kind() {
        use AddressKind as Kind;
        for (text, kind) in [
            ("8.8.8.8", Kind::Public),
            ("172.32.0.1", Kind::Public),
            ("100.128.0.1", Kind::Public),
            ("2606:4700::1111", Kind::Public),
            ("127.0.0.1", Kind::Loopback),
            ("127.255.255.254", Kind::Loopback),
            ("::1", Kind::Loopback),
            ("0.0.0.0", Kind::Unspecified),
            ("::", Kind::Unspecified),
            ("0.1.2.3", Kind::Reserved),
            ("169.254.169.254", Kind::Metadata),
            ("100.100.100.200", Kind::Metadata),
            ("168.63.129.16", Kind::Metadata),
            ("fd00:ec2::254", Kind::Metadata),
            ("169.254.1.1", Kind::LinkLocal),
            ("fe80::1", Kind::LinkLocal),
            ("10.0.0.1", Kind::Private),
            ("172.31.255.255", Kind::Private),
            ("192.168.0.1", Kind::Private),
            ("fd12::1", Kind::Private),
            ("fec0::1", Kind::Private),
            ("100.64.0.1", Kind::Shared),
            ("239.1.1.1", Kind::Multicast),
            ("ff02::1", Kind::Multicast),
            ("255.255.255.255", Kind::Broadcast),
            ("192.0.2.1", Kind::Documentation),
            ("2001:db8::1", Kind::Documentation),
            ("3fff::1", Kind::Documentation),
            ("198.18.0.1", Kind::Reserved),
            ("250.0.0.1", Kind::Reserved),
            ("2001:10::1", Kind::Reserved),
            ("4000::1", Kind::Reserved),
            ("5f00::1", Kind::Reserved),
        ] {
            assert_eq!(AddressKind::of(ip(text)), kind, "{text}");
        }
    }

    #[test]
    fn an_address_inside_another_is_what_is_meant() {
        for (text, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            ("fd00::1", "fd00::1"),
            ("::1", "::1"),
            ("::", "::"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::10.0.0.1", "10.0.0.1"),
            ("::ffff:0:10.0.0.1", "10.0.0.1"),
            ("64:ff9b::10.0.0.1", "10.0.0.1"),
            ("64:ff9b:1::10.0.0.1", "10.0.0.1"),
            ("64:ff9b:1:a00:0:100::", "10.0.0.1"),
            ("64:ff9b:1:a:0:1::", "10.0.0.1"),
            ("64:ff9b:1::", "0.0.0.0"),
            ("2002:a00:1::1", "10.0.0.1"),
            ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "10.0.0.1"),
        ] {
            assert_eq!(meant(ip(text)), [ip(expected)], "{text}");
        }
        assert_eq!(meant(ip("64:ff9b:1:a00:0:100:808:808")), [ip("8.8.8.8"), ip("10.0.0.1")], "either may be meant");
        assert_eq!(meant(ip("64:ff9b:1::a:0:100:0")), [ip("1.0.0.0"), ip("10.0.0.1")]);
    }

    #[test]
    fn networks_of_carriers_are_known() {
        for text in ["::/96", "::10.0.0.0/104", "64:ff9b::/96", "64:ff9b:1:2::/64", "2002:a00::/24", "2001::/32"] {
            assert!(is_carrier(&known(text)), "{text}");
        }
        for text in ["::/0", "::1", "::", "2000::/3", "fd00::/8", "10.0.0.0/8"] {
            assert!(!is_carrier(&known(text)), "{text}");
        }
    }
}
