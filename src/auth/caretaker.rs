//! Looks after the credentials while the appliance runs: keeps when they were last used over restarts, warns of those
//! that end soon, replaces the keys that sign.
//!
//! The last uses are kept in memory and written as one small record once an hour, if there are new ones, and at the end:
//! a crash forgets at most the last hour of them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::account::LastUse;
use super::gate::GateParts;
use super::keys::{Rotated, Rotation, SigningKeyError, SigningKeys};
use super::report::{CredentialReport, Ending, endings, reports};
use super::webhook_keys::{WebhookKeyError, WebhookKeys, WebhookRotation};
use crate::base::clock::{Clock, Timestamp};
use crate::base::random::Random;
use crate::base::stop::Stop;
use crate::store::{Store, StoreError};

/// The store's name of the record of last uses.
const SECRET_NAME: &str = "last-use";
/// The version of the record.
const VERSION: u8 = 1;
/// How often it looks whether something is to be done.
const INTERVAL: Duration = Duration::from_mins(1);
/// How often last uses are written, if there are new ones.
const SAVE_INTERVAL: Duration = Duration::from_hours(1);
/// How often what ends soon is told.
const WARN_INTERVAL: Duration = Duration::from_hours(24);

/// What the caretaker works with.
pub struct CaretakerParts {
    /// Whose uses and ends it looks after.
    pub gate: GateParts,
    /// The keys that it replaces.
    pub keys: Arc<SigningKeys>,
    /// Those that sign webhooks, which it replaces too.
    pub webhook_keys: Arc<WebhookKeys>,
    /// `auth.token_lifetime` at the start.
    pub token_lifetime: Duration,
    /// Where it keeps what has to outlive the process.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New keys come from it.
    pub random: Arc<dyn Random>,
}

/// Looks after the credentials.
pub struct Caretaker {
    parts: CaretakerParts,
    /// The record as it was written last.
    saved: Mutex<Vec<u8>>,
    began: Timestamp,
    /// The longest that a token may live which was given out since the start.
    longest_life: Mutex<Duration>,
}

/// One line of the record.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    key: bool,
    id: String,
    at: i64,
    secret: u32,
}

impl Caretaker {
    /// A caretaker who knows what was used before the start. A record that cannot be read is told in the log and begun
    /// anew: nothing depends on it.
    pub async fn begin(parts: CaretakerParts) -> Result<Self, StoreError> {
        let saved = parts.store.secret(SECRET_NAME).await?.unwrap_or_default();
        let (began, longest_life) = (parts.clock.now(), Mutex::new(parts.token_lifetime));
        let caretaker = Self { parts, saved: Mutex::new(saved), began, longest_life };
        match decode(&caretaker.saved.lock()) {
            Ok(lines) => caretaker.recall(lines),
            Err(reason) => tracing::warn!(reason, "when credentials were last used cannot be read: it is begun anew"),
        }
        caretaker.show_ends();
        Ok(caretaker)
    }

    /// Clients and API keys have been replaced, and tokens live for `token_lifetime` from now on.
    pub fn replaced(&self, token_lifetime: Duration) {
        {
            let mut longest = self.longest_life.lock();
            *longest = token_lifetime.max(*longest);
        }
        self.warn();
    }

    /// All clients and API keys: when they were last used, and when their secrets end.
    #[must_use]
    pub fn report(&self) -> Vec<CredentialReport> {
        let GateParts { clients, api_keys, .. } = &self.parts.gate;
        reports(&clients.current(), &api_keys.current())
    }

    /// The secrets and keys that have ended or will end within 30 days.
    #[must_use]
    pub fn ending(&self) -> Vec<Ending> {
        let now = self.parts.clock.now();
        self.endings().into_iter().filter(|ending| ending.is_near(now)).collect()
    }

    /// Makes a new key that signs tokens from now on; `forget_old` ends the tokens of all keys before it.
    pub async fn rotate(&self, forget_old: bool) -> Result<Rotated, SigningKeyError> {
        let CaretakerParts { keys, store, clock, .. } = &self.parts;
        // What the key before has signed is good for as long as it was promised.
        let rotation = Rotation { now: clock.now(), token_lifetime: *self.longest_life.lock(), forget_old };
        let rotated = keys.rotate(&**store, rotation).await?;
        tracing::info!(
            key = rotated.key_id,
            replaced = rotated.replaced,
            forget_old,
            "another key signs the tokens now"
        );
        Ok(rotated)
    }

    /// Makes a new key that signs webhooks from now on; those before it sign on for a while, unless they are to be
    /// forgotten.
    pub async fn rotate_webhook_keys(&self, forget_old: bool) -> Result<Rotated, WebhookKeyError> {
        let CaretakerParts { webhook_keys, store, clock, random, .. } = &self.parts;
        let rotation = WebhookRotation { now: clock.now(), forget_old };
        let rotated = webhook_keys.rotate(&**store, &**random, rotation).await?;
        tracing::info!(
            key = rotated.key_id,
            replaced = rotated.replaced,
            forget_old,
            "another key signs the webhooks now"
        );
        Ok(rotated)
    }

