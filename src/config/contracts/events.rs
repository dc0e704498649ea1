//! `[api.events]`

use super::{Common, Read};
use crate::api::events::EventsSettings;
use crate::config::kind::{HOUR, KIB, MIB, SECOND, duration, memory, number};
use crate::config::places::join_key;
use crate::config::reader::{Item, Section};

pub(super) fn read(section: &Section<'_>, common: &Common<'_>) -> Read<EventsSettings> {
    let read = Read::new(section, |mount| EventsSettings {
        mount,
        max_batch: section.required("max_batch", memory(KIB..=64 * MIB)),
        max_event: common.servers.server.max_body,
        max_handouts: section.required("max_handouts", handouts),
        max_wait: section.required("max_wait", duration(SECOND..=HOUR)),
        public_url: common.servers.public_url.clone(),
        token_path: common.token_path.clone(),
    });
    // 0 stands for one that has been refused already.
    if (1..read.settings.max_event).contains(&read.settings.max_batch) {
        let message = "is smaller than server.max_body, so that a batch could not hold every event";
        section.reader.error(&join_key(&section.path, "max_batch"), message);
    }
    read
}

fn handouts(item: &Item<'_>) -> Option<u32> {
    number(1..=1000)(item).and_then(|count| u32::try_from(count).ok())
}
