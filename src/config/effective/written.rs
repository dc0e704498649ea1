//! The tree as TOML: what was read from several sources, in one file that says the same.

use toml::{Table, Value};

use super::tree::{Content, Effective, Node};
use crate::base::secret::ExposeSecret as _;
use crate::config::problem::Place;

impl Effective {
    /// A file that reads back as the same configuration: what came from files, the environment and flags, without what is
    /// built in. A secret is the reference that it was; one that an environment variable holds is written as
    /// `{ env = "…" }`. Only a secret that stood in the files itself (`{ value = "…" }`) stands here too, so that the text
    /// must be sealed, or kept from others.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let table: Table = self.root.iter().filter_map(|(key, node)| written(key, node)).collect();
        table.to_string()
    }
}

fn written(key: &str, node: &Node) -> Option<(String, Value)> {
    if let (Content::Open(_), Place::Environment { variable }) = (&node.content, &node.place) {
        return Some(("env".to_owned(), Value::String(variable.clone())));
    }
    value(node).map(|value| (key.to_owned(), value))
}

/// `None` for what is built in.
fn value(node: &Node) -> Option<Value> {
    let built_in = matches!(node.place, Place::BuiltIn {});
    match &node.content {
        Content::Table(table) => {
            let table: Table = table.iter().filter_map(|(key, node)| written(key, node)).collect();
            (!table.is_empty() || !built_in).then_some(Value::Table(table))
        }
        _ if built_in => None,
        Content::Text(text) => Some(Value::String(text.clone())),
        Content::Open(text) => Some(Value::String(text.expose_secret().to_owned())),
        Content::Number(number) => Some(Value::Integer(*number)),
        Content::Bool(value) => Some(Value::Boolean(*value)),
        Content::Array(items) => Some(Value::Array(items.iter().filter_map(value).collect())),
    }
}
