//! `[[clients]]` and `[[api_keys]]`: ends, bounds, and what must hold between them.

use tidings::base::clock::Timestamp;
use tidings::config::{Severity, load};

use crate::site::{Site, at, only, with_client};

const HASH: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

fn key(id: &str, lines: &str) -> String {
    format!("[[api_keys]]\nid = \"{id}\"\nscopes = [\"events:publish\"]\n{lines}\n")
}

fn hash(public: &str) -> String {
    format!("\"sha256:{public}:{HASH}\"")
}

#[test]
fn a_secret_can_be_a_hash_with_an_end() {
    let secrets = format!(
        "secrets = [{{ env = \"CRM\", not_after = \"9000-01-01T00:00:00+01:00\" }}, {{ hash = \"sha256:{HASH}\" }}]"
    );
    let site = Site::new(&format!("[[clients]]\nid = \"crm\"\n{secrets}\n")).variable("CRM", "x");
    let secrets = &site.loaded().settings.auth.clients[0].secrets;
    assert!(secrets[0].hash.matches(b"x"));
    assert_eq!(secrets[0].not_after, Timestamp::parse_rfc3339("8999-12-31T23:00:00Z"));
    assert_eq!((secrets[1].hash.to_hex().as_str(), secrets[1].not_after), (HASH, None));
    let tokens = load(&site.sources).unwrap();
    assert_eq!(tokens.warnings, []);
}

#[test]
fn a_command_shows_the_secret_that_lasts_longest() {
    let text = |secrets: &str| format!("[[clients]]\nid = \"crm\"\nsecrets = [{secrets}]\n");
    let shown = |secrets: &str| {
        let site = Site::new(&text(secrets)).variable("A", "a").variable("B", "b");
        let secret = tidings::config::client_secret(&site.sources, "crm");
        secret.map(|secret| tidings::base::secret::ExposeSecret::expose_secret(&secret).to_owned())
    };
    let hashed = format!("{{ hash = \"sha256:{HASH}\" }}");
    assert_eq!(shown("{ env = \"A\" }, { env = \"B\" }").as_deref(), Some("a"));
    assert_eq!(shown("{ env = \"A\", not_after = \"2027-01-01T00:00:00Z\" }, { env = \"B\" }").as_deref(), Some("b"));
    assert_eq!(
        shown(&format!("{hashed}, {{ env = \"B\", not_after = \"2027-01-01T00:00:00Z\" }}")).as_deref(),
        Some("b")
    );
    assert_eq!(shown(&hashed), None);
}

#[test]
fn what_ends_within_thirty_days_is_warned_of() {
    let text = format!(
        "[[clients]]\nid = \"crm\"\nsecret = {{ env = \"CRM\", not_after = \"2027-01-31T00:00:00Z\" }}\n{}",
        key("billing", &format!("hash = {{ hash = {}, not_after = \"2027-02-01T00:00:00Z\" }}", hash("billing1")))
    );
    let warnings = |now: &str| {
        let mut site = Site::new(&text).variable("CRM", "x");
        site.sources.now = Timestamp::parse_rfc3339(now).unwrap();
        site.loaded().warnings
    };
    assert_eq!(warnings("2026-12-31T23:59:59Z"), []);
    let first = warnings("2027-01-01T00:00:00Z");
    assert_eq!((first.len(), at(&first[0]), first[0].severity), (1, (3, 37), Severity::Warning));
    assert!(first[0].message.contains("ends in 30 days"), "{}", first[0]);
    let both = warnings("2027-01-31T00:00:01Z");
    assert!(both[0].message.contains("has ended") && both[1].message.contains("ends in 0 days"), "{both:?}");
}