    /// Works until the stop is given, and writes the last uses once more then.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let clock = &self.parts.clock;
        let (mut saved, mut warned) = (self.began, None);
        while !stop.is_stopped() {
            let now = clock.now();
            if warned.is_none_or(|at| is_due(at, WARN_INTERVAL, now)) {
                self.warn();
                warned = Some(now);
            }
            if is_due(saved, SAVE_INTERVAL, now) {
                self.save_or_tell().await;
                saved = now;
            }
            // A wall clock that is set back must not hold this up for as long.
            tokio::select! {
                () = stop.stopped() => {}
                () = clock.sleep_until(now.plus(INTERVAL)) => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
        self.save_or_tell().await;
    }

    /// Writes the last uses, if there are new ones.
    pub async fn save(&self) -> Result<(), StoreError> {
        let record = encode(&self.lines());
        if *self.saved.lock() == record {
            return Ok(());
        }
        self.parts.store.replace_secret(SECRET_NAME, record.clone()).await?;
        *self.saved.lock() = record;
        Ok(())
    }

    async fn save_or_tell(&self) {
        if let Err(error) = self.save().await {
            tracing::warn!(%error, "when credentials were last used could not be written");
        }
    }

    /// Tells what ends soon, and shows all ends as metrics: the clients may be others since.
    fn warn(&self) {
        self.show_ends();
        for Ending { kind, id, entry, not_after } in self.ending() {
            let (kind, end) = (kind.as_str(), not_after.to_rfc3339_seconds());
            tracing::warn!(
                kind,
                id,
                entry,
                not_after = end,
                "a credential ends soon, or has ended: put a new one beside it"
            );
        }
    }

    fn show_ends(&self) {
        let ends = self.endings();
        let ends = ends.iter().map(|end| (end.kind.as_str(), &*end.id, end.entry, end.not_after));
        self.parts.gate.metrics.show_ends(ends);
    }

    fn endings(&self) -> Vec<Ending> {
        let GateParts { clients, api_keys, .. } = &self.parts.gate;
        endings(&clients.current(), &api_keys.current())
    }

    fn recall(&self, lines: Vec<Line>) {
        let GateParts { clients, api_keys, .. } = &self.parts.gate;
        let (clients, keys) = (clients.current(), api_keys.current());
        let keys: std::collections::HashMap<_, _> = keys.iter().map(|entry| (entry.id.as_str(), entry)).collect();
        for Line { key, id, at, secret } in lines {
            let last = LastUse {
                at: Some(Timestamp::from_millis(at)),
                secret: usize::try_from(secret).ok().filter(|secret| *secret > 0),
            };
            let account = if key {
                keys.get(&*id).map(|entry| &entry.account)
            } else {
                clients.get(&id).map(|client| &client.account)
            };
            // What is not declared any more is forgotten.
            if let Some(account) = account {
                account.recall(last);
            }
        }
    }

    fn lines(&self) -> Vec<Line> {
        let GateParts { clients, api_keys, .. } = &self.parts.gate;
        let (clients, keys) = (clients.current(), api_keys.current());
        let clients = clients.iter().filter_map(|(id, client)| Line::of(false, id.as_str(), client.account.last_use()));
        let keys = keys.iter().filter_map(|entry| Line::of(true, entry.id.as_str(), entry.account.last_use()));
        let mut lines: Vec<_> = clients.chain(keys).collect();
        lines.sort_unstable_by(|a, b| (a.key, &a.id).cmp(&(b.key, &b.id)));
        lines
    }
}

impl Line {
    /// The line of what has been used.
    fn of(key: bool, id: &str, last: LastUse) -> Option<Self> {
        let secret = last.secret.and_then(|secret| u32::try_from(secret).ok()).unwrap_or(0);
        Some(Self { key, id: id.to_owned(), at: last.at?.as_millis(), secret })
    }
}

/// Whether what was done at `last` is to be done again. A clock that was set back makes it due too.
fn is_due(last: Timestamp, interval: Duration, now: Timestamp) -> bool {
    now < last || now.since(last) >= interval
}

fn encode(lines: &[Line]) -> Vec<u8> {
    postcard::to_extend(lines, vec![VERSION]).expect("texts and numbers are written to memory")
}

fn decode(record: &[u8]) -> Result<Vec<Line>, String> {
    match record.split_first() {
        None => Ok(Vec::new()),
        Some((&VERSION, lines)) => postcard::from_bytes(lines).map_err(|error| error.to_string()),
        Some((version, _)) => Err(format!("its version is {version}, not {VERSION}")),
    }
}
