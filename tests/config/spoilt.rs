//! Each key of the shipped sample spoilt: it is said where it stands, and nothing is quietly the default.

use std::ops::Range;

use tidings::config::Problem;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::shipped::{Shipped, json, schema};
use crate::site::at;

/// A key of the sample.
struct Key {
    /// With indices: `clients[0].id`.
    path: String,
    name: Range<usize>,
    /// `None` where a header holds the key.
    value: Option<Range<usize>>,
}

/// Every key of `text`, those of inline tables too.
fn all_keys(text: &str) -> Vec<Key> {
    fn table(text: &str, path: &str, members: &DeTable<'_>, keys: &mut Vec<Key>) {
        for (key, value) in members {
            let name = key.get_ref();
            let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            let between = text.get(key.span().end..value.span().start).unwrap_or_default();
            let span = (between.trim() == "=").then(|| value.span());
            keys.push(Key { path: path.clone(), name: key.span(), value: span });
            below(text, &path, value, keys);
        }
    }
    fn below(text: &str, path: &str, value: &Spanned<DeValue<'_>>, keys: &mut Vec<Key>) {
        match value.get_ref() {
            DeValue::Table(members) => table(text, path, members, keys),
            DeValue::Array(items) => {
                items.iter().enumerate().for_each(|(n, item)| below(text, &format!("{path}[{n}]"), item, keys));
            }
            _ => {}
        }
    }
    let mut keys = Vec::new();
    table(text, "", DeTable::parse(text).unwrap().get_ref(), &mut keys);
    assert!(keys.len() > 190, "{}", keys.len());
    keys
}

/// `text` with `new` in the place of `range`.
fn replaced(text: &str, range: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}

/// Line and column of a byte, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    (text[..at].matches('\n').count() + 1, text[line_start..at].chars().count() + 1)
}

#[test]
fn every_key_misspelt_is_refused_where_it_stands() {
    let shipped = Shipped::new();
    let text = shipped.every_key();
    let schema = jsonschema::validator_for(&schema()).unwrap();
    assert!(schema.validate(&json(&text)).is_ok(), "{:?}", schema.validate(&json(&text)));
    for key in all_keys(&text) {
        let name = &text[key.name.clone()];
        let spoilt = replaced(&text, key.name.end..key.name.end, "z");
        let problems = shipped.problems(&spoilt).unwrap_or_else(|| panic!("{} is taken", key.path));
        let unknown =
            problems.iter().find(|p| p.message.starts_with("unknown key")).unwrap_or_else(|| panic!("{problems:?}"));
        assert_eq!(at(unknown), position(&text, key.name.start), "{unknown}");
        assert_eq!(unknown.suggestion, Some(format!("did you mean {name}?")), "{unknown}");
        // What other entries have made names of, the schema cannot know.
        let named_elsewhere = [".attributes[", ".addresses.", ".keys."].iter().any(|within| key.path.contains(within));
        assert!(named_elsewhere || schema.validate(&json(&spoilt)).is_err(), "{}z in the schema", key.path);
    }
}

#[test]
fn every_key_twice_is_refused_where_it_stands() {
    let shipped = Shipped::new();
    let text = shipped.every_key();
    for key in all_keys(&text) {
        let Some(value) = key.value else { continue };
        let assignment = &text[key.name.start..value.end];
        let own_line = text[..key.name.start].ends_with('\n');
        let spoilt = replaced(
            &text,
            key.name.start..key.name.start,
            &format!("{assignment}{}", if own_line { "\n" } else { ", " }),
        );
        let problems = shipped.problems(&spoilt).unwrap_or_else(|| panic!("{} twice is taken", key.path));
        let second = key.name.start + assignment.len() + if own_line { 1 } else { 2 };
        assert!(problems.iter().any(|p| at(p) == position(&spoilt, second)), "{}: {problems:?}", key.path);
        assert!(problems[0].message.contains("duplicate key"), "{problems:?}");
    }
}

