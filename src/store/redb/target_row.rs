//! Where an endpoint's notifications go, as it is stored. Secrets are not here: they are sealed and have a row of their own.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{page, record, storage};
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::seal::SealKey;
use crate::model::subscription::Endpoint;
use crate::model::target::{ContentMode, EmailTarget, Ordering, Role, SigningSecret, Target, WebhookTarget};
use crate::store::StoreError;

/// Where an endpoint's notifications go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetRow {
    Poll,
    Webhook { url: String, egress: String, strict: bool, binary: bool, asymmetric: bool },
    Email { address: String, contact: bool, template: Option<String>, locale: Option<String> },
}

impl TargetRow {
    pub(super) fn new(target: &Target) -> Self {
        match target {
            Target::Poll => Self::Poll,
            Target::Webhook(WebhookTarget { url, egress, ordering, content_mode, secrets: _, asymmetric }) => {
                Self::Webhook {
                    url: url.clone(),
                    egress: egress.clone(),
                    strict: *ordering == Ordering::Strict,
                    binary: *content_mode == ContentMode::Binary,
                    asymmetric: *asymmetric,
                }
            }
            Target::Email(EmailTarget { address, role, template, locale }) => Self::Email {
                address: address.clone(),
                contact: *role == Role::Contact,
                template: template.clone(),
                locale: locale.clone(),
            },
        }
    }

    /// The target, as yet without its secrets.
    pub(super) fn into_target(self) -> Target {
        match self {
            Self::Poll => Target::Poll,
            Self::Webhook { url, egress, strict, binary, asymmetric } => Target::Webhook(WebhookTarget {
                url,
                egress,
                ordering: if strict { Ordering::Strict } else { Ordering::Relaxed },
                content_mode: if binary { ContentMode::Binary } else { ContentMode::Structured },
                secrets: Vec::new(),
                asymmetric,
            }),
            Self::Email { address, contact, template, locale } => Target::Email(EmailTarget {
                address,
                role: if contact { Role::Contact } else { Role::Subscriber },
                template,
                locale,
            }),
        }
    }
}

/// The secrets that an endpoint's requests are signed with: the plain text of what is sealed.
#[derive(Serialize, Deserialize)]
struct SecretsRow(Vec<(Vec<u8>, Option<i64>, Option<i64>)>);

impl Drop for SecretsRow {
    fn drop(&mut self) {
        for (key, ..) in &mut self.0 {
            key.zeroize();
        }
    }
}

/// The name under which an endpoint's secrets are sealed.
pub(super) fn secrets_name(number: u32) -> String {
    format!("endpoint/{number}")
}

/// The endpoint's secrets, sealed; `None` where it has none.
pub(super) fn seal_secrets(endpoint: &Endpoint, seal: &SealKey, random: &dyn Random) -> Option<Vec<u8>> {
    let Target::Webhook(WebhookTarget { secrets, .. }) = &endpoint.target else { return None };
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let rows = secrets.iter().map(|s| (s.key.to_vec(), millis(s.not_before), millis(s.not_after)));
    let row = SecretsRow(rows.collect());
    let plain = Zeroizing::new(record::encode(&row));
    (!secrets.is_empty()).then(|| seal.seal(random, &secrets_name(endpoint.number.0), &plain))
}

/// Reads the endpoint's secrets into its target.
pub(super) fn open_secrets(
    endpoint: &mut Endpoint,
    seal: &SealKey,
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<(), StoreError> {
    let Target::Webhook(webhook) = &mut endpoint.target else { return Ok(()) };
    let name = secrets_name(endpoint.number.0);
    let Some(row) = table.get(name.as_str()).map_err(storage)? else { return Ok(()) };
    let plain = Zeroizing::new(page::open(seal, &name, row.value())?);
    let mut row: SecretsRow = record::decode(&plain, "an endpoint's secrets")?;
    let instant = |at: Option<i64>| at.map(Timestamp::from_millis);
    webhook.secrets = row
        .0
        .drain(..)
        .map(|(key, from, until)| SigningSecret {
            key: Zeroizing::new(key),
            not_before: instant(from),
            not_after: instant(until),
        })
        .collect();
    Ok(())
}
