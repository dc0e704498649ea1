//! An egress policy: what it allows, and why it does not allow the rest.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::address::{AddressKind, meant};
use super::entry::AllowEntry;
use super::own::OwnListeners;
use crate::base::outbound::destination::Destination;
use crate::base::outbound::policy::{Policy, Refusal};

/// A named policy. An address is allowed where an entry covers it at its port, a name where an entry names it too, or
/// where the policy names no host at all: a policy that names hosts means those.
#[derive(Clone, Debug)]
pub struct EgressPolicy {
    name: String,
    allow: Vec<AllowEntry>,
    /// Whether a proxy connects, which looks names up by itself.
    by_proxy: bool,
    own: Arc<OwnListeners>,
}

impl EgressPolicy {
    /// The policy of this name; never to `own`, whatever it allows.
    #[must_use]
    pub const fn new(name: String, allow: Vec<AllowEntry>, by_proxy: bool, own: Arc<OwnListeners>) -> Self {
        Self { name, allow, by_proxy, own }
    }

    /// Whether `to` could ever be reached: nothing is looked up for that.
    pub fn could_reach(&self, to: &Destination) -> Result<(), Refusal> {
        let (host, port) = (to.host(), to.port());
        if let Some(address) = to.address() {
            return self.check_address(host, SocketAddr::new(address.to_canonical(), port));
        }
        self.check_name(host, port)?;
        self.check_addresses_of(host, port)
    }

    /// Whether `to` is an address at which the appliance itself listens: no entry would help.
    #[must_use]
    pub fn is_own(&self, to: &Destination) -> bool {
        to.address().is_some_and(|address| self.leads_home(address.to_canonical(), to.port()))
    }

    fn leads_home(&self, address: IpAddr, port: u16) -> bool {
        meant(address).iter().chain([&address]).any(|to| self.own.contain(SocketAddr::new(*to, port)))
    }

    fn check_port(&self, port: u16) -> Result<(), Refusal> {
        if self.allow.is_empty() {
            return self.refuse("allows nothing");
        }
        if self.at(port).next().is_none() {
            return self.refuse(format!("has no entry for port {port}"));
        }
        Ok(())
    }

    /// That there is an address which a name can have at this port.
    fn check_addresses_of(&self, name: &str, port: u16) -> Result<(), Refusal> {
        if self.by_proxy || self.at(port).any(AllowEntry::is_of_addresses) {
            return Ok(());
        }
        self.refuse(format!(
            "names {name}:{port}, but has no entry for any address at port {port}: the address of a name has to be covered too"
        ))
    }

    /// Whether `address`, which a URL's `host` stands for, may be connected to.
    fn check_meant(&self, host: &str, address: IpAddr, port: u16, shown: &str) -> Result<(), Refusal> {
        let kind = AddressKind::of(address);
        // A policy that names hosts would mean nothing if any public address could stand in a URL in their place.
        let is_literal = host.parse::<IpAddr>().is_ok();
        let by_class = !(is_literal && self.names_hosts());
        if self.at(port).any(|entry| entry.covers(address, kind, by_class)) {
            return Ok(());
        }
        if kind.is_named_alone() {
            let entry = SocketAddr::new(address, port);
            return self.refuse(format!("does not allow {shown}, {kind}: only an entry \"{entry}\" would"));
        }
        if kind == AddressKind::Public && !by_class {
            return self.refuse(format!("names hosts, and does not allow {shown} by its address"));
        }
        self.refuse(format!("has no entry that covers {shown}, {kind}"))
    }

    /// The entries for a port.
    fn at(&self, port: u16) -> impl Iterator<Item = &AllowEntry> {
        self.allow.iter().filter(move |entry| entry.port == port)
    }

    fn names_hosts(&self) -> bool {
        self.allow.iter().any(|entry| !entry.is_of_addresses())
    }

    fn refuse(&self, why: impl AsRef<str>) -> Result<(), Refusal> {
        Err(Refusal(format!("the egress policy \"{}\" {}", self.name, why.as_ref())))
    }
}

impl Policy for EgressPolicy {
    fn check_name(&self, name: &str, port: u16) -> Result<(), Refusal> {
        self.check_port(port)?;
        let plain = name.strip_suffix('.').unwrap_or(name);
        if self.at(port).any(|entry| entry.names(plain)) {
            return Ok(());
        }
        if self.by_proxy {
            return self.refuse(format!(
                "has no entry for the name {name} at port {port}, and its proxy would not say which address that has"
            ));
        }
        if self.names_hosts() {
            return self.refuse(format!("names hosts, and {name}:{port} is none of them"));
        }
        Ok(())
    }

    fn check_address(&self, host: &str, address: SocketAddr) -> Result<(), Refusal> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        if host.parse::<IpAddr>().is_err() {
            self.check_name(host, port)?;
        } else {
            self.check_port(port)?;
        }
        let whole = SocketAddr::new(ip, port);
        if self.leads_home(ip, port) {
            return Err(Refusal(format!("{whole} is where this appliance itself listens, and nothing is sent there")));
        }
        for meant in meant(ip) {
            let shown = if meant == ip { whole.to_string() } else { format!("{whole}, which stands for {meant}") };
            self.check_meant(host, meant, port, &shown)?;
        }
        Ok(())
    }
}
