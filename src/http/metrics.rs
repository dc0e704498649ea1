//! What the wire counts. Labels are bounded: contracts and operations come from the route tables, and what has no
//! route is counted under the operation `none`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use parking_lot::RwLock;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::base::clock::Timestamp;

/// The status that a request is counted under whose caller hung up before the answer was ready (as nginx does).
pub const HUNG_UP: u16 = 499;

/// The operation that is counted where no route was found.
const NO_OPERATION: &str = "none";

/// Upper bounds of the duration's buckets in seconds: half a millisecond to the longest long poll.
const BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    contract: &'static str,
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    contract: &'static str,
    operation: &'static str,
}

/// Why there was no TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeFailure {
    /// It was not done in time.
    Timeout,
    /// The caller hung up.
    HungUp,
    /// What came is no TLS, or none that is spoken here.
    Protocol,
    /// The caller's certificate is missing or not good.
    ClientCertificate,
    /// The caller does not take our certificate, or said no for another reason.
    Refused,
}

impl HandshakeFailure {
    fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::HungUp => "hung-up",
            Self::Protocol => "protocol",
            Self::ClientCertificate => "client-certificate",
            Self::Refused => "refused",
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HandshakeLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

/// The metrics of one or more servers. Clones share them.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    pub(super) connections: Gauge,
    pub(super) refused: Counter,
    pub(super) evicted: Counter,
    handshakes_failed: Family<HandshakeLabels, Counter>,
    certificates: Family<ListenerLabels, Gauge>,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpMetrics {
    /// Metrics that stand at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            refused: Counter::default(),
            evicted: Counter::default(),
            handshakes_failed: Family::default(),
            certificates: Family::default(),
        }
    }

    /// Puts them into `registry`, under their full names.
    pub fn register(&self, registry: &mut Registry) {
        let requests =
            "Requests by contract, operation and status; 499: the caller hung up before the answer was ready";
        registry.register("tidings_http_requests", requests, self.requests.clone());
        let durations = "Seconds from the head of a request to its answer being ready";
        registry.register("tidings_http_request_duration_seconds", durations, self.durations.clone());
        registry.register("tidings_http_requests_in_flight", "Requests being answered", self.in_flight.clone());
        registry.register("tidings_http_connections", "Open connections", self.connections.clone());
        let refused = "Connections refused at the limit because none was idle";
        registry.register("tidings_http_connections_refused", refused, self.refused.clone());
        let evicted = "Idle connections closed to make room for new ones";
        registry.register("tidings_http_connections_evicted", evicted, self.evicted.clone());
        let failed = "TLS handshakes that failed, by reason";
        registry.register("tidings_tls_handshakes_failed", failed, self.handshakes_failed.clone());
        let not_after = "Until when the certificate that is presented is good, in seconds since 1970";
        registry.register("tidings_tls_certificate_not_after_seconds", not_after, self.certificates.clone());
    }

    /// The listener presents a certificate that is good until `not_after`.
    pub fn presents(&self, listener: &'static str, not_after: Timestamp) {
        self.certificates.get_or_create_owned(&ListenerLabels { listener }).set(not_after.as_millis().div_euclid(1000));
    }

    /// A caller could not be spoken with.
    pub(super) fn handshake_failed(&self, reason: HandshakeFailure) {
        self.handshakes_failed.get_or_create_owned(&HandshakeLabels { reason: reason.label() }).inc();
    }

    /// The meter of one operation; `None` for requests without a route.
    pub(super) fn meter(&self, contract: &'static str, operation: Option<&'static str>) -> Meter {
        let operation = operation.unwrap_or(NO_OPERATION);
        Meter {
            contract,
            operation,
            requests: self.requests.clone(),
            by_status: RwLock::new(Vec::new()),
            duration: self.durations.get_or_create_owned(&OperationLabels { contract, operation }),
            in_flight: self.in_flight.clone(),
        }
    }
}

/// The metrics of one operation, looked up once and not for each request.
pub(super) struct Meter {
    contract: &'static str,
    operation: &'static str,
    requests: Family<RequestLabels, Counter>,
    by_status: RwLock<Vec<(u16, Counter)>>,
    duration: Histogram,
    in_flight: Gauge,
}

impl Meter {
    /// Counts a request that was refused without ever being in flight.
    pub(super) fn count(&self, status: StatusCode) {
        self.count_status(status.as_u16());
    }

    /// Counts a request as in flight until the timing is finished or dropped.
    pub(super) fn start(self: &Arc<Self>) -> Timing {
        self.in_flight.inc();
        Timing { meter: Arc::clone(self), started: Instant::now(), finished: false }
    }

    fn count_status(&self, status: u16) {
        let known = self.by_status.read().iter().find(|(s, _)| *s == status).map(|(_, counter)| counter.inc());
        if known.is_none() {
            self.first_of(status).inc();
        }
    }

    fn first_of(&self, status: u16) -> Counter {
        let labels = RequestLabels { contract: self.contract, operation: self.operation, status };
        let counter = self.requests.get_or_create_owned(&labels);
        let mut by_status = self.by_status.write();
        if by_status.iter().all(|(s, _)| *s != status) {
            by_status.push((status, counter.clone()));
        }
        counter
    }
}

/// One request in flight.
pub(super) struct Timing {
    meter: Arc<Meter>,
    started: Instant,
    finished: bool,
}

impl Timing {
    /// The answer is ready: how long it took.
    pub(super) fn finish(mut self, status: StatusCode) -> Duration {
        self.finished = true;
        let took = self.started.elapsed();
        self.meter.count_status(status.as_u16());
        self.meter.duration.observe(took.as_secs_f64());
        took
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        self.meter.in_flight.dec();
        if !self.finished {
            self.meter.count_status(HUNG_UP);
        }
    }
}
