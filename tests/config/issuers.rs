//! `[[auth.issuers]]` and `[trust]`: defaults, bounds, and what must hold between entries and with clients.

use tidings::auth::issuers::{Algorithm, ClaimNames, KeySource};
use tidings::config::Severity;

use crate::site::{Site, at, only, with_client};

const LEAST: &str = "[[auth.issuers]]\nissuer = \"https://i.example\"\njwks = \"https://i.example/jwks\"\n";

/// A main file with one entry: `client_ids` stands in line 4, `lines` begin in line 6.
fn entry(lines: &str) -> String {
    format!("{LEAST}client_ids = [\"partner-*\"]\nscopes = [\"events:publish\"]\n{lines}")
}

const KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"}"#;

#[test]
fn an_entry_has_defaults_that_bind() {
    let settings = Site::new(&entry("")).loaded().settings;
    let issuer = &settings.issuers[0];
    assert!(issuer.audiences.iter().eq(["tidings"]), "auth.audience");
    assert_eq!(issuer.algorithms, Algorithm::DEFAULT);
    assert!(issuer.token_types.iter().eq(["at+jwt"]));
    assert_eq!((issuer.claims.clone(), issuer.clock_skew.as_secs()), (ClaimNames::default(), 60));
    assert_eq!(issuer.claims.client_id, "client_id");
    assert!(issuer.contracts.is_none() && issuer.owners.is_none());
    assert!(matches!(&issuer.keys, KeySource::Url { refresh, .. } if refresh.as_secs() == 600));
    assert!(settings.trust.system);
}

#[test]
fn values_have_bounds_on_both_sides() {
    let good_and_bad = [
        ("clock_skew", vec!["\"0s\"", "\"5m\""], vec!["\"-1s\"", "\"5m1ms\""]),
        ("jwks_refresh", vec!["\"1m\"", "\"24h\""], vec!["\"59s\"", "\"25h\""]),
        ("audience", vec!["\"a\"", "[\"a\", \"b\"]"], vec!["\"\"", "[]", "[\"a\", \"a\"]"]),
        ("owners", vec!["[]", "[\"*\"]", "[\"a\", \"b*\"]"], vec!["[\"a*b\"]", "\"a\"", "[\"**\"]"]),
        ("contracts", vec!["[\"polling\", \"events\", \"trigger\"]"], vec!["[]", "[\"pollling\"]"]),
        ("token_types", vec!["[\"JWT\"]"], vec!["[]", "[\"\"]"]),
        (
            "algorithms",
            vec!["[\"ES256\", \"ES384\", \"ES512\", \"RS256\", \"PS512\", \"EdDSA\"]"],
            vec!["[]", "[\"HS256\"]", "[\"none\"]", "[\"es256\"]", "[\"RS1\"]"],
        ),
    ];
    for (key, good, bad) in good_and_bad {
        for value in good {
            Site::new(&entry(&format!("{key} = {value}\n"))).loaded();
        }
        for value in bad {
            let shown = Site::new(&entry(&format!("{key} = {value}\n"))).shown();
            assert!(only(&shown).starts_with("tidings.toml:6:") && shown[0].contains(key), "{shown:?}");
        }
    }
    let symmetric = Site::new(&entry("algorithms = [\"ES256\", \"HS256\"]\n")).shown();
    assert!(only(&symmetric).contains("asymmetric"), "{symmetric:?}");
    let nearly = Site::new(&entry("algorithms = [\"EdDSB\"]\n")).shown();
    assert!(only(&nearly).contains("did you mean EdDSA?"), "{nearly:?}");
}

#[test]
fn keys_come_from_https_or_this_machine() {
    let site = |url: &str| {
        let text = entry("").replace("\"https://i.example/jwks\"", &format!("{url:?}"));
        Site::new(&text)
    };
    for good in ["https://i/jwks", "http://127.0.0.1:1/jwks", "http://[::1]/", "http://localhost/x?y=z"] {
        site(good).loaded();
    }
    for (bad, why) in [
        ("http://i.example/jwks", "must begin with https://"),
        ("http://10.0.0.1/jwks", "must begin with https://"),
        ("http://localhost.example/jwks", "must begin with https://"),
        ("ftp://i/jwks", "must begin with https://"),
        ("https://u:p@i/jwks", "no user name"),
        ("https://i/jwks#a", "no fragment"),
        ("i.example/jwks", "must be a URL"),
    ] {
        let shown = site(bad).shown();
        assert!(
            only(&shown).starts_with("tidings.toml:3:8: auth.issuers[0].jwks: ") && shown[0].contains(why),
            "{shown:?}"
        );
    }
}