#[test]
fn an_api_key_needs_what_makes_it_one() {
    let long = format!("hash = \"sha256:{HASH}\"");
    let several = format!("hashes = [{}, {{ hash = {} }}]", hash("aaaaaaaa"), hash("bbbbbbbb"));
    let loaded = Site::new(&key("billing", &several)).loaded();
    assert_eq!(loaded.settings.auth.api_keys[0].keys[1].public, "bbbbbbbb");
    for (text, place, message) in [
        (key("billing", ""), "1:1", "hashes (or hash) is missing"),
        (key("billing", &long), "4:8", "sha256:<8 public"),
        (key("billing", "hash = \"tdg_aaaaaaaa_the-key-itself\""), "4:8", "sha256:<8 public"),
        (key("billing", "hashes = []"), "4:10", "must have 1 to 16"),
        (key("billing", &format!("hashes = [{}, {}]", hash("aaaaaaaa"), hash("aaaaaaaa"))), "4:", "declared twice"),
        (key("billing", &format!("hash = {}\negress = \"acme\"", hash("aaaaaaaa"))), "5:1", "unknown key"),
        (
            format!(
                "[[api_keys]]\nid = \"billing\"\nscopes = [\"notification:consent:consumer\"]\nhash = {}",
                hash("aaaaaaaa")
            ),
            "3:11",
            "only, not",
        ),
        (format!("[[api_keys]]\nid = \"billing\"\nhash = {}", hash("aaaaaaaa")), "1:1", "scopes is missing"),
    ] {
        let shown = Site::new(&text).shown();
        let told = only(&shown);
        assert!(told.starts_with(&format!("tidings.toml:{place}")) && told.contains(message), "{text}: {told}");
        assert!(!told.contains("the-key-itself"), "{told}");
    }
}

#[test]
fn a_key_is_no_client_and_no_other_key() {
    let with = |more: &str| Site::new(&with_client(more)).variable("CRM", "x").shown();
    let same = with(&key("crm", &format!("hash = {}", hash("aaaaaaaa"))));
    assert!(only(&same).contains("the id \"crm\" is that of a client, in tidings.toml:2:6"), "{same:?}");
    let twice = |first: &str, second: &str| {
        with(&format!("{}{}", key("a", &format!("hash = {first}")), key("b", &format!("hash = {second}"))))
    };
    let shown = twice(&hash("aaaaaaaa"), &hash("aaaaaaaa"));
    assert!(only(&shown).contains("the key \"aaaaaaaa\" is declared twice, the first time in"), "{shown:?}");
    let ids = with(&format!("{0}{0}", key("a", &format!("hash = {}", hash("aaaaaaaa")))));
    assert!(ids.iter().any(|shown| shown.contains("the id \"a\" is declared twice")), "{ids:?}");
}

#[test]
fn bounds_and_places_of_calls_are_checked() {
    let with = |line: &str| Site::new(&with_client(line)).variable("CRM", "x");
    for good in [
        "allowed_from = [\"10.0.0.0/8\", \"fd00::/8\", \"192.0.2.1\", \"unix\"]",
        "publish = { audience = [\"1001\"] }",
        "publish = { types = [\"*\"], sources = [\"/a*\"] }",
        "request_rate = \"100/min\"",
        "certificate = [\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]",
    ] {
        with(good).loaded();
    }
    for (bad, message) in [
        ("allowed_from = []", "must not be empty"),
        ("allowed_from = [\"10.0.0.1/8\"]", "write 10.0.0.0/8"),
        ("allowed_from = [\"example.com\"]", "must be a network"),
        ("allowed_from = [\"10.0.0.0/8\", \"10.0.0.0/8\"]", "is there twice"),
        ("publish = {}", "bounds nothing"),
        ("publish = { types = [] }", "must not be empty"),
        ("publish = { types = [\"a*b\"] }", "elsewhere than at its end"),
        ("publish = { kinds = [\"a\"] }", "unknown key"),
        ("request_rate = \"100/m\"", "must be a rate"),
        ("certificate = \"abc\"", "openssl x509"),
        ("certificate = []", "must have 1 to 16"),
        ("tokens_not_before = \"2027-01-01\"", "must be an instant"),
        ("webhook_api_key = \"x\"", "must be one of { file"),
        ("egress = \"plnt\"", "there is no egress policy \"plnt\""),
        ("acts_for_any = [\"registration\"]", "did you mean registrations?"),
    ] {
        let shown = with(bad).shown();
        assert!(shown.iter().any(|told| told.contains(message)), "{bad}: {shown:?}");
    }
}

#[test]
fn a_certificate_is_enough_for_a_client() {
    let text = "[[clients]]\nid = \"crm\"\ncertificate = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\n";
    let loaded = Site::new(text).loaded();
    assert_eq!((loaded.settings.auth.clients[0].secrets.len(), loaded.settings.root.certificates), (0, true));
}
