//! `[api.trigger]`

use std::time::Duration;

use super::{Common, Read, mounts, unknown_members};
use crate::api::trigger::{TriggerSettings, UnknownRecipient};
use crate::config::kind::{DAY, duration, list, type_id};
use crate::config::reader::{Located, Section};

/// The settings, and the aliases where they stand.
pub(super) fn read(section: &Section<'_>, common: &Common<'_>) -> Read<(TriggerSettings, Vec<Located<String>>)> {
    const UNKNOWN: [(&str, UnknownRecipient); 2] =
        [("refuse", UnknownRecipient::Refuse), ("accept", UnknownRecipient::Accept)];
    Read::new(section, |mount| {
        let aliases: Vec<Located<String>> = section.required("aliases", list(0, mounts::path));
        let keys: Vec<Located<String>> = section.required("recipient_keys", list(1, type_id));
        let settings = TriggerSettings {
            mount,
            aliases: aliases.iter().map(|alias| alias.value.clone()).collect(),
            recipient_keys: keys.into_iter().map(|key| key.value).collect(),
            unknown_recipient: section.choice("unknown_recipient", &UNKNOWN),
            repeat_window: section.required("repeat_window", duration(Duration::ZERO..=7 * DAY)),
            unknown_members: unknown_members(section),
            public_url: common.servers.public_url.clone(),
        };
        (settings, aliases)
    })
}
