//! Which events of its types a subscription wants (contracts/management.md, "Create").
//!
//! Attributes are members of what the event says, and compared as text: the filter's `true` is the event's `true` and
//! its `"true"`. What is no text, number or boolean in the event has none, and equals nothing. Numbers are compared as
//! they are written, as the ledger keeps them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;

use super::json::{RawJson, string};
use super::message::message;
use super::owners::Owners;

/// What an event has to be like. All of it has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whether it has to be addressed: its audience names a holder of the subscription (`target` = `my`).
    pub mine: bool,
    /// One of these has to hold; with none of them every event does.
    pub any: Vec<Clause>,
}

/// A condition on the attributes of an event. All members have to be what is said, and not all of `not`, where there are
/// any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clause {
    /// Attribute and value, compared as text.
    pub all: BTreeMap<String, String>,
    /// Their conjunction must not hold; `None` where nothing is said.
    pub not: Option<BTreeMap<String, String>>,
}

/// The attributes of one event, as text.
#[derive(Debug, Default)]
pub struct Attributes<'a>(HashMap<Cow<'a, str>, Cow<'a, str>>);

impl Filter {
    /// Whether it asks for nothing, so that every event is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event for `audience` is wanted by a subscription of these `holders`.
    #[must_use]
    pub fn wants_audience(&self, audience: Option<&Owners>, holders: &[String]) -> bool {
        !self.mine || audience.is_some_and(|audience| holders.iter().any(|holder| audience.contains(holder)))
    }

    /// Whether an event with these attributes is wanted.
    #[must_use]
    pub fn wants(&self, attributes: &Attributes<'_>) -> bool {
        self.any.is_empty() || self.any.iter().any(|clause| clause.holds(attributes))
    }
}

impl Clause {
    /// Whether it holds for an event with these attributes.
    #[must_use]
    pub fn holds(&self, attributes: &Attributes<'_>) -> bool {
        let all = |members: &BTreeMap<String, String>| {
            members.iter().all(|(name, value)| attributes.get(name) == Some(value.as_str()))
        };
        all(&self.all) && self.not.as_ref().is_none_or(|not| not.is_empty() || !all(not))
    }
}

impl<'a> Attributes<'a> {
    /// Those of an event with this data.
    #[must_use]
    pub fn of(data: Option<&'a RawJson>) -> Self {
        let members = data.and_then(message).unwrap_or_default().into_iter();
        Self(members.filter_map(|(name, value)| Some((name, text(value)?))).collect())
    }

    /// The text of the attribute `name`; `None` if it is not there or has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| &**text)
    }
}

