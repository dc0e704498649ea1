//! `[auth]` and `[[clients]]`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::credential::{instant, read_terms};
use super::egress::Policies;
use super::issuers::{self, Issuer};
use super::kind::{DAY, SECOND, duration, list, located, name, text};
use super::reader::{Item, Located, Section, Shown, nearest};
use super::secret::{ClientSecret, client_secret, password};
use super::sources::Sources;
use crate::auth::ClientSettings;
use crate::base::clock::Timestamp;
use crate::base::rate::Rate;
use crate::base::secret::{SecretString, from_hex};
use crate::engine::ClientProfile;
use crate::model::affiliation::Affiliation;
use crate::model::id::ClientId;

/// The most secrets of one client: each is compared when it asks for a token.
pub(super) const MAX_SECRETS: usize = 16;

/// `[auth]`
pub(super) struct Auth {
    pub(super) audience: String,
    pub(super) token_lifetime: Duration,
    pub(super) token_paths: Vec<Located<String>>,
    pub(super) issuers: Vec<Issuer>,
}

/// Reads `[auth]`.
pub(super) fn read_auth(top: &Section<'_>) -> Auth {
    top.section("auth", |auth| {
        let audience = auth.required("audience", text);
        Auth {
            issuers: issuers::read(auth, &audience),
            audience,
            token_lifetime: auth.required("token_lifetime", duration(SECOND..=30 * DAY)),
            token_paths: super::contracts::read_token_paths(auth),
        }
    })
}

/// One entry of `[[clients]]`.
pub(super) struct Client {
    pub(super) id: Located<String>,
    pub(super) settings: ClientSettings,
    /// Its scopes, each where it stands.
    pub(super) scopes: Vec<Located<String>>,
    /// The egress policy of the webhooks that it makes.
    egress: Option<Located<String>>,
    /// What the engine is told of it besides what it owns.
    pub(super) profile: ClientProfile,
    /// What its webhooks of the management contract are called with.
    pub(super) webhook_api_key: Option<SecretString>,
    /// The first secret that stands in the configuration itself.
    pub(super) open_secret: Option<String>,
}

/// Reads `[[clients]]`.
pub(super) fn read(top: &Section<'_>, sources: &Sources, request_rate: Option<Rate>) -> Vec<Client> {
    let clients = top.list("clients", |entry| read_client(entry, sources, request_rate));
    refuse_same_ids(top, clients.iter().map(|client| &client.id));
    clients
}

/// The first of the secrets of the client `id` that are right for the longest, if it can be read.
pub(super) fn lasting_secret(top: &Section<'_>, sources: &Sources, id: &str) -> Option<SecretString> {
    let entries = top.list("clients", |entry| {
        if entry.required("id", located(name)).value == id { read_secrets(entry, sources) } else { Vec::new() }
    });
    let secrets = entries.into_iter().flatten().filter_map(|secret| Some((secret.kept.not_after, secret.secret?)));
    let (_, secret) = secrets.min_by_key(|(end, _)| Reverse(end.unwrap_or(Timestamp::MAX)))?;
    // A secret that was read is UTF-8.
    std::str::from_utf8(&secret.bytes).ok().map(SecretString::from)
}

fn read_client(entry: &Section<'_>, sources: &Sources, request_rate: Option<Rate>) -> Client {
    let id = entry.required("id", located(name));
    let secrets = read_secrets(entry, sources);
    let certificates = entry.optional("certificate", certificates).unwrap_or_default();
    if secrets.is_empty() && !entry.has("secret") && !entry.has("secrets") && !entry.has("certificate") {
        let message = "the required key secret (or secrets, or certificate) is missing";
        entry.reader.error_with(&entry.path, message, Some(HOW_TO_GIVE_SECRETS.to_owned()));
    }
    let scopes = entry.optional("scopes", list(0, scope_token)).unwrap_or_default();
    let settings = ClientSettings {
        id: ClientId::new(&id.value),
        secrets: secrets.iter().map(|secret| secret.kept.clone()).collect(),
        certificates,
        scopes: scopes.iter().map(|scope| scope.value.clone()).collect(),
        affiliation: read_affiliation(entry),
        acts_for_any: entry.optional("acts_for_any", acts_for_any).unwrap_or_default(),
        terms: read_terms(entry, request_rate),
        tokens_not_before: entry.optional("tokens_not_before", instant),
    };
    let open = secrets.iter().filter_map(|secret| secret.secret.as_ref()).find(|secret| secret.in_the_open);
    let open_secret = open.map(|secret| String::from_utf8_lossy(&secret.bytes).into_owned());
    let egress = entry.optional("egress", located(name));
    let profile = ClientProfile {
        egress: egress.as_ref().map(|egress| egress.value.clone()),
        integrator_id: entry.optional("integrator_id", text),
        integrator_type: entry.optional("integrator_type", text),
    };
    let webhook_api_key = entry.optional("webhook_api_key", password(sources));
    Client { id, settings, scopes, egress, profile, webhook_api_key, open_secret }
}

