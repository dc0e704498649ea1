//! JSON that is kept byte for byte and only checked.
//!
//! What comes in is refused where it could mean two things to two readers: duplicate members at any depth, nesting
//! over [`MAX_DEPTH`], invalid UTF-8, and numbers that no double can hold (design.md, "Layers"). Nothing is ever
//! formatted again: the bytes that go out are those that came in.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How deep arrays and objects may be nested: `[[…]]` of this many brackets is allowed, one more is not.
pub const MAX_DEPTH: usize = 64;

/// One JSON value that has been checked, without blanks around it.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

/// Why a text is not taken as JSON: what and where, for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl RawJson {
    /// Checks `text`, which is one whole JSON document; keeps a reference into it, not a copy.
    pub fn parse(text: &Bytes) -> Result<Self, JsonError> {
        let raw: &RawValue = check(text)?;
        Ok(Self(text.slice_ref(raw.get().as_bytes())))
    }

    /// Takes a part of a document that [`check`] has let through; `whole` is the buffer that it lies in.
    #[must_use]
    pub fn part_of(whole: &Bytes, part: &RawValue) -> Self {
        Self(whole.slice_ref(part.get().as_bytes()))
    }

    /// The JSON string for `text`.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self(Bytes::from(serde_json::Value::from(text).to_string()))
    }

    /// Takes bytes that a store kept: they were checked when they came in.
    #[must_use]
    pub const fn stored(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes as they came in.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The members of an object in their order, values byte for byte; `None` if it is no object.
    #[must_use]
    pub fn members(&self) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
        if self.0.first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice::<Members<'_>>(&self.0).ok().map(|m| m.0)
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({})", String::from_utf8_lossy(&self.0))
    }
}

/// Checks that `text` is one JSON document without duplicate members or too deep nesting, and gives it without the
/// blanks around it.
pub fn check(text: &[u8]) -> Result<&RawValue, JsonError> {
    check_depth(text, MAX_DEPTH)
}

/// As [`check`], with another limit for the nesting (an envelope adds a level to the data inside).
pub fn check_depth(text: &[u8], max_depth: usize) -> Result<&RawValue, JsonError> {
    let text =
        std::str::from_utf8(text).map_err(|e| JsonError(format!("invalid UTF-8 at byte {}", e.valid_up_to() + 1)))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    Checked { left: max_depth }.deserialize(&mut parser).and_then(|()| parser.end()).map_err(explain)?;
    serde_json::from_str(text).map_err(explain)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn explain(error: serde_json::Error) -> JsonError {
    JsonError(error.to_string())
}

/// The text of a JSON string, borrowed where it has no escapes; `None` if `raw` is no string.
#[must_use]
pub fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(raw.get()).ok().map(|Key(text)| text)
}

/// The members of an object, in order, with their values unparsed.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(V)
    }
}

/// A member's name, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(v.to_owned())))
            }
        }
        deserializer.deserialize_str(V)
    }
}

/// Walks a document once and keeps nothing of it but the names of the open objects.
#[derive(Clone, Copy)]
struct Checked {
    left: usize,
}

impl Checked {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left }),
            None => Err(E::custom(format_args!("arrays and objects are nested deeper than {MAX_DEPTH}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while seq.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut seen = Names::default();
        while let Some(Key(key)) = map.next_key()? {
            if let Some(twice) = seen.insert(key) {
                return Err(A::Error::custom(format_args!("the member {twice:?} is there twice")));
            }
            map.next_value_seed(inside)?;
        }
        Ok(())
    }
}

/// The names of one object: a list while they are few, which nearly always holds.
#[derive(Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    const FEW: usize = 16;

    /// Gives `name` back if it was there before.
    fn insert(&mut self, name: Cow<'a, str>) -> Option<Cow<'a, str>> {
        if self.few.contains(&name) || self.many.contains(&name) {
            return Some(name);
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        check(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn bytes_come_out_as_they_went_in() {
        for text in
            ["{ \"a\" : 1.00e+2 , \"b\":[ 1 ,2]}", "0.10", "\"\\u00e9\\/\"", "123456789012345678901234567890", "null"]
        {
            let raw = RawJson::parse(&Bytes::from(format!(" \n{text}\t"))).unwrap();
            assert_eq!(raw.as_bytes(), text);
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        assert!(refused(r#"{"a":{"x":1,"y":2,"x":3}}"#).contains("\"x\" is there twice"));
        assert!(refused(r#"{"a":1,"\u0061":2}"#).contains("twice"));
        assert!(refused("1e999").contains("out of range"));
        assert!(refused("{} {}").contains("trailing"));
        assert!(refused(r#""\ud800""#).contains("hex escape"));
        assert!(check(b"\"\xff\"").unwrap_err().to_string().contains("UTF-8 at byte 2"));
    }

    #[test]
    fn only_a_string_has_a_text() {
        let text = |json: &str| string(check(json.as_bytes()).unwrap()).map(Cow::into_owned);
        assert_eq!(text("\"a b\"").as_deref(), Some("a b"));
        assert_eq!(text("\"\\u0061\\n\"").as_deref(), Some("a\n"));
        for other in ["1", "null", "{}", "[\"a\"]", "true"] {
            assert_eq!(text(other), None);
        }
    }

    #[test]
    fn many_members_are_compared_too() {
        let members = |last: usize| (0..40).chain([last]).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>().join(",");
        assert!(check(format!("{{{}}}", members(40)).as_bytes()).is_ok());
        assert!(refused(&format!("{{{}}}", members(30))).contains("\"m30\" is there twice"));
        assert!(refused(&format!("{{{}}}", members(3))).contains("\"m3\" is there twice"));
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(check(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(refused(&nested(MAX_DEPTH + 1)).contains("deeper than 64"));
        assert!(check("[".repeat(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = check(&bytes);
        }

        #[test]
        fn members_are_the_object_s(keys in proptest::collection::btree_set("[a-z\"\\\\é]{0,4}", 0..20)) {
            let text = serde_json::Value::Object(keys.iter().map(|k| (k.clone(), 1.into())).collect()).to_string();
            let raw = RawJson::parse(&Bytes::from(text)).unwrap();
            let found: std::collections::BTreeSet<_> = raw.members().unwrap().into_iter().map(|(k, _)| k.into_owned()).collect();
            prop_assert_eq!(found, keys);
        }
    }
}
