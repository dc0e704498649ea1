//! The store's own metrics: what its transactions do.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransactionLabels {
    transaction: &'static str,
    outcome: &'static str,
}

/// Histograms and counters of commits. Clones share them.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    transactions: Family<TransactionLabels, Counter>,
    seconds: Histogram,
    operations: Histogram,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl StoreMetrics {
    /// Metrics that show nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            transactions: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            operations: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
        }
    }

    /// Shows them in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let store = registry.sub_registry_with_prefix("tidings_store");
        store.register("transactions", "Write transactions by name and outcome", self.transactions.clone());
        store.register_with_unit(
            "commit_duration",
            "Time from the start of a group's transaction until it is on disk",
            Unit::Seconds,
            self.seconds.clone(),
        );
        store.register("commit_operations", "Operations in one group commit", self.operations.clone());
    }

    /// One transaction has ended.
    pub(super) fn transaction(&self, transaction: &'static str, committed: bool) {
        let outcome = if committed { "committed" } else { "failed" };
        self.transactions.get_or_create(&TransactionLabels { transaction, outcome }).inc();
    }

    /// A group of `operations` was committed in `took`.
    pub(super) fn group(&self, operations: usize, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        self.operations.observe(f64::from(u32::try_from(operations).unwrap_or(u32::MAX)));
    }
}
