//! The tree by section, entry and field: what is compared and hashed.

use std::collections::BTreeMap;

use super::tree::{Content, Effective, Node};
use crate::base::secret::{ExposeSecret as _, sha256_fields, to_hex};
use crate::config::places::{LISTS, join_index, join_key};

/// Section and, in a list, the id of the entry. Sections are the tables at the top, the keys outside of tables are those
/// of the section with the empty name; a list is a section of its own.
pub(super) type Unit<'a> = (&'a str, Option<&'a str>);

/// Path below the unit → value. A value is a scalar, an array without tables in it, or an empty table.
pub(super) type Fields<'a> = BTreeMap<String, &'a Node>;

impl Effective {
    /// Hex SHA-256 of what the files say: of the values, and of what secrets, certificates and the like hold; not of the
    /// names of the configuration files, nor of the order of entries.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut prints = Vec::new();
        for ((section, id), fields) in self.units() {
            for (key, node) in fields {
                let id = id.map(str::as_bytes);
                prints.push(sha256_fields([Some(section.as_bytes()), id, Some(key.as_bytes()), Some(&node.print())]));
            }
        }
        to_hex(&sha256_fields(prints.iter().map(|print| Some(print.as_slice()))))
    }

    pub(super) fn units(&self) -> BTreeMap<Unit<'_>, Fields<'_>> {
        let mut units = BTreeMap::new();
        for (key, node) in &self.root {
            match &node.content {
                _ if list_name(key).is_some() => add_entries(&mut units, key, node),
                Content::Table(table) => add_table(&mut units, key, "", table),
                _ => {
                    let fields: &mut Fields<'_> = units.entry(("", None)).or_default();
                    fields.insert(key.clone(), node);
                }
            }
        }
        units
    }
}

/// The name of the list at `path`, if one is there.
fn list_name(path: &str) -> Option<&'static str> {
    LISTS.into_iter().find(|list| *list == path)
}

/// The key whose value tells the entries of a list apart.
fn id_key(list: &str) -> &'static str {
    match list {
        "auth.issuers" => "issuer",
        "recipients" => "group",
        "webhooks.egress" => "name",
        _ => "id",
    }
}

fn add_entries<'a>(units: &mut BTreeMap<Unit<'a>, Fields<'a>>, list: &'a str, node: &'a Node) {
    let Content::Array(entries) = &node.content else { return };
    for entry in entries {
        let Content::Table(table) = &entry.content else { continue };
        let id = table.get(id_key(list)).and_then(Node::text);
        let fields = units.entry((list, id)).or_default();
        add_fields(fields, "", table);
    }
}

/// Empty tables say nothing here, unlike those in entries (`poll = {}`).
fn add_table<'a>(
    units: &mut BTreeMap<Unit<'a>, Fields<'a>>,
    section: &'a str,
    below: &str,
    table: &'a BTreeMap<String, Node>,
) {
    for (key, node) in table {
        let path = join_key(below, key);
        match &node.content {
            Content::Table(inner) => add_table(units, section, &path, inner),
            _ if list_name(&join_key(section, &path)).is_some() => {
                let list = list_name(&join_key(section, &path)).unwrap_or(section);
                add_entries(units, list, node);
            }
            _ => add_field(units.entry((section, None)).or_default(), path, node),
        }
    }
}

fn add_fields<'a>(fields: &mut Fields<'a>, below: &str, table: &'a BTreeMap<String, Node>) {
    for (key, node) in table {
        add_field(fields, join_key(below, key), node);
    }
}

fn add_field<'a>(fields: &mut Fields<'a>, path: String, node: &'a Node) {
    match &node.content {
        Content::Table(table) if !table.is_empty() => add_fields(fields, &path, table),
        Content::Array(items) if node.has_tables() => {
            for (index, item) in items.iter().enumerate() {
                add_field(fields, join_index(&path, index), item);
            }
        }
        _ => {
            fields.insert(path, node);
        }
    }
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the two say the same, and what they name holds the same.
    pub(super) fn says_what(&self, other: &Self) -> bool {
        self.print() == other.print()
    }

    /// SHA-256 of what it says and of what is held by what it names.
    fn print(&self) -> [u8; 32] {
        let held = self.held.as_ref().map(<[u8; 32]>::as_slice);
        let parts = match &self.content {
            Content::Text(text) => vec![text.as_bytes().to_vec()],
            Content::Open(text) => vec![sha256_fields([Some(text.expose_secret().as_bytes())]).to_vec()],
            Content::Number(number) => vec![number.to_string().into_bytes()],
            Content::Bool(value) => vec![value.to_string().into_bytes()],
            Content::Array(items) => items.iter().map(|item| item.print().to_vec()).collect(),
            Content::Table(table) => {
                table.iter().flat_map(|(key, node)| [key.as_bytes().to_vec(), node.print().to_vec()]).collect()
            }
        };
        let parts = parts.iter().map(|part| Some(part.as_slice()));
        sha256_fields([Some(self.kind().as_bytes()), held].into_iter().chain(parts))
    }

    const fn kind(&self) -> &'static str {
        match self.content {
            Content::Text(_) => "text",
            Content::Open(_) => "secret",
            Content::Number(_) => "number",
            Content::Bool(_) => "bool",
            Content::Array(_) => "array",
            Content::Table(_) => "table",
        }
    }
}
