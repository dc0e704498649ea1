//! Event data as values of templates: numbers stay as they were written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::value::RawValue;

use crate::base::legible::cut;
use crate::model::json::{Members, RawJson, string};

/// The most fields of data that is laid flat.
const MAX_FIELDS: usize = 200;

/// The most characters of the name and of the value of one.
const MAX_TEXT: usize = 2000;

/// One JSON value, one level deep.
enum Part<'a> {
    Object(Vec<(Cow<'a, str>, &'a RawValue)>),
    Array(Vec<&'a RawValue>),
    Text(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
    Null,
}

impl<'a> Part<'a> {
    /// What was stored has been checked: what it is shows in its first character.
    fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => Self::Object(serde_json::from_str(text).map(|Members(members)| members).unwrap_or_default()),
            Some(b'[') => Self::Array(serde_json::from_str(text).unwrap_or_default()),
            Some(b'"') => Self::Text(string(raw).unwrap_or_default()),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number(text),
        }
    }
}

/// The value of `json` in templates.
pub(super) fn value(json: &RawJson) -> Value {
    raw(json).map(value_of).unwrap_or_default()
}

fn raw(json: &RawJson) -> Option<&RawValue> {
    serde_json::from_slice(json.as_bytes()).ok()
}

fn value_of(raw: &RawValue) -> Value {
    match Part::of(raw) {
        Part::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name.into_owned(), value_of(value)));
            Value::from_object(members.collect::<BTreeMap<_, _>>())
        }
        Part::Array(items) => items.into_iter().map(value_of).collect(),
        Part::Text(text) => Value::from(text.into_owned()),
        Part::Number(text) => number(text),
        Part::Bool(value) => Value::from(value),
        Part::Null => Value::from(()),
    }
}

/// A number that can be reckoned with, where it prints as it was written; else the text.
fn number(text: &str) -> Value {
    let whole = text.parse().map(|number: i64| Value::from(number)).ok();
    let large = || text.parse().map(|number: u64| Value::from(number)).ok();
    let fraction = || text.parse().map(|number: f64| Value::from(number)).ok();
    let number = whole.or_else(large).or_else(fraction).filter(|number| number.to_string() == text);
    number.unwrap_or_else(|| Value::from(text))
}

/// Data laid flat: `order.items[0].price` and its value, in the order in which they stand.
#[derive(Default)]
pub(super) struct Fields {
    list: Vec<Value>,
    left_out: usize,
}

impl Fields {
    /// The fields of `json`.
    pub(super) fn of(json: &RawJson) -> Self {
        let mut fields = Self::default();
        if let Some(raw) = raw(json) {
            fields.add("", raw);
        }
        fields
    }

    /// The list, and how many did not fit in it.
    pub(super) fn into_values(self) -> (Value, Value) {
        (self.list.into_iter().collect(), Value::from(self.left_out))
    }

    fn add(&mut self, name: &str, raw: &RawValue) {
        match Part::of(raw) {
            Part::Object(members) if !members.is_empty() => {
                for (member, value) in members {
                    let dot = if name.is_empty() { "" } else { "." };
                    self.add(&format!("{name}{dot}{member}"), value);
                }
            }
            Part::Array(items) if !items.is_empty() => {
                for (index, item) in items.into_iter().enumerate() {
                    self.add(&format!("{name}[{index}]"), item);
                }
            }
            Part::Text(text) => self.push(name, &text),
            Part::Null => self.push(name, "–"),
            Part::Object(_) | Part::Array(_) | Part::Number(_) | Part::Bool(_) => self.push(name, raw.get()),
        }
    }

    fn push(&mut self, name: &str, value: &str) {
        if self.list.len() >= MAX_FIELDS {
            self.left_out += 1;
            return;
        }
        let [name, value] = [name, value].map(|text| Value::from(cut(text, MAX_TEXT).into_owned()));
        self.list.push(Value::from_object(BTreeMap::from([("name", name), ("value", value)])));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn json(text: &str) -> RawJson {
        RawJson::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[test]
    fn numbers_print_as_they_were_written() {
        for text in ["1", "-1", "0", "1.5", "1.50", "1.0", "1e3", "-0", "18446744073709551615", "123456789012345678901"]
        {
            assert_eq!(value(&json(text)).to_string(), text);
            let inside = json(&format!("{{\"a\": [ {text} ]}}"));
            assert_eq!(value(&inside).get_attr("a").unwrap().get_item_by_index(0).unwrap().to_string(), text);
        }
        assert!(
            value(&json("12")).is_integer() && value(&json("1.5")).is_number() && !value(&json("1.50")).is_number()
        );
    }

    #[test]
    fn data_is_laid_flat_in_its_order() {
        let data = json(r#"{"z":{"b":1.00,"a":[true,{"x":null}]},"empty":{},"t":"é\n","":[]}"#);
        let (list, left_out) = Fields::of(&data).into_values();
        let shown: Vec<_> = list
            .try_iter()
            .unwrap()
            .map(|field| format!("{}={}", field.get_attr("name").unwrap(), field.get_attr("value").unwrap()))
            .collect();
        assert_eq!(shown, ["z.b=1.00", "z.a[0]=true", "z.a[1].x=–", "empty={}", "t=é\n", "=[]"]);
        assert_eq!(left_out.to_string(), "0");
    }

    #[test]
    fn so_many_fields_and_no_more() {
        let many = json(&format!("[{}]", vec!["1"; 1000].join(",")));
        let (list, left_out) = Fields::of(&many).into_values();
        assert_eq!((list.len(), left_out.to_string().as_str()), (Some(200), "800"));
        let long = json(&format!("\"{}\"", "é".repeat(5000)));
        let (list, _) = Fields::of(&long).into_values();
        let value = list.get_item_by_index(0).unwrap().get_attr("value").unwrap().to_string();
        assert_eq!(value.chars().count(), 2001);
    }
}
