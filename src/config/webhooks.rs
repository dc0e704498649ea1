//! `[webhooks]`: how webhooks are sent. Where they may go is in `egress`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::clients::refuse_same_ids;
use super::egress;
use super::kind::{SECOND, count, duration, list, number};
use super::reader::{Item, Section};
use super::sources::Sources;
use crate::channel::webhook::WebhookSettings;
use crate::engine::{ChannelSettings, MAX_SCHEDULE};

/// The longest pause in a schedule.
const MAX_PAUSE: Duration = Duration::from_hours(30 * 24);
/// The most that an attempt may take, and a connection of that.
const MAX_TIMEOUT: Duration = Duration::from_mins(5);
/// The least that a connection may take.
const MIN_CONNECT: Duration = Duration::from_millis(100);
/// How much it takes where the files do not say; less, where that is all there is.
const CONNECT: Duration = Duration::from_secs(5);
/// The status that disables an endpoint.
const GONE: u64 = 410;

/// What `[webhooks]` says.
pub(super) struct Webhooks {
    /// What the engine goes by.
    pub(super) delivery: ChannelSettings,
    /// What the channel goes by, with all policies, the built-in one too.
    pub(super) settings: WebhookSettings,
}

/// Reads `[webhooks]`.
pub(super) fn read(top: &Section<'_>, sources: &Sources) -> Webhooks {
    top.section("webhooks", |webhooks| {
        let delivery = read_delivery(webhooks, ChannelSettings::webhooks());
        let declared = webhooks.list("egress", |entry| egress::read(entry, sources));
        refuse_same_ids(webhooks, declared.iter().map(|policy| &policy.name));
        let replaced = declared.iter().any(|policy| policy.name.value == egress::DEFAULT);
        let built_in = (!replaced).then(egress::built_in);
        let timeout = webhooks.required("timeout", duration(SECOND..=MAX_TIMEOUT));
        let settings = WebhookSettings {
            timeout,
            connect_timeout: connect_timeout(webhooks, timeout),
            final_statuses: final_statuses(webhooks),
            policies: declared.into_iter().map(|policy| policy.settings).chain(built_in).collect(),
            idle_connections: delivery.in_flight_each,
            // What registrations say of it is read elsewhere.
            registration_header: None,
            // Those are the clients' and known later.
            api_keys: HashMap::new(),
        };
        Webhooks { delivery, settings }
    })
}

fn final_statuses(webhooks: &Section<'_>) -> BTreeSet<u16> {
    let statuses = webhooks.required("final_statuses", list(0, number(400..=499)));
    if let Some(gone) = statuses.iter().find(|status| status.value == GONE) {
        let message =
            "410 says that the endpoint is gone: it is disabled, and what waits for it is held until it is resumed";
        webhooks.reader.error_with(&gone.path, message, Some("leave 410 out".to_owned()));
    }
    statuses.iter().filter_map(|status| u16::try_from(status.value).ok()).collect()
}

fn connect_timeout(webhooks: &Section<'_>, timeout: Duration) -> Duration {
    let read = |item: &Item<'_>| match duration(MIN_CONNECT..=MAX_TIMEOUT)(item)? {
        // What could not be read has been reported.
        long if long > timeout && !timeout.is_zero() => {
            item.refuse("is longer than webhooks.timeout, in which all of an attempt has to end")
        }
        fits => Some(fits),
    };
    webhooks.optional("connect_timeout", read).unwrap_or(CONNECT.min(timeout))
}

/// Reads what `[webhooks]` and `[email]` have in common: the schedule and how much is in flight.
pub(super) fn read_delivery(channel: &Section<'_>, defaults: ChannelSettings) -> ChannelSettings {
    let ChannelSettings { schedule: pauses, in_flight, in_flight_each } = defaults;
    ChannelSettings {
        schedule: channel.optional("schedule", schedule).unwrap_or(pauses),
        in_flight: channel.optional("in_flight", count(1..=10_000)).unwrap_or(in_flight),
        in_flight_each: channel.optional("in_flight_each", count(1..=1000)).unwrap_or(in_flight_each),
    }
}

/// The pauses between attempts.
fn schedule(item: &Item<'_>) -> Option<Vec<Duration>> {
    let items = item.items()?;
    if items.len() > MAX_SCHEDULE {
        return item.refuse(format!("must have at most {MAX_SCHEDULE} pauses"));
    }
    Some(items.iter().filter_map(duration(SECOND..=MAX_PAUSE)).collect())
}
