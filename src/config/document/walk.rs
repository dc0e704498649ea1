//! From the tree of a file to values, with a note of where each of them stands.

use std::path::Path;

use figment::value::{Dict, Tag, Value};

use super::lines::Lines;
use super::tree::{Content, Member, Parsed};
use super::{json, toml};
use crate::config::places::{Origin, Places, Shape, join_index, join_key};
use crate::config::problem::Problem;

/// Parses `text`, JSON if the name of the file ends so and TOML otherwise, and notes in `places` where its values stand.
pub(in crate::config) fn read(file: &Path, text: &str, places: &mut Places) -> Result<Dict, Vec<Problem>> {
    let lines = Lines::new(file, text);
    let members = if is_json(file) { json::parse(&lines)? } else { toml::parse(&lines)? };
    places.begin_source();
    Ok(Walk { lines: &lines, places }.table("", members, true))
}

/// Whether the name of `file` says that it is JSON.
pub(in crate::config) fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "json")
}

/// Parses the array that an environment variable or a flag holds; `None` if it is none.
pub(in crate::config) fn read_array(text: &str) -> Option<Value> {
    let array = toml::parse_array(text)?;
    let lines = Lines::new(Path::new(""), text);
    Some(Walk { lines: &lines, places: &mut Places::default() }.value("", array, false))
}

struct Walk<'a> {
    lines: &'a Lines<'a>,
    places: &'a mut Places,
}

impl Walk<'_> {
    /// `merges`: only tables stand above, so that another source may add to what is here.
    fn table(&mut self, path: &str, members: Vec<Member>, merges: bool) -> Dict {
        let mut dict = Dict::new();
        for Member { key, at, value } in members {
            let path = join_key(path, &key);
            self.note(&path, at, &value, merges);
            dict.insert(key, self.value(&path, value, merges));
        }
        dict
    }

    fn value(&mut self, path: &str, value: Parsed, merges: bool) -> Value {
        match value.content {
            Content::Table(members) => Value::Dict(Tag::Default, self.table(path, members, merges)),
            Content::Array(items) => {
                let first = self.places.first_index(path, items.len());
                let items = items.into_iter().enumerate().map(|(n, item)| self.item(path, first + n, item));
                Value::from(items.collect::<Vec<_>>())
            }
            Content::Plain(value) => value,
        }
    }

    fn item(&mut self, path: &str, index: usize, item: Parsed) -> Value {
        let path = join_index(path, index);
        self.note(&path, item.at, &item, false);
        self.value(&path, item, false)
    }

    fn note(&mut self, path: &str, key: usize, value: &Parsed, merges: bool) {
        let shape = match value.content {
            Content::Table(_) => Shape::Table,
            Content::Array(_) => Shape::Array,
            Content::Plain(_) => Shape::Plain,
        };
        let origin = Origin { key: self.lines.place(key), value: self.lines.place(value.at), shape };
        self.places.note(path, origin, merges);
    }
}
