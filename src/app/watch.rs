//! What the watch for conditions is told besides what the store says: the ends of certificates and secrets.

use std::sync::Arc;

use super::admin::Late;
use crate::auth::{CredentialKind, Ending};
use crate::config::Settings;
use crate::engine::{ConditionParts, DownTargets, Expiry};
use crate::http::settings::ServerSettings;
use crate::model::condition::Condition;

const RENEW: &str = "Put a new certificate and its key in the place of the files, and restart the appliance; `tidings check` says \
                     until when it is good. Once it has ended, clients refuse to connect.";

/// What conditions are found with.
pub(super) fn parts(settings: &Settings, down: &Arc<DownTargets>, late: &Late) -> ConditionParts {
    let certificates: Vec<_> = [("server", &settings.server), ("admin", &settings.admin)]
        .into_iter()
        .filter_map(|(section, server)| certificate(section, server))
        .collect();
    let late = late.clone();
    let expiring = move || {
        let ending = late.caretaker().map(|caretaker| caretaker.ending()).unwrap_or_default();
        certificates.iter().cloned().chain(ending.into_iter().map(secret)).collect()
    };
    ConditionParts { down: Arc::clone(down), expiring: Arc::new(expiring), queue_total: settings.store.queue_total }
}

fn certificate(section: &str, server: &ServerSettings) -> Option<Expiry> {
    let subject = format!("{section}.tls");
    Some(Expiry {
        condition: Condition::CertificateExpiring,
        name: format!("The certificate of {subject}"),
        subject,
        not_after: server.tls.as_ref()?.validity().not_after,
        what_to_do: RENEW.to_owned(),
    })
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
