//! `filters`, and the attributes of a replay: read and shown.
//!
//! Whatever is not known here is refused, so that a slip of the pen does not silently widen what is meant.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::given::{Given, Member, join};
use crate::model::filter::{Clause, Filter, text};

/// What negates its members.
const NOT: &str = "__not__";

/// Reads `filters`; the attributes may be those that are `declared`, where that is known.
pub(super) fn read(given: &mut Given, path: &str, value: &RawValue, declared: Option<&[String]>) -> Option<Filter> {
    let mut filter = Filter::default();
    for (name, value) in given.members(path, value)? {
        let path = join(path, &name);
        match &*name {
            "target" => filter.mine = given.one_of(&path, value, &[("my", true)]).unwrap_or_default(),
            "attributes" => filter.any = read_attributes(given, &path, value, declared),
            _ => given.refuse(&path, "is not a member of filters: target and attributes are"),
        }
    }
    Some(filter)
}

/// Reads entries of which one has to hold.
pub(super) fn read_attributes(
    given: &mut Given,
    path: &str,
    value: &RawValue,
    declared: Option<&[String]>,
) -> Vec<Clause> {
    let items = given.items(path, value);
    items.into_iter().filter_map(|(path, item)| read_clause(given, &path, item, declared)).collect()
}

fn read_clause(given: &mut Given, path: &str, value: &RawValue, declared: Option<&[String]>) -> Option<Clause> {
    let (not, all): (Vec<_>, Vec<_>) = given.members(path, value)?.into_iter().partition(|(name, _)| name == NOT);
    let not = not.into_iter().next().map(|(_, value)| read_not(given, &join(path, NOT), value, declared));
    if all.is_empty() && not.is_none() {
        given.refuse(path, "must name at least one attribute");
    }
    Some(Clause { all: read_members(given, path, all, declared), not })
}

fn read_not(given: &mut Given, path: &str, value: &RawValue, declared: Option<&[String]>) -> BTreeMap<String, String> {
    let members = given.members(path, value);
    if members.as_ref().is_some_and(Vec::is_empty) {
        given.refuse(path, "must name at least one attribute");
    }
    read_members(given, path, members.unwrap_or_default(), declared)
}

fn read_members(
    given: &mut Given,
    path: &str,
    members: Vec<Member<'_>>,
    declared: Option<&[String]>,
) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    for (name, value) in members {
        let path = join(path, &name);
        if let Some(declared) = declared.filter(|declared| !declared.iter().any(|declared| *declared == name)) {
            given.refuse(&path, known(declared));
        }
        match text(value) {
            Some(text) => drop(read.insert(name.into_owned(), text.into_owned())),
            None => given.refuse(&path, "must be a string, a number or a boolean"),
        }
    }
    read
}

/// What may be named.
fn known(declared: &[String]) -> String {
    if declared.is_empty() {
        "is not an attribute of the event type, which declares none".to_owned()
    } else {
        format!("is not an attribute of the event type; those are {}", declared.join(", "))
    }
}

/// The JSON of a filter.
pub(super) fn shown(filter: &Filter) -> Value {
    let Filter { mine, any } = filter;
    let mut shown = Map::new();
    if *mine {
        shown.insert("target".to_owned(), "my".into());
    }
    if !any.is_empty() {
        shown.insert("attributes".to_owned(), shown_attributes(any));
    }
    shown.into()
}

/// The JSON of entries of which one has to hold.
pub(super) fn shown_attributes(any: &[Clause]) -> Value {
    any.iter().map(shown_clause).collect()
}

fn shown_clause(clause: &Clause) -> Value {
    let Clause { all, not } = clause;
    let object = |members: &BTreeMap<String, String>| {
        members.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect::<Map<_, _>>()
    };
    let mut shown = object(all);
    if let Some(not) = not {
        shown.insert(NOT.to_owned(), object(not).into());
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::management::error::Error;
    use crate::api::unknown_members::UnknownMembers;
    use crate::model::json::check;

    fn parse(value: &Value) -> Result<Filter, Vec<String>> {
        let declared = ["status", "opticalStatus"].map(str::to_owned);
        let (text, mut given) = (value.to_string(), Given::default());
        let filter = read(&mut given, "filters", check(text.as_bytes()).unwrap(), Some(&declared));
        match given.finish(UnknownMembers::Ignore) {
            Ok(_) => Ok(filter.unwrap()),
            Err(Error::Invalid(problems)) => Err(problems),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_published_example_is_read_and_shown() {
        let example =
            json!({"target": "my", "attributes": [{"status": "Success", "__not__": {"opticalStatus": "Good"}}]});
        let filter = parse(&example).unwrap();
        let pair = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let clause = Clause { all: pair("status", "Success"), not: Some(pair("opticalStatus", "Good")) };
        assert_eq!(filter, Filter { mine: true, any: vec![clause] });
        assert_eq!(shown(&filter), example);
        assert_eq!(parse(&json!({})).unwrap(), Filter::default());
        let numbers = parse(&json!({"attributes": [{"status": true, "opticalStatus": 1.5}]})).unwrap();
        assert_eq!(shown(&numbers), json!({"attributes": [{"status": "true", "opticalStatus": "1.5"}]}));
    }

    #[test]
    fn a_slip_of_the_pen_is_refused_wherever_it_is() {
        for (value, problem) in [
            (json!([]), "filters: must be an object"),
            (json!({"target": "all"}), "filters.target: must be my"),
            (json!({"target": null}), "filters.target: must be a string"),
            (json!({"targets": "my"}), "filters.targets: is not a member"),
            (json!({"attributes": {"status": "a"}}), "filters.attributes: must be an array"),
            (json!({"attributes": [{}]}), "filters.attributes[0]: must name at least one attribute"),
            (json!({"attributes": ["status"]}), "filters.attributes[0]: must be an object"),
            (json!({"attributes": [{"state": "a"}]}), "filters.attributes[0].state: is not an attribute"),
            (json!({"attributes": [{"status": null}]}), "filters.attributes[0].status: must be a string, a number"),
            (json!({"attributes": [{"status": ["a"]}]}), "filters.attributes[0].status: must be a string, a number"),
            (json!({"attributes": [{"__not__": {}}]}), "filters.attributes[0].__not__: must name at least one"),
            (json!({"attributes": [{"__not__": []}]}), "filters.attributes[0].__not__: must be an object"),
            (json!({"attributes": [{"__not__": {"__not__": {}}}]}), "__not__.__not__: is not an attribute"),
            (json!({"attributes": [{"__not__": {"state": "a"}}]}), "attributes[0].__not__.state: is not an attribute"),
        ] {
            let problems = parse(&value).unwrap_err();
            assert!(problems.iter().any(|told| told.contains(problem)), "{value}: {problems:?}");
        }
        let many: Vec<_> = (0..=super::super::given::MAX_ITEMS).map(|_| json!({"status": "a"})).collect();
        assert!(parse(&json!({"attributes": many[1..]})).is_ok());
        assert!(parse(&json!({"attributes": many})).unwrap_err()[0].contains("at most 100"));
    }
}
