//! What deliveries show of themselves: attempts, how long they take, how late they are, and how endpoints stand.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::board::Board;
use super::state::EndpointState;
use crate::model::attempt::AttemptOutcome;
use crate::model::notification::EndpointKind;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    kind: &'static str,
    outcome: &'static str,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

type Histograms = Family<KindLabel, Histogram, fn() -> Histogram>;

/// Metrics of deliveries. Clones share them.
#[derive(Clone)]
pub struct DeliveryMetrics {
    attempts: Family<AttemptLabels, Counter>,
    took: Histograms,
    first: Histograms,
    delivered: Histograms,
    in_flight: Family<KindLabel, Gauge>,
    board: Arc<OnceLock<Arc<Board>>>,
    /// How many reasons there are; beyond a number they are counted as one.
    reasons: Arc<Mutex<std::collections::HashSet<String>>>,
}

/// The most reasons that have a series of their own.
const MAX_REASONS: usize = 256;

impl Default for DeliveryMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DeliveryMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeliveryMetrics")
    }
}

/// 1 ms to about two minutes: from a receiver beside us to the longest timeout.
fn attempt_times() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 18))
}

/// 1 ms to about six days: from an idle appliance to the longest ttl.
fn delays() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 3.0, 19))
}

impl DeliveryMetrics {
    /// Metrics that show nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            attempts: Family::default(),
            took: Family::new_with_constructor(attempt_times),
            first: Family::new_with_constructor(delays),
            delivered: Family::new_with_constructor(delays),
            in_flight: Family::default(),
            board: Arc::default(),
            reasons: Arc::default(),
        }
    }

    /// Shows them in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let delivery = registry.sub_registry_with_prefix("tidings_delivery");
        let help = "Attempts to deliver notifications, by kind of endpoint, outcome and reason";
        delivery.register("attempts", help, self.attempts.clone());
        let help = "How long attempts took";
        delivery.register_with_unit("attempt_duration", help, Unit::Seconds, self.took.clone());
        let help = "From an event's acceptance to the first attempt";
        delivery.register_with_unit("first_attempt_delay", help, Unit::Seconds, self.first.clone());
        let help = "From an event's acceptance until it was delivered";
        delivery.register_with_unit("delay", help, Unit::Seconds, self.delivered.clone());
        delivery.register("in_flight", "Attempts under way", self.in_flight.clone());
        delivery.register_collector(Box::new(self.clone()));
    }

    /// What is read off at each scrape.
    pub(super) fn watch(&self, board: &Arc<Board>) {
        // A second engine would be shown in the first one's place; there is none.
        let _ = self.board.set(Arc::clone(board));
    }

    pub(super) fn begins(&self, kind: EndpointKind) {
        self.in_flight.get_or_create(&of(kind)).inc();
    }

    pub(super) fn ends(&self, kind: EndpointKind) {
        self.in_flight.get_or_create(&of(kind)).dec();
    }

    pub(super) fn attempt(&self, kind: EndpointKind, outcome: AttemptOutcome, reason: &str, took: Duration) {
        let (kind, outcome) = (kind.as_str(), outcome.as_str());
        let reason = self.bounded(reason).to_owned();
        self.attempts.get_or_create(&AttemptLabels { kind, outcome, reason }).inc();
        self.took.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
    }

    pub(super) fn first_attempt(&self, kind: EndpointKind, after: Duration) {
        self.first.get_or_create(&of(kind)).observe(after.as_secs_f64());
    }

    pub(super) fn delivered(&self, kind: EndpointKind, after: Duration) {
        self.delivered.get_or_create(&of(kind)).observe(after.as_secs_f64());
    }

    /// The reason, or one for all that are too many.
    fn bounded<'r>(&self, reason: &'r str) -> &'r str {
        let mut reasons = self.reasons.lock();
        if reasons.contains(reason) || (reasons.len() < MAX_REASONS && reasons.insert(reason.to_owned())) {
            return reason;
        }
        "other"
    }
}

const fn of(kind: EndpointKind) -> KindLabel {
    KindLabel { kind: kind.as_str() }
}

impl Collector for DeliveryMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(board) = self.board.get() else { return Ok(()) };
        let help =
            "For how long the notification has been due that has been so longest, at endpoints that are not held";
        let overdue = ConstGauge::new(board.overdue().as_secs_f64());
        let metric = encoder.encode_descriptor("overdue", help, Some(&Unit::Seconds), overdue.metric_type())?;
        overdue.encode(metric)?;
        let help = "Endpoints that are sent to, by kind and state";
        let mut family = encoder.encode_descriptor("endpoints", help, None, MetricType::Gauge)?;
        for ((kind, state), count) in board.counts() {
            let labels = [("kind", kind.as_str()), ("state", EndpointState::as_str(state))];
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
