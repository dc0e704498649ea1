//! `[api.registrations]`

use std::time::Duration;

use ::http::HeaderName;

use super::{Common, Read, unknown_members};
use crate::api::registrations::{Proof, RegistrationsSettings};
use crate::auth::scope;
use crate::config::kind::{DAY, boolean, duration, number, text};
use crate::config::reader::{Item, Section, Shown};

/// What its routes ask for (contracts/registrations.md).
pub(super) const SCOPES: [&str; 8] = [
    scope::CREATE_REGISTRATIONS,
    scope::VIEW_REGISTRATIONS,
    scope::EDIT_REGISTRATIONS,
    scope::DELETE_REGISTRATIONS,
    scope::ROTATE_REGISTRATION_SECRETS,
    scope::VIEW_NOTIFICATIONS,
    scope::RETRY_NOTIFICATIONS,
    scope::WEBHOOK_DOMAINS,
];

/// The longest that a secret lasts.
const LONGEST: Duration = Duration::from_hours(24 * 3660);

/// Headers of a request that mean something else.
const TAKEN: [&str; 13] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "user-agent",
    "proxy-authorization",
];

pub(super) fn read(section: &Section<'_>, common: &Common<'_>) -> Read<RegistrationsSettings> {
    Read::new(section, |mount| RegistrationsSettings {
        mount,
        created_status: section.required("created_status", created_status),
        show_secret: section.required("show_secret", boolean),
        allow_http: section.required("allow_http", boolean),
        secret_lifetime: section.required("secret_lifetime", duration(DAY..=LONGEST)),
        rotation_overlap: section.required("rotation_overlap", duration(Duration::ZERO..=30 * DAY)),
        proof: read_proof(section),
        unknown_members: unknown_members(section),
        public_url: common.servers.public_url.clone(),
        token_path: common.token_path.clone(),
    })
}

fn created_status(item: &Item<'_>) -> Option<u16> {
    match number(200..=201)(item)? {
        200 => Some(200),
        _ => Some(201),
    }
}

/// `proof` and `proof_header`.
fn read_proof(section: &Section<'_>) -> Proof {
    let in_header = section.choice("proof", &[("standard", false), ("header", true)]);
    let header = section.optional("proof_header", header_name);
    if in_header && !section.has("proof_header") {
        section.missing("proof_header");
    }
    header.filter(|_| in_header).map_or(Proof::Standard, Proof::Header)
}

fn header_name(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    let is_taken = |name: &HeaderName| TAKEN.contains(&name.as_str()) || name.as_str().starts_with("webhook-");
    match name {
        None => item.refuse(format!("must be the name of a header such as \"X-Secret\", not {}", Shown(&text))),
        Some(name) if is_taken(&name) => item.refuse(format!("{} means something else in a request", Shown(&text))),
        Some(_) => Some(text),
    }
}
