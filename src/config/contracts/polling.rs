//! `[api.polling]`

use super::{Common, Read, unknown_members};
use crate::api::polling::PollingSettings;
use crate::config::kind::{HOUR, SECOND, count, duration};
use crate::config::reader::Section;

pub(super) fn read(section: &Section<'_>, common: &Common<'_>) -> Read<PollingSettings> {
    Read::new(section, |mount| PollingSettings {
        mount,
        page_size: section.required("page_size", count(1..=1000)),
        max_wait: section.required("max_wait", duration(SECOND..=HOUR)),
        unknown_members: unknown_members(section),
        public_url: common.servers.public_url.clone(),
        token_path: common.token_path.clone(),
    })
}
