//! The channels that the files ask for.

use std::sync::Arc;

use crate::auth::WebhookKeys;
use crate::base::outbound::Outbound;
use crate::channel::Channel;
use crate::channel::email::EmailChannel;
use crate::channel::webhook::WebhookChannel;
use crate::config::Settings;
use crate::engine::Channels;

/// The channels by `settings`. One that is not there leaves what is for it waiting.
pub(super) fn build(settings: &Settings, outbound: &Outbound, keys: &Arc<WebhookKeys>) -> Channels {
    let webhooks = WebhookChannel::new(settings.webhooks.clone(), outbound, Arc::clone(keys) as _);
    let email = |email| Arc::new(EmailChannel::new(email, outbound)) as Arc<dyn Channel>;
    Channels { webhooks: Some(Arc::new(webhooks)), email: settings.email.clone().map(email) }
}
