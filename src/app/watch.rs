//! What the watch for conditions is told besides what the store says: the ends of certificates and secrets.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::admin::Late;
use super::board::Board;
use crate::auth::{CredentialKind, Ending};
use crate::base::outbound::EgressSettings;
use crate::channel::webhook::WebhookPolicy;
use crate::config::Settings;
use crate::engine::{ConditionParts, DownTargets, Expiry};
use crate::http::tls::Validity;
use crate::model::condition::Condition;

const RENEW: &str = "Put a new certificate and its key in the place of the files, and run `tidings reload`; `tidings check` says \
                     until when it is good. Once it has ended, others refuse to connect.";

/// What conditions are found with, as the files have it now. Clones share it.
#[derive(Clone)]
pub(super) struct OfFiles(Arc<ArcSwap<Watched>>);

/// What the files have at one time.
struct Watched {
    certificates: Vec<Expiry>,
    queue_total: u64,
}

impl OfFiles {
    pub(super) fn new(settings: &Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Watched::of(settings))))
    }

    /// Goes by `settings` from now on.
    pub(super) fn replace(&self, settings: &Settings) {
        self.0.store(Arc::new(Watched::of(settings)));
    }

    /// What conditions are found with.
    pub(super) fn parts(&self, down: &Arc<DownTargets>, late: &Late, board: &Arc<Board>) -> ConditionParts {
        let (late, of_expiring, of_queue, board) = (late.clone(), self.clone(), self.clone(), Arc::clone(board));
        let expiring = move || {
            let ending = late.caretaker().map(|caretaker| caretaker.ending()).unwrap_or_default();
            let watched = of_expiring.0.load();
            watched.certificates.iter().cloned().chain(ending.into_iter().map(secret)).collect()
        };
        ConditionParts {
            down: Arc::clone(down),
            expiring: Arc::new(expiring),
            refused: Arc::new(move || board.refusal()),
            queue_total: Arc::new(move || of_queue.0.load().queue_total),
        }
    }
}

impl Watched {
    fn of(settings: &Settings) -> Self {
        Self { certificates: certificates(settings), queue_total: settings.store.queue_total }
    }
}

fn certificates(settings: &Settings) -> Vec<Expiry> {
    let servers = [("server.tls", &settings.server), ("admin.tls", &settings.admin)].into_iter();
    let servers = servers.filter_map(|(subject, server)| Some((subject.to_owned(), server.tls.as_ref()?.validity())));
    let policies = settings.webhooks.policies.iter().filter_map(client_certificate);
    servers.chain(policies).map(certificate).collect()
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
