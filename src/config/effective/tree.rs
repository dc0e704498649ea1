//! The values as a tree.

use std::collections::BTreeMap;
use std::fmt;

use figment::value::{Dict, Value};

use super::notes::{Notes, Typed};
use crate::base::secret::SecretString;
use crate::config::places::{Places, join_index, join_key};
use crate::config::problem::Place;

/// What the files say: the merged values with their origins. Secrets are references with a hash of what each holds.
#[derive(Clone)]
pub struct Effective {
    pub(super) root: BTreeMap<String, Node>,
}

/// One value with all below it.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) place: Place,
    /// SHA-256 of what the value names: a secret, a certificate.
    pub(super) held: Option<[u8; 32]>,
}

/// What a value is. No key takes a fraction or a date.
#[derive(Clone)]
pub(super) enum Content {
    Text(String),
    /// A secret that stands in the configuration itself.
    Open(SecretString),
    Number(i64),
    Bool(bool),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Effective {
    /// The tree of `values`, in which the readers have found no errors.
    pub(in crate::config) fn new(values: Dict, places: &Places, notes: &Notes) -> Self {
        Self { root: Growing { places, notes }.table("", values) }
    }

    /// What of it is built in, and stands in no source.
    #[must_use]
    pub fn built_in(&self) -> Self {
        Self { root: built_in(&self.root) }
    }

    /// No value at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self { root: BTreeMap::new() }
    }
}

fn built_in(table: &BTreeMap<String, Node>) -> BTreeMap<String, Node> {
    let kept = |(key, node): (&String, &Node)| {
        let node = match &node.content {
            Content::Table(inner) => Node { content: Content::Table(built_in(inner)), ..node.clone() },
            _ if matches!(node.place, Place::BuiltIn {}) => node.clone(),
            _ => return None,
        };
        Some((key.clone(), node))
    };
    table.iter().filter_map(kept).collect()
}

/// Shows the digest alone: the values may hold secrets.
impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Effective({})", self.digest())
    }
}

struct Growing<'a> {
    places: &'a Places,
    notes: &'a Notes,
}

impl Growing<'_> {
    fn table(&self, path: &str, values: Dict) -> BTreeMap<String, Node> {
        let node = |(key, value): (String, Value)| {
            let node = self.node(&join_key(path, &key), value);
            (key, node)
        };
        values.into_iter().map(node).collect()
    }

    fn node(&self, path: &str, value: Value) -> Node {
        let place = self.places.find(path).map_or(Place::BuiltIn {}, |origin| origin.value.clone());
        Node { content: self.content(path, value), place, held: self.notes.held(path) }
    }

    fn content(&self, path: &str, value: Value) -> Content {
        match (self.notes.type_of(path), value) {
            (Some(Typed::Number(number)), _) => Content::Number(i64::try_from(number).unwrap_or(i64::MAX)),
            (Some(Typed::Bool(value)), _) | (None, Value::Bool(_, value)) => Content::Bool(value),
            (None, Value::Dict(_, table)) => Content::Table(self.table(path, table)),
            (None, Value::Array(_, items)) => {
                let items = items.into_iter().enumerate();
                Content::Array(items.map(|(index, item)| self.node(&join_index(path, index), item)).collect())
            }
            (None, Value::String(_, text)) if self.notes.is_open(path) => Content::Open(text.into()),
            (None, Value::String(_, text)) => Content::Text(text),
            (None, Value::Char(_, one)) => Content::Text(one.to_string()),
            (None, Value::Num(_, number)) => Content::Number(
                number
                    .to_i128()
                    .and_then(|n| i64::try_from(n).ok())
                    .or(number.to_u128().and_then(|n| i64::try_from(n).ok()))
                    .unwrap_or(i64::MAX),
            ),
            // A date, which no key takes.
            (None, Value::Empty(..)) => Content::Text(String::new()),
        }
    }
}
