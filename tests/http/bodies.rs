//! Bodies that are too large, slow, broken or not wanted.

use std::time::Duration;

use crate::client::{Client, request};
use crate::toy::{Event, MAX_BODY, MAX_LARGE, Running, settings};

const CHUNKED: &str = "transfer-encoding: chunked\r\n";

fn chunks(sizes: &[usize]) -> String {
    let chunk = |size: &usize| format!("{size:x}\r\n{}\r\n", "c".repeat(*size));
    sizes.iter().map(chunk).collect::<String>() + "0\r\n\r\n"
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let server = Running::start(&settings());
    for (path, limit) in [("/toy/bodies", MAX_BODY), ("/toy/large", MAX_LARGE), ("/toy/echo", MAX_BODY)] {
        let method = if path == "/toy/echo" { "GET" } else { "POST" };
        let ask = async |headers: &str, body: &str| {
            let mut client = server.connect().await;
            client.send(request(method, path, headers, "").trim_end_matches("\r\n").to_owned() + "\r\n").await;
            client.send(body).await;
            client.answer().await
        };
        let announced = |size: usize| (format!("content-length: {size}\r\n"), format!("\r\n{}", "b".repeat(size)));
        let (headers, body) = announced(limit);
        assert_eq!(ask(&headers, &body).await.status, 200, "{path}");
        let (headers, body) = announced(limit + 1);
        let refused = ask(&headers, &body).await;
        assert_eq!(&*refused.body, &format!("toy refuses: BodyTooLarge {{ limit: {limit} }}"));
        assert_eq!(refused.header("connection"), Some("close"));
        assert_eq!(ask(CHUNKED, &format!("\r\n{}", chunks(&[limit / 2, limit / 2]))).await.status, 200, "{path}");
        assert_eq!(ask(CHUNKED, &format!("\r\n{}", chunks(&[limit / 2, limit / 2, 1]))).await.status, 413, "{path}");
        assert_eq!(ask(CHUNKED, &format!("\r\n{}", chunks(&[limit + 1]))).await.status, 413, "{path}");
    }
}

/// A caller that sends its whole body before it reads must find the answer and not a reset.
#[tokio::test]
async fn a_refusal_outlasts_a_body_that_still_comes() {
    let server = Running::start(&settings());
    let body = "b".repeat(8 * 1024 * 1024);
    for (path, status) in [("/toy/bodies", 413), ("/toy/secret", 401), ("/toy/nothing", 404)] {
        let mut client = server.connect().await;
        client.send(request("POST", path, "", &body)).await;
        assert_eq!(client.answer().await.status, status);
        client.closed().await;
    }
    let mut client = server.connect().await;
    client.send(request("POST", "/toy/bodies", CHUNKED, "") + &chunks(&[1024 * 1024; 8])).await;
    assert_eq!(client.answer().await.status, 413);
    client.closed().await;
}

#[tokio::test]
async fn a_small_body_that_nobody_wanted_does_not_cost_the_connection() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    for path in ["/toy/nothing", "/toy/secret", "/toy/echo"] {
        let answer = client.ask("POST", path, "", "small").await;
        assert!(answer.status >= 400 && answer.header("connection").is_none(), "{answer:?}");
    }
    assert_eq!(&*client.ask("POST", "/toy/bodies", "", "small").await.body, "5");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut short = settings();
    short.body_timeout = Duration::from_millis(200);
    let server = Running::start(&short);
    for start in [request("POST", "/toy/bodies", "content-length: 10\r\n", "") + "five!", {
        request("POST", "/toy/bodies", CHUNKED, "") + "5\r\nfi"
    }] {
        let mut client = server.connect().await;
        client.send(start).await;
        assert_eq!(&*client.answer().await.body, "toy refuses: BodyTimeout { seconds: 0 }");
        client.closed().await;
    }
}

/// The time is for the whole body: a byte now and then does not lengthen it.
#[tokio::test]
async fn a_body_that_drips_in_is_not_waited_for() {
    let mut short = settings();
    short.body_timeout = Duration::from_millis(200);
    let server = Running::start(&short);
    let mut client = server.connect().await;
    client.send(request("POST", "/toy/bodies", "content-length: 1000\r\n", "")).await;
    while client.try_send(b"b").await {
        if client.fill_within(Duration::from_millis(10)).await {
            break;
        }
    }
    assert_eq!(client.answer().await.status, 408);
}

#[tokio::test]
async fn a_body_that_is_not_as_announced_reaches_nobody() {
    let server = Running::start(&settings());
    let cut: [(&str, &str, bool); 6] = [
        ("content-length: 10\r\n", "five!", true),
        (CHUNKED, "5\r\nfive!\r\n", true),
        (CHUNKED, "zz\r\nfive!\r\n0\r\n\r\n", false),
        (CHUNKED, "5\r\nfive!more\r\n0\r\n\r\n", false),
        (CHUNKED, "-1\r\n\r\n", false),
        (CHUNKED, "fffffffffffffffff\r\n\r\n", false),
    ];
    for (headers, body, shut) in cut {
        let mut client = server.connect().await;
        client.send(request("POST", "/toy/bodies", headers, "") + body).await;
        if shut {
            client.shut().await;
        }
        let answer = client.answer().await;
        assert!(answer.status == 400 && answer.body.starts_with("toy refuses: BadRequest"), "{body}: {answer:?}");
        client.closed().await;
    }
    let (_, events) = server.end().await;
    assert_eq!(events, []);
}

#[tokio::test]
async fn the_body_of_one_that_waits_for_it_is_asked_for_when_all_else_is_right() {
    let server = Running::start(&settings());
    let expect = |path: &str, length: usize, more: &str| {
        request("POST", path, &format!("expect: 100-continue\r\ncontent-length: {length}\r\n{more}"), "")
    };
    let mut client = server.connect().await;
    client.send(expect("/toy/bodies", 5, "")).await;
    assert_eq!(client.answer().await.status, 100);
    client.send("five!").await;
    assert_eq!(&*client.answer().await.body, "5");
    for (path, length, more, status) in [
        ("/toy/bodies", MAX_BODY + 1, "", 413),
        ("/toy/secret", 5, "", 401),
        ("/toy/secret", 5, "authorization: Bearer reader\r\n", 403),
        ("/toy/echo", 5, "", 405),
        ("/toy/nothing", 5, "", 404),
    ] {
        let mut client = server.connect().await;
        client.send(expect(path, length, more)).await;
        assert_eq!(client.answer().await.status, status);
        client.closed().await;
    }
    let (_, events) = server.end().await;
    assert_eq!(events, [Event::Called("length")]);
}

#[tokio::test]
async fn trailers_are_read_and_dropped() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    client.send(request("POST", "/toy/bodies", CHUNKED, "") + "2;x=y\r\nab\r\n0\r\nx-trailer: z\r\n\r\n").await;
    assert_eq!(&*client.answer().await.body, "2");
    assert_eq!(Client::get(&mut client, "/toy/echo").await.status, 200);
}
