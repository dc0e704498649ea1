//! `[[api_keys]]`

use std::collections::HashMap;

use super::clients::{MAX_SECRETS, refuse_same_ids, scope_token};
use super::credential::{read_not_after, read_terms};
use super::kind::{list, located, name, text};
use super::reader::{Item, Located, Section, Shown};
use super::sources::Sources;
use crate::auth::keygen::api_key_hash;
use crate::auth::{ApiKeySettings, KeptKey, scope};
use crate::base::rate::Rate;
use crate::model::id::ClientId;

/// What an API key can be good for: the routes of other scopes take tokens only.
const SCOPES: [&str; 2] = [scope::PUBLISH, scope::TRIGGER];

/// A key and where it stands.
type Key = Located<Option<KeptKey>>;

/// Reads `[[api_keys]]`; `client_ids` are taken.
pub(super) fn read(
    top: &Section<'_>,
    sources: &Sources,
    request_rate: Option<Rate>,
    client_ids: &[&Located<String>],
) -> Vec<ApiKey> {
    let entries = top.list("api_keys", |entry| read_entry(entry, sources, request_rate));
    refuse_same_ids(top, entries.iter().map(|entry| &entry.id));
    refuse_ids_of_clients(top, entries.iter().map(|entry| &entry.id), client_ids);
    refuse_same_keys(top, entries.iter().flat_map(|entry| &entry.keys));
    entries
}

/// One entry of `[[api_keys]]`.
pub(super) struct ApiKey {
    pub(super) id: Located<String>,
    keys: Vec<Key>,
    /// Its scopes, each where it stands.
    pub(super) scopes: Vec<Located<String>>,
    pub(super) settings: ApiKeySettings,
}

fn read_entry(entry: &Section<'_>, sources: &Sources, request_rate: Option<Rate>) -> ApiKey {
    let id = entry.required("id", located(name));
    let keys = read_keys(entry, sources);
    let scopes = entry.optional("scopes", list(1, key_scope)).unwrap_or_default();
    if !entry.has("scopes") {
        entry.missing("scopes");
    }
    let settings = ApiKeySettings {
        id: ClientId::new(&id.value),
        keys: keys.iter().filter_map(|key| key.value.clone()).collect(),
        scopes: scopes.iter().map(|scope| scope.value.clone()).collect(),
        organisation: entry.optional("organisation", text),
        terms: read_terms(entry, request_rate),
    };
    ApiKey { id, keys, scopes, settings }
}

/// `hashes = […]`, or `hash = …` for short.
fn read_keys(entry: &Section<'_>, sources: &Sources) -> Vec<Key> {
    let one = entry.has("hash");
    if one == entry.has("hashes") {
        let message = if one { "has both hash and hashes" } else { "the required key hashes (or hash) is missing" };
        let advice = "run `tidings keygen --api-key` and write hashes = [\"…\"] with what it shows";
        entry.reader.error_with(&entry.path, message, Some(advice.to_owned()));
    }
    let several = |item: &Item<'_>| {
        let items = item.items()?;
        if !(1..=MAX_SECRETS).contains(&items.len()) {
            return item.refuse(format!("must have 1 to {MAX_SECRETS} entries"));
        }
        Some(items.iter().filter_map(|item| read_key(item, sources)).collect())
    };
    let single = |item: &Item<'_>| read_key(item, sources);
    entry.optional("hashes", several).unwrap_or_else(|| entry.optional("hash", single).into_iter().collect())
}

/// A hash, or `{ hash = "…", not_after = "…" }`.
fn read_key(item: &Item<'_>, sources: &Sources) -> Option<Key> {
    if item.as_text().is_some() {
        return Some(Located { value: hash(item), path: item.path.clone() });
    }
    item.section(|entry| {
        let not_after = read_not_after(entry, sources);
        let mut key = entry.required("hash", |item| hash(item).map(Some));
        if let Some(key) = &mut key {
            key.secret.not_after = not_after;
        }
        Some(Located { value: key, path: entry.path.clone() })
    })
}

/// What is wrong is not shown: it may be the key itself.
fn hash(item: &Item<'_>) -> Option<KeptKey> {
    const FORM: &str = "must be the hash of a key as `tidings keygen --api-key` shows it: sha256:<8 public \
                        characters>:<64 hexadecimal digits>";
    api_key_hash(&text(item)?).or_else(|| item.refuse(FORM))
}

fn key_scope(item: &Item<'_>) -> Option<String> {
    let scope = scope_token(item)?;
    if SCOPES.contains(&scope.as_str()) {
        return Some(scope);
    }
    let expected = SCOPES.join(" and ");
    item.refuse(format!(
        "an API key can have the scopes {expected} only, not {}: give its user a client",
        Shown(&scope)
    ))
}

/// Says of every id that a client has too where that is.
fn refuse_ids_of_clients<'a>(
    top: &Section<'_>,
    ids: impl Iterator<Item = &'a Located<String>>,
    client_ids: &[&Located<String>],
) {
    let clients: HashMap<_, _> = client_ids.iter().map(|id| (id.value.as_str(), id.path.as_str())).collect();
    for id in ids.filter(|id| !id.path.is_empty()) {
        if let Some(client) = clients.get(id.value.as_str()) {
            let message = format!("the id {} is that of a client, in {}", Shown(&id.value), top.reader.place(client));
            top.reader.error_with(&id.path, message, Some("give the key an id of its own".to_owned()));
        }
    }
}

/// Says of all public characters that are there twice where the other ones are.
fn refuse_same_keys<'a>(top: &Section<'_>, keys: impl Iterator<Item = &'a Key>) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for (key, path) in keys.filter_map(|key| Some((key.value.as_ref()?, &key.path))) {
        if let Some(other) = first.get(key.public.as_str()) {
            let place = top.reader.place(other);
            let message = format!("the key {} is declared twice, the first time in {place}", Shown(&key.public));
            top.reader.error_with(path, message, Some("each entry needs a key of its own".to_owned()));
        } else {
            first.insert(&key.public, path);
        }
    }
}
