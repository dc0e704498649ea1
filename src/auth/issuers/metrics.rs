//! How fresh the issuers' keys are.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::remote::Freshness;
use super::trusted::TrustedIssuers;

impl TrustedIssuers {
    /// Shows the metrics of `issuers` in `registry`. Issuers whose keys come from a file have none.
    pub fn register(issuers: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(KeyMetrics(Arc::clone(issuers))));
    }
}

/// Works the figures out at each scrape.
#[derive(Debug)]
struct KeyMetrics(Arc<TrustedIssuers>);

const AGE: &str =
    "How long ago the keys of an issuer were last fetched; where they never were, since that was first tried";

impl Collector for KeyMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let (issuers, now) = (self.0.freshness(), self.0.now());
        let age = |keys: &Freshness| ConstGauge::new(keys.since.map_or(0.0, |since| now.since(since).as_secs_f64()));
        show(&mut encoder, "tidings_issuer_jwks_age", AGE, Some(&Unit::Seconds), &issuers, age)?;
        let count = |keys: &Freshness| ConstGauge::new(u64::try_from(keys.keys).unwrap_or(u64::MAX));
        show(&mut encoder, "tidings_issuer_jwks_keys", "Keys of an issuer that can be used", None, &issuers, count)?;
        let failures = |keys: &Freshness| ConstCounter::new(keys.failures);
        let help = "Fetches of an issuer's keys that failed, since the start";
        show(&mut encoder, "tidings_issuer_jwks_failures", help, None, &issuers, failures)
    }
}

/// One metric of all `issuers`; none where there are no issuers, for a family without a member is no family.
fn show<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    issuers: &[(String, Freshness)],
    metric: impl Fn(&Freshness) -> M,
) -> fmt::Result {
    let metrics: Vec<_> = issuers.iter().map(|(issuer, keys)| (issuer.as_str(), metric(keys))).collect();
    let Some((_, first)) = metrics.first() else { return Ok(()) };
    let mut family = encoder.encode_descriptor(name, help, unit, first.metric_type())?;
    for (issuer, metric) in &metrics {
        metric.encode(family.encode_family(&[("issuer", *issuer)])?)?;
    }
    Ok(())
}
