//! `[api.management]`

use jiff::tz::TimeZone;

use super::{Common, Read, unknown_members};
use crate::api::management::{ManagementScopes, ManagementSettings};
use crate::base::intern::intern;
use crate::config::clients::scope_token;
use crate::config::events::time_zone;
use crate::config::kind::count;
use crate::config::reader::{Item, Section};
use crate::engine::MAX_BULK;

pub(super) fn read(section: &Section<'_>, common: &Common<'_>) -> Read<ManagementSettings> {
    Read::new(section, |mount| ManagementSettings {
        mount,
        time_zone: section.required("time_zone", |item| time_zone(item).map(Some)).unwrap_or(TimeZone::UTC),
        replay_max: section.required("replay_max", count(1..=MAX_BULK as u64)),
        scopes: section.section("scopes", |scopes| ManagementScopes {
            read: scopes.required("read", scope),
            write: scopes.required("write", scope),
            replay: scopes.required("replay", scope),
        }),
        unknown_members: unknown_members(section),
        public_url: common.servers.public_url.clone(),
        token_path: common.token_path.clone(),
    })
}

/// What its routes ask for.
pub(super) fn scopes(scopes: ManagementScopes) -> Vec<&'static str> {
    let ManagementScopes { read, write, replay } = scopes;
    vec![read, write, replay]
}

/// A scope's name.
pub(super) fn scope(item: &Item<'_>) -> Option<&'static str> {
    scope_token(item).map(|scope| intern(&scope))
}
