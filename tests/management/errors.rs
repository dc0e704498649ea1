//! The contract's error body, for all that the contract and the router refuse.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use tidings::base::rate::Rate;
use tidings::store::Store as _;

use crate::stage::{REPLAYS, SUBSCRIPTIONS, Stage, example, setup, subscription};
use crate::support::client::{Answer, Call};
use crate::support::{BadDisk, Setup, until};

/// The answer has the contract's body; gives its message.
#[track_caller]
fn error(answer: Answer, status: u16) -> Value {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["statusCode"], status);
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    body["message"].clone()
}

#[tokio::test]
async fn who_is_not_let_in_gets_the_published_401_or_403() {
    let stage = Stage::plain().await;
    let without = stage.send(Call::get(SUBSCRIPTIONS, "noc").without_token()).await;
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    // The seed's own example.
    assert_eq!(without.json(), json!({"statusCode": 401, "message": "Unauthorized"}));
    let bad = Call::get(SUBSCRIPTIONS, "noc").without_token().header("authorization", "Bearer nonsense");
    assert_eq!(error(stage.send(bad).await, 401), "Unauthorized");
    let forbidden = stage.send(Call::post(SUBSCRIPTIONS, "reader", "{}")).await;
    assert!(forbidden.header("www-authenticate").unwrap().contains("insufficient_scope"));
    assert_eq!(error(forbidden, 403), "The token does not have the scope notifications:write.");
    let replay = error(stage.send(Call::post(REPLAYS, "reader", "{}")).await, 403);
    assert_eq!(replay, "The token does not have the scope notifications:replay.");
    stage.get(SUBSCRIPTIONS, "reader").await.expect(200);
}

#[tokio::test]
async fn the_scopes_are_those_of_the_configuration() {
    let mut setup = setup();
    setup.management.scopes.read = "notifications:write";
    let stage = Stage::start(setup).await;
    let refused = error(stage.get(SUBSCRIPTIONS, "reader").await, 403);
    assert_eq!(refused, "The token does not have the scope notifications:write.");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let stage = Stage::plain().await;
    for path in ["/notifications/v1/nothing", "/notifications/v1", "/notifications/v1/notifications"] {
        error(stage.get(path, "noc").await, 404);
    }
    for (method, path, allow) in [
        (Method::PUT, SUBSCRIPTIONS.to_owned(), "GET, POST"),
        (Method::POST, subscription("x"), "DELETE, GET, PATCH"),
        (Method::GET, REPLAYS.to_owned(), "POST"),
    ] {
        let answer = stage.send(Call::new(method, &path, "noc")).await;
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), allow);
        error(answer, 405);
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_of_the_right_size_and_type() {
    let stage = Stage::start(Setup { max_body: 4096, ..setup() }).await;
    for (body, problem) in [
        (&b""[..], "the body is not acceptable JSON"),
        (b"{\"eventType\":", "the body is not acceptable JSON"),
        (b"[]", "the body must be an object"),
        (b"{\"limit\":1,\"limit\":2}", "the body is not acceptable JSON: the member \"limit\" is there twice"),
        (b"\xff", "the body is not acceptable JSON: invalid UTF-8"),
    ] {
        for path in [SUBSCRIPTIONS, REPLAYS] {
            let message = error(stage.send(Call::post(path, "noc", body.to_vec())).await, 400);
            assert!(message[0].as_str().unwrap().starts_with(problem), "{message}");
        }
    }
    for other in ["text/plain", "application/json; charset=latin1"] {
        error(stage.send(Call::post_as(SUBSCRIPTIONS, "noc", other, example().to_string())).await, 415);
        error(stage.send(Call::post_as(REPLAYS, "noc", other, "{}")).await, 415);
    }
    error(stage.send(Call::new(Method::PATCH, &subscription("x"), "noc").body("{}")).await, 415);
    let padded = |len: usize| format!("{:len$}", example().to_string());
    stage.send(Call::post(SUBSCRIPTIONS, "noc", padded(4096))).await.expect(201);
    let large = error(stage.send(Call::post(SUBSCRIPTIONS, "noc", padded(4097))).await, 413);
    assert!(large.as_str().unwrap().contains("4096"), "{large}");
}

#[tokio::test]
async fn too_many_requests_are_429() {
    let mut setup = setup();
    setup.tune_auth = |auth| {
        for client in &mut auth.clients {
            client.terms.request_rate = Rate::parse("1/s");
        }
    };
    let stage = Stage::start(setup).await;
    stage.get(SUBSCRIPTIONS, "noc").await.expect(200);
    let answer = stage.get(SUBSCRIPTIONS, "noc").await;
    assert!(answer.header("retry-after").is_some());
    error(answer, 429);
}

#[tokio::test]
async fn a_store_that_cannot_write_is_503_and_changes_nothing() {
    let disk = Arc::new(BadDisk::default());
    let stage = Stage::start(Setup { faults: Some(disk.clone()), ..setup() }).await;
    let made = stage.subscribe("noc", &example()).await;
    let id = made["id"].as_str().unwrap();
    disk.fail(true);
    let answers = [
        stage.post(SUBSCRIPTIONS, "noc", &example()).await,
        stage.patch(id, "noc", &json!({"expiresOn": "2027-01-01"})).await,
        stage.send(Call::delete(&subscription(id), "noc")).await,
    ];
    for answer in answers {
        assert!(answer.header("retry-after").is_some());
        let message = error(answer, 503);
        assert!(!message.to_string().contains("burnt"), "{message}");
    }
    disk.fail(false);
    until("the store is well again", || stage.appliance.store.trouble().is_none()).await;
    assert_eq!(stage.get(SUBSCRIPTIONS, "noc").await.expect(200).json(), json!([made]));
}
