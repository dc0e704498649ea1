//! Callers who mean harm over HTTP/2: they are stopped, and nobody else waits for that.

use std::time::Duration;

use h2::Reason;
use h2::client::Builder;
use tidings::http::settings::ServerSettings;

use crate::client::soon;
use crate::peer::{Peer, Raw, frame, head, raw, waiting};
use crate::secure::Site;
use crate::toy::{Event, Running, settings};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The reason of the GOAWAY in `bytes`, if there is one.
fn reason(bytes: &[u8]) -> Option<Reason> {
    let mut rest = bytes;
    while rest.len() >= 9 {
        let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        let (kind, payload) = (rest[3], rest.get(9..9 + length)?);
        if kind == GOAWAY {
            return Some(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]).into());
        }
        rest = &rest[9 + length..];
    }
    None
}

/// Has `flood` sent until the server closes the connection, while somebody else is served all the time.
async fn flood(server: &Running, mut batch: impl FnMut(u32) -> Vec<u8>) -> Option<Reason> {
    let raw = raw(server).await;
    let (mut from, mut to) = tokio::io::split(raw.stream);
    let reader = tokio::spawn(async move {
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut from, &mut answer).await;
        answer
    });
    let mut other = Peer::in_the_clear(server, &Builder::new()).await;
    for number in 0.. {
        assert!(number < 100_000, "the flood is not stopped");
        if soon(tokio::io::AsyncWriteExt::write_all(&mut to, &batch(number))).await.is_err() || reader.is_finished() {
            break;
        }
        if number % 20 == 0 {
            assert_eq!(other.get("/toy/echo").await.status, 200);
        }
    }
    assert_eq!(other.get("/toy/echo").await.status, 200);
    reason(&soon(reader).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_taken_back_at_once() {
    let server = Running::start(&settings());
    let mut stream = 1;
    let calm = flood(&server, |_| {
        let mut batch = Vec::new();
        for _ in 0..10 {
            batch.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &waiting()));
            batch.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            stream += 2;
        }
        batch
    })
    .await;
    // It may be that the connection is reset before the caller has read why.
    assert!(calm.is_none_or(|reason| reason == Reason::ENHANCE_YOUR_CALM), "{calm:?}");
    assert!(stream < 20_000, "stopped after {} requests", stream / 2);
    server.shows("tidings_http_requests_in_flight 0\n").await;
    let (_, events) = server.end().await;
    let begun = events.iter().filter(|event| **event == Event::Called("wait")).count();
    assert_eq!(begun, events.iter().filter(|event| **event == Event::Abandoned).count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_taken_back_once_they_are_worked_on() {
    let mut server = Running::start(&settings());
    let mut peer = Peer::in_the_clear(&server, &Builder::new()).await;
    let mut stopped = None;
    for number in 0..1000 {
        let sent = match peer.send.clone().ready().await {
            Ok(mut send) => send.send_request(head("GET", "/toy/wait"), true),
            Err(error) => Err(error),
        };
        let begun = tokio::select! {
            biased;
            _ = &mut peer.driver, if sent.is_ok() => None,
            event = server.event(), if sent.is_ok() => Some(event),
            else => None,
        };
        let (Ok((_, mut body)), Some(event)) = (sent, begun) else {
            stopped = Some(number);
            break;
        };
        assert_eq!(event, Event::Called("wait"));
        body.send_reset(Reason::CANCEL);
        assert_eq!(server.event().await, Event::Abandoned);
    }
    let stopped = stopped.expect("it is stopped");
    assert!((300..400).contains(&stopped), "{stopped}");
    assert_eq!(Peer::in_the_clear(&server, &Builder::new()).await.get("/toy/echo").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_never_ends() {
    let server = Running::start(&settings());
    let calm = flood(&server, |number| match number {
        0 => frame(HEADERS, END_STREAM, 1, &waiting()),
        _ => frame(CONTINUATION, 0, 1, &[0x00, 1, b'a', 1, b'b']),
    })
    .await;
    assert!(calm.is_none_or(|reason| reason == Reason::ENHANCE_YOUR_CALM), "{calm:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_long_in_many_frames() {
    let server = Running::start(&settings());
    let field = [&[0x00, 1, b'a', 0x7f, 0x80, 0x7e][..], &[b'b'; 16_127]].concat();
    let calm = flood(&server, |number| match number {
        0 => frame(HEADERS, END_STREAM, 1, &waiting()),
        _ => frame(CONTINUATION, 0, 1, &field),
    })
    .await;
    assert!(calm.is_none_or(|reason| reason != Reason::NO_ERROR), "{calm:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_whose_answers_nobody_reads() {
    let short = ServerSettings { body_timeout: Duration::from_millis(300), ..settings() };
    let server = Running::start(&short);
    let mut raw = raw(&server).await;
    let mut other = Peer::in_the_clear(&server, &Builder::new()).await;
    assert!(raw.frame(HEADERS, END_STREAM | END_HEADERS, 1, &waiting()).await);
    server.shows("tidings_http_requests_in_flight 1\n").await;
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(1000);
    let flood = tokio::spawn(async move { while raw.send(&pings).await {} });
    assert_eq!(other.get("/toy/echo").await.status, 200);
    soon(flood).await.unwrap();
    assert_eq!(other.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end() {
    let site = Site::new();
    for tls in [None, site.settings().tls] {
        let short = ServerSettings { header_timeout: Duration::from_millis(200), tls: tls.clone(), ..settings() };
        let server = Running::start(&short);
        let block = waiting();
        for begun in [
            frame(HEADERS, END_STREAM, 1, &block),
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)[..12].to_vec(),
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)[..4].to_vec(),
        ] {
            let end = if tls.is_some() {
                let stream = site.caller().speaking(&["h2"]).dial(&server).await.unwrap();
                let mut raw = Raw::over(stream).await;
                assert!(raw.send(&begun).await);
                raw.rest().await
            } else {
                let mut raw = raw(&server).await;
                assert!(raw.send(&begun).await);
                raw.rest().await
            };
            assert_eq!(reason(&end), Some(Reason::NO_ERROR), "{begun:?}");
        }
        server.shows("tidings_http_connections 0\n").await;
    }
}

#[tokio::test]
async fn a_preface_that_does_not_come_to_its_end() {
    let site = Site::new();
    let short = ServerSettings { header_timeout: Duration::from_millis(200), ..site.settings() };
    let server = Running::start(&short);
    let stream = site.caller().speaking(&["h2"]).dial(&server).await.unwrap();
    let mut raw = Raw { stream };
    assert!(raw.send(b"PRI * HTTP/2").await);
    raw.rest().await;
    let stream = site.caller().speaking(&["h2"]).dial(&server).await.unwrap();
    let mut raw = Raw { stream };
    assert!(raw.send(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await);
    raw.rest().await;
    server.shows("tidings_http_connections 0\n").await;
}
