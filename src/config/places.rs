//! Which source says what: the path of every value, and where it stands.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::problem::{Place, Problem, Severity};

/// The lists whose entries add up over the files; every other array is replaced by the later source.
pub(super) const LISTS: [&str; 8] = [
    "auth.issuers",
    "api_keys",
    "clients",
    "customers",
    "event_types",
    "recipients",
    "subscriptions",
    "webhooks.egress",
];

/// What a value looks like to the merging of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Table,
    Array,
    Plain,
}

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Self::Table => "a table",
            Self::Array => "an array",
            Self::Plain => "a plain value",
        }
    }
}

/// Where a value stands.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) key: Place,
    pub(super) value: Place,
    pub(super) shape: Shape,
}

/// Path → origin, over all sources; the last one to set a value is its origin.
#[derive(Default)]
pub(super) struct Places {
    origins: HashMap<String, Origin>,
    /// How many entries of each of [`LISTS`] the earlier sources have, and those with the present one.
    earlier: BTreeMap<&'static str, (usize, usize)>,
    /// Tables in one source that are something else in an earlier one.
    conflicts: Vec<Problem>,
}

impl Places {
    /// Another source is about to be noted.
    pub(super) fn begin_source(&mut self) {
        for (before, with_present) in self.earlier.values_mut() {
            *before = *with_present;
        }
    }

    /// The index that the first entry of the array at `path` has over all sources.
    pub(super) fn first_index(&mut self, path: &str, entries: usize) -> usize {
        let Some(list) = LISTS.iter().find(|list| **list == path) else { return 0 };
        let (before, with_present) = self.earlier.entry(list).or_default();
        *with_present = *before + entries;
        *before
    }

    /// Notes where the value at `path` stands. `merges`: sources add to each other there.
    pub(super) fn note(&mut self, path: &str, origin: Origin, merges: bool) {
        let earlier = self.origins.get(path).filter(|_| merges);
        if let Some(earlier) = earlier.filter(|e| hides(path, e, &origin)) {
            let message = format!("is {} here, but {} in {}", earlier.shape.name(), origin.shape.name(), origin.key);
            let (place, key) = (earlier.value.clone(), path.to_owned());
            self.conflicts.push(Problem { severity: Severity::Error, place, key, message, suggestion: None });
        }
        self.forget_replaced_items(path);
        self.origins.insert(path.to_owned(), origin);
    }

    /// The items of a plain array are replaced with it.
    fn forget_replaced_items(&mut self, path: &str) {
        let replaced = self.origins.get(path).is_some_and(|o| o.shape == Shape::Array) && !LISTS.contains(&path);
        if replaced {
            let items = format!("{path}[");
            self.origins.retain(|path, _| !path.starts_with(&items));
        }
    }

    /// Takes over what stands in `defaults` as built in.
    pub(super) fn note_built_in(&mut self, defaults: &Self) {
        let built_in = |shape| Origin { key: Place::BuiltIn {}, value: Place::BuiltIn {}, shape };
        self.origins.extend(defaults.origins.iter().map(|(path, origin)| (path.clone(), built_in(origin.shape))));
    }

    /// Where `path` itself stands.
    pub(super) fn find_exactly(&self, path: &str) -> Option<&Origin> {
        self.origins.get(path)
    }

    /// Where `path` stands, or what it would stand in.
    pub(super) fn find(&self, path: &str) -> Option<&Origin> {
        let mut path = path;
        loop {
            if let Some(origin) = self.origins.get(path) {
                return Some(origin);
            }
            path = parent(path)?;
        }
    }

    /// What the sources disagree about.
    pub(super) fn conflicts(&self) -> &[Problem] {
        &self.conflicts
    }

    /// Whether the sources disagree about the table at `path`, so that what was below it is lost.
    pub(super) fn in_conflict(&self, path: &str) -> bool {
        self.conflicts.iter().any(|problem| problem.key == path)
    }
}

/// Whether a later table or list would silently replace what an operator wrote earlier as something else. The other
/// way round the reader sees it, for the later value is the one that counts.
fn hides(path: &str, earlier: &Origin, later: &Origin) -> bool {
    let adds_up = later.shape == Shape::Table || LISTS.contains(&path);
    adds_up && earlier.shape != later.shape && !matches!(earlier.value, Place::BuiltIn {})
}

fn parent(path: &str) -> Option<&str> {
    let end = path.rfind(['.', '['])?;
    Some(&path[..end])
}

/// The path of `key` in the table at `path`; a key that is not bare (TOML 1.0, "Keys") is quoted.
pub(super) fn join_key(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let mut out = path.to_owned();
    if !path.is_empty() {
        out.push('.');
    }
    if bare {
        out.push_str(key);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, "{key:?}");
    }
    out
}

/// The path of the entry `index` in the array at `path`.
pub(super) fn join_index(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
