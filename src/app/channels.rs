//! The channels that the files ask for.

use std::sync::Arc;

use http::header::HeaderName;

use crate::api::registrations::Proof;
use crate::auth::WebhookKeys;
use crate::base::outbound::Outbound;
use crate::channel::Channel;
use crate::channel::email::EmailChannel;
use crate::channel::webhook::{WebhookChannel, WebhookSettings};
use crate::config::Settings;
use crate::engine::Channels;

/// The channels by `settings`. One that is not there leaves what is for it waiting.
pub(super) fn build(settings: &Settings, outbound: &Outbound, keys: &Arc<WebhookKeys>) -> Channels {
    let webhooks = WebhookSettings { registration_header: registration_header(settings), ..settings.webhooks.clone() };
    let webhooks = WebhookChannel::new(webhooks, outbound, Arc::clone(keys) as _);
    let email = |email| Arc::new(EmailChannel::new(email, outbound)) as Arc<dyn Channel>;
    Channels { webhooks: Some(Arc::new(webhooks)), email: settings.email.clone().map(email) }
}

/// The header in which webhooks of registrations show their secret (`api.registrations.proof_header`).
fn registration_header(settings: &Settings) -> Option<HeaderName> {
    match &settings.registrations.as_ref()?.proof {
        Proof::Standard => None,
        // The reader of the files has found it to be a name.
        Proof::Header(name) => HeaderName::try_from(name.as_str()).ok(),
    }
}
