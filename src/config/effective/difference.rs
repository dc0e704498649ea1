//! What one configuration has that another has not.

use std::collections::BTreeSet;

use serde::Serialize;

use super::flat::{Fields, Unit};
use super::held_back::TLS;
use super::restart::needs_restart;
use super::tree::{Effective, Node};
use crate::config::problem::Place;

/// What has become of an entry or a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferenceKind {
    /// It is new.
    Added,
    /// Some of its fields are others.
    Changed,
    /// It is not there any more.
    Removed,
}

/// An entry of a list, or a section, that is not the same in two configurations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What has become of it.
    pub kind: DifferenceKind,
    /// The list (`subscriptions`, `auth.issuers`) or the table at the top (`server`, `api`); empty for the keys outside of
    /// tables.
    pub section: String,
    /// Which entry of the list: its `id`, `issuer` or `name`; `None` in a section that is no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its fields that differ, by their keys; of what is added or removed, all.
    pub fields: Vec<FieldChange>,
    /// Where it stands: in the newer files, or in the older ones if it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Whether its fields wait for a restart. A section with both kinds gives two differences.
    pub restart: bool,
}

/// A field that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its path below the entry or the section, such as `webhook.secrets[0].file`.
    pub key: String,
    /// What it was, secrets masked; `None` if it was not there.
    pub old: Option<String>,
    /// What it is, secrets masked; `None` if it is not there. Where the two would look the same, because what is behind
    /// the mask or in the named file differs, it says so.
    pub new: Option<String>,
}

impl Effective {
    /// What `newer` has otherwise, by section and id. Empty if and only if the digests are equal.
    #[must_use]
    pub fn differences(&self, newer: &Self) -> Vec<Difference> {
        let (old, new) = (self.units(), newer.units());
        let mut differences = Vec::new();
        let nothing = Fields::new();
        let units: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
        for unit in units {
            compare(unit, old.get(&unit).unwrap_or(&nothing), new.get(&unit).unwrap_or(&nothing), &mut differences);
        }
        differences
    }
}

fn compare(unit: Unit<'_>, old: &Fields<'_>, new: &Fields<'_>, differences: &mut Vec<Difference>) {
    let kind = match (old.is_empty(), new.is_empty()) {
        (true, _) => DifferenceKind::Added,
        (_, true) => DifferenceKind::Removed,
        _ => DifferenceKind::Changed,
    };
    let (section, id) = unit;
    let has_tls = |fields: &Fields<'_>| fields.keys().any(|key| is_tls(section, key));
    let tls_comes_or_goes = has_tls(old) != has_tls(new);
    for restart in [false, true] {
        let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let waits = |key: &str| needs_restart(section, key) || (is_tls(section, key) && tls_comes_or_goes);
        let keys = keys.into_iter().filter(|key| waits(key) == restart);
        let changed: Vec<_> = keys
            .map(|key| (key, old.get(key).copied(), new.get(key).copied()))
            .filter(|(_, old, new)| !same(*old, *new))
            .collect();
        let Some((_, first_old, first_new)) = changed.first() else { continue };
        let place = if kind == DifferenceKind::Removed { first_old } else { first_new };
        let place = place.or(*first_old).map(|node| node.place.clone());
        let fields = changed.iter().map(|(key, old, new)| change(key, *old, *new)).collect();
        differences.push(Difference {
            kind,
            section: section.to_owned(),
            id: id.map(str::to_owned),
            fields,
            place,
            restart,
        });
    }
}

/// A listener speaks TLS or not from the start on: with what, a reload may change.
fn is_tls(section: &str, key: &str) -> bool {
    TLS.contains(&section) && key.starts_with("tls.")
}

fn same(old: Option<&Node>, new: Option<&Node>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.says_what(new),
        (old, new) => old.is_none() && new.is_none(),
    }
}

fn change(key: &str, old: Option<&Node>, new: Option<&Node>) -> FieldChange {
    let (old, mut new) = (old.map(Node::shown), new.map(Node::shown));
    if old == new {
        new = new.map(|shown| format!("{shown} (changed content)"));
    }
    FieldChange { key: key.to_owned(), old, new }
}