/// The text that a value is compared by; `None` for null, an array or an object.
#[must_use]
pub fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => string(value),
        b'{' | b'[' | b'n' => None,
        // Numbers and booleans stand as they are.
        _ => Some(Cow::Borrowed(value.get())),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn raw(value: &Value) -> RawJson {
        RawJson::parse(&Bytes::from(value.to_string())).unwrap()
    }

    fn members(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn clause(all: &[(&str, &str)], not: Option<&[(&str, &str)]>) -> Clause {
        Clause { all: members(all), not: not.map(members) }
    }

    fn wants(any: &[Clause], data: &Value) -> bool {
        let data = raw(data);
        Filter { mine: false, any: any.to_vec() }.wants(&Attributes::of(Some(&data)))
    }

    /// contracts/management.md, "Create": the filter of its example.
    #[test]
    fn the_published_example_wants_what_succeeded_and_is_not_good() {
        let filter = [clause(&[("status", "Success")], Some(&[("opticalStatus", "Good")]))];
        for (message, wanted) in [
            (json!({"status": "Success", "opticalStatus": "Poor"}), true),
            (json!({"status": "Success"}), true),
            (json!({"status": "Success", "opticalStatus": "Good"}), false),
            (json!({"status": "Fail", "opticalStatus": "Poor"}), false),
            (json!({"opticalStatus": "Poor"}), false),
            (json!({"status": "success", "opticalStatus": "Poor"}), false),
        ] {
            assert_eq!(wants(&filter, &json!({"message": message})), wanted, "{message}");
            assert_eq!(wants(&filter, &message), wanted, "in data itself: {message}");
        }
    }

    #[test]
    fn entries_are_alternatives_and_members_belong_together() {
        let filter = [clause(&[("a", "1"), ("b", "2")], None), clause(&[("c", "3")], None)];
        assert!(wants(&filter, &json!({"a": "1", "b": "2"})) && wants(&filter, &json!({"c": "3"})));
        assert!(!wants(&filter, &json!({"a": "1", "c": "4"})) && !wants(&filter, &json!({})));
        let not = [clause(&[], Some(&[("a", "1"), ("b", "2")]))];
        assert!(wants(&not, &json!({"a": "1"})) && wants(&not, &json!({})), "the conjunction is what is negated");
        assert!(!wants(&not, &json!({"a": "1", "b": "2"})));
    }

    #[test]
    fn values_are_compared_as_text() {
        for (text, value) in
            [("true", json!(true)), ("true", json!("true")), ("1.5", json!(1.5)), ("é\n", json!("é\n"))]
        {
            assert!(wants(&[clause(&[("a", text)], None)], &json!({"a": value})), "{text}");
        }
        for (text, value) in
            [("null", json!(null)), ("[1]", json!([1])), ("{}", json!({})), ("1", json!("1 ")), ("", json!(null))]
        {
            assert!(!wants(&[clause(&[("a", text)], None)], &json!({"a": value})), "{text}");
        }
        let data = RawJson::parse(&Bytes::from_static(b"{\"a\": 1.00}")).unwrap();
        assert_eq!(Attributes::of(Some(&data)).get("a"), Some("1.00"), "as it is written");
    }

    #[test]
    fn an_event_without_an_object_has_no_attributes() {
        let filter = Filter { mine: false, any: vec![clause(&[("a", "1")], None)] };
        assert!(!filter.wants(&Attributes::of(None)));
        assert!(!wants(&filter.any, &json!([{"a": "1"}])) && !wants(&filter.any, &json!("a")));
        assert!(wants(&[clause(&[], Some(&[("a", "1")]))], &json!([1])), "what is not there is not that");
        assert!(Filter::default().wants(&Attributes::of(None)) && Filter::default().is_empty());
    }

    #[test]
    fn mine_is_what_is_addressed_to_a_holder() {
        let holders = ["1001".to_owned(), "1002".to_owned()];
        let audience = |names: &str| Owners::parse_audience(names);
        let filter = |mine| Filter { mine, any: Vec::new() };
        assert!(filter(true).wants_audience(audience("1002,9").as_ref(), &holders));
        assert!(!filter(true).wants_audience(audience("100").as_ref(), &holders));
        assert!(!filter(true).wants_audience(None, &holders), "what is for everyone is not addressed to anybody");
        assert!(filter(false).wants_audience(None, &holders));
    }

    /// What the contract says, written down once more in the plainest way.
    fn plainly(any: &[Clause], attributes: &BTreeMap<String, String>) -> bool {
        let has = |(name, value): (&String, &String)| attributes.get(name) == Some(value);
        any.is_empty()
            || any.iter().any(|clause| {
                let mut holds = true;
                for member in &clause.all {
                    holds &= has(member);
                }
                if let Some(not) = clause.not.as_ref().filter(|not| !not.is_empty()) {
                    let mut conjunction = true;
                    for member in not {
                        conjunction &= has(member);
                    }
                    holds &= !conjunction;
                }
                holds
            })
    }

    fn few() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[abc]", "[12]", 0..3)
    }

    fn clauses() -> impl Strategy<Value = Vec<Clause>> {
        let clause = (few(), proptest::option::of(few())).prop_map(|(all, not)| Clause { all, not });
        proptest::collection::vec(clause, 0..4)
    }

    proptest! {
        #[test]
        fn a_filter_means_what_the_contract_says(any in clauses(), attributes in few(), wrapped: bool) {
            let message = json!(attributes);
            let data = raw(&if wrapped { json!({"message": message, "a": "1"}) } else { message });
            let filter = Filter { mine: false, any: any.clone() };
            prop_assert_eq!(filter.wants(&Attributes::of(Some(&data))), plainly(&any, &attributes));
        }

        #[test]
        fn a_further_entry_never_narrows_and_a_further_member_never_widens(
            any in clauses(), more in few(), attributes in few()
        ) {
            let data = raw(&json!(attributes));
            let attributes = Attributes::of(Some(&data));
            let wants = |any: &[Clause]| Filter { mine: false, any: any.to_vec() }.wants(&attributes);
            if !any.is_empty() {
                let wider: Vec<_> = any.iter().cloned().chain([Clause { all: more.clone(), not: None }]).collect();
                prop_assert!(!wants(&any) || wants(&wider));
            }
            let narrower: Vec<_> = any.iter().cloned().map(|mut clause| {
                for (name, value) in &more {
                    clause.all.entry(name.clone()).or_insert_with(|| value.clone());
                }
                clause
            }).collect();
            prop_assert!(wants(&any) || !wants(&narrower));
        }
    }
}
