//! `[auth]` and `[[clients]]`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::issuers::{self, Issuer};
use super::kind::{DAY, SECOND, duration, list, located, name, text};
use super::reader::{Item, Located, Section, Shown, nearest};
use super::secret::{Secret, secret};
use super::sources::Sources;
use crate::auth::{ClientSettings, scope};
use crate::base::secret::{SecretHash, SecretString};
use crate::model::id::ClientId;
use crate::model::owners::Owners;

/// The most secrets of one client: each is compared when it asks for a token.
const MAX_SECRETS: usize = 16;

/// The scopes that this release gives a meaning to.
pub(super) const SCOPES: [&str; 4] = [scope::ADMINISTRATOR, scope::CONSUMER, scope::PUBLISH, scope::OPERATE];

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
    /// The first secret that stands in the configuration itself.
    pub(super) open_secret: Option<String>,
}

/// Reads `[[clients]]`.
pub(super) fn read(top: &Section<'_>, sources: &Sources) -> Vec<Client> {
    let clients = top.list("clients", |entry| read_client(entry, sources));
    refuse_same_ids(top, clients.iter().map(|client| &client.id));
    clients
}

/// The first secret of the client `id`, if it can be read.
pub(super) fn first_secret(top: &Section<'_>, sources: &Sources, id: &str) -> Option<SecretString> {
    let entries = top.list("clients", |entry| {
        if entry.required("id", located(name)).value == id { read_secrets(entry, sources) } else { Vec::new() }
    });
    let secret = entries.into_iter().flatten().next()?;
    // A secret that was read is UTF-8.
    std::str::from_utf8(&secret.bytes).ok().map(SecretString::from)
}

fn read_client(entry: &Section<'_>, sources: &Sources) -> Client {
    let id = entry.required("id", located(name));
    let secrets = read_secrets(entry, sources);
    let settings = ClientSettings {
        id: ClientId::new(&id.value),
        secrets: secrets.iter().map(|secret| SecretHash::of(&secret.bytes)).collect(),
        scopes: read_scopes(entry),
        owners: read_owners(entry),
    };
    let open = secrets.iter().find(|secret| secret.in_the_open);
    let open_secret = open.map(|secret| String::from_utf8_lossy(&secret.bytes).into_owned());
    Client { id, settings, open_secret }
}

/// `secrets = […]`, or `secret = …` for short.
fn read_secrets(entry: &Section<'_>, sources: &Sources) -> Vec<Secret> {
    let one = entry.has("secret");
    if one == entry.has("secrets") {
        let message =
            if one { "has both secret and secrets" } else { "the required key secret (or secrets) is missing" };
        let advice = "write secret = { file = \"…\" }, or secrets = [{ file = \"…\" }, …] for several";
        entry.reader.error_with(&entry.path, message, Some(advice.to_owned()));
    }
    let secret = secret(sources);
    let several = |item: &Item<'_>| {
        let items = item.items()?;
        if !(1..=MAX_SECRETS).contains(&items.len()) {
            return item.refuse(format!("must have 1 to {MAX_SECRETS} entries"));
        }
        Some(items.iter().filter_map(&secret).collect())
    };
    entry.optional("secrets", several).unwrap_or_else(|| entry.optional("secret", &secret).into_iter().collect())
}

fn read_scopes(entry: &Section<'_>) -> BTreeSet<String> {
    let scopes = entry.optional("scopes", list(0, scope_token)).unwrap_or_default();
    for scope in scopes.iter().filter(|scope| !SCOPES.contains(&scope.value.as_str())) {
        let message = format!("this release gives no meaning to the scope {}", Shown(&scope.value));
        entry.reader.warning(&scope.path, message, nearest(&scope.value, SCOPES));
    }
    scopes.into_iter().map(|scope| scope.value).collect()
}

/// A scope-token of RFC 6749, 3.3.
fn scope_token(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
        Some(text)
    } else {
        item.refuse("must be one scope: visible ASCII without blanks, quotes and backslashes")
    }
}

/// `parties`, `subscriber` and `group` together: whoever shares one of them may see what is for it.
fn read_owners(entry: &Section<'_>) -> Owners {
    let parties = entry.optional("parties", list(0, owner)).unwrap_or_default();
    let singles = [entry.optional("subscriber", owner), entry.optional("group", owner)];
    Owners::new(parties.into_iter().map(|party| party.value).chain(singles.into_iter().flatten()))
}

/// An owner, as the comma-separated `audience` of an event can name it (contracts/events.md).
fn owner(item: &Item<'_>) -> Option<String> {
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
