//! Where an endpoint's notifications go, as it is stored. Secrets are not here: they are sealed and have a row of their own.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{page, record, storage};
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::seal::SealKey;
use crate::model::subscription::Endpoint;
use crate::model::target::{
    BasicAuth, ContentMode, EmailTarget, Ordering, Role, Shape, SigningSecret, Target, WebhookTarget,
};
use crate::store::StoreError;

/// Where an endpoint's notifications go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetRow {
    Poll,
    Webhook {
        url: String,
        egress: String,
        strict: bool,
        binary: bool,
        asymmetric: bool,
    },
    Email {
        address: String,
        contact: bool,
        template: Option<String>,
        locale: Option<String>,
    },
    /// A webhook of which not all is as it was before there were shapes.
    Shaped {
        url: String,
        egress: String,
        strict: bool,
        binary: bool,
        asymmetric: bool,
        shape: u8,
        username: Option<String>,
        retries: bool,
    },
}

/// By their bytes: it only ever grows at its end.
const SHAPES: [Shape; 3] = [Shape::CloudEvent, Shape::Registration, Shape::Management];

impl TargetRow {
    pub(super) fn new(target: &Target) -> Self {
        match target {
            Target::Poll => Self::Poll,
            Target::Webhook(target) => Self::of_webhook(target),
            Target::Email(EmailTarget { address, role, template, locale }) => Self::Email {
                address: address.clone(),
                contact: *role == Role::Contact,
                template: template.clone(),
                locale: locale.clone(),
            },
        }
    }

    fn of_webhook(target: &WebhookTarget) -> Self {
        let WebhookTarget { url, egress, ordering, content_mode, secrets: _, asymmetric, shape, basic, retries } =
            target.clone();
        let (strict, binary) = (ordering == Ordering::Strict, content_mode == ContentMode::Binary);
        if shape == Shape::CloudEvent && basic.is_none() && retries {
            return Self::Webhook { url, egress, strict, binary, asymmetric };
        }
        let shape = SHAPES.iter().position(|of| *of == shape).and_then(|at| u8::try_from(at).ok()).unwrap_or_default();
        let username = basic.map(|basic| basic.username);
        Self::Shaped { url, egress, strict, binary, asymmetric, shape, username, retries }
    }

    /// The target, as yet without its secrets.
    pub(super) fn into_target(self) -> Target {
        match self {
            Self::Poll => Target::Poll,
            Self::Webhook { url, egress, strict, binary, asymmetric } => {
                Self::Shaped { url, egress, strict, binary, asymmetric, shape: 0, username: None, retries: true }
                    .into_target()
            }
            Self::Shaped { url, egress, strict, binary, asymmetric, shape, username, retries } => {
                Target::Webhook(WebhookTarget {
                    ordering: if strict { Ordering::Strict } else { Ordering::Relaxed },
                    content_mode: if binary { ContentMode::Binary } else { ContentMode::Structured },
                    asymmetric,
                    shape: SHAPES.get(usize::from(shape)).copied().unwrap_or_default(),
                    basic: username.map(|username| BasicAuth { username, password: Zeroizing::default() }),
                    retries,
                    ..WebhookTarget::new(&url, &egress)
                })
            }
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

/// The same with the password that it is called with: the second version.
#[derive(Serialize, Deserialize)]
struct PasswordRow {
    secrets: SecretsRow,
    password: String,
}

impl Drop for PasswordRow {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// The name under which an endpoint's secrets are sealed.
pub(super) fn secrets_name(number: u32) -> String {
    format!("endpoint/{number}")
}

/// The endpoint's secrets, sealed; `None` where it has none.
pub(super) fn seal_secrets(endpoint: &Endpoint, seal: &SealKey, random: &dyn Random) -> Option<Vec<u8>> {
    let Target::Webhook(WebhookTarget { secrets, basic, .. }) = &endpoint.target else { return None };
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let rows = secrets.iter().map(|s| (s.key.to_vec(), millis(s.not_before), millis(s.not_after)));
    let row = SecretsRow(rows.collect());
    let plain = Zeroizing::new(match basic {
        None => record::encode(&row),
        Some(basic) => record::encode_as(2, &PasswordRow { secrets: row, password: basic.password.to_string() }),
    });
    let any = !secrets.is_empty() || basic.is_some();
    any.then(|| seal.seal(random, &secrets_name(endpoint.number.0), &plain))
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
    let what = "an endpoint's secrets";
    let mut row = if plain.first() == Some(&2) {
        let mut row: PasswordRow = record::decode_as(2, &plain, what)?;
        if let Some(basic) = &mut webhook.basic {
            basic.password = Zeroizing::new(std::mem::take(&mut row.password));
        }
        std::mem::replace(&mut row.secrets, SecretsRow(Vec::new()))
    } else {
        record::decode(&plain, what)?
    };
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
