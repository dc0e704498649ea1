//! `[[auth.issuers]]`: external issuers, and the bounds of what their tokens may claim.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::kind::{DAY, SECOND, duration, list, located, text};
use super::reader::{Item, Located, Section, Shown};
use super::sources::read_bounded;
use crate::auth::issuers::{Algorithm, ClaimNames, IssuerSettings, KeySet, KeySource, MAX_KEY_SET};
use crate::base::outbound::Destination;
use crate::model::id::is_name;
use crate::model::pattern::{Patterns, overlap, stands_for};

/// The contracts that an issuer's tokens can be bound to (contracts/README.md); `events` has the operator half in it,
/// `admin` is what the admin listener has besides.
const CONTRACTS: [(&str, &str); 7] = [
    ("polling", "polling"),
    ("events", "events"),
    ("registrations", "registrations"),
    ("management", "management"),
    ("recipients", "recipients"),
    ("trigger", "trigger"),
    ("admin", "admin"),
];

/// What an entry takes where it does not say: the type of RFC 9068, 2.1.
const TOKEN_TYPE: &str = "at+jwt";
const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// More is no skew but a wrong clock: it would lengthen the life of every token.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(5);
const REFRESH: Duration = Duration::from_mins(10);

/// One entry.
pub(super) struct Issuer {
    /// Its `issuer`.
    pub(super) name: Located<String>,
    /// Patterns, each where it stands.
    pub(super) client_ids: Vec<Located<String>>,
    /// Patterns too.
    pub(super) scopes: Vec<Located<String>>,
    /// The contracts that its tokens are good for, where it names them.
    pub(super) contracts: Vec<Located<String>>,
    /// `None` where its keys cannot be read, which has been reported.
    pub(super) settings: Option<IssuerSettings>,
}

/// Reads `auth.issuers`; `audience` is that of our own tokens.
pub(super) fn read(auth: &Section<'_>, audience: &str) -> Vec<Issuer> {
    auth.list("issuers", |entry| read_entry(entry, audience))
}

/// Says which entries contradict one another, our own tokens or `clients` (those who are declared, wherever they are).
pub(super) fn check<'a>(
    top: &Section<'_>,
    issuers: &[Issuer],
    public_url: &str,
    clients: impl Iterator<Item = &'a Located<String>>,
) {
    for (index, issuer) in issuers.iter().enumerate() {
        if issuer.name.value == public_url {
            let message =
                "is server.public_url, the issuer of the built-in token endpoint: its tokens are taken anyway";
            top.reader.error(&issuer.name.path, message);
        }
        for earlier in &issuers[..index] {
            check_pair(top, earlier, issuer);
        }
    }
    for client in clients.filter(|client| !client.path.is_empty()) {
        let patterns = issuers.iter().flat_map(|issuer| &issuer.client_ids);
        for pattern in patterns.filter(|pattern| stands_for(&pattern.value, &client.value)) {
            let message = format!(
                "stands for the id {} too, which is declared in {}: a client belongs to one issuer",
                Shown(&client.value),
                top.reader.place(&client.path)
            );
            top.reader.error_with(&pattern.path, message, Some("make the pattern narrower, or rename one".to_owned()));
        }
    }
}

fn check_pair(top: &Section<'_>, earlier: &Issuer, later: &Issuer) {
    // One without a path is not there, which has been reported.
    if earlier.name.value == later.name.value && !later.name.path.is_empty() {
        let place = top.reader.place(&earlier.name.path);
        let message = format!("the issuer {} is declared twice, the first time in {place}", Shown(&later.name.value));
        top.reader.error_with(&later.name.path, message, Some("remove one".to_owned()));
    }
    for pattern in &later.client_ids {
        for other in earlier.client_ids.iter().filter(|other| overlap(&other.value, &pattern.value)) {
            let message = format!(
                "a client that {} stands for can be one of {} in {} too: a client belongs to one issuer",
                Shown(&pattern.value),
                Shown(&other.value),
                top.reader.place(&other.path)
            );
            top.reader.error_with(&pattern.path, message, Some("make one of the patterns narrower".to_owned()));
        }
    }
}

fn read_entry(entry: &Section<'_>, audience: &str) -> Issuer {
    let name = entry.required("issuer", located(text));
    let audiences = entry.optional("audience", one_or_more).unwrap_or_else(|| BTreeSet::from([audience.to_owned()]));
    let refresh = entry.optional("jwks_refresh", duration(60 * SECOND..=DAY)).unwrap_or(REFRESH);
    let keys = entry.required("jwks", |item| key_source(item, refresh).map(Some));
    let client_ids = entry.required("client_ids", list(1, client_pattern));
    let scopes = entry.required("scopes", list(1, pattern));
    let claims = entry.section("claims", read_claims);
    let algorithms = entry.optional("algorithms", list(1, algorithm)).map(values);
    let token_types = entry.optional("token_types", list(1, token_type)).map(values);
    let clock_skew = entry.optional("clock_skew", duration(Duration::ZERO..=MAX_CLOCK_SKEW));
    let contracts = entry.optional("contracts", list(1, contract));
    let owners = entry.optional("owners", list(0, pattern)).map(|owners| patterns(&owners));
    let settings = keys.map(|keys| IssuerSettings {
        issuer: name.value.clone(),
        audiences,
        keys,
        client_ids: patterns(&client_ids),
        scopes: patterns(&scopes),
        claims,
        algorithms: algorithms.unwrap_or_else(|| Algorithm::DEFAULT.into()),
        token_types: token_types.unwrap_or_else(|| BTreeSet::from([TOKEN_TYPE.to_owned()])),
        clock_skew: clock_skew.unwrap_or(CLOCK_SKEW),
        contracts: contracts.clone().map(values),
        owners,
    });
    Issuer { name, client_ids, scopes, contracts: contracts.unwrap_or_default(), settings }
}

