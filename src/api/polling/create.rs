//! The body of a new subscription.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use super::UnknownMembers;
use super::error::Error;
use crate::model::id::{ClientId, EventTypeId, MAX_NAME, is_name};
use crate::model::json::{Members, check, string};

/// A subscription that is to be made.
#[derive(ToSchema)]
#[schema(as = Subscribe)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
pub(super) struct Body {
    /// The event types that are wanted, each once.
    #[schema(schema_with = event_type_ids)]
    event_type_ids: Vec<String>,
    /// The client that the subscription is for.
    #[schema(pattern = r"^[\p{L}0-9\._\-]+$", min_length = 1, max_length = 255)]
    client_id: String,
}

fn event_type_ids() -> Array {
    let id = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_NAME));
    let ids = ArrayBuilder::new().items(id.build()).min_items(Some(1)).unique_items(true);
    ids.description(Some("The event types that are wanted, each once.")).build()
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Create {
    /// The types; not empty, each once.
    pub event_types: Vec<EventTypeId>,
    /// The client that it is for.
    pub client_id: ClientId,
    /// The names of members that mean nothing and were ignored.
    pub unknown: Vec<String>,
}

/// Reads the body, or says all that is wrong with it.
pub(super) fn parse(body: &[u8], unknown_members: UnknownMembers) -> Result<Create, Error> {
    let raw = check(body).map_err(|e| Error::Invalid(vec![format!("the body is not acceptable JSON: {e}")]))?;
    let Ok(Members(members)) = serde_json::from_str(raw.get()) else {
        return Err(Error::Invalid(vec!["the body must be a JSON object".to_owned()]));
    };
    let mut problems = Vec::new();
    let (mut event_types, mut client_id, mut unknown) = (None, None, Vec::new());
    for (name, value) in members {
        match &*name {
            "event_type_ids" => event_types = Some(read_event_types(value, &mut problems)),
            "client_id" => client_id = Some(read_client_id(value, &mut problems)),
            _ => unknown.push(name.into_owned()),
        }
    }
    let event_types = event_types.unwrap_or_else(|| missing("event_type_ids", &mut problems));
    let client_id = client_id.unwrap_or_else(|| missing("client_id", &mut problems));
    if unknown_members == UnknownMembers::Refuse {
        problems.extend(unknown.iter().map(|name| format!("{name}: is not a member of this request")));
    }
    match (event_types, client_id) {
        (Some(event_types), Some(client_id)) if problems.is_empty() => Ok(Create { event_types, client_id, unknown }),
        _ => Err(Error::Invalid(problems)),
    }
}

fn missing<T>(name: &str, problems: &mut Vec<String>) -> Option<T> {
    problems.push(format!("{name}: is missing"));
    None
}

fn read_client_id(value: &RawValue, problems: &mut Vec<String>) -> Option<ClientId> {
    let text = string(value);
    match &text {
        None => problems.push("client_id: must be a string".to_owned()),
        Some(id) if is_name(id) => return Some(ClientId::new(id)),
        Some(_) => problems.push(format!(
            "client_id: must be 1 to {MAX_NAME} letters, digits, dots, underscores and hyphens (^[\\p{{L}}0-9\\._\\-]+$)"
        )),
    }
    None
}

fn read_event_types(value: &RawValue, problems: &mut Vec<String>) -> Option<Vec<EventTypeId>> {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
        problems.push("event_type_ids: must be an array of strings".to_owned());
        return None;
    };
    if items.is_empty() {
        problems.push("event_type_ids: must not be empty".to_owned());
    }
    let mut seen = HashSet::with_capacity(items.len());
    let mut event_types = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match read_event_type(item, &mut seen) {
            Ok(id) => event_types.push(id),
            Err(problem) => problems.push(format!("event_type_ids[{index}]: {problem}")),
        }
    }
    Some(event_types)
}

fn read_event_type<'a>(item: &'a RawValue, seen: &mut HashSet<Cow<'a, str>>) -> Result<EventTypeId, String> {
    let id = string(item).ok_or("must be a string")?;
    if id.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if id.chars().count() > MAX_NAME {
        return Err(format!("must be at most {MAX_NAME} characters"));
    }
    let event_type = EventTypeId::new(&id);
    if seen.insert(id) { Ok(event_type) } else { Err(format!("[{event_type}] is there twice")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(body: &str) -> Vec<String> {
        match parse(body.as_bytes(), UnknownMembers::Refuse) {
            Err(Error::Invalid(problems)) => problems,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_published_body_is_read() {
        let body = br#"{"event_type_ids": ["301", "40\u0034"], "client_id": "crm", "note": {"a": 1}}"#;
        let create = parse(body, UnknownMembers::Ignore).unwrap();
        assert_eq!(create.event_types, ["301".into(), "404".into()]);
        assert_eq!(create.client_id, "crm".into());
        assert_eq!(create.unknown, ["note"]);
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        assert_eq!(problems("{}"), ["event_type_ids: is missing", "client_id: is missing"]);
        assert_eq!(
            problems(r#"{"event_type_ids": ["301", "", 7, "301"], "client_id": 5, "more": 1}"#),
            [
                "event_type_ids[1]: must not be empty",
                "event_type_ids[2]: must be a string",
                "event_type_ids[3]: [301] is there twice",
                "client_id: must be a string",
                "more: is not a member of this request"
            ]
        );
        assert_eq!(problems(r#"{"event_type_ids": [], "client_id": "x"}"#), ["event_type_ids: must not be empty"]);
        assert_eq!(
            problems(r#"{"event_type_ids": "301", "client_id": "x"}"#),
            ["event_type_ids: must be an array of strings"]
        );
        assert_eq!(problems(r#"{"event_type_ids": null, "client_id": "x"}"#).len(), 1);
    }

    #[test]
    fn names_have_both_sides_of_their_limits() {
        let body = |client: &str, event_type: &str| {
            format!(r#"{{"event_type_ids": ["{event_type}"], "client_id": "{client}"}}"#)
        };
        let ok = |text: String| parse(text.as_bytes(), UnknownMembers::Refuse).is_ok();
        assert!(ok(body(&"é".repeat(255), &"é".repeat(255))));
        assert!(!ok(body(&"é".repeat(256), "x")));
        assert!(!ok(body("x", &"é".repeat(256))));
        assert!(!ok(body("a b", "x")));
        assert!(!ok(body("", "x")));
    }

    #[test]
    fn a_body_that_is_no_object_or_no_json_says_so() {
        assert_eq!(problems("[]"), ["the body must be a JSON object"]);
        assert!(problems("")[0].starts_with("the body is not acceptable JSON"));
        assert!(problems(r#"{"client_id":"a","client_id":"b"}"#)[0].contains("\"client_id\" is there twice"));
        assert!(problems(&"[".repeat(70))[0].contains("nested deeper than 64"));
    }
}
