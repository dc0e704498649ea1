//! What the mail channel goes by.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::dkim::Dkim;
use super::templates::Templates;
use crate::base::rate::Rate;
use crate::base::secret::SecretString;
use crate::model::address::Address;
use crate::model::id::EventTypeId;
use crate::model::recipients::AllowedRecipients;

/// `[email]`, but how often and how much at once, which the engine keeps to.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// Who carries the mail.
    pub relay: RelaySettings,
    /// What stands in `From:`.
    pub from: Mailbox,
    /// Where what cannot be delivered comes back to (RFC 5321, 3.3: the reverse-path).
    pub envelope_from: Address,
    /// The URIs of `List-Unsubscribe` (RFC 2369, 3.2); none: no such header.
    pub list_unsubscribe: Vec<String>,
    /// What mail is signed with.
    pub dkim: Option<Arc<Dkim>>,
    /// How often the relay is given a message.
    pub rate: Option<Rate>,
    /// What may be named through APIs.
    pub allowed_recipients: AllowedRecipients,
    /// How long an address is left alone after a relay has said that it does not exist.
    pub suppress_for: Duration,
    /// What mail is made of.
    pub templates: Arc<Templates>,
    /// The language of mail for those who have named none.
    pub default_locale: String,
    /// What people call an event type, where that is not its id.
    pub type_names: HashMap<EventTypeId, String>,
}

/// Who carries the mail, and how it is talked to.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Where it is.
    pub address: RelayAddress,
    /// How the connection is guarded.
    pub security: Security,
    /// As whom it is used.
    pub login: Option<Login>,
    /// What EHLO says who we are: a domain name or an address literal (RFC 5321, 4.1.1.1). `None`: the machine's name.
    pub helo: Option<String>,
    /// How long it may take to answer; ten times that to the message itself, at most ten minutes (RFC 5321, 4.5.3.2.6).
    pub timeout: Duration,
    /// How many connections there are at most.
    pub connections: usize,
    /// How long a connection waits for its next message.
    pub idle: Duration,
}

/// How a connection is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314, 3.3).
    Implicit,
    /// STARTTLS (RFC 3207); a relay that does not offer it gets no mail.
    StartTls,
    /// None.
    None,
}

/// As whom a relay is used.
#[derive(Clone, Debug)]
pub struct Login {
    /// Name.
    pub username: String,
    /// Password.
    pub password: SecretString,
}

/// Where a relay is: `smtp://host:port`, or `smtps://host:port` for TLS from the first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// 25 where none is written, of `smtps` 465.
    pub port: u16,
    /// Whether it is `smtps`.
    pub implicit_tls: bool,
}

impl RelayAddress {
    /// Reads the URL of a relay; `None` if it is none, or says more than scheme, host and port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (implicit_tls, rest) = match text.strip_prefix("smtps://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("smtp://")?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':').or(empty(port))))?,
            None => rest.split_once(':').map_or((rest, Some("")), |(host, port)| (host, Some(port))),
        };
        let port = match port? {
            "" if !rest.ends_with(':') => Some(if implicit_tls { 465 } else { 25 }),
            digits => digits.parse().ok().filter(|port| *port != 0 && !digits.starts_with('+')),
        };
        let is_ip6 = host.parse::<std::net::Ipv6Addr>().is_ok();
        let is_host = is_ip6 == rest.starts_with('[') && rustls::pki_types::ServerName::try_from(host).is_ok();
        Some(Self { host: host.to_lowercase(), port: port.filter(|_| is_host)?, implicit_tls })
    }

    /// Whether it is on this machine: nobody on the way can see or change what is said.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

fn empty(text: &str) -> Option<&str> {
    text.is_empty().then_some("")
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, implicit_tls: _ } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// An address, perhaps with a name for people: `Tidings <tidings@example.com>` (RFC 5322, 3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

impl Mailbox {
    /// The mailbox in `text`, `None` if it is none. The name may stand in quotation marks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some(rest) = text.trim().strip_suffix('>') else {
            return Some(Self { name: None, address: Address::parse(text.trim())? });
        };
        let (name, address) = rest.rsplit_once('<')?;
        let name = name.trim();
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let name = quoted.map_or_else(|| name.to_owned(), |name| name.replace("\\\"", "\"").replace("\\\\", "\\"));
        if name.chars().any(char::is_control) {
            return None;
        }
        Some(Self { name: Some(name).filter(|name| !name.is_empty()), address: Address::parse(address)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_has_scheme_host_and_port() {
        for (text, host, port, implicit) in [
            ("smtp://127.0.0.1:25", "127.0.0.1", 25, false),
            ("smtp://Relay.Example.com", "relay.example.com", 25, false),
            ("smtp://relay.example.com:587/", "relay.example.com", 587, false),
            ("smtps://relay", "relay", 465, true),
            ("smtps://[fd00::1]:465", "fd00::1", 465, true),
            ("smtp://[::1]", "::1", 25, false),
        ] {
            let relay = RelayAddress::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((relay.host.as_str(), relay.port, relay.implicit_tls), (host, port, implicit), "{text}");
        }
        for bad in [
            "",
            "relay",
            "relay:25",
            "http://relay",
            "SMTP//x",
            "smtp://",
            "smtp://:25",
            "smtp://relay:",
            "smtp://relay:0",
            "smtp://relay:+25",
            "smtp://relay:65536",
            "smtp://relay:25/x",
            "smtp://user@relay",
            "smtp://user:password@relay:25",
            "smtp://re lay",
            "smtp://fd00::1",
            "smtp://[relay]",
            "smtp://[::1]x",
            "smtp://[::1",
            "smtp://relay?x=1",
        ] {
            assert_eq!(RelayAddress::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_relay_is_local_or_not() {
        let local = |text: &str| RelayAddress::parse(text).unwrap().is_loopback();
        for text in ["smtp://127.0.0.1", "smtp://127.9.9.9", "smtp://localhost", "smtp://[::1]", "smtp://LOCALHOST"] {
            assert!(local(text), "{text}");
        }
        for text in ["smtp://10.0.0.1", "smtp://localhost.example.com", "smtp://[fd00::1]"] {
            assert!(!local(text), "{text}");
        }
        assert_eq!(RelayAddress::parse("smtp://[fd00::1]:26").unwrap().to_string(), "[fd00::1]:26");
    }

    #[test]
    fn a_mailbox_may_have_a_name() {
        for (text, name, address) in [
            ("tidings@Example.com", None, "tidings@example.com"),
            ("<tidings@example.com>", None, "tidings@example.com"),
            ("Tidings <tidings@example.com>", Some("Tidings"), "tidings@example.com"),
            ("\"Werk, Süd\" <a@h>", Some("Werk, Süd"), "a@h"),
            ("\"A \\\"B\\\" C\" <a@h>", Some("A \"B\" C"), "a@h"),
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!((mailbox.name.as_deref(), mailbox.address.as_str()), (name, address), "{text}");
        }
        for bad in ["", "Tidings", "Tidings <>", "a@h, b@h", "x <a@h> y", "a\r\nBcc: x <a@h>"] {
            assert_eq!(Mailbox::parse(bad), None, "{bad:?}");
        }
    }
}
