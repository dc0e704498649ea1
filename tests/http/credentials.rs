//! 401 and 403, and what they say.

use crate::toy::{Event, Running, settings};

async fn secret(headers: &str) -> (u16, Option<String>) {
    let server = Running::start(&settings());
    let answer = server.connect().await.ask("GET", "/toy/secret", headers, "").await;
    (answer.status, answer.header("www-authenticate").map(str::to_owned))
}

#[tokio::test]
async fn a_good_token_is_let_in() {
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(secret(&format!("authorization: {scheme} reader\r\n")).await, (200, None));
    }
}

#[tokio::test]
async fn without_a_token_the_challenge_is_plain() {
    let cases = [
        "",
        "authorization: Basic cmVhZGVyOg==\r\n",
        "authorization: Bearer\r\n",
        "authorization: Bearer reader reader\r\n",
        "authorization: Bearer reader\r\nauthorization: Bearer reader\r\n",
        "authorization: reader\r\n",
    ];
    for headers in cases {
        assert_eq!(secret(headers).await, (401, Some("Bearer".to_owned())), "{headers}");
    }
}

#[tokio::test]
async fn a_bad_token_is_told_so() {
    let answer = secret("authorization: Bearer forged\r\n").await;
    assert_eq!(answer, (401, Some("Bearer error=\"invalid_token\"".to_owned())));
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let answer = secret("authorization: Bearer idler\r\n").await;
    assert_eq!(answer, (403, Some("Bearer error=\"insufficient_scope\", scope=\"read\"".to_owned())));
}

#[tokio::test]
async fn a_public_route_takes_no_notice_of_credentials() {
    let server = Running::start(&settings());
    let answer = server.connect().await.ask("GET", "/toy/echo", "authorization: Bearer forged\r\n", "").await;
    assert_eq!(&*answer.body, "toy /echo id= query= who=nobody");
}

#[tokio::test]
async fn nobody_is_called_for_those_who_may_not() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    client.ask("POST", "/toy/secret", "", "body").await;
    client.ask("POST", "/toy/secret", "authorization: Bearer reader\r\n", "body").await;
    client.get("/toy/echo").await;
    let (_, events) = server.end().await;
    assert_eq!(events, [Event::Called("echo")]);
}
