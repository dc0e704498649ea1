//! The tree for people and for programs: secrets masked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::tree::{Content, Effective, Node};
use crate::base::masking::{Personal, masked};
use crate::config::places::{LISTS, join_index, join_key};
use crate::config::problem::Place;

/// What stands for a secret.
const HIDDEN: &str = "***";

/// How many digits of a hash are shown: enough to tell two apart.
const DIGITS: usize = 8;

impl Effective {
    /// All values in the form of a file, secrets masked; `origins`: each with a comment that says where it comes from.
    #[must_use]
    pub fn to_text(&self, origins: bool) -> String {
        let mut page = Page { text: String::new(), origins };
        page.table("", "", &self.root);
        page.text
    }

    /// All values as JSON, secrets masked.
    #[must_use]
    pub fn to_json(&self) -> Value {
        object(&self.root)
    }

    /// Where each value comes from: its path, such as `clients[0].scopes`, and the place.
    #[must_use]
    pub fn origins(&self) -> BTreeMap<String, Place> {
        let mut origins = BTreeMap::new();
        add_origins("", &self.root, &mut origins);
        origins
    }
}

fn add_origins(path: &str, table: &BTreeMap<String, Node>, origins: &mut BTreeMap<String, Place>) {
    for (key, node) in table {
        add_origin(join_key(path, key), node, origins);
    }
}

fn add_origin(path: String, node: &Node, origins: &mut BTreeMap<String, Place>) {
    match &node.content {
        Content::Table(table) if !table.is_empty() => add_origins(&path, table, origins),
        Content::Array(items) if node.has_tables() => {
            for (index, item) in items.iter().enumerate() {
                add_origin(join_index(&path, index), item, origins);
            }
        }
        _ => {
            origins.insert(path, node.place.clone());
        }
    }
}

/// The text of a file that is being written.
struct Page {
    text: String,
    origins: bool,
}

impl Page {
    /// The plain keys below `header`, then the tables and entries in it with headers of their own.
    fn table(&mut self, path: &str, header: &str, table: &BTreeMap<String, Node>) {
        let (mut fields, mut lists, mut tables) = (Vec::new(), Vec::new(), Vec::new());
        for (key, node) in table {
            let path = join_key(path, key);
            match &node.content {
                Content::Array(entries) if LISTS.contains(&path.as_str()) => lists.push((path, entries)),
                Content::Table(inner) if header.is_empty() || header == "[api]" => tables.push((path, inner)),
                _ => add_lines(key, node, &mut fields),
            }
        }
        self.fields(header, &fields);
        for (path, inner) in tables {
            self.table(&path, &format!("[{path}]"), inner);
        }
        for (path, entries) in lists {
            for entry in entries {
                let mut fields = Vec::new();
                entry.members().for_each(|(key, node)| add_lines(key, node, &mut fields));
                self.fields(&format!("[[{path}]]"), &fields);
            }
        }
    }

    fn fields(&mut self, header: &str, fields: &[(String, &Node)]) {
        if fields.is_empty() {
            return;
        }
        // Writing to a String cannot fail.
        if !header.is_empty() {
            let _ = writeln!(self.text, "{}{header}", if self.text.is_empty() { "" } else { "\n" });
        }
        for (key, node) in fields {
            let _ = write!(self.text, "{key} = {}", node.quoted());
            if self.origins {
                let _ = write!(self.text, "  # {}", node.place);
            }
            self.text.push('\n');
        }
    }
}

/// The lines of one key; those of a table are dotted.
fn add_lines<'a>(path: &str, node: &'a Node, lines: &mut Vec<(String, &'a Node)>) {
    match &node.content {
        Content::Table(table) if !table.is_empty() => {
            for (key, inner) in table {
                add_lines(&join_key(path, key), inner, lines);
            }
        }
        _ => lines.push((path.to_owned(), node)),
    }
}

fn object(table: &BTreeMap<String, Node>) -> Value {
    Value::Object(table.iter().map(|(key, node)| (key.clone(), node.json())).collect::<Map<_, _>>())
}

impl Node {
    /// The value on one line: text as it is where it stands alone, in quotes within an array.
    pub(super) fn shown(&self) -> String {
        match &self.content {
            Content::Text(text) => masked_text(text),
            Content::Open(_) => HIDDEN.to_owned(),
            _ => self.quoted(),
        }
    }

    /// The value as TOML has it.
    fn quoted(&self) -> String {
        match &self.content {
            // Every string of JSON is one of TOML.
            Content::Text(_) | Content::Open(_) | Content::Number(_) | Content::Bool(_) => self.json().to_string(),
            Content::Array(items) => {
                let items: Vec<_> = items.iter().map(Self::quoted).collect();
                format!("[{}]", items.join(", "))
            }
            Content::Table(table) => {
                let fields = table.iter().map(|(key, node)| format!("{} = {}", join_key("", key), node.quoted()));
                let fields: Vec<_> = fields.collect();
                if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
            }
        }
    }

    fn json(&self) -> Value {
        match &self.content {
            Content::Text(text) => masked_text(text).into(),
            Content::Open(_) => HIDDEN.into(),
            Content::Number(number) => json!(number),
            Content::Bool(value) => json!(value),
            Content::Array(items) => items.iter().map(Self::json).collect(),
            Content::Table(table) => object(table),
        }
    }

    fn members(&self) -> impl Iterator<Item = (&String, &Self)> {
        let table = if let Content::Table(table) = &self.content { Some(table) } else { None };
        table.into_iter().flatten()
    }

    /// Whether it is an array with tables in it.
    pub(super) fn has_tables(&self) -> bool {
        let is_table = |item: &Self| matches!(item.content, Content::Table(_));
        matches!(&self.content, Content::Array(items) if items.iter().any(is_table))
    }
}

/// Without what may be a secret: the query of a URL and who logs in there, all but the beginning of a hash.
fn masked_text(text: &str) -> String {
    if let Some((algorithm, digits)) = text.rsplit_once(':').filter(|(start, _)| start.starts_with("sha256")) {
        let beginning: String = digits.chars().take(DIGITS).collect();
        return format!("{algorithm}:{beginning}…");
    }
    masked(text, Personal::Show).into_owned()
}