fn read_claims(claims: &Section<'_>) -> ClaimNames {
    let standard = ClaimNames::default();
    ClaimNames {
        client_id: claims.optional("client_id", text).unwrap_or(standard.client_id),
        scope: claims.optional("scope", text).unwrap_or(standard.scope),
        parties: claims.optional("parties", text),
        subscriber: claims.optional("subscriber", text),
        group: claims.optional("group", text),
        organisation: claims.optional("organisation", text),
    }
}

/// Has the tokens of issuers that name no claim for it tell the group by `claim`, where they are good for the contract that
/// asks for one.
pub(super) fn name_group(issuers: &mut [Issuer], claim: &str) {
    for settings in issuers.iter_mut().filter_map(|issuer| issuer.settings.as_mut()) {
        if settings.contracts.as_ref().is_none_or(|contracts| contracts.contains("recipients")) {
            settings.claims.group.get_or_insert_with(|| claim.to_owned());
        }
    }
}

fn patterns(located: &[Located<String>]) -> Patterns {
    Patterns::new(located.iter().map(|pattern| pattern.value.clone()))
}

fn values<T, C: FromIterator<T>>(located: Vec<Located<T>>) -> C {
    located.into_iter().map(|item| item.value).collect()
}

/// A text, or an array of them.
fn one_or_more(item: &Item<'_>) -> Option<BTreeSet<String>> {
    match item.as_text() {
        Some(_) => text(item).map(|text| BTreeSet::from([text])),
        None => list(1, text)(item).map(values),
    }
}

/// Text with a `*` at most at its end.
fn pattern(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    match text.find('*') {
        Some(at) if at + 1 < text.len() => {
            item.refuse(format!("can have a * at its end only, where it stands for any rest: {}", Shown(&text)))
        }
        _ => Some(text),
    }
}

/// A pattern that an id of a client can be one of.
fn client_pattern(item: &Item<'_>) -> Option<String> {
    let text = pattern(item)?;
    let beginning = text.strip_suffix('*').unwrap_or(&text);
    if beginning.is_empty() || is_name(beginning) {
        Some(text)
    } else {
        item.refuse(format!(
            "no client id can be one of {}: ids are made of letters, digits, dots, underscores and hyphens",
            Shown(&text)
        ))
    }
}

fn algorithm(item: &Item<'_>) -> Option<Algorithm> {
    if item.as_text().is_some_and(|name| name.starts_with("HS") || name.eq_ignore_ascii_case("none")) {
        return item.refuse("only asymmetric algorithms are taken: with any other, who can check tokens can make them");
    }
    item.one_of(&Algorithm::ALL)
}

fn token_type(item: &Item<'_>) -> Option<String> {
    let text = text(item)?.to_ascii_lowercase();
    Some(text.strip_prefix("application/").map(str::to_owned).unwrap_or(text))
}

fn contract(item: &Item<'_>) -> Option<String> {
    item.one_of(&CONTRACTS).map(str::to_owned)
}

/// A URL, or `{ file = "…" }`, whose keys are read at once.
fn key_source(item: &Item<'_>, refresh: Duration) -> Option<KeySource> {
    if item.as_text().is_some() {
        return Some(KeySource::Url { url: url(item)?, refresh });
    }
    item.section(|source| source.required("file", |item| key_file(item).map(Some)).map(KeySource::File))
}

fn url(item: &Item<'_>) -> Option<Destination> {
    match Destination::parse(&text(item)?) {
        Err(fault) => item.refuse(fault.to_string()),
        Ok(url) if !url.is_secure() && !url.is_loopback() => item.refuse(
            "must begin with https://, for whoever can change the keys on their way can make tokens; http:// is for \
             loopback addresses",
        ),
        Ok(url) => Some(url),
    }
}

fn key_file(item: &Item<'_>) -> Option<Arc<KeySet>> {
    let file = text(item)?;
    let read = read_bounded(file.as_ref(), MAX_KEY_SET as u64).inspect(|keys| item.reader.holds(&item.path, keys));
    let keys = match read.and_then(|text| KeySet::parse(&text).map_err(|error| error.to_string())) {
        Ok(keys) => keys,
        Err(problem) => return item.refuse(format!("{file} {problem}")),
    };
    for ignored in keys.ignored() {
        item.reader.warning(&item.path, format!("a key in {file} is not used: {ignored}"), None);
    }
    Some(Arc::new(keys))
}
