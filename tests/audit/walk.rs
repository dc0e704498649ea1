//! Every route of every contract: each change leaves one line whether it succeeds or not, and so does everybody who is
//! not let in. New routes are walked by themselves.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidings::http::contract::Access;

use crate::calls::{Answer, Call};
use crate::recipes::{Object, Recipe, recipe};
use crate::stage::{SECRET, Stage, Target};
use crate::trails::lines;

/// What a line is to say.
#[derive(Debug)]
struct Expected {
    line: Value,
    /// The id of the answer, where one answer has one line.
    request: Option<String>,
}

fn driver() -> Value {
    json!({"kind": "client", "id": "driver", "issuer": "built-in"})
}

impl Expected {
    fn new(target: &Target, action: &str, answer: &Answer) -> Self {
        let outcome = match answer.status {
            200..400 => "ok",
            400..500 => "refused",
            _ => "failed",
        };
        let line = json!({
            "audit": 1, "action": action, "outcome": outcome, "status": answer.status, "address": "127.0.0.1",
            "contract": target.contract, "operation": target.route.label,
        });
        Self { line, request: Some(answer.request_id.clone()) }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.line[name] = value.into();
        self
    }

    /// Whether `line` says all of this, and besides only what every line may have.
    fn is(&self, line: &Value) -> bool {
        let besides = ["seq", "time", "previous", "request", "reason", "scope"];
        let wanted = self.line.as_object().unwrap();
        let more = line.as_object().unwrap().keys().all(|name| wanted.contains_key(name) || besides.contains(&&**name));
        more && wanted.iter().all(|(name, value)| line.get(name) == Some(value))
            && self.request.as_ref().is_none_or(|request| line["request"] == **request)
    }
}

#[tokio::test]
async fn every_change_leaves_one_line_when_it_succeeds_and_when_it_is_refused() {
    let stage = Stage::start().await;
    let (token, mut expected) = (stage.token("driver").await, Vec::new());
    let changing: Vec<_> = stage.targets().into_iter().filter(|target| target.change().is_some()).collect();
    assert!(changing.len() >= 19, "{changing:?}");
    for target in &changing {
        let change = target.change().unwrap();
        expected.push(refused(&stage, target, change, &token).await);
        let Recipe { call, object } = recipe(&stage, target, &token).await;
        let answer = stage.send_to(target.admin, &call).await;
        assert!(answer.status < 300, "{call:?}: {answer:?}");
        // Who has the answer finds the line.
        assert!(stage.trail().contains(&answer.request_id), "{answer:?}");
        let line = Expected::new(target, change, &answer).with("principal", driver());
        expected.push(match object {
            Object::Known(id) => line.with("object", id),
            Object::Told(of) => line.with("object", of(&answer.json())),
            Object::None => line,
        });
    }
    let (text, _folder) = stage.end().await;
    let lines = lines(&text);
    for expected in &expected {
        let of_request: Vec<_> =
            lines.iter().filter(|line| line["request"] == **expected.request.as_ref().unwrap()).collect();
        assert_eq!(of_request.len(), 1, "{expected:?}: {of_request:?}");
        assert!(expected.is(of_request[0]), "{expected:?}: {:?}", of_request[0]);
    }
}

/// A call of `target` that the contract itself refuses.
async fn refused(stage: &Stage, target: &Target, change: &str, token: &str) -> Expected {
    let (plain, public) = (target.call(&[]), target.route.access == Access::Public);
    let call = if public {
        plain.form("grant_type=client_credentials&client_id=me%0a&client_secret=x")
    } else {
        plain.json("{\"broken\": ").bearer(token)
    };
    let answer = stage.send_to(target.admin, &call).await;
    assert!((400..500).contains(&answer.status), "{call:?}: {answer:?}");
    let line = Expected::new(target, change, &answer);
    let line = target.unknown_object().into_iter().fold(line, |line, object| line.with("object", object));
    line.with("principal", if public { json!({"kind": "claimed", "id": "me\n"}) } else { driver() })
}

#[tokio::test]
async fn whoever_is_not_let_in_leaves_one_line() {
    let contracts = Stage::start().await.targets();
    let contracts: BTreeSet<_> = contracts.iter().map(|target| (target.admin, target.contract)).collect();
    // One appliance for each: more than a hundred kinds of refusals within a second are no longer told apart.
    for (admin, contract) in contracts {
        let stage = Stage::start().await;
        let watcher = stage.token("watcher").await;
        let mut expected = Vec::new();
        for target in stage.targets().into_iter().filter(|t| (t.admin, t.contract) == (admin, contract)) {
            let (Access::Scope(scope) | Access::ScopeOrKey(scope)) = target.route.access else { continue };
            let plain = target.call(&[]);
            let unknown = json!({"kind": "client", "id": "watcher", "issuer": "built-in"});
            for (call, status, action, reason) in [
                (plain.clone(), 401, "authenticate", "there is no credential"),
                (plain.clone().bearer("eyJ.wrong.token"), 401, "authenticate", "the token"),
                (plain.clone().header("Authorization", "Basic eDp5"), 401, "authenticate", "not a bearer token"),
                (plain.bearer(&watcher), 403, "authorise", scope),
            ] {
                let answer = stage.send_to(admin, &call).await.expect(status);
                let line = Expected::new(&target, action, &answer);
                let line = target.unknown_object().into_iter().fold(line, |line, object| line.with("object", object));
                let line = if status == 403 { line.with("principal", unknown.clone()) } else { line };
                expected.push((line, reason));
            }
        }
        let (text, _folder) = stage.end().await;
        let refused: Vec<_> = lines(&text).into_iter().filter(|line| line["outcome"] == "refused").collect();
        assert_eq!(refused.len(), expected.len(), "{text}");
        for (expected, reason) in expected {
            let found: Vec<_> = refused.iter().filter(|line| expected.is(line)).collect();
            assert_eq!(found.len(), 1, "{expected:?}: {text}");
            assert!(found[0]["reason"].as_str().unwrap().contains(reason), "{found:?}");
        }
    }
}

