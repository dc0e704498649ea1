//! The body of a change: lists that are to stand in the place of those that there are.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::{Error, Problem, Problems};
use crate::engine::{RecipientLists, RecipientTable};
use crate::model::address::Address;
use crate::model::json::{Members, check, string};
use crate::model::recipients::{AllowedRecipients, RecipientRefusal};

/// How many addresses a notification has at most.
pub(super) const MAX_ADDRESSES: usize = 50;
/// How many characters an address has at most.
pub(super) const MAX_CHARACTERS: usize = 254;

/// Notifications with the addresses that they are to be mailed to: a list takes the place of the one that there is, an empty
/// one clears it, and what is not named stays as it is.
#[derive(ToSchema)]
#[schema(as = Lists)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
pub(super) struct Body(#[schema(inline)] BTreeMap<String, Vec<String>>);

/// Reads the body of a change of `table`, or says all that is wrong with it.
pub(super) fn parse(body: &[u8], table: &RecipientTable, allowed: &AllowedRecipients) -> Result<RecipientLists, Error> {
    let raw = check(body).map_err(|error| Error::unreadable(format!("JSON parse error - {error}")))?;
    let Ok(Members(members)) = serde_json::from_str(raw.get()) else {
        return Err(Error::unreadable("Invalid data. Expected a dictionary of notifications.".to_owned()));
    };
    let (mut lists, mut problems) = (RecipientLists::new(), Problems::new());
    for (name, value) in members {
        let list = match table.0.get_key_value(&*name) {
            Some((event_type, _)) => read_list(value, allowed).map(|list| (event_type.clone(), list)),
            None => Err(Problem::of("Unknown notification.")),
        };
        match list {
            Ok((event_type, list)) => drop(lists.insert(event_type, list)),
            Err(problem) => drop(problems.insert(name.into_owned(), problem)),
        }
    }
    if problems.is_empty() { Ok(lists) } else { Err(Error::Invalid(problems)) }
}

fn read_list(value: &RawValue, allowed: &AllowedRecipients) -> Result<Vec<Address>, Problem> {
    if value.get() == "null" {
        return Err(Problem::of("This field may not be null."));
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(value.get()).map_err(|_| Problem::of("Expected a list of e-mail addresses."))?;
    let (mut list, mut problems, mut seen) = (Vec::new(), BTreeMap::new(), HashSet::new());
    for (index, item) in items.into_iter().enumerate() {
        match read_address(item, allowed) {
            Ok(address) if seen.insert(address.clone()) => list.push(address),
            Ok(_) => {}
            Err(text) => drop(problems.insert(index.to_string(), vec![text])),
        }
    }
    if !problems.is_empty() {
        Err(Problem::Items(problems))
    } else if list.len() > MAX_ADDRESSES {
        Err(Problem::of(format!("Ensure this field has no more than {MAX_ADDRESSES} elements.")))
    } else {
        Ok(list)
    }
}

fn read_address(item: &RawValue, allowed: &AllowedRecipients) -> Result<Address, String> {
    let text = string(item).ok_or("Not a valid string.")?;
    let text: Cow<'_, str> = match text.trim() {
        "" => return Err("This field may not be blank.".to_owned()),
        trimmed => trimmed.into(),
    };
    if text.chars().count() > MAX_CHARACTERS {
        return Err(format!("Ensure this field has no more than {MAX_CHARACTERS} characters."));
    }
    let address = Address::parse(&text).ok_or("Enter a valid email address.")?;
    allowed.check(&address).map_err(|refusal| match refusal {
        RecipientRefusal::NotAllowed => "Mail to this address is not allowed here.".to_owned(),
        RecipientRefusal::NeedsSmtpUtf8 => {
            "Addresses with other than ASCII characters cannot be mailed to here.".to_owned()
        }
    })?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::EventTypeId;
    use crate::model::recipients::RecipientRule;

    fn table(types: &[&str]) -> RecipientTable {
        RecipientTable(types.iter().map(|&id| (EventTypeId::new(id), Vec::new())).collect())
    }

    fn read(body: &str) -> Result<Vec<(String, Vec<String>)>, String> {
        let allowed = AllowedRecipients { rules: vec![RecipientRule::parse("example.com").unwrap()], smtputf8: false };
        let shown = |(id, list): (EventTypeId, Vec<Address>)| {
            (id.as_str().to_owned(), list.iter().map(|address| address.as_str().to_owned()).collect())
        };
        match parse(body.as_bytes(), &table(&["a", "b"]), &allowed) {
            Ok(lists) => Ok(lists.into_iter().map(shown).collect()),
            Err(error) => Err(String::from_utf8(error.response().body.to_vec()).unwrap()),
        }
    }

    #[test]
    fn lists_are_trimmed_and_doubles_dropped_in_order() {
        let lists = read(r#"{"a": [" z@EXAMPLE.com", "y@example.com", "z@example.com\n"], "b": []}"#).unwrap();
        let list = vec!["z@example.com".to_owned(), "y@example.com".to_owned()];
        assert_eq!(lists, [("a".to_owned(), list), ("b".to_owned(), Vec::new())]);
        // What stands before the @ is another address in another case.
        let two = read(r#"{"a": ["z@example.com", "Z@example.com"]}"#).unwrap();
        assert_eq!(two[0].1.len(), 2);
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        let body =
            r#"{"bogus": [], "a": ["x", " ", 7, "x@elsewhere.test", "é@example.com", "ok@example.com"], "b": null}"#;
        let expected = concat!(
            r#"{"a":{"0":["Enter a valid email address."],"1":["This field may not be blank."],"2":["Not a valid string."],"#,
            r#""3":["Mail to this address is not allowed here."],"4":["Addresses with other than ASCII characters cannot be "#,
            r#"mailed to here."]},"b":["This field may not be null."],"bogus":["Unknown notification."]}"#
        );
        assert_eq!(read(body).unwrap_err(), expected);
        assert!(read(r#"{"a": "x@example.com"}"#).unwrap_err().contains("Expected a list"));
        assert!(read("[]").unwrap_err().contains("Expected a dictionary"));
        assert!(read("{").unwrap_err().contains("JSON parse error"));
        assert!(read(r#"{"a": [], "a": []}"#).unwrap_err().contains("twice"));
    }

    #[test]
    fn lists_and_addresses_have_both_sides_of_their_limits() {
        let list = |n: usize| {
            let items: Vec<_> = (0..n).map(|i| format!("\"a{i}@example.com\"")).collect();
            format!(r#"{{"a": [{}, "a0@example.com"]}}"#, items.join(","))
        };
        assert_eq!(read(&list(MAX_ADDRESSES)).unwrap()[0].1.len(), MAX_ADDRESSES);
        assert!(read(&list(MAX_ADDRESSES + 1)).unwrap_err().contains("no more than 50 elements"));
        // 64 octets stand before the @ at most (RFC 5321, 4.5.3.1.1), so the domain makes it long.
        let long = |n: usize| {
            let labels = format!("{}.example.com", vec!["d".repeat(60); 3].join("."));
            let local = n - labels.chars().count() - 1;
            format!("{}@{labels}", "x".repeat(local))
        };
        assert_eq!(long(MAX_CHARACTERS).chars().count(), MAX_CHARACTERS);
        let any = AllowedRecipients { rules: vec![RecipientRule::Any], smtputf8: false };
        let parsed = |n: usize| {
            let body = format!(r#"{{"a": ["{}"]}}"#, long(n));
            parse(body.as_bytes(), &table(&["a"]), &any).map_err(|error| format!("{error:?}"))
        };
        assert_eq!(parsed(MAX_CHARACTERS).unwrap().len(), 1);
        assert!(parsed(MAX_CHARACTERS + 1).unwrap_err().contains("254 characters"));
    }
}
