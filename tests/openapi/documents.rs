//! What holds of every shipped document.

use std::collections::HashSet;
use std::process::Command;

use jsonschema::Draft;
use serde_json::Value;

use crate::{CONTRACTS, file, shipped};

#[test]
fn the_shipped_documents_are_what_the_program_prints() {
    for contract in CONTRACTS {
        let printed = Command::new(env!("CARGO_BIN_EXE_tidings")).args(["openapi", contract]).output().unwrap();
        assert!(printed.status.success(), "{printed:?}");
        let shipped = std::fs::read_to_string(file(contract)).unwrap_or_default();
        assert!(
            String::from_utf8(printed.stdout).unwrap() == shipped,
            "config/openapi/{contract}.json is not what the sources say: look at the difference after\n    \
             cargo run -- openapi {contract} > config/openapi/{contract}.json"
        );
    }
}

/// Each operation with its place.
fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

/// Each object of the document with its place.
fn objects<'a>(value: &'a Value, place: String, found: &mut Vec<(String, &'a Value)>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        _ => return,
    };
    for (name, child) in children {
        objects(child, format!("{place}/{name}"), found);
    }
    found.push((place, value));
}

fn has_text(value: &Value, member: &str) -> bool {
    value[member].as_str().is_some_and(|text| !text.is_empty())
}

#[test]
fn everything_is_described() {
    for contract in CONTRACTS {
        let document = shipped(contract);
        assert_eq!(document["openapi"], "3.1.0");
        let mut ids = HashSet::new();
        for (place, operation) in operations(&document) {
            assert!(has_text(operation, "summary") && has_text(operation, "description"), "{contract}: {place}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{contract}: {place}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            assert!(parameters.iter().all(|p| has_text(p, "description")), "{contract}: {place}");
            let in_path: HashSet<_> =
                parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
            let named: HashSet<_> = place.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect();
            assert_eq!(in_path, named, "{contract}: {place}");
        }
        let mut all = Vec::new();
        objects(&document, String::new(), &mut all);
        for (place, object) in all {
            if place.ends_with("/headers") {
                let headers = object.as_object().unwrap().values();
                let mut headers = headers.filter(|header| header.get("$ref").is_none());
                assert!(headers.all(|header| has_text(header, "description")), "{contract}: {place}");
            }
            if place.ends_with("/scopes") {
                assert!(object.as_object().unwrap().keys().all(|scope| has_text(object, scope)), "{contract}: {place}");
            }
            if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{contract}: {place}: {target}");
            }
        }
    }
}

#[test]
fn every_example_is_as_its_schema_says() {
    let mut seen = 0;
    for contract in CONTRACTS {
        let document = shipped(contract);
        let mut all = Vec::new();
        objects(&document, String::new(), &mut all);
        for (place, object) in all {
            let Some(schema) = object.get("schema") else { continue };
            let named = object["examples"].as_object().into_iter().flat_map(|examples| examples.values());
            let resolved = named.map(|example| match example.get("$ref").and_then(Value::as_str) {
                Some(target) => document.pointer(target.trim_start_matches('#')).unwrap(),
                None => example,
            });
            let examples = resolved.map(|example| &example["value"]).chain(object.get("example"));
            let mut whole = schema.clone();
            whole["components"] = document["components"].clone();
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            let validator = options.build(&whole).unwrap();
            for example in examples {
                let fault = validator.validate(example).err();
                assert!(fault.is_none(), "{contract}: {place}: {}: {example}", fault.unwrap());
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} examples");
}

#[test]
fn only_what_is_for_everyone_asks_for_no_credential() {
    let public = |contract| {
        let document = shipped(contract);
        let all: Vec<_> =
            operations(&document).map(|(place, operation)| (place, operation["security"].clone())).collect();
        all.into_iter().filter(|(_, security)| security == &serde_json::json!([])).map(|(place, _)| place).collect()
    };
    let of = |contract| -> Vec<String> { public(contract) };
    assert_eq!(of("polling"), ["get /openapi.json"]);
    assert_eq!(of("events"), ["get /openapi.json"]);
    assert_eq!(of("recipients"), ["get /openapi.json"]);
    assert_eq!(of("registrations"), ["get /openapi.json"]);
    assert_eq!(of("management"), ["get /openapi.json"]);
    assert_eq!(of("trigger"), ["get /notification/openapi.json"]);
    let metadata = "get /.well-known/oauth-authorization-server";
    let webhooks = "get /.well-known/webhook-keys";
    assert_eq!(of("root"), [metadata, webhooks, "get /oauth2/jwks", "get /openapi.json", "get /problems/{name}"]);
    assert_eq!(of("operator"), ["get /openapi.json"]);
    let events = shipped("events");
    let publish = &events["paths"]["/events"]["post"]["security"];
    assert_eq!(publish, &serde_json::json!([{"token": ["events:publish"]}, {"key": ["events:publish"]}]));
}
