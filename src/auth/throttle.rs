//! Guessing is slowed down: `limits.auth_failures`.
//!
//! Each failure to authenticate is counted against the address that it came from and against the id that it named,
//! whether or not there is such a client, so that the limit does not tell who exists. An address that has failed too
//! often must wait, whatever it shows. An id for which there were too many failures must wait only where the present
//! address has failed lately itself: a right secret from elsewhere is never locked out.
//!
//! Over a unix socket no address is known. What fails there is counted for the ids that it names, but the socket as a
//! whole never has to wait: a proxy may stand behind it with everybody's calls.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::rate::{Buckets, Rate};
use crate::base::secret::sha256;

/// How many addresses, and how many ids, are remembered at most.
const ROOM: usize = 1 << 16;

/// Counts the failures, and says who has to wait.
#[derive(Debug)]
pub struct Throttle {
    origins: Buckets<Origin>,
    ids: Buckets<IdKey>,
}

/// Whom a failure is held against. An IPv6 site has at least a /64 of its own (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    V4(u32),
    V6(u64),
    Unix,
}

/// Ids are as long as their sender likes: their hashes are not.
type IdKey = [u8; 16];

/// What kind of thing an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// A client.
    Client(&'a str),
    /// The public characters of an API key.
    ApiKey(&'a str),
}

impl Throttle {
    /// Nobody has failed yet; each may fail at this rate.
    #[must_use]
    pub fn new(auth_failures: Rate) -> Self {
        Self { origins: Buckets::new(auth_failures, ROOM), ids: Buckets::new(auth_failures, ROOM) }
    }

    /// Whether somebody at `address` may try to be who it `names`, or how long it has to wait.
    pub(super) fn check(&self, address: Option<IpAddr>, names: Named<'_>, now: Timestamp) -> Result<(), Duration> {
        self.check_address(address, now)?;
        match self.ids.check(&names.key(), now) {
            Err(wait) if !self.origins.is_full(&Origin::of(address), now) => Err(wait),
            _ => Ok(()),
        }
    }

    /// Whether `address` may fail once more, or how long it has to wait.
    pub(super) fn check_address(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        match Origin::of(address) {
            Origin::Unix => Ok(()),
            origin => self.origins.check(&origin, now),
        }
    }

    /// Counts a failure at `address` to be who it `names`, if it names somebody.
    pub(super) fn failed(&self, address: Option<IpAddr>, names: Option<Named<'_>>, now: Timestamp) {
        // Beyond the limit there is nothing left to count down.
        let _ = self.origins.take(Origin::of(address), now);
        if let Some(names) = names {
            let _ = self.ids.take(names.key(), now);
        }
    }
}

impl Origin {
    fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(v4)) => Self::V4(v4.to_bits()),
            Some(IpAddr::V6(v6)) => Self::V6(u64::try_from(v6.to_bits() >> 64).unwrap_or(u64::MAX)),
            None => Self::Unix,
        }
    }
}

impl Named<'_> {
    fn key(self) -> IdKey {
        let (kind, id) = match self {
            Self::Client(id) => (b"c", id),
            Self::ApiKey(public) => (b"k", public),
        };
        let hash = sha256(&[kind, id.as_bytes()].concat());
        let mut key = IdKey::default();
        key.copy_from_slice(&hash[..16]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const CRM: Named<'static> = Named::Client("crm");

    fn throttle() -> Throttle {
        Throttle::new(Rate::parse("10/min").unwrap())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what the throttle is asked with")]
    fn at(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_that_fails_too_often_waits_whatever_it_names() {
        let throttle = throttle();
        let bad = at("10.0.0.1");
        for number in 0..10 {
            assert!(throttle.check(bad, CRM, NOW).is_ok(), "{number}");
            throttle.failed(bad, Some(Named::Client(&format!("guess-{number}"))), NOW);
        }
        let wait = Duration::from_secs(6);
        for names in [CRM, Named::ApiKey("abcdefgh"), Named::Client("guess-1")] {
            assert_eq!(throttle.check(bad, names, NOW), Err(wait));
        }
        assert_eq!(throttle.check_address(bad, NOW), Err(wait));
        assert_eq!(throttle.check(at("::ffff:10.0.0.1"), CRM, NOW), Err(wait), "the same address");
        assert!(throttle.check(at("10.0.0.2"), CRM, NOW).is_ok());
        assert!(throttle.check(bad, CRM, NOW.plus(wait)).is_ok());
    }

    #[test]
    fn an_id_that_is_guessed_at_waits_only_where_guesses_come_from() {
        let throttle = throttle();
        for number in 0..10 {
            throttle.failed(at(&format!("10.0.0.{number}")), Some(CRM), NOW);
        }
        assert_eq!(throttle.check(at("10.0.0.3"), CRM, NOW), Err(Duration::from_secs(6)));
        assert!(throttle.check(at("10.0.0.3"), Named::Client("erp"), NOW).is_ok());
        assert!(throttle.check(at("10.0.0.3"), Named::ApiKey("crm"), NOW).is_ok(), "a key is no client");
        assert!(throttle.check(at("10.0.0.10"), CRM, NOW).is_ok(), "it has not failed itself");
    }

    #[test]
    fn an_ipv6_site_is_one_address() {
        let throttle = throttle();
        for number in 0..10 {
            throttle.failed(at(&format!("2001:db8::{number}")), None, NOW);
        }
        assert!(throttle.check_address(at("2001:db8::ffff:1"), NOW).is_err());
        assert!(throttle.check_address(at("2001:db8:0:1::1"), NOW).is_ok());
    }

    #[test]
    fn a_unix_socket_never_waits_as_a_whole() {
        let throttle = throttle();
        for _ in 0..20 {
            throttle.failed(None, Some(CRM), NOW);
        }
        assert!(throttle.check_address(None, NOW).is_ok());
        assert!(throttle.check(None, CRM, NOW).is_err());
        assert!(throttle.check(None, Named::Client("erp"), NOW).is_ok());
    }
}
