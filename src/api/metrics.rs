//! What the contracts count besides the requests, which the server counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ContractLabels {
    contract: &'static str,
}

/// The counters of all contracts. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ApiMetrics {
    ignored_members: Family<ContractLabels, Counter>,
}

impl ApiMetrics {
    /// Metrics that stand at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts them into `registry`, under their full names.
    pub fn register(&self, registry: &mut Registry) {
        let ignored = "Members of bodies that mean nothing to the contract and were ignored, since the start";
        registry.register("tidings_api_ignored_members", ignored, self.ignored_members.clone());
    }

    /// The counter of the members that `contract` ignores (contracts/README.md).
    pub(super) fn ignored_members(&self, contract: &'static str) -> Counter {
        self.ignored_members.get_or_create_owned(&ContractLabels { contract })
    }
}
