//! The parameters of a command: in all the forms in which they come, brought to one object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::base::secret::sha256;
use crate::model::json::{Members, RawJson, check, string};

/// The member of a plain text.
const TEXT: &str = "text";

/// Parameters as one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    /// The object; values are those that came, byte for byte.
    pub(super) object: RawJson,
    /// What came: the text of a string, else the JSON.
    pub(super) raw: String,
    members: Vec<(String, String)>,
}

/// Names with values, as JSON.
type Pairs = Vec<(String, String)>;

impl Parameters {
    /// The parameters in `value`, which has been checked; or what is wrong with them.
    pub(super) fn read(value: &RawValue) -> Result<Self, &'static str> {
        let (members, raw) = match string(value) {
            Some(text) => (of_text(&text)?, text.into_owned()),
            None => (of_json(value)?.ok_or(FORMS)?, value.get().to_owned()),
        };
        let object: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        let object = RawJson::stored(Bytes::from(format!("{{{}}}", object.join(","))));
        Ok(Self { object, raw, members })
    }

    /// The parameter `name` as text: that of a string, the digits of a number.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.members.iter().find(|(known, _)| known == name)?;
        match value.as_bytes().first()? {
            b'"' => serde_json::from_str(value).ok(),
            b'-' | b'0'..=b'9' => Some(value.clone()),
            _ => None,
        }
    }

    /// What is the same for parameters that say the same, in whichever order and form.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let sorted: BTreeMap<_, _> = self.members.iter().map(|(name, value)| (name, canonical(value))).collect();
        let text: Vec<_> = sorted.into_iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        sha256(text.join(",").as_bytes())
    }
}

/// What parameters may be.
const FORMS: &str = "must be a text, an object, or an array of objects with name (or key) and value";
/// One name with two values means two things.
const TWICE: &str = "must not have two values for one name";

/// JSON in a string, where it is one of the forms; else plain text.
fn of_text(text: &str) -> Result<Pairs, &'static str> {
    let inner = check(text.as_bytes()).ok().map(of_json).transpose()?.flatten();
    Ok(inner.unwrap_or_else(|| vec![(TEXT.to_owned(), quoted(text))]))
}

/// An object, or an array of pairs; `None` if it is neither.
fn of_json(value: &RawValue) -> Result<Option<Pairs>, &'static str> {
    match value.get().as_bytes().first() {
        Some(b'{') => Ok(members(value).map(|members| members.into_iter().map(owned).collect())),
        Some(b'[') => of_array(value),
        _ => Ok(None),
    }
}

fn of_array(value: &RawValue) -> Result<Option<Pairs>, &'static str> {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else { return Ok(None) };
    let Some(pairs) = items.into_iter().map(pair).collect::<Option<Pairs>>() else { return Ok(None) };
    let names: std::collections::BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
    if names.len() == pairs.len() { Ok(Some(pairs)) } else { Err(TWICE) }
}

/// `{name, value}` or `{key, value}`; other members mean nothing.
fn pair(item: &RawValue) -> Option<(String, String)> {
    let members = members(item)?;
    let find = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let name = find("name").or_else(|| find("key")).and_then(string)?;
    Some((name.into_owned(), find("value")?.get().to_owned()))
}

fn members(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Members<'_>>(value.get()).ok().map(|Members(members)| members)
}

