//! The ledger's figures as metrics, taken from the store at each scrape.
//!
//! Before the store is open only the build, the start and readiness are shown. The sums of at most
//! [`MAX_SUBSCRIPTIONS`] subscriptions are shown, those with the smallest ids; how many are left out is a metric too,
//! and the totals count them all.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::board::Known;
use super::condition::Condition;
use crate::api::admin::Health as _;
use crate::base::clock::Timestamp;
use crate::model::notification::{EndpointKind, State};
use crate::store::{Figures, Room, SubscriptionSums};

/// How many subscriptions have metrics of their own.
const MAX_SUBSCRIPTIONS: usize = 1000;

/// The collector of all that is read off the store.
#[derive(Debug)]
pub(super) struct FigureCollector(Arc<Condition>);

impl FigureCollector {
    pub(super) fn new(condition: Arc<Condition>) -> Self {
        Self(condition)
    }
}

impl Collector for FigureCollector {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut sheet = Sheet(encoder);
        self.process(&mut sheet)?;
        let Some(store) = self.0.store() else { return Ok(()) };
        let figures = store.figures();
        let mut subscriptions = store.subscription_sums();
        events(&mut sheet, &figures)?;
        notifications(&mut sheet, &figures, store.now())?;
        room(&mut sheet, &figures, store.room())?;
        let trusted = u64::from(store.clock_doubt().is_none());
        sheet.gauge("tidings_clock_trusted", "0 while the wall clock is in doubt", None, trusted)?;
        let holds = conserved(&figures, &subscriptions);
        sheet.gauge("tidings_conservation_holds", CONSERVATION, None, u64::from(holds))?;
        of_subscriptions(&mut sheet, &mut subscriptions)
    }
}

const CONSERVATION: &str =
    "1 if accepted = matched + unmatched, and created = the sum of all states, in total and for each subscription";

impl FigureCollector {
    fn process(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        sheet.info("tidings_build", "The build", [("version", env!("CARGO_PKG_VERSION").to_owned())])?;
        let started = millis_to_seconds(self.0.started().as_millis());
        sheet.gauge("tidings_start_time", "When the process was started, since 1970", Some(&Unit::Seconds), started)?;
        let ready = u64::from(self.0.readiness().is_ready());
        sheet.gauge("tidings_ready", "1 if /health/ready answers 200", None, ready)?;
        configuration(sheet, &self.0.board().known())
    }
}

fn configuration(sheet: &mut Sheet<'_>, known: &Known) -> fmt::Result {
    sheet.info("tidings_config", "The configuration that runs, by its digest", [("digest", known.digest.clone())])?;
    let (at, done) = known.success();
    let help = "1 if the last reload was done, 0 if it was refused or the files were bad at the start";
    sheet.gauge("tidings_config_last_reload_successful", help, None, u64::from(done))?;
    let help = "When the configuration was last put in place, since 1970";
    let at = millis_to_seconds(at.as_millis());
    sheet.gauge("tidings_config_last_reload_success_timestamp", help, Some(&Unit::Seconds), at)?;
    let help = "1 while the last good configuration runs because the files were bad at the start";
    sheet.gauge("tidings_config_last_good", help, None, u64::from(known.instead_of.is_some()))?;
    let help = "How many keys of the configuration wait for a restart";
    sheet.gauge("tidings_config_restart_pending", help, None, known.restart.len() as u64)
}

fn events(sheet: &mut Sheet<'_>, figures: &Figures) -> fmt::Result {
    sheet.counter("tidings_events_accepted", "Events accepted", figures.accepted)?;
    sheet.counter("tidings_events_matched", "Accepted events that matched a subscription", figures.matched)?;
    sheet.counter("tidings_events_unmatched", "Accepted events that matched none", figures.unmatched)?;
    sheet.counter(
        "tidings_events_duplicate",
        "Published repeats of known events, since the start",
        figures.duplicates,
    )?;
    sheet.gauge("tidings_identities", "Identities of events remembered", None, figures.identities)?;
    sheet.gauge("tidings_subscriptions", "Subscriptions", None, figures.subscriptions)
}

fn notifications(sheet: &mut Sheet<'_>, figures: &Figures, now: Timestamp) -> fmt::Result {
    let states = EndpointKind::ALL.into_iter().flat_map(|kind| State::ALL.map(|state| (kind, state)));
    let gauges = states
        .map(|(kind, state)| ([("kind", kind.as_str()), ("state", state.as_str())], figures.sums.get(kind).get(state)));
    sheet.gauges("tidings_notifications", "Notifications by kind of endpoint and state", gauges)?;
    let created = EndpointKind::ALL.map(|kind| ([("kind", kind.as_str())], figures.sums.get(kind).created));
    sheet.counters("tidings_notifications_created", "Notifications created, by kind of endpoint", created)?;
    sheet.counter(
        "tidings_notifications_queue_full",
        "Notifications failed because their queue was full, since the start",
        figures.queue_full,
    )?;
    sheet.counter(
        "tidings_notifications_answer_unconfirmed",
        "Notifications consumed by an answer that did not reach the socket whole, since the start",
        figures.answer_unconfirmed,
    )?;
    let age =
        figures.oldest_waiting.map_or(0, |oldest| i64::try_from(now.since(oldest).as_millis()).unwrap_or(i64::MAX));
    let help = "How long the oldest waiting notification has been waiting; 0 if none waits";
    sheet.gauge("tidings_oldest_waiting_age", help, Some(&Unit::Seconds), millis_to_seconds(age))
}