#[test]
fn keys_come_from_a_file_that_is_read_at_once() {
    let site = |content: &str| {
        let site = Site::new("").with("keys", content);
        let file = site.path("keys");
        let text = entry("").replace("\"https://i.example/jwks\"", &format!("{{ file = {file:?} }}"));
        site.with("tidings.toml", text)
    };
    let loaded = site(&format!("{{\"keys\":[{KEY}]}}")).loaded();
    assert!(matches!(&loaded.settings.issuers[0].keys, KeySource::File(keys) if keys.len() == 1));
    assert!(loaded.warnings.is_empty());
    let symmetric = "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"s\"}";
    let loaded = site(&format!("{{\"keys\":[{KEY},{symmetric}]}}")).loaded();
    let warning = &loaded.warnings[0];
    assert_eq!((at(warning).0, warning.severity), (3, Severity::Warning));
    assert!(warning.message.contains("keys[1] (\"s\"): it is a symmetric key"), "{warning}");
    for (content, why) in [
        ("", "is no JWK set"),
        ("{}", "is no JWK set"),
        ("{\"keys\":[]}", "has no key that can be used"),
        (&format!("{{\"keys\":[{symmetric}]}}"), "has no key that can be used"),
        (&" ".repeat((256 << 10) + 1), "larger than"),
    ] {
        let shown = site(content).shown();
        assert!(only(&shown).starts_with("tidings.toml:3:") && shown[0].contains(why), "{shown:?}");
    }
    let missing = entry("").replace("\"https://i.example/jwks\"", "{ file = \"/nowhere/keys\" }");
    assert!(only(&Site::new(&missing).shown()).contains("/nowhere/keys cannot be read"));
}

#[test]
fn a_client_belongs_to_one_issuer() {
    let second = |name: &str, pattern: &str| {
        format!(
            "[[auth.issuers]]\nissuer = \"{name}\"\njwks = \"https://j/\"\nclient_ids = [\"x\", \"{pattern}\"]\nscopes = [\"events:publish\"]\n"
        )
    };
    for (pattern, clash) in [
        ("partner-a", true),
        ("partner-", true),
        ("part*", true),
        ("partner-a*", true),
        ("*", true),
        ("partner", false),
        ("other-*", false),
    ] {
        let site = Site::new(&entry("")).with("conf.d/a.toml", second("https://j.example", pattern));
        if clash {
            let shown = site.shown();
            assert!(only(&shown).starts_with("conf.d/a.toml:4:20: auth.issuers[1].client_ids[1]: "), "{shown:?}");
            assert!(shown[0].contains("in tidings.toml:4:15 too: a client belongs to one issuer"), "{shown:?}");
        } else {
            assert_eq!(site.loaded().settings.issuers.len(), 2, "{pattern}");
        }
    }
    let same = Site::new(&entry("")).with("conf.d/a.toml", second("https://i.example", "y")).shown();
    assert!(only(&same).starts_with("conf.d/a.toml:2:10: auth.issuers[1].issuer: "), "{same:?}");
    assert!(same[0].contains("is declared twice, the first time in tidings.toml:2:10"), "{same:?}");
}

#[test]
fn a_declared_client_belongs_to_no_issuer() {
    let site =
        |id: &str| Site::new(&format!("{}{}", with_client(""), entry("")).replace("crm", id)).variable("CRM", "x");
    site("crm").loaded();
    let shown = site("partner-crm").shown();
    assert!(only(&shown).starts_with("tidings.toml:7:15: auth.issuers[0].client_ids[0]: "), "{shown:?}");
    assert!(
        shown[0].contains("stands for the id \"partner-crm\" too, which is declared in tidings.toml:2:6"),
        "{shown:?}"
    );
}

#[test]
fn our_own_tokens_are_not_an_external_issuer_s() {
    let text = entry("[server]\npublic_url = \"https://i.example\"\n");
    let shown = Site::new(&text).shown();
    assert!(only(&shown).starts_with("tidings.toml:2:10: auth.issuers[0].issuer: is server.public_url"), "{shown:?}");
}

#[test]
fn ids_and_scopes_are_checked() {
    let with = |from: &str, to: &str| Site::new(&entry("").replace(from, to));
    for bad in ["[\"a b\"]", "[\"uid:*\"]", "[\"a*b\"]", "[]", "\"a\"", "[\"partner-*\", \"partner-*\"]"] {
        let shown = with("[\"partner-*\"]", bad).shown();
        assert!(only(&shown).starts_with("tidings.toml:4:"), "{shown:?}");
    }
    with("[\"partner-*\"]", "[\"*\"]").loaded();
    let loaded = with("[\"events:publish\"]", "[\"events:*\", \"events:publsh\", \"other:*\"]").loaded();
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(warnings, ["auth.issuers[0].scopes[1]", "auth.issuers[0].scopes[2]"]);
    assert_eq!(loaded.warnings[0].suggestion.as_deref(), Some("did you mean events:publish?"));
}

