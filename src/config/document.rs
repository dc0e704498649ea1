//! One file, parsed once: its values, and where each of them stands.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use figment::value::{Dict, Empty, Tag, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::places::{Origin, Places, Shape, join_index, join_key};
use super::problem::{Place, Problem, Severity};

/// Finds line and column of a byte in a text.
struct Lines<'a> {
    file: Arc<Path>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(file: &Path, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { file: file.into(), text, starts: std::iter::once(0).chain(ends).collect() }
    }

    fn place(&self, byte: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts[line - 1];
        let before = self.text.get(start..byte).unwrap_or_default();
        let file = Arc::clone(&self.file);
        Place::File { file, line: Some(line), column: Some(before.chars().count() + 1) }
    }
}

/// Parses `text` and notes in `places` where its values stand. A text that is not TOML gives its syntax errors and
/// nothing else: what the parser could save of it would give misleading problems.
pub(super) fn read(file: &Path, text: &str, places: &mut Places) -> Result<Dict, Vec<Problem>> {
    let lines = Lines::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax_problem(&lines, error)).collect());
    }
    places.begin_source();
    Ok(Walk { lines: &lines, places }.table("", table.get_ref(), true))
}

/// Parses the array that an environment variable or a flag holds; `None` if it is none.
pub(super) fn read_array(text: &str) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    let mut places = Places::default();
    let lines = Lines::new(Path::new(""), text);
    value.get_ref().is_array().then(|| Walk { lines: &lines, places: &mut places }.value("", value.get_ref(), false))
}

/// The parser's message names what it expected, not what stands in the file: that may be a secret.
fn syntax_problem(lines: &Lines<'_>, error: &toml::de::Error) -> Problem {
    let place = error.span().map_or_else(|| Place::whole(Arc::clone(&lines.file)), |span| lines.place(span.start));
    let message = format!("not TOML: {}", error.message());
    Problem { severity: Severity::Error, place, key: String::new(), message, suggestion: None }
}

struct Walk<'a, 't> {
    lines: &'a Lines<'t>,
    places: &'a mut Places,
}

impl Walk<'_, '_> {
    /// `merges`: only tables stand above, so that another source may add to what is here.
    fn table(&mut self, path: &str, table: &DeTable<'_>, merges: bool) -> Dict {
        let mut dict = Dict::new();
        for (key, value) in table {
            let path = join_key(path, key.get_ref());
            self.note(&path, key.span(), value, merges);
            dict.insert(key.get_ref().to_string(), self.value(&path, value.get_ref(), merges));
        }
        dict
    }

    fn value(&mut self, path: &str, value: &DeValue<'_>, merges: bool) -> Value {
        match value {
            DeValue::Table(table) => Value::Dict(Tag::Default, self.table(path, table, merges)),
            DeValue::Array(items) => {
                let first = self.places.first_index(path, items.len());
                let items = items.iter().enumerate().map(|(n, item)| self.item(path, first + n, item));
                Value::from(items.collect::<Vec<_>>())
            }
            DeValue::String(text) => Value::from(text.to_string()),
            DeValue::Boolean(value) => Value::from(*value),
            DeValue::Integer(number) => integer(number.as_str(), number.radix()),
            DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::from(Empty::Unit), Value::from),
            // No key takes a date: it is shown as what it is and refused.
            DeValue::Datetime(_) => Value::from(Empty::Unit),
        }
    }

    fn item(&mut self, path: &str, index: usize, item: &Spanned<DeValue<'_>>) -> Value {
        let path = join_index(path, index);
        self.note(&path, item.span(), item, false);
        self.value(&path, item.get_ref(), false)
    }

    fn note(&mut self, path: &str, key: Range<usize>, value: &Spanned<DeValue<'_>>, merges: bool) {
        let shape = match value.get_ref() {
            DeValue::Table(_) => Shape::Table,
            DeValue::Array(_) => Shape::Array,
            _ => Shape::Plain,
        };
        let origin = Origin { key: self.lines.place(key.start), value: self.lines.place(value.span().start), shape };
        self.places.note(path, origin, merges);
    }
}

/// A number beyond 64 bits is kept as what fits no key.
fn integer(digits: &str, radix: u32) -> Value {
    u64::from_str_radix(digits, radix)
        .map(Value::from)
        .or_else(|_| i64::from_str_radix(digits, radix).map(Value::from))
        .unwrap_or_else(|_| Value::from(f64::INFINITY))
}
