//! HTTP/2: the same promises as over HTTP/1.1, for many requests on one connection.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::Builder;
use hyper::{Request, StatusCode};
use tidings::http::Drained;
use tidings::http::settings::{ListenAddress, ServerSettings};

use crate::client::Client;
use crate::peer::{Peer, head};
use crate::secure::Site;
use crate::toy::{Event, MAX_BODY, MAX_LARGE, Running, settings};

fn impatient(time: Duration) -> ServerSettings {
    ServerSettings { body_timeout: time, header_timeout: time, ..settings() }
}

async fn peer(server: &Running) -> Peer {
    Peer::in_the_clear(server, &Builder::new()).await
}

#[tokio::test]
async fn requests_are_answered_as_over_http_1() {
    let site = Site::new();
    let server = Running::start(&site.settings());
    let mut peer = Peer::connect(&server, site.caller()).await;
    let echo = peer.get("/toy/things/a%20b?x=y").await;
    assert_eq!((echo.status, &*echo.text()), (StatusCode::OK, "toy /things/a%20b id=a b query=x=y who=nobody"));
    for header in ["x-request-id", "date", "content-length", "content-type"] {
        assert_eq!(echo.headers.get_all(header).iter().count(), 1, "{header}");
    }
    assert_eq!(peer.post("/toy/bodies", "five!").await.text(), "5");
    for (method, path, status) in [
        ("GET", "/toy/nothing", 404),
        ("PUT", "/toy/echo", 405),
        ("HEAD", "/toy/echo", 405),
        ("GET", "/toy/secret", 401),
        ("GET", "/toy/panic", 500),
        ("GET", "/toy/overloaded", 503),
    ] {
        let answer = peer.begin(head(method, path), true).await.answer().await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.body.is_empty(), method == "HEAD" || status == 503, "{method} {path}");
    }
    let who = Request::get("https://test/toy/secret").header("authorization", "Bearer reader").body(()).unwrap();
    assert!(peer.begin(who, true).await.answer().await.text().ends_with("who=reader"));
}