#[test]
fn every_value_of_the_wrong_type_is_refused_where_it_stands() {
    let shipped = Shipped::new();
    let text = shipped.every_key();
    let wrong = ["2027-01-01", "[[]]", "{ x = { y = 1 } }", "-1", "\"\\u0000\""];
    for key in all_keys(&text) {
        let Some(value) = key.value else { continue };
        for wrong in wrong {
            let spoilt = replaced(&text, value.clone(), wrong);
            let problems = shipped.problems(&spoilt).unwrap_or_else(|| panic!("{} = {wrong} is taken", key.path));
            let line = position(&text, value.start).0;
            let told = |p: &&Problem| at(p).0 == line && p.key.starts_with(&key.path);
            assert!(problems.iter().any(|p| told(&p)), "{} = {wrong}: {problems:?}", key.path);
        }
    }
}

/// The keys that have no default, by the last parts of their paths.
const ASKED_FOR: [&str; 53] = [
    "server.tls.certificate",
    "server.tls.key",
    "server.tls.client_ca",
    "admin.tls.certificate",
    "admin.tls.key",
    "admin.tls.client_ca",
    "key.file",
    "password.file",
    "issuers[0].issuer",
    "issuers[0].jwks",
    "issuers[0].client_ids",
    "issuers[0].scopes",
    "clients[0].id",
    "secrets[0].file",
    "api_keys[0].id",
    "api_keys[0].hashes",
    "api_keys[0].scopes",
    "api_keys[0].publish.types",
    "event_types[0].id",
    "subscriptions[0].id",
    "subscriptions[0].client_id",
    "subscriptions[0].event_types",
    "webhook.url",
    "webhook.secrets",
    "subscriptions[0].email.to",
    "egress[0].name",
    "email.from",
    "email.relay",
    "email.templates",
    "email.username",
    "email.password",
    "dkim.domain",
    "dkim.selector",
    "dkim.key",
    "egress[0].client_certificate",
    "egress[0].client_key",
    "egress[0].proxy",
    "egress[0].proxy_username",
    "egress[0].proxy_password",
    "webhook.username",
    "webhook.password",
    "filter.attributes",
    "attributes[0].__not__.status",
    "recipients[0].group",
    "recipients[0].addresses",
    "addresses.order_confirm",
    "customers[0].id",
    "customers[0].keys",
    "customers[0].channels",
    "customers[0].poll.client_id",
    // Other entries go by these.
    "event_types[0].attributes",
    "event_types[1].id",
    "event_types[1].contracts",
];

#[test]
fn every_key_removed_has_a_default_or_is_asked_for() {
    let shipped = Shipped::new();
    let text = shipped.every_key();
    for key in all_keys(&text) {
        let Some(value) = key.value else { continue };
        let (before, after) = (&text[..key.name.start], &text[value.end..]);
        let (before, after) = match after.trim_start().strip_prefix(',') {
            Some(after) => (before, after),
            None => (before.trim_end_matches(' ').trim_end_matches(','), after),
        };
        let asked_for = ASKED_FOR.iter().any(|end| key.path.ends_with(end));
        let Some(problems) = shipped.problems(&format!("{before}{after}")) else {
            assert!(!asked_for, "{} has a default", key.path);
            continue;
        };
        assert!(asked_for, "{}: {problems:?}", key.path);
        let name = key.path.rsplit('.').next().unwrap();
        let table = key.path.strip_suffix(name).unwrap().trim_end_matches('.');
        // Without the folder there is no such template.
        let table = match key.path.as_str() {
            "email.templates" => "subscriptions[0].email.template",
            "event_types[0].attributes" => "subscriptions[0].filter",
            "event_types[1].contracts" => "recipients[0].addresses",
            _ => table,
        };
        let told = |p: &&Problem| p.key.starts_with(table) && at(p).0 > 1;
        assert!(problems.iter().any(|p| told(&p)), "{}: {problems:?}", key.path);
    }
}
