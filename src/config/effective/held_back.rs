//! What a reload leaves as it is: the keys that wait for a restart.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::restart::{RESTART_ONLY, WHOLE};
use super::tree::{Content, Effective, Node};
use crate::config::problem::Place;

/// Listeners speak TLS or not from the start on: with what, a reload may change.
pub(super) const TLS: [&str; 2] = ["server", "admin"];

impl Effective {
    /// This configuration with what `running` has in the place of the keys that wait for a restart.
    #[must_use]
    pub fn held_back(mut self, running: &Self) -> Self {
        for section in WHOLE {
            put(&mut self.root, section, running.root.get(section));
        }
        for (section, key, _) in RESTART_ONLY {
            self.hold_back(section, key, running);
        }
        for section in TLS {
            let has_tls = |effective: &Self| effective.table(section).is_some_and(|table| table.contains_key("tls"));
            if has_tls(&self) != has_tls(running) {
                self.hold_back(section, "tls", running);
            }
        }
        self
    }

    fn hold_back(&mut self, section: &str, key: &str, running: &Self) {
        match (section, key) {
            ("", key) => put(&mut self.root, key, running.root.get(key)),
            (section, "") => put(&mut self.root, section, running.root.get(section)),
            (section, key) => {
                let was = running.table(section).and_then(|table| table.get(key));
                if let Some(Node { content: Content::Table(table), .. }) = self.root.get_mut(section) {
                    put(table, key, was);
                }
            }
        }
    }

    /// Whether a source sets the key of a section.
    #[must_use]
    pub fn says(&self, section: &str, key: &str) -> bool {
        let node = self.table(section).and_then(|table| table.get(key));
        node.is_some_and(|node| !matches!(node.place, Place::BuiltIn {}))
    }

    fn table(&self, section: &str) -> Option<&BTreeMap<String, Node>> {
        match &self.root.get(section)?.content {
            Content::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The files that the values name and whose contents count: secrets, certificates, keys of issuers, templates.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        self.root.values().for_each(|node| collect(node, &mut files));
        files
    }
}

fn put(table: &mut BTreeMap<String, Node>, key: &str, node: Option<&Node>) {
    match node {
        Some(node) => drop(table.insert(key.to_owned(), node.clone())),
        None => drop(table.remove(key)),
    }
}

/// Names of variables and credentials among them are no files, and do no harm.
fn collect(node: &Node, files: &mut Vec<PathBuf>) {
    if let (Content::Text(text), Some(_)) = (&node.content, node.held) {
        files.push(text.into());
    }
    match &node.content {
        Content::Array(items) => items.iter().for_each(|item| collect(item, files)),
        Content::Table(table) => table.values().for_each(|value| collect(value, files)),
        Content::Text(_) | Content::Open(_) | Content::Number(_) | Content::Bool(_) => {}
    }
}
