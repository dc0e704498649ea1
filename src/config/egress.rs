//! `[[webhooks.egress]]`: where webhooks may go, and how.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use super::credential::rate;
use super::kind::{boolean, list, located, name, text};
use super::reader::{Item, Located, Section, Shown};
use super::secret::{password, secret_pem};
use super::sources::{Sources, read_bounded};
use super::tls::EXPIRES_SOON;
use super::trust::{all_of, authorities, authority};
use crate::base::clock::Timestamp;
use crate::base::outbound::{
    AllowEntry, ClientIdentity, EgressPolicy, EgressSettings, IdentityFault, OwnListeners, ProxySettings,
    TrustSettings, read_chain,
};
use crate::channel::webhook::{Answers, WebhookPolicy};
use crate::http::tls::Validity;

/// The largest file with a certificate in bytes.
const MAX_CERTIFICATE: u64 = 1 << 20;

/// The policy of a webhook that names none; it allows nothing, unless it is declared.
pub(super) const DEFAULT: &str = "default";

/// The policies by name, the built-in one too.
pub(super) struct Policies(BTreeMap<String, EgressPolicy>);

impl Policies {
    /// Those of `declared`, none of which leads to where the appliance listens itself.
    pub(super) fn new(declared: &[WebhookPolicy], listen: impl IntoIterator<Item = SocketAddr>) -> Self {
        let own = Arc::new(OwnListeners::default());
        own.add(listen);
        let policy = |settings: &EgressSettings| (settings.name.clone(), settings.policy(Arc::clone(&own)));
        Self(declared.iter().map(|declared| policy(&declared.egress)).collect())
    }

    /// The policy of this name.
    pub(super) fn get(&self, name: &str) -> Option<&EgressPolicy> {
        self.0.get(name)
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The built-in policy.
pub(super) fn built_in() -> WebhookPolicy {
    WebhookPolicy { egress: EgressSettings::nothing(DEFAULT.to_owned()), rate: None, answers: Answers::default() }
}

/// One declared policy.
pub(super) struct Policy {
    pub(super) name: Located<String>,
    pub(super) settings: WebhookPolicy,
}

/// Reads an entry.
pub(super) fn read(entry: &Section<'_>, sources: &Sources) -> Policy {
    let name = entry.required("name", located(name));
    let allow: Vec<Located<Entry>> = entry.optional("allow", list(0, allow_entry)).unwrap_or_default();
    let egress = EgressSettings {
        name: name.value.clone(),
        allow: allow.into_iter().map(|entry| entry.value.0).collect(),
        trust: entry.optional("ca", ca),
        identity: read_identity(entry, sources),
        proxy: read_proxy(entry, sources),
    };
    let answers = match entry.optional("show_responses", boolean) {
        None => Answers::Kept,
        Some(true) => Answers::Shown,
        Some(false) => Answers::Dropped,
    };
    let settings = WebhookPolicy { egress, rate: entry.optional("rate", rate), answers };
    Policy { name, settings }
}

/// An entry, as it is written.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Entry(AllowEntry);

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn allow_entry(item: &Item<'_>) -> Option<Entry> {
    let text = text(item)?;
    match AllowEntry::parse(&text) {
        Ok(entry) => Some(Entry(entry)),
        Err(fault) => item.refuse(format!("{} {fault}", Shown(&text))),
    }
}

/// One file of authorities, or what `trust.ca` takes.
fn ca(item: &Item<'_>) -> Option<TrustSettings> {
    match item.as_text() {
        Some(_) => authority(item),
        None => authorities(item).map(all_of),
    }
}

/// `client_certificate` and `client_key`, which need each other.
fn read_identity(entry: &Section<'_>, sources: &Sources) -> Option<ClientIdentity> {
    let chain = entry.optional("client_certificate", |item| certificates(item, sources.now));
    let key = entry.optional("client_key", secret_pem(sources));
    for (there, missing) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
        if entry.has(there) && !entry.has(missing) {
            entry.reader.error(&entry.path, format!("has {there}, but no {missing}: they are shown together"));
        }
    }
    let fault = match ClientIdentity::new(chain?, &key?.bytes) {
        Ok(identity) => return Some(identity),
        Err(fault) => fault,
    };
    let key = if matches!(fault, IdentityFault::Certificate(_)) { "client_certificate" } else { "client_key" };
    entry.reader.error(&format!("{}.{key}", entry.path), fault.to_string());
    None
}

/// The certificates in a file. One that has ended is warned of: only what goes under this policy needs it.
fn certificates(item: &Item<'_>, now: Timestamp) -> Option<Vec<CertificateDer<'static>>> {
    let file = text(item)?;
    let pem = read_bounded(file.as_ref(), MAX_CERTIFICATE).inspect(|pem| item.reader.holds(&item.path, pem));
    let chain = pem.and_then(|pem| read_chain(&pem).map_err(|error| error.to_string()));
    let read = chain.and_then(|chain| Ok((Validity::of(&chain[0])?.not_after, chain)));
    match read {
        Ok((end, chain)) => {
            warn_of_end(item, end, now);
            Some(chain)
        }
        Err(problem) => item.refuse(format!("{file} {problem}")),
    }
}

fn warn_of_end(item: &Item<'_>, end: Timestamp, now: Timestamp) {
    if end < now.plus(EXPIRES_SOON) {
        let ends = if end < now { "has expired: it was" } else { "expires soon: it is" };
        let message = format!("the certificate {ends} good until {}", end.to_rfc3339_seconds());
        item.reader.warning(&item.path, message, Some("put a renewed one in its place".to_owned()));
    }
}

/// `proxy`, with `proxy_username` and `proxy_password` where it wants to know who we are.
fn read_proxy(entry: &Section<'_>, sources: &Sources) -> Option<ProxySettings> {
    let proxy = entry.optional("proxy", |item| match ProxySettings::parse(&text(item)?) {
        Ok(proxy) => Some(proxy),
        // It may hold a password, so it is not shown.
        Err(fault) => item.refuse(fault.to_string()),
    });
    let username = entry.optional("proxy_username", text);
    let secret = entry.optional("proxy_password", password(sources));
    let keys = ["proxy_username", "proxy_password"];
    if keys.iter().any(|key| entry.has(key)) && !(entry.has("proxy") && keys.iter().all(|key| entry.has(key))) {
        entry.reader.error(&entry.path, "needs proxy, proxy_username and proxy_password together, or proxy alone");
    }
    match username.zip(secret) {
        Some((name, password)) => Some(proxy?.with_credentials(name, password)),
        None => proxy,
    }
}
