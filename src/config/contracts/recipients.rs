//! `[api.recipients]`

use super::management::scope;
use super::{Common, Read};
use crate::api::recipients::{RecipientsScopes, RecipientsSettings};
use crate::config::kind::text;
use crate::config::reader::Section;

/// The settings, and the claim that names the group.
pub(super) fn read(section: &Section<'_>, common: &Common<'_>) -> Read<(RecipientsSettings, String)> {
    Read::new(section, |mount| {
        let settings = RecipientsSettings {
            mount,
            scopes: section.section("scopes", |scopes| RecipientsScopes {
                read: scopes.optional("read", scope),
                write: scopes.optional("write", scope),
            }),
            public_url: common.servers.public_url.clone(),
            token_path: common.token_path.clone(),
        };
        (settings, section.required("group_claim", text))
    })
}

/// What its routes ask for.
pub(super) fn scopes(scopes: RecipientsScopes) -> Vec<&'static str> {
    let RecipientsScopes { read, write } = scopes;
    read.into_iter().chain(write).collect()
}
