//! JSON in `conf.d`: read as TOML is, with the same places and the same refusals.

use serde_json::{Map, Value, json};
use tidings::config::{Fallback, Problem, fallback};

use crate::site::{SAMPLE, Site, at, only, with_client};

/// The sample as JSON, each key on a line of its own.
fn sample() -> Value {
    // The types of the two languages that are in use have the same names in serde.
    serde_json::to_value(SAMPLE.parse::<toml::Table>().unwrap()).unwrap()
}

fn site(main: &Value) -> Site {
    Site::new("").with("conf.d/sample.json", format!("{main:#}"))
}

#[test]
fn json_says_what_toml_says() {
    let (toml, json) = (Site::new(SAMPLE).loaded(), site(&sample()).loaded());
    assert_eq!(toml.effective.digest(), json.effective.digest());
    assert_eq!(toml.warnings.len(), json.warnings.len());
    let mut main = site(&sample());
    main.sources.file = main.path("conf.d/sample.json");
    assert_eq!(main.loaded().effective.digest(), json.effective.digest());
}

#[test]
fn entries_of_both_languages_add_up_and_an_id_twice_names_both_places() {
    let json = "{\n  \"clients\": [\n    { \"id\": \"crm\",\n      \"secret\": { \"env\": \"CRM\" } }\n  ]\n}\n";
    let site = Site::new(&with_client("")).with("conf.d/a.json", json).variable("CRM", "x");
    let shown = site.shown();
    let place = "conf.d/a.json:3:13: clients[1].id: the id \"crm\" is declared twice, the first time in ";
    assert!(only(&shown).starts_with(place) && shown[0].contains("tidings.toml:2:6"), "{shown:?}");
    let other = site.with("conf.d/a.json", json.replace("\"crm\"", "\"erp\""));
    assert_eq!(other.loaded().settings.auth.clients.len(), 2);
}

#[test]
fn what_is_no_json_is_refused_where_it_stands() {
    let wrong = [
        ("{ \"log\": { \"level\": \"info\", } }", "1:29: not JSON: key must be a string"),
        ("{\n  // no\n}", "2:3: not JSON: key must be a string"),
        ("{ \"log\": ", "1:10: not JSON: EOF while parsing a value"),
        ("", "1:1: not JSON: EOF while parsing a value"),
        ("[]", "1:1: must be an object: { … }"),
        ("{}\n{}", "2:1: not JSON: trailing characters"),
        ("{ \"log\": {}, \n\"log\": {} }", "2:1: duplicate key, the first one is in conf.d/a.json:1:3"),
        (
            "{ \"é\": {}, \"log\": { \"level\": \"x\", \"level\": 1 } }",
            "1:35: duplicate key, the first one is in conf.d/a.json:1:21",
        ),
        ("{ \"log\": { \"level\": \"\\ud800\" } }", "1:21: not JSON: half of a surrogate pair in the text"),
        ("{ \"log\": { \"levle\": \"info\" } }", "1:12: log.levle: unknown key; did you mean level?"),
        (
            "{ \"log\": { \"level\": null } }",
            "1:21: log.level: must be \"error\" or \"warn\" or \"info\" or \"debug\" or \"trace\", not null",
        ),
        ("\u{feff}{ \"log\": 5 }", "1:10: log: must be a table, not a number"),
        ("\u{feff}{ \"log\": 5 ", "1:12: not JSON: EOF while parsing an object"),
    ];
    for (text, message) in wrong {
        let shown = Site::new("").with("conf.d/a.json", text).shown();
        assert_eq!(only(&shown), format!("conf.d/a.json:{message}"), "{text}");
    }
    // Editors do not count the mark of TOML files either.
    assert_eq!(only(&Site::new("\u{feff}log = 5").shown()), "tidings.toml:1:7: log: must be a table, not a number");
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let shown = Site::new("").with("conf.d/a.json", format!("{{\"log\": {deep}}}")).shown();
    assert_eq!(only(&shown), "conf.d/a.json:1:72: is nested more than 64 deep");
}

/// Calls `check` with the sample after each change of one member of one object, and with the member's name.
fn each_member(change: impl Fn(&mut Map<String, Value>, &str), check: impl Fn(&str, Vec<Problem>)) {
    let sample = sample();
    let mut objects = vec![String::new()];
    let mut members = Vec::new();
    while let Some(pointer) = objects.pop() {
        let below: Vec<_> = match sample.pointer(&pointer).unwrap() {
            Value::Object(object) => object.keys().cloned().collect(),
            Value::Array(items) => (0..items.len()).map(|n| n.to_string()).collect(),
            _ => Vec::new(),
        };
        let object = sample.pointer(&pointer).unwrap().is_object();
        members.extend(below.iter().filter(|_| object).map(|key| (pointer.clone(), key.clone())));
        objects.extend(below.iter().map(|key| format!("{pointer}/{key}")));
    }
    assert!(members.len() > 90, "{}", members.len());
    for (pointer, key) in members {
        let mut changed = sample.clone();
        change(changed.pointer_mut(&pointer).unwrap().as_object_mut().unwrap(), &key);
        check(&key, tidings::config::load(&site(&changed).sources).err().map(|p| p.problems).unwrap_or_default());
    }
}

#[test]
fn a_misspelt_member_is_refused_where_it_stands() {
    let misspell = |object: &mut Map<String, Value>, key: &str| {
        let value = object.remove(key).unwrap();
        object.insert(format!("{key}z"), value);
    };
    each_member(misspell, |key, problems| {
        let unknown = problems.iter().find(|p| p.message.starts_with("unknown key")).unwrap_or_else(|| panic!("{key}"));
        assert_eq!(unknown.suggestion.as_deref(), Some(format!("did you mean {key}?").as_str()));
        assert!(at(unknown).0 > 1);
    });
}

#[test]
fn a_member_of_the_wrong_type_is_refused_where_it_stands() {
    for wrong in [json!(null), json!(1.5), json!([[]]), json!({ "x": { "y": 1 } }), json!(-1)] {
        let spoil = |object: &mut Map<String, Value>, key: &str| {
            object.insert(key.to_owned(), wrong.clone());
        };
        each_member(spoil, |key, problems| {
            assert!(problems.iter().any(|p| p.key.contains(key) && at(p).0 > 1), "{key}: {problems:?}");
        });
    }
}

#[test]
fn what_bad_files_say_all_the_same_may_stand_in_json() {
    let json = "\u{feff}{\"data_dir\": \"/there\", \"on_bad_configuration\": \"refuse\", \"admin\": {\"listen\": \
                [\"unix:/there/admin.sock\"], \"tls\": null}, \"log\": null}";
    let site = Site::new("data_dir = \"/here\"\n[sever]\n").with("conf.d/a.json", json);
    let Fallback { data_dir, last_good, admin } = fallback(&site.sources);
    assert_eq!((data_dir.to_str(), last_good), (Some("/there"), false));
    assert_eq!(admin.iter().map(ToString::to_string).collect::<Vec<_>>(), ["unix:/there/admin.sock"]);
    let site = site.with("conf.d/b.json", "{\"data_dir\": 5, \"on_bad_configuration\": null, \"admin\": []}");
    let site = site.with("conf.d/c.json", "{\"data_dir\": \"/nowhere\"");
    let found = fallback(&site.sources);
    assert_eq!((found.data_dir.to_str(), found.last_good), (Some("/there"), false));
}
