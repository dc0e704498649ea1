//! TOML.

use figment::value::{Empty, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lines::Lines;
use super::tree::{Content, Member, Parsed};
use crate::config::problem::Problem;

/// Parses the text: the members of its root, or its syntax errors.
pub(super) fn parse(lines: &Lines<'_>) -> Result<Vec<Member>, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(lines.text());
    if errors.is_empty() {
        return Ok(members(table.get_ref()));
    }
    // The parser's message names what it expected, not what stands there.
    let mistake = |error: &toml::de::Error| {
        lines.mistake(error.span().map(|span| span.start), format!("not TOML: {}", error.message()))
    };
    Err(errors.iter().map(mistake).collect())
}

/// Parses an array alone; `None` if the text is none.
pub(super) fn parse_array(text: &str) -> Option<Parsed> {
    let value = DeValue::parse(text).ok()?;
    value.get_ref().is_array().then(|| parsed(&value))
}

fn members(table: &DeTable<'_>) -> Vec<Member> {
    let member = |(key, value): (&Spanned<_>, _)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        Member { key: name.to_string(), at: key.span().start, value: parsed(value) }
    };
    table.iter().map(member).collect()
}

fn parsed(value: &Spanned<DeValue<'_>>) -> Parsed {
    let content = match value.get_ref() {
        DeValue::Table(table) => Content::Table(members(table)),
        DeValue::Array(items) => Content::Array(items.iter().map(parsed).collect()),
        plain => Content::Plain(scalar(plain)),
    };
    Parsed { at: value.span().start, content }
}

fn scalar(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.to_string()),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Integer(number) => integer(number.as_str(), number.radix()),
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::from(Empty::Unit), Value::from),
        // No key takes a date: it is shown as what it is and refused.
        _ => Value::from(Empty::Unit),
    }
}

/// A number beyond 64 bits is kept as what fits no key.
fn integer(digits: &str, radix: u32) -> Value {
    u64::from_str_radix(digits, radix)
        .map(Value::from)
        .or_else(|_| i64::from_str_radix(digits, radix).map(Value::from))
        .unwrap_or_else(|_| Value::from(f64::INFINITY))
}
