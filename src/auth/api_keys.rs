//! API keys: `tdg_<8 public characters>_<secret>`.
//!
//! The public characters find the entry, and are all of a key that is ever shown; whether it is right says the hash of
//! the whole. One that nobody knows costs as much as one that is known.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::account::Account;
use super::principal::{Caller, Credential, Principal};
use super::settings::{ApiKeySettings, KeptKey, KeptSecret};
use super::terms::Terms;
use crate::base::clock::Timestamp;
use crate::base::secret::SecretHash;
use crate::model::affiliation::Affiliation;
use crate::model::id::ClientId;

/// What every key begins with.
pub(super) const PREFIX: &str = "tdg_";
/// How many public characters a key has.
pub const PUBLIC_LEN: usize = 8;

/// The API keys, in a snapshot that a reload replaces as a whole.
#[derive(Debug)]
pub struct ApiKeys(ArcSwap<ApiKeySet>);

/// The API keys as they were declared at one time.
#[derive(Debug)]
pub(super) struct ApiKeySet {
    entries: Vec<Arc<Entry>>,
    by_public: HashMap<String, Known>,
    /// Compared in the place of a key that is not there.
    decoy: SecretHash,
}

/// An entry of `[[api_keys]]`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: ClientId,
    pub(super) keys: Vec<KeptKey>,
    pub(super) terms: Terms,
    pub(super) account: Arc<Account>,
}

/// One key of an entry.
#[derive(Debug)]
struct Known {
    entry: Arc<Entry>,
    index: usize,
    secret: KeptSecret,
    principal: Principal,
}

/// A key that is right.
pub(super) struct Found<'a> {
    pub(super) entry: &'a Entry,
    /// Which of the entry's keys it is.
    pub(super) index: usize,
    pub(super) principal: &'a Principal,
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTheKey {
    /// There is none like it.
    Wrong,
    /// It was right once.
    Ended,
    /// It is right, but not enabled.
    Disabled,
}

impl ApiKeys {
    /// These keys; their ids and their public characters differ.
    #[must_use]
    pub fn new(keys: &[ApiKeySettings]) -> Self {
        Self(ArcSwap::from_pointee(ApiKeySet::new(keys, None)))
    }

    /// Puts `keys` in the place of those that there are. Holds for every request that is authenticated from now on.
    pub fn replace(&self, keys: &[ApiKeySettings]) {
        let set = ApiKeySet::new(keys, Some(&self.0.load()));
        self.0.store(Arc::new(set));
    }

    pub(super) fn current(&self) -> Guard<Arc<ApiKeySet>> {
        self.0.load()
    }
}

impl ApiKeySet {
    fn new(settings: &[ApiKeySettings], before: Option<&Self>) -> Self {
        let mut set = Self { entries: Vec::new(), by_public: HashMap::new(), decoy: SecretHash::of(b"") };
        let entries = before.into_iter().flat_map(|set| &set.entries);
        let accounts: HashMap<&ClientId, &Arc<Account>> = entries.map(|entry| (&entry.id, &entry.account)).collect();
        for settings in settings {
            let ApiKeySettings { id, keys, scopes, organisation, terms } = settings;
            let account = accounts.get(id).map(|account| Arc::clone(account)).unwrap_or_default();
            let entry = Arc::new(Entry { id: id.clone(), keys: keys.clone(), terms: terms.clone(), account });
            for (index, KeptKey { public, secret }) in keys.iter().enumerate() {
                let principal = Principal::of(Caller {
                    credential: Credential::ApiKey { public: shown(public) },
                    publish: terms.publish.clone(),
                    affiliation: Affiliation { organisation: organisation.clone(), ..Affiliation::default() },
                    ..Caller::new(id.clone(), id.as_str().to_owned(), scopes.clone())
                });
                let known = Known { entry: Arc::clone(&entry), index, secret: secret.clone(), principal };
                set.by_public.insert(public.clone(), known);
            }
            set.entries.push(entry);
        }
        set
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|entry| &**entry)
    }

    /// The entry whose key `presented` is at `now`.
    pub(super) fn find(&self, presented: &str, now: Timestamp) -> Result<Found<'_>, NotTheKey> {
        let known = public_of(presented).and_then(|public| self.by_public.get(public));
        let right = known.map_or(&self.decoy, |known| &known.secret.hash).is(&SecretHash::of(presented.as_bytes()));
        let Known { entry, index, secret, principal } = known.filter(|_| right).ok_or(NotTheKey::Wrong)?;
        if secret.has_ended(now) {
            Err(NotTheKey::Ended)
        } else if entry.terms.enabled {
            Ok(Found { entry, index: *index, principal })
        } else {
            Err(NotTheKey::Disabled)
        }
    }
}

