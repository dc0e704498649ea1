//! The worked examples under `config/examples/`: the configuration of each is good, beside the catalogue that it names.

use std::fs;
use std::path::PathBuf;

use tidings::auth::scope;
use tidings::config::Settings;
use tidings::model::target::Target;

use crate::shipped::{json, schema};
use crate::site::Site;

fn file(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of the page that are in this language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// What the configuration of the page comes to, with the catalogue of the same name.
fn settings(name: &str) -> Settings {
    let page = file(&format!("examples/{name}.md"));
    let [configuration] = blocks(&page, "toml")[..] else { panic!("{name}: not one configuration") };
    let schema = jsonschema::validator_for(&schema()).unwrap();
    assert!(schema.validate(&json(configuration)).is_ok(), "{name}");
    let catalogue = format!("catalogues/{name}.toml");
    assert!(page.contains(&format!("../{catalogue}")), "{name} does not say where its types are");
    let mut site = Site::new(configuration).with("conf.d/types.toml", file(&catalogue));
    for variable in page.match_indices("env = \"").filter_map(|(at, found)| page[at + found.len()..].split('"').next())
    {
        site = site.variable(variable, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    }
    let loaded = site.loaded();
    assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
    for body in blocks(&page, "json") {
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{name}: {body}");
    }
    assert!(blocks(&page, "sh").iter().any(|calls| calls.contains("curl ")), "{name} shows no call");
    loaded.settings
}

#[test]
fn the_registrations_example_is_good() {
    let settings = settings("registrations");
    assert!(settings.registrations.is_some());
    assert_eq!(settings.root.token_paths, ["/oauth2/token", "/oauth/token"]);
    assert_eq!(settings.auth.clients[0].scopes.len(), 8);
}

#[test]
fn the_management_example_is_good() {
    let settings = settings("management");
    let scopes = settings.management.unwrap().scopes;
    assert!([scopes.read, scopes.write, scopes.replay].iter().all(|scope| settings.issuers[0].scopes.stand_for(scope)));
    let declared = &settings.engine.declared[0];
    assert_eq!(declared.holders, ["1001"]);
    let signs = |target: &Target| matches!(target, Target::Webhook(hook) if hook.asymmetric);
    assert!(declared.endpoints.iter().any(signs), "nothing would be sent to it");
}

#[test]
fn the_recipients_example_is_good() {
    let settings = settings("recipients");
    assert!(settings.recipients.is_some());
    assert_eq!(settings.issuers[0].claims.group.as_deref(), Some("groups"));
    assert_eq!(settings.engine.declared.len(), 2);
}

#[test]
fn the_trigger_example_is_good() {
    let settings = settings("trigger");
    assert_eq!(settings.trigger.unwrap().aliases, ["/notification"]);
    assert!(settings.auth.api_keys[0].scopes.contains(scope::TRIGGER));
    assert!(settings.engine.declared[0].profile.is_some());
}

#[test]
fn there_are_no_others() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["management.md", "recipients.md", "registrations.md", "trigger.md"], "another one needs a test");
}
