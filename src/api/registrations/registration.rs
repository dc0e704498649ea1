//! A registration as it is shown.

use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::event_types::name;
use crate::api::instant;
use crate::base::clock::Timestamp;
use crate::engine::EngineSettings;
use crate::model::id::EventTypeId;
use crate::model::subscription::Subscription;
use crate::model::target::{EmailTarget, SigningSecret, Target, WebhookTarget};

/// A registration.
#[derive(Serialize, ToSchema)]
#[schema(as = Registration)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire<'a> {
    /// What kind of registration it is.
    #[schema(pattern = "^(WEBHOOK|EMAIL)$")]
    notification_type: &'static str,
    /// The event types that it gets.
    event_types: Vec<&'a str>,
    /// The integrator whose client made it.
    integrator_id: &'a str,
    /// What kind of integrator that is; absent where nobody has said.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    integrator_type: Option<&'a str>,
    /// Its id.
    #[schema(format = "uuid")]
    registration_id: String,
    /// The subscriber that it is for.
    subscriber_id: &'a str,
    /// Of a WEBHOOK registration: the URL that is posted to.
    #[schema(nullable = false)]
    #[serde(rename = "webhookURI", skip_serializing_if = "Option::is_none")]
    webhook_uri: Option<&'a str>,
    /// Of a WEBHOOK registration: the secret, where it is shown.
    #[schema(nullable = false, value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "secret_text")]
    shared_secret: Option<Zeroizing<String>>,
    /// Of a WEBHOOK registration: when the secret ends, such as `2025-03-13 04:12:51.574000 +00:00`.
    #[schema(nullable = false, pattern = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \+00:00$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_secret_expiry: Option<String>,
    /// Of an EMAIL registration: the address that is mailed to.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn secret_text<S: serde::Serializer>(secret: &Option<Zeroizing<String>>, to: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => to.serialize_str(secret),
        None => to.serialize_none(),
    }
}

/// The subscriber that it is for.
pub(super) fn subscriber_of(subscription: &Subscription) -> Option<&str> {
    subscription.holders.first().map(String::as_str)
}

/// The webhook of a registration that has one.
pub(super) fn webhook_of(subscription: &Subscription) -> Option<&WebhookTarget> {
    subscription.endpoints.iter().find_map(|endpoint| match &endpoint.target {
        Target::Webhook(webhook) => Some(webhook),
        Target::Poll | Target::Email(_) => None,
    })
}

/// The secret that is the newest: the one that was given out last.
pub(super) fn current(webhook: &WebhookTarget) -> Option<&SigningSecret> {
    webhook.secrets.last()
}

impl<'a> Wire<'a> {
    /// The registration as `settings` have it, with its secret if `secret` says so.
    pub(super) fn of(subscription: &'a Subscription, settings: &'a EngineSettings, secret: bool) -> Self {
        let profile = settings.profiles.get(&subscription.client_id);
        let webhook = webhook_of(subscription);
        let shown = webhook.and_then(current);
        let email = subscription.endpoints.iter().find_map(|endpoint| match &endpoint.target {
            Target::Email(EmailTarget { address, .. }) => Some(address.as_str()),
            Target::Poll | Target::Webhook(_) => None,
        });
        let kind = subscription.endpoints.first().map(|endpoint| name(endpoint.kind()));
        let own_id = subscription.client_id.as_str();
        Self {
            notification_type: kind.unwrap_or_default(),
            event_types: subscription.event_types.iter().map(EventTypeId::as_str).collect(),
            integrator_id: profile.and_then(|profile| profile.integrator_id.as_deref()).unwrap_or(own_id),
            integrator_type: profile.and_then(|profile| profile.integrator_type.as_deref()),
            registration_id: subscription.id.to_uuid().to_string(),
            subscriber_id: subscriber_of(subscription).unwrap_or_default(),
            webhook_uri: webhook.map(|webhook| webhook.url.as_str()),
            shared_secret: shown.filter(|_| secret).map(SigningSecret::to_text),
            shared_secret_expiry: shown.and_then(|secret| secret.not_after).map(spaced),
            email,
        }
    }

    /// Its JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings always have a JSON form")
    }
}

/// `2025-03-13 04:12:51.574000 +00:00`: exactly this form, with blanks and microseconds.
fn spaced(at: Timestamp) -> String {
    let mut text = Vec::with_capacity(33);
    instant::write_micros(&mut text, jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default());
    String::from_utf8_lossy(&text).replace('T', " ").replace('Z', " +00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_secret_has_the_published_form() {
        let at = Timestamp::parse_rfc3339("2025-03-13T04:12:51.574Z").unwrap();
        assert_eq!(spaced(at), "2025-03-13 04:12:51.574000 +00:00");
    }
}
