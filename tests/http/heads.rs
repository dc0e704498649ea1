//! Heads that are slow, too large, ambiguous or no heads at all.

use std::time::Duration;

use crate::client::{Client, request};
use crate::toy::{Event, Running, settings};

/// The answer to `bytes`, after which the connection has to be closed.
async fn last_answer(server: &Running, bytes: impl AsRef<[u8]>) -> (u16, String) {
    let mut client = server.connect().await;
    client.send(bytes).await;
    let answer = client.answer().await;
    assert!(answer.header("x-request-id").is_some() && answer.header("date").is_some(), "{answer:?}");
    client.closed().await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn what_is_no_http_is_told_so_in_the_words_of_the_root() {
    let server = Running::start(&settings());
    for bad in [
        "not http at all\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
        "GET /echo HTTP/1.1\r\nhost: test\r\nbad header\r\n\r\n",
        "GET /echo HTTP/1.1\r\nhost: test\r\nname : value\r\n\r\n",
        "GET /echo HTTP/3.0\r\n\r\n",
        "GET /a b HTTP/1.1\r\nhost: test\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let (status, body) = last_answer(&server, bad).await;
        assert!(status == 400 && body.starts_with("root refuses: BadRequest"), "{bad}: {status} {body}");
    }
    assert_eq!(server.connect().await.get("/echo").await.status, 200);
}

#[tokio::test]
async fn a_bad_head_after_a_good_request_is_refused_after_its_answer() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    client.send(request("GET", "/toy/echo", "", "") + "nonsense\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.answer().await.status, 400);
    client.closed().await;
}

#[tokio::test]
async fn a_head_has_a_largest_size() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    let fits = format!("x-long: {}\r\n", "y".repeat(60 * 1024));
    assert_eq!(client.ask("GET", "/toy/echo", &fits, "").await.status, 200);
    for headers in [format!("x-long: {}\r\n", "y".repeat(70 * 1024)), "x-many: y\r\n".repeat(101)] {
        let (status, body) = last_answer(&server, request("GET", "/toy/echo", &headers, "")).await;
        assert!(status == 400 && body.contains("larger than 65536 bytes"), "{status} {body}");
    }
    let (status, _) = last_answer(&server, request("GET", &format!("/{}", "p".repeat(65_535)), "", "")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_request_has_one_host() {
    let server = Running::start(&settings());
    for bad in ["GET /toy/echo HTTP/1.1\r\n\r\n", "GET /toy/echo HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"] {
        let (status, body) = last_answer(&server, bad).await;
        assert!(status == 400 && body.starts_with("toy refuses: BadRequest"), "{status} {body}");
    }
    let mut client = server.connect().await;
    client.send("GET /toy/echo HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.closed().await;
}

/// RFC 9112 §6.1, §6.3: where it is doubtful where a body ends, nothing after it is a request.
#[tokio::test]
async fn nothing_is_smuggled() {
    let server = Running::start(&settings());
    let inner = "GET /toy/things/smuggled HTTP/1.1\r\nhost: test\r\n\r\n";
    let chunked = format!("0\r\n\r\n{inner}");
    let both = format!("transfer-encoding: chunked\r\ncontent-length: {}\r\n", chunked.len());
    let mut client = server.connect().await;
    client.send(request("POST", "/toy/bodies", &both, "") + &chunked).await;
    assert_eq!(&*client.answer().await.body, "0");
    client.closed().await;
    for headers in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length: -1\r\n",
        "content-length: 99999999999999999999\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, gzip\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding:\u{b}chunked\r\n",
    ] {
        let body = if headers.starts_with("transfer") { "0\r\n\r\n" } else { "hello" };
        let (status, _) = last_answer(&server, request("POST", "/toy/bodies", headers, "") + body + inner).await;
        assert_eq!(status, 400, "{headers}");
    }
    let old = "POST /toy/bodies HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(last_answer(&server, old).await.0, 400);
    let (_, events) = server.end().await;
    assert_eq!(events, [Event::Called("length")]);
}

#[tokio::test]
async fn a_head_that_drips_in_is_not_waited_for() {
    let mut short = settings();
    short.header_timeout = Duration::from_millis(200);
    let server = Running::start(&short);
    let mut client = server.connect().await;
    // One byte at a time, for as long as the server bears it.
    let mut drops = b"GET /toy/echo HTTP/1.1\r\nx-endless: ".iter().chain(std::iter::repeat(&b'x'));
    while client.try_send(&[*drops.next().unwrap()]).await {
        if client.fill_within(Duration::from_millis(10)).await {
            break;
        }
    }
    let answer = client.answer().await;
    assert!(answer.status == 400 && answer.body.contains("did not arrive within 200ms"), "{answer:?}");
    client.closed().await;
}

#[tokio::test]
async fn the_second_head_of_a_connection_has_the_same_time() {
    let mut short = settings();
    short.header_timeout = Duration::from_millis(200);
    let server = Running::start(&short);
    let mut client = server.connect().await;
    assert_eq!(client.get("/toy/echo").await.status, 200);
    client.send("GET /toy").await;
    assert_eq!(client.answer().await.status, 400);
    client.closed().await;
}

#[tokio::test]
async fn silence_is_no_slow_head() {
    let mut short = settings();
    short.header_timeout = Duration::from_millis(50);
    let server = Running::start(&short);
    let (mut silent, mut kept) = (server.connect().await, server.connect().await);
    assert_eq!(kept.get("/toy/echo").await.status, 200);
    // Several times the limit, which must not go off: if it did, the requests below would fail.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(kept.get("/toy/echo").await.status, 200);
    assert_eq!(silent.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn an_offer_to_upgrade_is_passed_over() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    for _ in 0..2 {
        let offer = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
        assert_eq!(client.ask("GET", "/toy/echo", offer, "").await.status, 200);
    }
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row() {
    let server = Running::start(&settings());
    let mut client = server.connect().await;
    let row: String = (0..20)
        .map(|n| match n % 2 {
            0 => request("GET", &format!("/toy/things/{n}"), "", ""),
            _ => request("POST", "/toy/bodies", "", &"b".repeat(n)),
        })
        .collect();
    client.send(row).await;
    for n in 0..20 {
        let expected = if n % 2 == 0 { format!("toy /things/{n} id={n} query= who=nobody") } else { n.to_string() };
        assert_eq!(client.answer().await.body, expected);
    }
    client.ask("GET", "/toy/echo", "connection: close\r\n", "").await;
    Client::closed(client).await;
}
