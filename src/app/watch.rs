//! What the watch for conditions is told besides what the store says: the ends of certificates and secrets.

use std::sync::Arc;

use super::admin::Late;
use crate::auth::{CredentialKind, Ending};
use crate::base::outbound::EgressSettings;
use crate::channel::webhook::WebhookPolicy;
use crate::config::Settings;
use crate::engine::{ConditionParts, DownTargets, Expiry};
use crate::http::tls::Validity;
use crate::model::condition::Condition;

const RENEW: &str = "Put a new certificate and its key in the place of the files, and restart the appliance; `tidings check` says \
                     until when it is good. Once it has ended, others refuse to connect.";

/// What conditions are found with.
pub(super) fn parts(settings: &Settings, down: &Arc<DownTargets>, late: &Late) -> ConditionParts {
    let servers = [("server.tls", &settings.server), ("admin.tls", &settings.admin)].into_iter();
    let servers = servers.filter_map(|(subject, server)| Some((subject.to_owned(), server.tls.as_ref()?.validity())));
    let policies = settings.webhooks.policies.iter().filter_map(client_certificate);
    let certificates: Vec<_> = servers.chain(policies).map(certificate).collect();
    let late = late.clone();
    let expiring = move || {
        let ending = late.caretaker().map(|caretaker| caretaker.ending()).unwrap_or_default();
        certificates.iter().cloned().chain(ending.into_iter().map(secret)).collect()
    };
    ConditionParts { down: Arc::clone(down), expiring: Arc::new(expiring), queue_total: settings.store.queue_total }
}

/// What is shown to receivers of webhooks.
fn client_certificate(policy: &WebhookPolicy) -> Option<(String, Validity)> {
    let EgressSettings { name, identity, .. } = &policy.egress;
    // It has been read as a certificate before.
    let validity = Validity::of(identity.as_ref()?.certificate()?).ok()?;
    Some((format!("webhooks.egress.{name}"), validity))
}

fn certificate((subject, validity): (String, Validity)) -> Expiry {
    Expiry {
        condition: Condition::CertificateExpiring,
        name: format!("The certificate of {subject}"),
        subject,
        not_after: validity.not_after,
        what_to_do: RENEW.to_owned(),
    }
}

fn secret(ending: Ending) -> Expiry {
    let Ending { kind, id, entry, not_after } = ending;
    let (name, what_to_do) = match kind {
        CredentialKind::Client => {
            (format!("Secret {entry} of the client {id}"), "Make a new one (`tidings keygen --client`)")
        }
        CredentialKind::ApiKey => (format!("Key {entry} of the API key {id}"), "Make a new one (`tidings keygen`)"),
    };
    Expiry {
        condition: Condition::SecretExpiring,
        subject: format!("{}/{id}/{entry}", kind.as_str()),
        name,
        not_after,
        what_to_do: format!(
            "{what_to_do}, write it beside this one in the files, and let {id} change over. If that is done already, take \
             this one out."
        ),
    }
}