/// The public characters of `key`, if it has the form of one.
pub(super) fn public_of(key: &str) -> Option<&str> {
    let (public, secret) = key.strip_prefix(PREFIX)?.split_at_checked(PUBLIC_LEN)?;
    let secret = secret.strip_prefix('_')?;
    (is_public(public) && !secret.is_empty()).then_some(public)
}

/// Whether these can be the public characters of a key.
#[must_use]
pub fn is_public(text: &str) -> bool {
    text.len() == PUBLIC_LEN && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// What logs show of the key with these public characters.
fn shown(public: &str) -> String {
    format!("{PREFIX}{public}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn settings(id: &str, keys: &[&str]) -> ApiKeySettings {
        let keys = keys.iter().map(|key| KeptKey {
            public: public_of(key).unwrap().to_owned(),
            secret: SecretHash::of(key.as_bytes()).into(),
        });
        ApiKeySettings {
            id: id.into(),
            keys: keys.collect(),
            scopes: ["a".to_owned()].into(),
            organisation: None,
            terms: Terms::default(),
        }
    }

    fn find(keys: &ApiKeys, key: &str) -> Result<(String, usize), NotTheKey> {
        keys.current().find(key, NOW).map(|found| (found.principal.client_id.as_str().to_owned(), found.index))
    }

    #[test]
    fn a_key_is_known_by_its_public_characters_and_right_as_a_whole() {
        let keys = ApiKeys::new(&[
            settings("billing", &["tdg_aaaaaaaa_one", "tdg_bbbbbbbb_two"]),
            settings("web", &["tdg_cccccccc_one"]),
        ]);
        assert_eq!(find(&keys, "tdg_aaaaaaaa_one"), Ok(("billing".to_owned(), 0)));
        assert_eq!(find(&keys, "tdg_bbbbbbbb_two"), Ok(("billing".to_owned(), 1)));
        assert_eq!(find(&keys, "tdg_cccccccc_one"), Ok(("web".to_owned(), 0)));
        for wrong in ["tdg_aaaaaaaa_two", "tdg_aaaaaaaa_onee", "tdg_dddddddd_one", "tdg_bbbbbbbb_one", "", "one"] {
            assert_eq!(find(&keys, wrong), Err(NotTheKey::Wrong), "{wrong}");
        }
        let set = keys.current();
        let principal = set.find("tdg_aaaaaaaa_one", NOW).ok().unwrap().principal;
        assert_eq!(principal.credential, Credential::ApiKey { public: "tdg_aaaaaaaa".to_owned() });
        assert!(principal.has("a"));
    }

    #[test]
    fn what_has_not_the_form_of_a_key_has_no_public_characters() {
        assert_eq!(public_of("tdg_Az09zzzz_x"), Some("Az09zzzz"));
        for bad in [
            "",
            "tdg_",
            "tdg_aaaaaaaa",
            "tdg_aaaaaaaa_",
            "tdg_aaaaaaa_x",
            "TDG_aaaaaaaa_x",
            "tdg_aaa_aaaa_x",
            "tdg_ééé_x",
        ] {
            assert_eq!(public_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_ends_and_can_be_switched_off() {
        let mut entry = settings("billing", &["tdg_aaaaaaaa_one"]);
        entry.keys[0].secret.not_after = Some(NOW);
        let keys = ApiKeys::new(std::slice::from_ref(&entry));
        assert!(find(&keys, "tdg_aaaaaaaa_one").is_ok());
        entry.keys[0].secret.not_after = Some(NOW.minus(std::time::Duration::from_millis(1)));
        keys.replace(std::slice::from_ref(&entry));
        assert_eq!(find(&keys, "tdg_aaaaaaaa_one"), Err(NotTheKey::Ended));
        entry.keys[0].secret.not_after = None;
        entry.terms.enabled = false;
        keys.replace(std::slice::from_ref(&entry));
        assert_eq!(find(&keys, "tdg_aaaaaaaa_one"), Err(NotTheKey::Disabled));
        assert_eq!(find(&keys, "tdg_aaaaaaaa_two"), Err(NotTheKey::Wrong));
        keys.replace(&[]);
        assert_eq!(find(&keys, "tdg_aaaaaaaa_one"), Err(NotTheKey::Wrong));
    }
}