#[tokio::test]
async fn what_changes_nothing_leaves_none() {
    let stage = Stage::start().await;
    let token = stage.token("driver").await;
    let (before, mut asked) = (stage.targets(), Vec::new());
    for target in before.iter().filter(|target| target.change().is_none()) {
        let call = target.call(&[]).bearer(&token).json("{}");
        asked.push(stage.send_to(target.admin, &call).await);
    }
    assert!(asked.len() >= 5);
    asked.push(stage.send(&Call::new("GET", "/nowhere")).await.expect(404));
    let (text, _folder) = stage.end().await;
    for answer in asked.iter().filter(|answer| ![401, 403].contains(&answer.status)) {
        assert!(!text.contains(&format!("\"{}\"", answer.request_id)), "{answer:?}: {text}");
    }
}

#[tokio::test]
async fn a_dry_run_is_called_one() {
    let stage = Stage::start().await;
    let token = stage.token("driver").await;
    let purge = Call::new("POST", "/v1/clients/driver/purge").bearer(&token).json(r#"{"dryRun": true}"#);
    stage.send(&purge).await.expect(200);
    let (text, _folder) = stage.end().await;
    assert!(text.contains(r#""object":"driver (dry run)""#), "{text}");
}

#[tokio::test]
async fn tokens_are_accounted_for_without_being_shown() {
    let stage = Stage::start().await;
    let ask = |body: &str| Call::new("POST", "/oauth2/token").form(body);
    let good = format!("grant_type=client_credentials&client_id=driver&client_secret={SECRET}");
    let issued = stage.send(&ask(&format!("{good}&scope=trigger"))).await.expect(200);
    let long = "x".repeat(5000);
    let refusals = [
        (
            ask("grant_type=client_credentials&client_id=driver&client_secret=wrong-secret"),
            "invalid_client",
            json!({"kind": "claimed", "id": "driver"}),
        ),
        (
            ask(&format!("client_id={long}&client_secret=wrong-secret")),
            "invalid_client",
            json!({"kind": "claimed", "id": format!("{}…", &long[..256])}),
        ),
        (ask(&format!("{good}&scope=wrong-scope")), "invalid_scope", driver()),
        (ask(&good.replace("client_credentials", "password")), "unsupported_grant_type", driver()),
        (ask("client_id=driver"), "invalid_client", Value::Null),
        (Call::new("POST", "/oauth2/token").json("{\"wrong-secret\": 1, "), "invalid_request", Value::Null),
    ];
    for (call, _, _) in &refusals {
        assert!(stage.send(call).await.status >= 400);
    }
    let (text, _folder) = stage.end().await;
    let lines: Vec<_> = lines(&text).into_iter().filter(|line| line["action"] == "token.issue").collect();
    assert_eq!(lines[0]["scope"], "trigger");
    assert_eq!(lines.len(), refusals.len() + 1);
    for (line, (_, reason, principal)) in lines[1..].iter().zip(refusals) {
        assert_eq!((&line["outcome"], &line["reason"]), (&"refused".into(), &reason.into()), "{line}");
        assert_eq!(line.get("principal").unwrap_or(&Value::Null), &principal, "{line}");
    }
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();
    for secret in [SECRET, "wrong-secret", "wrong-scope", &token, token.rsplit('.').next().unwrap()] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn the_files_and_the_runs_are_accounted_for() {
    let one = "subscriptions = [{ id = \"a\", client_id = \"driver\", event_types = [\"301\"], poll = {} }, { id = \"b\", client_id = \"driver\", event_types = [\"301\"], poll = {} }]";
    let two = "subscriptions = [{ id = \"b\", client_id = \"driver\", event_types = [\"302\"], poll = {} }]";
    let (text, folder) = Stage::start_in(tempfile::tempdir().unwrap(), one).await.end().await;
    let said = |text: &str| {
        let lines = lines(text).into_iter();
        lines
            .map(|line| format!("{} {} {}", line["action"], line["object"], line["principal"]["kind"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    let first = [
        "appliance.start null appliance",
        "subscription.create a configuration",
        "subscription.create b configuration",
        "appliance.stop null appliance",
    ];
    assert_eq!(said(&text), first);
    let (text, folder) = Stage::start_in(folder, two).await.end().await;
    let second = [
        "appliance.start null appliance",
        "subscription.update b configuration",
        "subscription.drain a configuration",
        "appliance.stop null appliance",
    ];
    assert_eq!(said(&text)[4..], second);
    let (text, _folder) = Stage::start_in(folder, two).await.end().await;
    assert_eq!(said(&text)[8..], [second[0], second[3]]);
}
