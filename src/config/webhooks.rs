//! `[webhooks]` and `[[webhooks.egress]]`: how webhooks are sent, and where they may go.

use std::time::Duration;

use super::clients::refuse_same_ids;
use super::kind::{SECOND, count, duration, list, located, name, number};
use super::reader::{Item, Located, Section};
use crate::engine::{ChannelSettings, MAX_SCHEDULE};

/// The longest pause in a schedule.
const MAX_PAUSE: Duration = Duration::from_hours(30 * 24);

/// What `[webhooks]` says.
pub(super) struct Webhooks {
    /// What the engine goes by.
    pub(super) delivery: ChannelSettings,
    /// The names of the declared policies.
    pub(super) policies: Vec<Located<String>>,
}

/// Reads `[webhooks]`.
pub(super) fn read(top: &Section<'_>) -> Webhooks {
    top.section("webhooks", |webhooks| {
        let _timeout = webhooks.required("timeout", duration(SECOND..=Duration::from_mins(5)));
        let _final = webhooks.required("final_statuses", list(0, number(400..=499)));
        let policies = webhooks.list("egress", |policy| {
            let name = policy.required("name", located(name));
            let _allow = policy.optional("allow", Item::items);
            name
        });
        refuse_same_ids(webhooks, policies.iter());
        Webhooks { delivery: read_delivery(webhooks, ChannelSettings::webhooks()), policies }
    })
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
