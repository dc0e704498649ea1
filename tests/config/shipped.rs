//! The shipped sample and schema: all keys are in both, with their defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tidings::config::{Problem, Severity, keys, load};

use crate::pki::{Authority, Identity};
use crate::site::Site;

const SHIPPED: &str = include_str!("../../config/tidings.toml");
const DEFAULTS: &str = include_str!("../../src/config/defaults.toml");
const SCHEMA: &str = include_str!("../../config/tidings.schema.json");

const DKIM_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

/// The forms of keys that exclude those of the sample.
const OTHER_FORMS: &str = r#"
[[auth.issuers]]
jwks = { file = "x" }
[[clients]]
secret = { file = "x" }
[[api_keys]]
hash = { hash = "x" }
[[api_keys]]
hashes = [{ hash = "x" }]
[[customers]]
webhook = { password = { file = "x" } }
"#;

/// The sample with every key set. A key that is not set begins with `#` alone, an explanation with `#` and a blank.
fn every_key() -> String {
    let is_key = |rest: &&str| !rest.is_empty() && !rest.starts_with([' ', '#']);
    let lines = SHIPPED.lines().map(|line| line.strip_prefix('#').filter(is_key).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// A directory with the files that the sample names.
pub(crate) struct Shipped(Site);

impl Shipped {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("authority");
        let Identity { certificate, key, .. } = authority.issue_for("server", 2020, 2090);
        let site = Site::new("")
            .with("tls/server.pem", &certificate)
            .with("tls/clients.pem", authority.pem())
            .with("secrets/server.key", &key)
            .with("secrets/crm", "secret")
            .with("secrets/crm-webhooks", "secret")
            .with("secrets/crm-hook-password", "secret")
            .with("secrets/crm-hook", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
            .with("tls/plant.pem", authority.pem())
            .with("tls/tidings.pem", certificate)
            .with("secrets/tidings.key", key)
            .with("secrets/proxy", "secret")
            .with("secrets/relay", "secret")
            .with("secrets/dkim.key", DKIM_KEY);
        let templates = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/templates")).unwrap();
        Self(templates.map(Result::unwrap).fold(site, |site, file| {
            site.with(&format!("templates/{}", file.file_name().to_str().unwrap()), fs::read(file.path()).unwrap())
        }))
    }

    /// The sample with every key set, and the names of this directory's files.
    pub(crate) fn every_key(&self) -> String {
        every_key().replace("/etc/tidings", self.0.path("").to_str().unwrap())
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(&self.0.sources.file, text).unwrap();
    }

    /// The errors of `text`; `None` if it can be used.
    pub(crate) fn problems(&self, text: &str) -> Option<Vec<Problem>> {
        self.write(text);
        let problems = load(&self.0.sources).err()?.problems;
        Some(problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect())
    }
}

pub(crate) fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

/// Calls `visit` with the path of each key that the schema knows, and with its schema.
fn walk(whole: &Value, at: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    if let Some(name) = at["$ref"].as_str() {
        walk(whole, whole.pointer(name.trim_start_matches('#')).unwrap(), path, visit);
    }
    for (key, below) in at["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        visit(&path, below);
        walk(whole, below, &path, visit);
    }
    for one in at["anyOf"].as_array().into_iter().flatten() {
        walk(whole, one, path, visit);
    }
    if at["items"].is_object() {
        walk(whole, &at["items"], &format!("{path}[]"), visit);
    }
}

#[test]
fn the_sample_is_good_as_it_is_and_with_every_key() {
    let shipped = Shipped::new();
    shipped.write(SHIPPED);
    assert_eq!(shipped.0.loaded().effective.to_toml(), "", "what is not set is the default");
    shipped.write(&shipped.every_key());
    let warnings: Vec<_> = shipped.0.loaded().warnings.into_iter().map(|warning| warning.key).collect();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn what_the_named_files_hold_is_in_the_digest() {
    let shipped = Shipped::new();
    shipped.write(&shipped.every_key());
    let mut digests = BTreeSet::from([shipped.0.loaded().effective.digest()]);
    let folders = ["tls", "secrets", "templates"].map(|folder| fs::read_dir(shipped.0.path(folder)).unwrap());
    for file in folders.into_iter().flatten().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        let other = match text.as_str() {
            "secret" => "another".to_owned(),
            json if json.starts_with('{') => json.replacen('{', "{ ", 1),
            hook if hook.starts_with("whsec_") => hook.replace("MDEy", "ODEy"),
            // PEM takes a text around it, and templates any.
            other => format!("{other}\nchanged\n"),
        };
        fs::write(&file, other).unwrap();
        assert!(digests.insert(shipped.0.loaded().effective.digest()), "{}", file.display());
    }
    assert!(digests.len() > 12, "{}", digests.len());
}

#[test]
fn every_shipped_file_is_tried_and_keeps_to_the_schema() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    for file in &files {
        assert!(schema.validate(&json(&fs::read_to_string(file).unwrap())).is_ok(), "{}", file.display());
    }
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["quickstart.toml", "tidings.toml"], "another one needs a test that loads it");
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let shipped = Shipped::new();
    shipped.write(&shipped.every_key());
    let mut read = keys(&shipped.0.sources);
    shipped.write(OTHER_FORMS);
    read.extend(keys(&shipped.0.sources));
    let (schema, mut known) = (schema(), BTreeSet::new());
    walk(&schema, &schema, "", &mut |path, _| {
        known.insert(path.to_owned());
    });
    let differ: Vec<_> = read.symmetric_difference(&known).collect();
    assert!(differ.is_empty(), "read, or in the schema, but not both: {differ:#?}");
}

#[test]
fn sample_and_schema_have_the_defaults() {
    let (schema, mut defaults) = (schema(), BTreeMap::new());
    walk(&schema, &schema, "", &mut |path, at| {
        if let Some(default) = at.get("default").filter(|_| !path.contains("[]")) {
            defaults.insert(format!("/{}", path.replace('.', "/")), default.clone());
        }
    });
    let (sample, built_in) = (json(&every_key()), json(DEFAULTS));
    // Those that the readers have, not the file of defaults.
    let known_to_readers = ["/email/", "/server/tls/", "/admin/tls/", "/webhooks/connect_timeout"];
    for (path, default) in &defaults {
        let built_in = built_in.pointer(path);
        assert!(built_in == Some(default) || known_to_readers.iter().any(|of| path.starts_with(of)), "{path}");
    }
    let mut open = vec![(String::new(), &built_in)];
    while let Some((path, value)) = open.pop() {
        if let Value::Object(table) = value {
            open.extend(table.iter().map(|(key, value)| (format!("{path}/{key}"), value)));
        } else {
            assert_eq!(defaults.get(&path), Some(value), "{path} in the schema");
            assert_eq!(sample.pointer(&path), Some(value), "{path} in the sample");
        }
    }
}