fn room(sheet: &mut Sheet<'_>, figures: &Figures, room: Room) -> fmt::Result {
    let bytes = Some(&Unit::Bytes);
    sheet.gauge("tidings_store_file", "Size of the data file", bytes, figures.file_bytes)?;
    sheet.gauge("tidings_store_body", "Room inside the data file that is used", bytes, figures.body_bytes)?;
    sheet.gauge("tidings_store_free", "Free room on the data file's volume", bytes, figures.free_bytes)?;
    let help =
        "Room that is free on the data file's volume or inside the file, less what polls of all that waits may need";
    sheet.gauge("tidings_store_room", help, bytes, room.bytes)?;
    sheet.gauge("tidings_store_room_low", "1 while publishing is refused for want of room", None, u64::from(room.low))
}

fn of_subscriptions(sheet: &mut Sheet<'_>, subscriptions: &mut [SubscriptionSums]) -> fmt::Result {
    let left_out = subscriptions.len().saturating_sub(MAX_SUBSCRIPTIONS);
    sheet.gauge(
        "tidings_subscriptions_left_out",
        "Subscriptions without metrics of their own, because there are too many",
        None,
        u64::try_from(left_out).unwrap_or(u64::MAX),
    )?;
    subscriptions.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let shown = &subscriptions[..subscriptions.len() - left_out];
    let created = shown.iter().map(|s| ([("subscription", s.id.as_str())], s.sums.created));
    sheet.counters("tidings_subscription_notifications_created", "Notifications created, by subscription", created)?;
    let states = shown.iter().flat_map(|s| State::ALL.map(|state| (s, state, s.sums.get(state))));
    let states = states
        .filter(|(.., count)| *count > 0)
        .map(|(s, state, count)| ([("subscription", s.id.as_str()), ("state", state.as_str())], count));
    sheet.gauges(
        "tidings_subscription_notifications",
        "Notifications by subscription and state; none is left out",
        states,
    )
}

/// Promise 2 of design.md.
fn conserved(figures: &Figures, subscriptions: &[SubscriptionSums]) -> bool {
    figures.accepted == figures.matched + figures.unmatched
        && EndpointKind::ALL.into_iter().all(|kind| figures.sums.get(kind).is_conserved())
        && subscriptions.iter().all(|s| s.sums.is_conserved())
}

/// Exact up to 2^53 milliseconds, far beyond any instant that can be shown.
#[expect(clippy::cast_precision_loss, reason = "instants stay below 2^53 milliseconds")]
fn millis_to_seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// An encoder with one call for each metric.
struct Sheet<'a>(DescriptorEncoder<'a>);

impl Sheet<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = ConstCounter::new(value);
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn gauge<N>(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: N) -> fmt::Result
    where
        ConstGauge<N>: prometheus_client::encoding::EncodeMetric,
    {
        let metric = ConstGauge::new(value);
        metric.encode(self.0.encode_descriptor(name, help, unit, metric.metric_type())?)
    }

    fn info(&mut self, name: &str, help: &str, labels: [(&'static str, String); 1]) -> fmt::Result {
        let metric = Info::new(labels);
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'l str, &'l str); N], u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'l str, &'l str); N], u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::model::notification::Sums;

    /// The metrics of so many subscriptions, each with one queued notification.
    #[derive(Debug)]
    struct Subscriptions(usize);

    impl Collector for Subscriptions {
        fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
            of_subscriptions(&mut Sheet(encoder), &mut sums(self.0))
        }
    }

    fn sums(count: usize) -> Vec<SubscriptionSums> {
        let mut sums = Sums::default();
        sums.created = 1;
        sums.add(State::Queued, 1);
        (0..count)
            .rev()
            .map(|n| SubscriptionSums { id: format!("s{n:05}").as_str().into(), sums, queue_full: 0 })
            .collect()
    }

    fn text(count: usize) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Subscriptions(count)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn a_thousand_subscriptions_are_shown_and_the_rest_is_counted() {
        let text_of_1000 = text(1000);
        assert!(text_of_1000.contains("tidings_subscriptions_left_out 0\n"));
        assert!(text_of_1000.contains("{subscription=\"s00999\",state=\"queued\"} 1\n"));
        let text_of_1001 = text(1001);
        assert!(text_of_1001.contains("tidings_subscriptions_left_out 1\n"));
        assert_eq!(text_of_1001.matches("state=\"queued\"").count(), 1000);
        assert!(text_of_1001.contains("s00999") && !text_of_1001.contains("s01000"));
    }

    #[test]
    fn a_state_that_is_empty_is_not_shown() {
        assert!(!text(1).contains("consumed"));
    }

    #[test]
    fn a_sum_that_is_wrong_anywhere_shows() {
        let right = Figures { accepted: 3, matched: 2, unmatched: 1, ..Figures::default() };
        assert!(conserved(&right, &sums(3)));
        assert!(!conserved(&Figures { accepted: 4, ..right.clone() }, &[]));
        let mut wrong = right.clone();
        wrong.sums.webhook.created = 1;
        assert!(!conserved(&wrong, &[]));
        let mut subscriptions = sums(3);
        subscriptions[2].sums.created = 2;
        assert!(!conserved(&right, &subscriptions));
    }
}