#[tokio::test]
async fn it_is_known_by_its_first_words_where_there_is_no_tls() {
    let folder = tempfile::tempdir().unwrap();
    let socket = ListenAddress::Unix(folder.path().join("api.sock"));
    let server = Running::start(&ServerSettings { listen: vec![socket], ..settings() });
    assert_eq!(peer(&server).await.get("/toy/echo").await.status, 200);
    assert_eq!(server.connect().await.get("/toy/echo").await.status, 200);
    // A method may begin like the preface.
    let mut client = server.connect().await;
    client.send("P").await;
    client.send("OST /toy/bodies HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\n\r\nx").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn the_authority_is_the_host() {
    let server = Running::start(&settings());
    let mut peer = peer(&server).await;
    for (host, status) in [("test", 200), ("TEST", 200), ("other", 400)] {
        let request = Request::get("https://test/toy/echo").header("host", host).body(()).unwrap();
        assert_eq!(peer.begin(request, true).await.answer().await.status, status, "{host}");
    }
}

#[tokio::test]
async fn bodies_have_their_limits_and_refused_ones_do_not_end_the_connection() {
    let server = Running::start(&settings());
    let mut peer = peer(&server).await;
    for (path, limit) in [("/toy/bodies", MAX_BODY), ("/toy/large", MAX_LARGE)] {
        assert_eq!(peer.post(path, vec![b'b'; limit]).await.text(), limit.to_string());
        let refused = peer.post(path, vec![b'b'; limit + 1]).await;
        assert_eq!(refused.text(), format!("toy refuses: BodyTooLarge {{ limit: {limit} }}"));
        assert!(!refused.headers.contains_key("connection"));
        let announced = Request::post(format!("https://test{path}")).header("content-length", limit + 1);
        let asked = peer.begin(announced.body(()).unwrap(), false).await;
        assert_eq!(asked.answer().await.status, 413);
    }
    // Long ones that nobody wants: their windows are given back to those that come after.
    for _ in 0..200 {
        let mut asked = peer.begin(head("POST", "/toy/nothing"), false).await;
        asked.body.send_data(Bytes::from(vec![b'b'; 60_000]), false).unwrap();
        assert_eq!(asked.answer().await.status, 404);
    }
    assert_eq!(peer.post("/toy/large", vec![b'b'; MAX_LARGE]).await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_holds_up_no_other() {
    let server = Running::start(&impatient(Duration::from_millis(300)));
    let mut peer = peer(&server).await;
    let mut slow = peer.begin(head("POST", "/toy/bodies"), false).await;
    slow.body.send_data(Bytes::from_static(b"fi"), false).unwrap();
    assert_eq!(peer.get("/toy/echo").await.status, 200);
    assert_eq!(slow.answer().await.text(), "toy refuses: BodyTimeout { seconds: 0 }");
    assert_eq!(peer.post("/toy/bodies", "five!").await.status, 200);
}

#[tokio::test]
async fn the_bodies_of_one_connection_have_room_for_some_of_the_largest() {
    let server = Running::start(&impatient(Duration::from_secs(2)));
    let mut peer = peer(&server).await;
    let half = || Bytes::from(vec![b'b'; MAX_LARGE / 2]);
    let mut begun = Vec::new();
    for _ in 0..4 {
        let mut asked = peer.begin(head("POST", "/toy/large"), false).await;
        asked.body.send_data(half(), false).unwrap();
        begun.push(asked);
    }
    server.shows("tidings_http_requests_in_flight 4\n").await;
    // The fifth waits until one of them is through.
    let mut fifth = peer.begin(head("POST", "/toy/large"), false).await;
    fifth.body.send_data(half(), true).unwrap();
    server.shows("tidings_http_requests_in_flight 5\n").await;
    let mut first = begun.remove(0);
    first.body.send_data(half(), true).unwrap();
    assert_eq!(first.answer().await.text(), MAX_LARGE.to_string());
    assert_eq!(fifth.answer().await.text(), (MAX_LARGE / 2).to_string());
    for asked in begun {
        assert_eq!(asked.answer().await.status, 408);
    }
}

#[tokio::test]
async fn a_head_has_a_largest_size() {
    let server = Running::start(&settings());
    let mut peer = peer(&server).await;
    let long = |size: usize| Request::get("https://test/toy/echo").header("x-long", "y".repeat(size)).body(()).unwrap();
    assert_eq!(peer.begin(long(60 * 1024), true).await.answer().await.status, 200);
    assert_eq!(peer.begin(long(66 * 1024), true).await.answer().await.status, 431);
    assert_eq!(peer.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn so_many_requests_are_answered_at_once_and_no_more() {
    let mut server = Running::start(&settings());
    let mut peer = peer(&server).await;
    assert_eq!(peer.get("/toy/echo").await.status, 200);
    assert_eq!(server.event().await, Event::Called("echo"));
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting.push(peer.begin(head("GET", "/toy/wait"), true).await);
        assert_eq!(server.event().await, Event::Called("wait"));
    }
    assert_eq!(peer.send.current_max_send_streams(), 100);
    server.gate.send_replace(true);
    for asked in waiting {
        assert_eq!(asked.answer().await.text(), "waited");
    }
}

#[tokio::test]
async fn a_request_that_is_taken_back_is_not_waited_for() {
    let mut server = Running::start(&settings());
    let mut peer = peer(&server).await;
    let mut asked = peer.begin(head("GET", "/toy/wait"), true).await;
    assert_eq!(server.event().await, Event::Called("wait"));
    asked.body.send_reset(Reason::CANCEL);
    assert_eq!(server.event().await, Event::Abandoned);
    // The others go on.
    assert_eq!(peer.get("/toy/echo").await.status, 200);
    server.shows("tidings_http_requests_total{contract=\"toy\",operation=\"wait\",status=\"499\"} 1\n").await;
    assert_eq!(server.end().await.1, [Event::Called("echo")]);
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_not_waited_for() {
    let site = Site::new();
    let mut server = Running::start(&site.settings());
    let mut peer = Peer::connect(&server, site.caller()).await;
    let _asked = [peer.begin(head("GET", "/toy/wait"), true).await, peer.begin(head("GET", "/toy/wait"), true).await];
    assert_eq!((server.event().await, server.event().await), (Event::Called("wait"), Event::Called("wait")));
    peer.driver.abort();
    assert_eq!((server.event().await, server.event().await), (Event::Abandoned, Event::Abandoned));
    server.shows("tidings_http_connections 0\n").await;
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn a_caller_that_does_not_answer_any_more_is_not_waited_for() {
    let mut server = Running::start(&impatient(Duration::from_millis(200)));
    let mut alive = peer(&server).await;
    let _waiting = alive.begin(head("GET", "/toy/wait"), true).await;
    assert_eq!(server.event().await, Event::Called("wait"));
    let stream = tokio::net::TcpStream::connect(match &server.addresses[0] {
        ListenAddress::Tcp(address) => *address,
        ListenAddress::Unix(_) => panic!("a TCP address"),
    });
    let (mut send, mut connection) = h2::client::handshake(stream.await.unwrap()).await.unwrap();
    let (_response, _) = send.send_request(head("GET", "/toy/wait"), true).unwrap();
    // Driven until the request is there, and never again.
    tokio::select! {
        event = server.event() => assert_eq!(event, Event::Called("wait")),
        _ = &mut connection => panic!("it is open"),
    }
    assert_eq!(server.event().await, Event::Abandoned);
    // One that answers pings may wait for as long as it likes.
    assert_eq!(alive.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_closes_the_idle() {
    let site = Site::new();
    let mut server = Running::start(&site.settings());
    let mut idle = Peer::connect(&server, site.caller()).await;
    assert_eq!(idle.get("/toy/echo").await.status, 200);
    assert_eq!(server.event().await, Event::Called("echo"));
    let mut busy = Peer::connect(&server, site.caller()).await;
    let asked = [busy.begin(head("GET", "/toy/wait"), true).await, busy.begin(head("GET", "/toy/wait"), true).await];
    assert_eq!((server.event().await, server.event().await), (Event::Called("wait"), Event::Called("wait")));
    server.stop.stop();
    idle.ended().await.unwrap();
    server.gate.send_replace(true);
    for asked in asked {
        assert_eq!(asked.answer().await.text(), "waited");
    }
    busy.ended().await.unwrap();
    let (drained, events) = server.end().await;
    assert_eq!((drained, &*events), (Drained { dropped: 0 }, &[Event::Written, Event::Written][..]));
}

#[tokio::test]
async fn an_idle_connection_makes_room_and_a_busy_one_does_not() {
    let mut server = Running::start(&ServerSettings { max_connections: 2, ..settings() });
    let (mut idle, mut busy) = (peer(&server).await, peer(&server).await);
    for peer in [&mut idle, &mut busy] {
        assert_eq!(peer.get("/toy/echo").await.status, 200);
        assert_eq!(server.event().await, Event::Called("echo"));
    }
    let asked = busy.begin(head("GET", "/toy/wait"), true).await;
    assert_eq!(server.event().await, Event::Called("wait"));
    let mut third = server.connect().await;
    assert_eq!(third.get("/toy/echo").await.status, 200);
    idle.ended().await.unwrap();
    third.send("GET /toy/wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!((server.event().await, server.event().await), (Event::Called("echo"), Event::Called("wait")));
    let mut late = server.connect().await;
    assert_eq!(late.answer().await.status, 503);
    server.gate.send_replace(true);
    assert_eq!(asked.answer().await.text(), "waited");
    assert_eq!(Client::answer(&mut third).await.body, "waited");
}
