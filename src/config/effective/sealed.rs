//! A file that [`Effective::to_toml`] has written, with the secrets sealed that stand in it.
//!
//! [`Effective::to_toml`]: super::Effective::to_toml

use toml::{Table, Value};

/// The key of a secret that stands in the configuration itself, and of one that is sealed.
const OPEN: &str = "value";
const SEALED: &str = "sealed";

/// Makes one text of another, or says why that cannot be.
type Replace<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

/// `text` with each secret in it as `seal` makes it.
pub fn seal_secrets(text: &str, seal: Replace<'_>) -> Result<String, String> {
    replace(text, (OPEN, SEALED), seal)
}

/// What was given to [`seal_secrets`]; `open` undoes what `seal` did.
pub fn open_secrets(text: &str, open: Replace<'_>) -> Result<String, String> {
    replace(text, (SEALED, OPEN), open)
}

fn replace(text: &str, (from, to): (&str, &str), make: Replace<'_>) -> Result<String, String> {
    let mut root: Table = text.parse().map_err(|error| format!("not TOML: {error}"))?;
    let mut rest: Vec<&mut Table> = vec![&mut root];
    while let Some(table) = rest.pop() {
        if let Some(Value::String(text)) = table.get(from) {
            let replaced = Value::String(make(text)?);
            table.remove(from);
            table.insert(to.to_owned(), replaced);
        }
        rest.extend(table.iter_mut().flat_map(|(_, value)| tables(value)));
    }
    Ok(root.to_string())
}

/// The tables that are, or are right in, a value: no array is in another one.
fn tables(value: &mut Value) -> Vec<&mut Table> {
    match value {
        Value::Table(table) => vec![table],
        Value::Array(items) => items.iter_mut().filter_map(Value::as_table_mut).collect(),
        _ => Vec::new(),
    }
}
