//! The body of a command.

use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::Error;
use super::parameters::Parameters;
use crate::api::unknown_members::UnknownMembers;
use crate::model::json::{Members, check, string};

/// The types of the published contract; the catalogue may declare others.
pub(super) const TYPES: [&str; 4] =
    ["partnerSubscriptionAdded", "partnerSubscriptionUpdated", "partnerSubscriptionCancelled", "accountValidate"];

/// What is to be told.
#[derive(ToSchema)]
#[schema(as = Command)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
pub(super) struct Body {
    /// What kind of notification it is: `partnerSubscriptionAdded`, `partnerSubscriptionUpdated`,
    /// `partnerSubscriptionCancelled`, `accountValidate`, or another that the catalogue declares.
    #[schema(pattern = r"^[\S]*$", min_length = 5, max_length = 50)]
    r#type: String,
    #[schema(schema_with = super::openapi::parameters)]
    parameters: serde_json::Value,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) kind: String,
    pub(super) parameters: Parameters,
    /// The names of members that mean nothing and were ignored.
    pub(super) unknown: Vec<String>,
}

/// Reads the body, or says all that is wrong with it; `knows` says which types there are.
pub(super) fn parse(body: &[u8], members: UnknownMembers, knows: impl Fn(&str) -> bool) -> Result<Command, Error> {
    let raw = check(body).map_err(|error| Error::Invalid(vec![format!("the body is not acceptable JSON: {error}")]))?;
    let Ok(Members(given)) = serde_json::from_str(raw.get()) else {
        return Err(Error::Invalid(vec!["the body must be a JSON object".to_owned()]));
    };
    let (mut kind, mut parameters, mut unknown) = (None, None, Vec::new());
    for (name, value) in given {
        match &*name {
            "type" => kind = Some(read_type(value, &knows)),
            "parameters" => parameters = Some(Parameters::read(value).map_err(str::to_owned)),
            _ => unknown.push(name.into_owned()),
        }
    }
    let mut problems = Vec::new();
    let kind = found("type", kind, &mut problems);
    let parameters = found("parameters", parameters, &mut problems);
    if members == UnknownMembers::Refuse {
        problems.extend(unknown.iter().map(|name| format!("{name}: is not a member of this request")));
    }
    match (kind, parameters) {
        (Some(kind), Some(parameters)) if problems.is_empty() => Ok(Command { kind, parameters, unknown }),
        _ => Err(Error::Invalid(problems)),
    }
}

fn found<T>(name: &str, read: Option<Result<T, String>>, problems: &mut Vec<String>) -> Option<T> {
    match read {
        Some(Ok(value)) => return Some(value),
        Some(Err(detail)) => problems.push(format!("{name}: {detail}")),
        None => problems.push(format!("{name}: is missing")),
    }
    None
}

fn read_type(value: &RawValue, knows: impl Fn(&str) -> bool) -> Result<String, String> {
    let text = string(value).ok_or("must be a string")?;
    // ECMAScript's \s has the byte order mark besides.
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    if !(5..=50).contains(&text.chars().count()) || text.chars().any(is_blank) {
        return Err("must be 5 to 50 characters without blanks".to_owned());
    }
    if !knows(&text) {
        return Err(format!("[{text}] is no type of notification that there is here"));
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(body: &str) -> Vec<String> {
        match parse(body.as_bytes(), UnknownMembers::Refuse, |name| TYPES.contains(&name) || !name.starts_with("no")) {
            Err(Error::Invalid(problems)) => problems,
            Ok(_) => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        assert_eq!(problems("{}"), ["type: is missing", "parameters: is missing"]);
        assert_eq!(problems(r#"{"type": 1, "parameters": null, "more": 1}"#).len(), 3);
        assert_eq!(problems("[]"), ["the body must be a JSON object"]);
        assert!(problems("{")[0].starts_with("the body is not acceptable JSON"));
        assert!(problems(r#"{"type": "nothing", "parameters": ""}"#)[0].contains("[nothing]"));
    }

    #[test]
    fn a_type_has_both_sides_of_its_limits() {
        let of = |name: &str| problems(&format!(r#"{{"type": "{name}", "parameters": ""}}"#));
        for good in TYPES.iter().copied().chain(["five5", &"x".repeat(50), &"é".repeat(50)]) {
            assert!(of(good).is_empty(), "{good}");
        }
        for bad in ["", "four", &"x".repeat(51), "two words", "tab\\there", "nbsp\u{a0}sp", "bom\u{feff}bom"] {
            assert!(of(bad)[0].contains("5 to 50 characters"), "{bad}");
        }
    }
}