/// The contracts in which it may act for others.
fn acts_for_any(item: &Item<'_>) -> Option<BTreeSet<String>> {
    const CONTRACTS: [(&str, &str); 2] = [("registrations", "registrations"), ("management", "management")];
    let contracts = list(0, |item| item.one_of(&CONTRACTS))(item)?;
    Some(contracts.into_iter().map(|contract| contract.value.to_owned()).collect())
}

/// Reports egress policies that there are not.
pub(super) fn check_egress(top: &Section<'_>, clients: &[Client], policies: &Policies) {
    for egress in clients.iter().filter_map(|client| client.egress.as_ref()) {
        if policies.get(&egress.value).is_none() {
            let advice = nearest(&egress.value, policies.names());
            let advice = advice.or_else(|| Some("declare it in [[webhooks.egress]]".to_owned()));
            let message = format!("there is no egress policy {}", Shown(&egress.value));
            top.reader.missing_elsewhere(&egress.path, message, advice);
        }
    }
}

/// `secrets = […]`, or `secret = …` for short.
fn read_secrets(entry: &Section<'_>, sources: &Sources) -> Vec<ClientSecret> {
    if entry.has("secret") && entry.has("secrets") {
        entry.reader.error_with(&entry.path, "has both secret and secrets", Some(HOW_TO_GIVE_SECRETS.to_owned()));
    }
    let secret = client_secret(sources);
    let several = |item: &Item<'_>| {
        let items = item.items()?;
        if !(1..=MAX_SECRETS).contains(&items.len()) {
            return item.refuse(format!("must have 1 to {MAX_SECRETS} entries"));
        }
        Some(items.iter().filter_map(&secret).collect())
    };
    entry.optional("secrets", several).unwrap_or_else(|| entry.optional("secret", &secret).into_iter().collect())
}

const HOW_TO_GIVE_SECRETS: &str = "write secret = { file = \"…\" }, or secrets = [{ file = \"…\" }, …] for several";

/// `certificate = "…"`, or several in an array: SHA-256 of TLS client certificates.
fn certificates(item: &Item<'_>) -> Option<Vec<[u8; 32]>> {
    if item.as_text().is_some() {
        return thumbprint(item).map(|one| vec![one]);
    }
    let items = item.items()?;
    if !(1..=MAX_SECRETS).contains(&items.len()) {
        return item.refuse(format!("must have 1 to {MAX_SECRETS} entries"));
    }
    Some(items.iter().filter_map(thumbprint).collect())
}

/// SHA-256 of a certificate's DER form: in Base64url as `x5t#S256` has it (RFC 8705, 3.1), or in hexadecimal digits,
/// perhaps with colons, as `openssl x509 -noout -fingerprint -sha256` shows it.
fn thumbprint(item: &Item<'_>) -> Option<[u8; 32]> {
    let text = text(item)?;
    let base64 = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok().and_then(|bytes| bytes.try_into().ok());
    base64.or_else(|| from_hex(&text.replace(':', ""))).or_else(|| {
        item.refuse(format!(
            "must be the SHA-256 of a certificate, in hexadecimal digits or Base64url, not {}; `openssl x509 -noout \
             -fingerprint -sha256 -in FILE` shows it",
            Shown(&text)
        ))
    })
}

/// A scope-token of RFC 6749, 3.3.
pub(super) fn scope_token(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
        Some(text)
    } else {
        item.refuse("must be one scope: visible ASCII without blanks, quotes and backslashes")
    }
}

/// `parties`, `subscriber`, `group` and `organisation`: whoever shares one of the first three may see what is for it.
fn read_affiliation(entry: &Section<'_>) -> Affiliation {
    let parties: BTreeSet<_> =
        entry.optional("parties", list(0, owner)).unwrap_or_default().into_iter().map(|party| party.value).collect();
    Affiliation {
        parties: parties.into_iter().collect(),
        subscriber: entry.optional("subscriber", owner),
        groups: entry.optional("group", owner).into_iter().collect(),
        organisation: entry.optional("organisation", text),
    }
}

/// An owner, as the comma-separated `audience` of an event can name it (contracts/events.md).
pub(super) fn owner(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if text.contains(',') || text.trim() != text {
        return item.refuse(
            "must have no comma in it and no blanks around it, for the audience of an event could not name it",
        );
    }
    Some(text)
}

/// Says of every id that is there twice where the other one is.
pub(super) fn refuse_same_ids<'a>(top: &Section<'_>, ids: impl Iterator<Item = &'a Located<String>>) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for id in ids.filter(|id| !id.path.is_empty()) {
        if let Some(other) = first.get(id.value.as_str()) {
            let message =
                format!("the id {} is declared twice, the first time in {}", Shown(&id.value), top.reader.place(other));
            top.reader.error_with(&id.path, message, Some("give each its own id, or remove one".to_owned()));
        } else {
            first.insert(&id.value, &id.path);
        }
    }
}
