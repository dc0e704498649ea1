//! Names → addresses, as the machine's files say.
//!
//! `/etc/hosts` goes first and, where it has a name, nobody is asked; then the servers of `/etc/resolv.conf`. Both files
//! are read again when they have changed: a machine may get its name servers after the appliance has started.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use hickory_resolver::lookup::Lookup as Found;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, Resolver, TokioResolver};
use parking_lot::Mutex;

/// The largest file that is read in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Makes addresses of names.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `name`; there is at least one.
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NoAddress>;
}

/// Why a name has no address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the name {name} cannot be resolved: {detail}")]
pub struct NoAddress {
    /// The name.
    pub name: String,
    /// What is in the way.
    pub detail: String,
}

/// Looks names up: as the machine's files say, or as it is told.
pub struct Names(Box<dyn Lookup>);

impl Names {
    /// Those of this machine.
    #[must_use]
    pub fn of_system() -> Self {
        Self::told_by(Files::new("/etc/hosts", "/etc/resolv.conf"))
    }

    /// Those that somebody else knows.
    #[must_use]
    pub fn told_by(lookup: impl Lookup) -> Self {
        Self(Box::new(lookup))
    }

    /// The addresses of `name`; there is at least one.
    pub async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NoAddress> {
        self.0.lookup(name).await
    }
}

/// Looks names up as files say.
struct Files {
    hosts: PathBuf,
    servers: PathBuf,
    known: Mutex<Option<Known>>,
}

/// What the files said when they were last read.
#[derive(Clone)]
struct Known {
    stamps: [Option<Stamp>; 2],
    hosts: Arc<Hosts>,
    resolver: Result<TokioResolver, String>,
}

/// Tells one state of a file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl Files {
    fn new(hosts: impl Into<PathBuf>, servers: impl Into<PathBuf>) -> Self {
        Self { hosts: hosts.into(), servers: servers.into(), known: Mutex::new(None) }
    }

    fn known(&self) -> Known {
        let stamps = [&self.hosts, &self.servers].map(stamp);
        let mut known = self.known.lock();
        match &*known {
            Some(known) if known.stamps == stamps => known.clone(),
            _ => {
                let (hosts, resolver) = (Arc::new(self.read_hosts()), self.read_servers());
                known.insert(Known { stamps, hosts, resolver }).clone()
            }
        }
    }

    fn read_hosts(&self) -> Hosts {
        let mut hosts = Hosts::default();
        let read = read(&self.hosts).and_then(|text| hosts.read_hosts_conf(text.as_slice()));
        if let Err(problem) = read {
            tracing::debug!("{} cannot be read: {problem}", self.hosts.display());
        }
        hosts
    }

    fn read_servers(&self) -> Result<TokioResolver, String> {
        let text = read(&self.servers).map_err(|error| format!("cannot be read: {error}"))?;
        let (config, options) = parse_resolv_conf(text).map_err(|error| format!("cannot be used: {error}"))?;
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        // The file of this object is looked at instead.
        builder.options_mut().use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        builder.build().map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Lookup for Files {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NoAddress> {
        let none = |detail: String| NoAddress { name: name.to_owned(), detail };
        let known = self.known();
        let parsed = Name::from_utf8(name).map_err(|error| none(error.to_string()))?;
        let listed = listed(&known.hosts, &parsed);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let resolver = known.resolver.map_err(|problem| none(format!("{} {problem}", self.servers.display())))?;
        let found = resolver.lookup_ip(parsed).await.map_err(|error| none(error.to_string()))?;
        let addresses: Vec<_> = found.iter().collect();
        if addresses.is_empty() { Err(none("it has no address".to_owned())) } else { Ok(addresses) }
    }
}

fn listed(hosts: &Hosts, name: &Name) -> Vec<IpAddr> {
    let of_kind = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    let lookups = [RecordType::A, RecordType::AAAA].map(of_kind);
    let records = lookups.iter().flatten().flat_map(Found::answers);
    let addresses = records.filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    addresses.collect()
}

fn stamp(file: &PathBuf) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), length: metadata.len() })
}

fn read(file: &PathBuf) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    fs::File::open(file)?.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hosts_file_goes_first_and_is_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        let names = Files::new(&file, folder.path().join("none"));
        let error = names.lookup("issuer.test").await.unwrap_err().to_string();
        assert!(error.starts_with("the name issuer.test cannot be resolved: ") && error.contains("none"), "{error}");
        fs::write(&file, "10.0.0.7 issuer.test other\n").unwrap();
        assert_eq!(names.lookup("issuer.test").await.unwrap(), ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(names.lookup("ISSUER.test.").await.unwrap().len(), 1);
        fs::write(&file, "10.0.0.7 issuer.test other\nfd00::7 issuer.test # both\n").unwrap();
        assert_eq!(names.lookup("issuer.test").await.unwrap().len(), 2);
        assert!(names.lookup("unknown.test").await.is_err());
    }

    #[tokio::test]
    async fn localhost_needs_no_server() {
        let folder = tempfile::tempdir().unwrap();
        let servers = folder.path().join("resolv.conf");
        fs::write(&servers, "nameserver 127.0.0.1\n").unwrap();
        let names = Files::new(folder.path().join("none"), servers);
        assert!(names.lookup("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
    }
}
