//! What is counted of credentials. Labels are bounded: no address and no id that a caller makes up is one.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::base::clock::Timestamp;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    credential: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndLabels {
    kind: &'static str,
    id: String,
    entry: usize,
}

/// A limit that can be reached, by the name of its key in `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Requests,
    Tokens,
    Failures,
}

/// What somebody failed to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ClientSecret,
    ApiKey,
    Token,
}

/// The metrics of credentials. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct AuthMetrics {
    throttled: Family<LimitLabels, Counter>,
    failures: Family<KindLabels, Counter>,
    ends: Family<EndLabels, Gauge>,
}

impl AuthMetrics {
    /// Metrics that stand at zero.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self::default();
        for limit in [Limit::Requests, Limit::Tokens, Limit::Failures] {
            drop(metrics.throttled.get_or_create(&limit.labels()));
        }
        for kind in [Kind::ClientSecret, Kind::ApiKey, Kind::Token] {
            drop(metrics.failures.get_or_create(&kind.labels()));
        }
        metrics
    }

    /// Puts them into `registry`, under their full names.
    pub fn register(&self, registry: &mut Registry) {
        let throttled = "Requests answered with 429, by the limit of [limits] that was reached";
        registry.register("tidings_auth_throttled", throttled, self.throttled.clone());
        let failures = "Wrong client secrets and API keys, and tokens that are not ours";
        registry.register("tidings_auth_failures", failures, self.failures.clone());
        let ends = "When a secret of a client or a key stops being right, since 1970; entry is its place in the files";
        registry.register_with_unit("tidings_credential_not_after", ends, Unit::Seconds, self.ends.clone());
    }

    pub(super) fn throttled(&self, limit: Limit) {
        self.throttled.get_or_create(&limit.labels()).inc();
    }

    pub(super) fn failed(&self, kind: Kind) {
        self.failures.get_or_create(&kind.labels()).inc();
    }

    /// Shows these ends, of a kind, an id, and a place in the files from 1, and no others.
    pub(super) fn show_ends<'a>(&self, ends: impl Iterator<Item = (&'static str, &'a str, usize, Timestamp)>) {
        self.ends.clear();
        for (kind, id, entry, end) in ends {
            let labels = EndLabels { kind, id: id.to_owned(), entry };
            self.ends.get_or_create(&labels).set(end.as_millis().div_euclid(1000));
        }
    }
}

impl Limit {
    const fn labels(self) -> LimitLabels {
        let limit = match self {
            Self::Requests => "request_rate",
            Self::Tokens => "token_rate",
            Self::Failures => "auth_failures",
        };
        LimitLabels { limit }
    }
}

impl Kind {
    const fn labels(self) -> KindLabels {
        let credential = match self {
            Self::ClientSecret => "client_secret",
            Self::ApiKey => "api_key",
            Self::Token => "token",
        };
        KindLabels { credential }
    }
}