#[test]
fn a_declared_subscription_may_be_for_an_issuer_s_client() {
    let subscription = |client: &str| {
        format!("[[subscriptions]]\nid = \"s\"\nclient_id = \"{client}\"\nevent_types = [\"1\"]\npoll = {{}}\n")
    };
    Site::new(&entry(&subscription("partner-a"))).loaded();
    let shown = Site::new(&entry(&subscription("partner"))).shown();
    assert!(
        only(&shown).contains("there is no client \"partner\"") && shown[0].contains("[[auth.issuers]]"),
        "{shown:?}"
    );
    // What is wrong with the issuer's keys does not make its clients strangers.
    let broken = entry(&subscription("partner-a")).replace("https://i.example/jwks", "x");
    assert!(only(&Site::new(&broken).shown()).contains("auth.issuers[0].jwks"));
}

#[test]
fn entries_are_declared_in_files_only() {
    for (variable, value) in [("TIDINGS__AUTH__ISSUERS", "[]"), ("TIDINGS__AUTH__ISSUERS__0__ISSUER", "x")] {
        let shown = Site::new("").variable(variable, value).shown();
        assert!(only(&shown).contains("the entries of [[auth.issuers]] can be declared in files only"), "{shown:?}");
    }
    let settings = Site::new(&entry("")).variable("TIDINGS__AUTH__AUDIENCE", "other").loaded().settings;
    assert!(settings.issuers[0].audiences.iter().eq(["other"]) && settings.auth.audience == "other");
}

#[test]
fn trusted_authorities_are_the_system_s_and_files() {
    let pem = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap().cert.pem();
    let site = Site::new("").with("ca.pem", format!("{pem}{pem}")).with("broken.pem", "text");
    let (good, broken) = (site.path("ca.pem"), site.path("broken.pem"));
    let site = site.with("tidings.toml", format!("[trust]\nca = [\"system\", {good:?}]\n"));
    let trust = site.loaded().settings.trust;
    assert_eq!((trust.system, trust.certificates.len()), (true, 2));
    let site = site.with("tidings.toml", format!("trust.ca = [{good:?}]\n"));
    assert!(!site.loaded().settings.trust.system);
    for bad in ["[]".to_owned(), format!("[{broken:?}]"), "[\"/nowhere/ca.pem\"]".to_owned()] {
        let shown = Site::new(&format!("[trust]\nca = {bad}\n")).shown();
        assert!(only(&shown).starts_with("tidings.toml:2:"), "{shown:?}");
    }
}

#[test]
fn the_group_is_told_by_the_claim_of_the_contract_that_asks_for_it() {
    let entry = |more: &str| {
        format!(
            "[[auth.issuers]]\nissuer = \"https://i/\"\njwks = \"https://i/jwks\"\nclient_ids = [\"p-*\"]\nscopes = [\"*\"]\n{more}\n"
        )
    };
    let claim = |more: &str, api: &str| {
        Site::new(&(entry(more) + api)).loaded().settings.issuers[0].claims.group.clone().unwrap_or_default()
    };
    let on = "[api.recipients]\nenabled = true\n";
    assert_eq!(claim("", "[api.recipients]\ngroup_claim = \"teams\""), "", "nobody asks for a group");
    assert_eq!(claim("", on), "groups");
    assert_eq!(claim("", &(on.to_owned() + "group_claim = \"teams\"")), "teams");
    assert_eq!(claim("claims = { group = \"own\" }", on), "own");
    assert_eq!(claim("contracts = [\"polling\"]", on), "");
}

#[test]
fn scopes_have_the_names_that_the_files_give_them() {
    let text = "[api.management]\nenabled = true\nscopes = { read = \"mine:read\" }\n";
    let client =
        |scope: &str| format!("{text}[[clients]]\nid = \"a\"\nsecret = {{ env = \"A\" }}\nscopes = [\"{scope}\"]");
    let warnings = |scope: &str| Site::new(&client(scope)).variable("A", "x").loaded().warnings;
    assert!(warnings("mine:read").is_empty() && warnings("notifications:write").is_empty());
    assert_eq!(warnings("mine:reed")[0].suggestion.as_deref(), Some("did you mean mine:read?"));
    let off = &warnings("create:webhook_domains")[0].message;
    assert!(off.contains("api.registrations.enabled is false"), "{off}");
}