fn owned((name, value): (Cow<'_, str>, &RawValue)) -> (String, String) {
    (name.into_owned(), value.get().to_owned())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The same JSON with the members of its objects in order, without blanks, and with its texts written in one way; numbers
/// stay as they were written. Its depth is bounded, for it has been checked.
fn canonical(value: &str) -> String {
    match value.as_bytes().first() {
        Some(b'{') => {
            let members =
                serde_json::from_str::<Members<'_>>(value).map(|Members(members)| members).unwrap_or_default();
            let sorted: BTreeMap<_, _> =
                members.iter().map(|(name, value)| (quoted(name), canonical(value.get()))).collect();
            let members: Vec<_> = sorted.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(value).unwrap_or_default();
            format!("[{}]", items.iter().map(|item| canonical(item.get())).collect::<Vec<_>>().join(","))
        }
        Some(b'"') => serde_json::from_str::<String>(value).map_or_else(|_| value.to_owned(), |text| quoted(&text)),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(json: &str) -> Result<Parameters, &'static str> {
        Parameters::read(check(json.as_bytes()).unwrap())
    }

    fn object(json: &str) -> String {
        String::from_utf8(read(json).unwrap().object.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn every_form_comes_to_one_object() {
        let expected = r#"{"customerId":"42","n":1.00}"#;
        for form in [
            r#"{"customerId": "42", "n" : 1.00}"#,
            r#""{\"customerId\": \"42\", \"n\": 1.00}""#,
            r#"[{"name": "customerId", "value": "42"}, {"name": "n", "value": 1.00}]"#,
            r#"[{"key": "customerId", "value": "42"}, {"value": 1.00, "key": "n", "more": 1}]"#,
            r#""[{\"name\":\"customerId\",\"value\":\"42\"},{\"name\":\"n\",\"value\":1.00}]""#,
        ] {
            assert_eq!(object(form), expected, "{form}");
        }
        assert_eq!(object(r#""string""#), r#"{"text":"string"}"#);
        for text in [r#""42""#, r#""[urgent] call""#, r#""[1]""#, r#""""#, r#""{\"a\":1,\"a\":2}""#] {
            assert_eq!(object(text), format!(r#"{{"text":{text}}}"#));
        }
        assert_eq!(object("[]"), "{}");
    }

    #[test]
    fn other_json_is_refused() {
        for bad in ["1", "null", "true", "[1]", r#"["a"]"#, r#"[{"name": "a"}]"#, r#"[{"name": 1, "value": 1}]"#] {
            assert_eq!(read(bad).unwrap_err(), FORMS, "{bad}");
        }
        assert_eq!(read(r#"[{"name": "a", "value": 1}, {"key": "a", "value": 2}]"#).unwrap_err(), TWICE);
    }

    #[test]
    fn the_raw_text_is_kept_and_values_have_texts() {
        let text = r#"{ "customerId": 42, "email": "j\u0061ne@example.com", "flag": true, "none": null }"#;
        let parameters = read(&quoted(text)).unwrap();
        assert_eq!(parameters.raw, text);
        assert_eq!(read(text).unwrap().raw, text);
        assert_eq!(parameters.text("customerId").as_deref(), Some("42"));
        assert_eq!(parameters.text("email").as_deref(), Some("jane@example.com"));
        assert!(["flag", "none", "missing"].iter().all(|name| parameters.text(name).is_none()));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zé\"]{1,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The JSON of `value` with members in the opposite order and blanks.
    fn reversed(value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .rev()
                    .map(|(name, value)| format!(" {} : {} ", quoted(name), reversed(value)))
                    .collect();
                format!("{{{}}}", members.join(" , "))
            }
            Value::Array(items) => format!("[ {} ]", items.iter().map(reversed).collect::<Vec<_>>().join(" , ")),
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn neither_order_nor_form_makes_another_command(
            members in prop::collection::btree_map("[a-z\"é]{1,4}", value(), 0..6), name in "[A-Z]{1,3}",
        ) {
            let whole = Value::Object(members.clone().into_iter().collect());
            let print = |json: &str| read(json).unwrap().fingerprint();
            let own = print(&whole.to_string());
            prop_assert_eq!(print(&reversed(&whole)), own);
            prop_assert_eq!(print(&quoted(&reversed(&whole))), own);
            let pairs: Vec<_> = members.iter().rev().map(|(name, value)| json!({"name": name, "value": value})).collect();
            prop_assert_eq!(print(&Value::from(pairs).to_string()), own);
            let mut more = members;
            more.insert(name, Value::from(1));
            prop_assert_ne!(print(&Value::Object(more.into_iter().collect()).to_string()), own);
        }

        #[test]
        fn an_object_is_whole_json(text in ".{0,40}") {
            let parameters = read(&quoted(&text)).unwrap();
            prop_assert!(check(parameters.object.as_bytes()).is_ok());
            prop_assert_eq!(parameters.raw, text);
        }
    }
}
