//! Stopping: nobody new, nobody cut off who is in time, and an end in any case.

use std::time::Duration;

use tidings::http::Drained;
use tidings::http::settings::ListenAddress;
use tokio::net::TcpStream;

use crate::client::request;
use crate::toy::{Event, Running, settings};

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_finish() {
    let mut server = Running::start(&settings());
    let (mut idle, silent, mut busy) = (server.connect().await, server.connect().await, server.connect().await);
    assert_eq!(idle.get("/toy/echo").await.status, 200);
    assert_eq!(server.event().await, Event::Called("echo"));
    busy.send(request("GET", "/toy/wait", "", "")).await;
    assert_eq!(server.event().await, Event::Called("wait"));
    server.stop.stop();
    idle.closed().await;
    silent.closed().await;
    let ListenAddress::Tcp(address) = server.addresses[0] else { panic!("a TCP address") };
    assert!(TcpStream::connect(address).await.is_err());
    server.gate.send_replace(true);
    let answer = busy.answer().await;
    assert_eq!((&*answer.body, answer.header("connection")), ("waited", Some("close")));
    busy.closed().await;
    let (drained, events) = server.end().await;
    assert_eq!((drained, &*events), (Drained { dropped: 0 }, &[Event::Written][..]));
}

#[tokio::test]
async fn a_request_that_is_still_coming_is_taken_and_is_the_last() {
    let server = Running::start(&settings());
    let (mut client, idle) = (server.connect().await, server.connect().await);
    assert_eq!(client.get("/toy/echo").await.status, 200);
    client.send(request("POST", "/toy/bodies", "content-length: 5\r\n", "") + "fi").await;
    server.shows("tidings_http_requests_in_flight 1\n").await;
    server.stop.stop();
    // All connections are told in one go.
    idle.closed().await;
    client.send("ve!").await;
    let answer = client.answer().await;
    assert_eq!((&*answer.body, answer.header("connection")), ("5", Some("close")));
    client.closed().await;
    assert_eq!(server.end().await.0, Drained { dropped: 0 });
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_server() {
    let mut server = Running::start_with(&settings(), &["/toy"], Duration::from_millis(100)).unwrap();
    let mut stuck = server.connect().await;
    stuck.send(request("GET", "/toy/wait", "", "")).await;
    assert_eq!(server.event().await, Event::Called("wait"));
    let (drained, events) = server.end().await;
    assert_eq!((drained, &*events), (Drained { dropped: 1 }, &[Event::Abandoned][..]));
    stuck.closed().await;
}

#[tokio::test]
async fn a_stop_before_the_start_is_a_stop() {
    let server = Running::start(&settings());
    server.stop.stop();
    assert_eq!(server.end().await.0, Drained { dropped: 0 });
}
