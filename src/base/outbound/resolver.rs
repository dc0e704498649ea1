//! The resolver of one client: it gives only addresses that may be connected to.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::names::Names;
use super::policy::{Policy, Refusal};

/// Looks names up and keeps back what the policy does not allow.
pub(super) struct Checked {
    pub(super) names: Arc<Names>,
    pub(super) policy: Arc<dyn Policy>,
    pub(super) port: u16,
}

/// Looks up the name of a proxy, which the files have chosen.
pub(super) struct Unchecked {
    pub(super) names: Arc<Names>,
    pub(super) port: u16,
}

/// Marks an error that the policy made, on its way through reqwest.
#[derive(Debug, thiserror::Error)]
#[error("{name} is {addresses}: {refusal}")]
pub(super) struct NotAllowed {
    name: String,
    addresses: String,
    refusal: Refusal,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, policy, port) = (Arc::clone(&self.names), Arc::clone(&self.policy), self.port);
        Box::pin(async move {
            let found = names.lookup(name.as_str()).await?;
            let addresses: Vec<_> = found.iter().map(|ip| SocketAddr::new(ip.to_canonical(), port)).collect();
            Ok(allowed(name.as_str(), &addresses, &*policy)?)
        })
    }
}

impl Resolve for Unchecked {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, port) = (Arc::clone(&self.names), self.port);
        Box::pin(async move {
            let found = names.lookup(name.as_str()).await?;
            Ok(Box::new(found.into_iter().map(move |ip| SocketAddr::new(ip, port))) as Addrs)
        })
    }
}

/// Those of the addresses that are allowed, and if none is, why the first is not.
fn allowed(name: &str, addresses: &[SocketAddr], policy: &dyn Policy) -> Result<Addrs, NotAllowed> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in addresses {
        match policy.check_address(name, *address) {
            Ok(()) => allowed.push(*address),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match refused {
        Some(refusal) if allowed.is_empty() => {
            let addresses = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
            Err(NotAllowed { name: name.to_owned(), addresses, refusal })
        }
        _ => Ok(Box::new(allowed.into_iter()) as Addrs),
    }
}
