//! New keys, other signing keys, and what the status tells of credentials.

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Ended, Site};
use crate::wire;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_made_key_and_a_made_secret_are_good_once_their_lines_stand_in_the_files() {
    let site = Site::new();
    let key = site.run(&["keygen"]).expect(0);
    let secret = site.run(&["keygen", "--client"]).expect(0);
    let line = |made: &Ended| made.stderr.lines().next().unwrap().to_owned();
    let entries = format!(
        "[[api_keys]]\nid = \"billing\"\nscopes = [\"events:publish\"]\n{}\n\
         [[clients]]\nid = \"erp\"\nscopes = [\"events:publish\"]\n{}\n",
        line(&key),
        line(&secret)
    );
    std::fs::create_dir(site.path("conf.d")).unwrap();
    std::fs::write(site.path("conf.d/keys.toml"), entries).unwrap();
    site.run(&["check"]).expect(0);
    let serving = site.serve();
    let (key, secret) = (key.stdout.trim_end(), secret.stdout.trim_end());
    assert!(key.starts_with("tdg_"), "{key}");
    let event = r#"{"type":"301"}"#;
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-KEY: {key}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    let socket = site.path("api.sock");
    assert_eq!(wire::try_send(&socket, &request).unwrap().json(202)["matched"], 1);
    wire::try_send(&socket, &request.replace(key, &format!("{key}x"))).unwrap().json(401);
    let form = format!("grant_type=client_credentials&client_id=erp&client_secret={secret}");
    let asked = wire::post("/oauth2/token", "", "application/x-www-form-urlencoded", &form);
    let asked = asked.replace("Authorization: \r\n", "");
    assert_eq!(wire::try_send(&socket, &asked).unwrap().json(200)["scope"], "events:publish");
    site.run(&["token", "--client", "erp"]).expect(78).says("only the hash");
    drop(serving);
}

#[test]
fn a_key_is_for_one_of_both_and_a_program_gets_all_at_once() {
    let site = Site::new();
    site.run(&["keygen", "--client", "--api-key"]).expect(64);
    let made = json(&site.run(&["keygen", "--json"]).expect(0).stdout);
    assert!(made["key"].as_str().unwrap().starts_with("tdg_") && made["hash"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn another_key_signs_and_the_old_tokens_are_good_until_they_are_forgotten() {
    let site = Site::with_lasting_url();
    let serving = site.serve();
    let token = site.run(&["token", "--client", "crm"]).expect(0).stdout.trim_end().to_owned();
    let publish = || site.run(&["publish", "--token", &token, "--type", "301"]);
    let rotated = json(&site.run(&["rotate-keys", "--json"]).expect(0).stdout);
    assert_ne!(rotated["keyId"], rotated["replaced"]);
    assert!(rotated["acceptedUntil"].is_string());
    publish().expect(0);
    drop(serving);
    let serving = site.serve();
    publish().expect(0);
    let webhooks = json(&site.run(&["rotate-keys", "--webhooks", "--json"]).expect(0).stdout);
    assert!(webhooks["keyId"].as_str().is_some_and(|key| key.starts_with("whpk_")), "{webhooks}");
    let said = site.run(&["rotate-keys", "--webhooks"]).expect(0).stdout;
    assert!(said.contains("signs the webhooks now; until "), "{said}");
    let said = site.run(&["rotate-keys", "--forget-old"]).expect(0).stdout;
    assert!(said.contains("no token that was issued before"), "{said}");
    publish().expect(77);
    site.run(&["publish", "--client", "crm", "--type", "301"]).expect(0);
    drop(serving);
    site.run(&["rotate-keys"]).expect(69);
}

#[test]
fn the_status_tells_when_credentials_were_used_also_before_the_last_stop() {
    let site = Site::new();
    let serving = site.serve();
    let crm = || json(&site.run(&["status", "--json"]).expect(0).stdout)["credentials"][0].clone();
    assert_eq!((&crm()["id"], crm().get("lastUsed")), (&"crm".into(), None));
    site.run(&["publish", "--client", "crm", "--type", "301"]).expect(0);
    let used = crm()["lastUsed"].clone();
    assert!(used.is_string(), "{}", crm());
    let shown = site.run(&["status"]).expect(0).stdout;
    assert!(shown.contains(&format!("client crm: last used {}", used.as_str().unwrap())), "{shown}");
    assert!(shown.contains("client reader: not used yet"), "{shown}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(0));
    let _serving = site.serve();
    assert_eq!(crm()["lastUsed"], used);
}
