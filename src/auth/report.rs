//! What an operator is told of credentials: when they were used, and when they end. Nothing of it is a secret.

use std::time::Duration;

use serde::Serialize;

use super::account::LastUse;
use super::api_keys::{ApiKeySet, Entry, PREFIX};
use super::clients::{Client, ClientSet};
use super::settings::{KeptKey, KeptSecret};
use crate::base::clock::Timestamp;

/// How long before the end of a secret or key somebody is told.
pub const AHEAD: Duration = Duration::from_hours(30 * 24);

/// What is declared under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// An entry of `[[clients]]`.
    Client,
    /// An entry of `[[api_keys]]`.
    ApiKey,
}

/// A client or an API key, as `GET /v1/credentials` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialReport {
    /// What it is.
    pub kind: CredentialKind,
    /// Its id.
    pub id: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// When it was last used, in RFC 3339; absent where it has not been since that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// Which of its secrets was shown last, from 1 in the order of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_secret: Option<usize>,
    /// Its secrets or keys, in the order of the files.
    pub secrets: Vec<SecretReport>,
}

/// A secret of a client, or a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretReport {
    /// The public part of an API key: `tdg_<8 characters>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// The last instant at which it is right, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// A secret or key that has an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whose.
    pub kind: CredentialKind,
    /// Whose.
    pub id: String,
    /// Which, from 1 in the order of the files.
    pub entry: usize,
    /// The last instant at which it is right.
    pub not_after: Timestamp,
}

impl CredentialKind {
    /// Its name in metrics and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ApiKey => "api_key",
        }
    }
}

/// All clients and keys, by kind and id.
pub(super) fn reports(clients: &ClientSet, keys: &ApiKeySet) -> Vec<CredentialReport> {
    let clients = clients.iter().map(|(id, client)| of_client(id.as_str(), client));
    let mut reports: Vec<_> = clients.chain(keys.iter().map(of_key)).collect();
    reports.sort_unstable_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    reports
}

fn of_client(id: &str, client: &Client) -> CredentialReport {
    let secrets = client.secrets.iter().map(|secret| SecretReport { public: None, not_after: shown_end(secret) });
    let secrets = secrets.collect();
    report(CredentialKind::Client, id, client.terms.enabled, client.account.last_use(), secrets)
}

fn of_key(entry: &Entry) -> CredentialReport {
    let secret = |key: &KeptKey| SecretReport {
        public: Some(format!("{PREFIX}{}", key.public)),
        not_after: shown_end(&key.secret),
    };
    let secrets = entry.keys.iter().map(secret).collect();
    report(CredentialKind::ApiKey, entry.id.as_str(), entry.terms.enabled, entry.account.last_use(), secrets)
}

fn report(
    kind: CredentialKind,
    id: &str,
    enabled: bool,
    last: LastUse,
    secrets: Vec<SecretReport>,
) -> CredentialReport {
    CredentialReport {
        kind,
        id: id.to_owned(),
        enabled,
        last_used: last.at.map(Timestamp::to_rfc3339_seconds),
        // The files may have fewer now.
        last_secret: last.secret.filter(|secret| *secret <= secrets.len()),
        secrets,
    }
}

fn shown_end(secret: &KeptSecret) -> Option<String> {
    secret.not_after.map(Timestamp::to_rfc3339_seconds)
}

/// All secrets and keys that have an end, by kind, id and place.
pub(super) fn endings(clients: &ClientSet, keys: &ApiKeySet) -> Vec<Ending> {
    let of_clients = clients.iter().flat_map(|(id, client)| {
        let ends = client.secrets.iter().map(|secret| secret.not_after);
        ends_of(CredentialKind::Client, id.as_str(), ends)
    });
    let of_keys = keys.iter().flat_map(|entry| {
        let ends = entry.keys.iter().map(|key| key.secret.not_after);
        ends_of(CredentialKind::ApiKey, entry.id.as_str(), ends)
    });
    let mut endings: Vec<_> = of_clients.chain(of_keys).collect();
    endings.sort_unstable_by(|a, b| (a.kind, &a.id, a.entry).cmp(&(b.kind, &b.id, b.entry)));
    endings
}

fn ends_of(kind: CredentialKind, id: &str, ends: impl Iterator<Item = Option<Timestamp>>) -> Vec<Ending> {
    let ends = ends.enumerate().filter_map(|(index, end)| Some((index + 1, end?)));
    ends.map(|(entry, not_after)| Ending { kind, id: id.to_owned(), entry, not_after }).collect()
}

impl Ending {
    /// Whether somebody is to be told of it at `now`: it is over, or will be within [`AHEAD`].
    #[must_use]
    pub fn is_near(&self, now: Timestamp) -> bool {
        self.not_after.since(now) <= AHEAD
    }
}
