//! `[email]`: how mail is sent. Without the section there is none.

use super::kind::text;
use super::reader::Section;
use super::webhooks::read_delivery;
use crate::engine::ChannelSettings;

/// What `[email]` says.
pub(super) struct Email {
    /// What the engine goes by.
    pub(super) delivery: ChannelSettings,
}

/// Reads `[email]`; `None` where there is none.
pub(super) fn read(top: &Section<'_>) -> Option<Email> {
    let item = top.item("email")?;
    item.section(|email| {
        let _from = email.required("from", text);
        let _relay = email.required("relay", text);
        Some(Email { delivery: read_delivery(email, ChannelSettings::mail()) })
    })
}
