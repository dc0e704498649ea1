//! JSON (RFC 8259), with a byte order mark at most before it.
//!
//! The parser of serde says whether the text is JSON, and where not. What is left is to find where each value starts: a
//! walk over a text that is known to be good.

use std::collections::HashMap;

use figment::value::{Empty, Value};
use serde::de::IgnoredAny;

use super::lines::Lines;
use super::tree::{Content, Member, Parsed};
use crate::config::problem::Problem;

/// How deep objects and arrays may be nested: no key needs a tenth of it.
const MAX_DEPTH: usize = 64;

/// Parses the text: the members of its root, or its mistakes.
pub(super) fn parse(lines: &Lines<'_>) -> Result<Vec<Member>, Vec<Problem>> {
    check(lines)?;
    let mut walk = Walk { lines, at: lines.byte(1, 1), mistakes: Vec::new() };
    let root = walk.value(0);
    match (root.content, walk.mistakes) {
        (Content::Table(members), mistakes) if mistakes.is_empty() => Ok(members),
        (Content::Table(_), mistakes) => Err(mistakes),
        _ => Err(vec![lines.mistake(Some(root.at), "must be an object: { … }".to_owned())]),
    }
}

/// Whether it is JSON at all; the message names what was expected, not what stands there.
fn check(lines: &Lines<'_>) -> Result<(), Vec<Problem>> {
    let Err(error) = serde_json::from_str::<IgnoredAny>(&lines.text()[lines.byte(1, 1)..]) else { return Ok(()) };
    let end = lines.text().len();
    let byte = if error.is_eof() { end } else { lines.byte(error.line(), error.column()) };
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    Err(vec![lines.mistake(Some(byte), format!("not JSON: {message}"))])
}

/// A walk over a text that is JSON.
struct Walk<'a> {
    lines: &'a Lines<'a>,
    at: usize,
    mistakes: Vec<Problem>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, depth: usize) -> Parsed {
        let at = self.next_token();
        let content = match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                self.mistake(at, format!("is nested more than {MAX_DEPTH} deep"));
                // Nothing of the rest is looked at.
                self.at = self.lines.text().len();
                Content::Plain(Value::from(Empty::None))
            }
            Some(b'{') => Content::Table(self.object(depth + 1)),
            Some(b'[') => Content::Array(self.array(depth + 1)),
            Some(b'"') => Content::Plain(Value::from(self.string())),
            _ => Content::Plain(scalar(self.word())),
        };
        Parsed { at, content }
    }

    fn object(&mut self, depth: usize) -> Vec<Member> {
        let (mut members, mut first) = (Vec::new(), HashMap::new());
        self.at += 1;
        while self.more(b'}') {
            let at = self.next_token();
            let key = self.string();
            self.next_token();
            // The colon.
            self.at += 1;
            let value = self.value(depth);
            if let Some(other) = first.get(&key) {
                let place = self.lines.place(*other);
                self.mistake(at, format!("duplicate key, the first one is in {place}"));
            } else {
                first.insert(key.clone(), at);
            }
            members.push(Member { key, at, value });
        }
        members
    }

    fn array(&mut self, depth: usize) -> Vec<Parsed> {
        let mut items = Vec::new();
        self.at += 1;
        while self.more(b']') {
            items.push(self.value(depth));
        }
        items
    }

    /// Whether another item stands before `end`, which is passed.
    fn more(&mut self, end: u8) -> bool {
        self.next_token();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.next_token();
        }
        let ended = self.peek().is_none_or(|byte| byte == end);
        self.at += usize::from(ended);
        !ended
    }

    /// The string that starts here.
    fn string(&mut self) -> String {
        let (start, bytes) = (self.at, self.lines.text().as_bytes());
        self.at += 1;
        while !matches!(bytes.get(self.at), None | Some(b'"')) {
            self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(bytes.len());
        let text = self.lines.text().get(start..self.at).unwrap_or_default();
        serde_json::from_str(text).unwrap_or_else(|_| {
            self.mistake(start, "not JSON: half of a surrogate pair in the text".to_owned());
            String::new()
        })
    }

    /// What stands here up to the next punctuation: a number, `true`, `false` or `null`.
    fn word(&mut self) -> &'a str {
        let rest = self.lines.text().get(self.at..).unwrap_or_default();
        let end = rest.find(|c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace()).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Passes blanks; the byte that the next token starts at.
    fn next_token(&mut self) -> usize {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.lines.text().as_bytes().get(self.at).copied()
    }

    fn mistake(&mut self, at: usize, message: String) {
        self.mistakes.push(self.lines.mistake(Some(at), message));
    }
}

fn scalar(word: &str) -> Value {
    match word {
        "true" => Value::from(true),
        "false" => Value::from(false),
        "null" => Value::from(Empty::None),
        number => word
            .parse::<u64>()
            .map(Value::from)
            .or_else(|_| number.parse::<i64>().map(Value::from))
            // A fraction, or beyond 64 bits: it fits no key.
            .unwrap_or_else(|_| Value::from(number.parse::<f64>().unwrap_or(f64::INFINITY))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    /// The tree as serde's parser has it.
    fn plain(parsed: Parsed) -> serde_json::Value {
        match parsed.content {
            Content::Table(members) => members.into_iter().map(|m| (m.key, plain(m.value))).collect(),
            Content::Array(items) => items.into_iter().map(plain).collect(),
            Content::Plain(value) => serde_json::to_value(value).unwrap_or_default(),
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,6}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let members = proptest::collection::btree_map(".{0,4}", inner.clone(), 0..5);
            prop_oneof![
                proptest::collection::vec(inner, 0..5).prop_map(serde_json::Value::from),
                members.prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_serde_reads(value in json(), pretty in any::<bool>()) {
            let value = serde_json::json!({ "root": value });
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let members = parse(&Lines::new(Path::new("x"), &text)).unwrap_or_default();
            let found: serde_json::Value = members.into_iter().map(|m| (m.key, plain(m.value))).collect();
            prop_assert_eq!(found, value);
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{},:\"\\\\ \nu0-9a-fé.-]{0,40}") {
            let _ = parse(&Lines::new(Path::new("x"), &text));
        }
    }
}
