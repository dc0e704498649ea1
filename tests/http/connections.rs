//! How many connections there may be, and callers that go away.

use crate::client::Client;
use crate::toy::{Event, Running, settings};

fn at_most(connections: usize) -> Running {
    let mut few = settings();
    few.max_connections = connections;
    Running::start(&few)
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room() {
    let server = at_most(3);
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    let silent = server.connect().await;
    server.shows("tidings_http_connections 3\n").await;
    second.get("/toy/echo").await;
    first.get("/toy/echo").await;
    // The silent one was idle before the others were idle again; then the second was.
    let mut third = server.connect().await;
    assert_eq!(third.get("/toy/echo").await.status, 200);
    silent.closed().await;
    let mut fourth = server.connect().await;
    assert_eq!(fourth.get("/toy/echo").await.status, 200);
    second.closed().await;
    for kept in [&mut first, &mut third, &mut fourth] {
        assert_eq!(kept.get("/toy/echo").await.status, 200);
    }
    assert!(server.metrics().contains("tidings_http_connections_evicted_total 2"), "{}", server.metrics());
}

#[tokio::test]
async fn busy_connections_are_not_closed_for_new_ones() {
    let mut server = at_most(2);
    let mut busy = [server.connect().await, server.connect().await];
    for client in &mut busy {
        client.send("GET /toy/wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert_eq!(server.event().await, Event::Called("wait"));
    }
    let mut late = server.connect().await;
    let answer = late.answer().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    late.closed().await;
    server.gate.send_replace(true);
    for client in &mut busy {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(server.connect().await.get("/toy/echo").await.status, 200);
    assert!(server.metrics().contains("tidings_http_connections_refused_total 1"), "{}", server.metrics());
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_not_waited_for() {
    let mut server = Running::start(&settings());
    let mut client = server.connect().await;
    client.send("GET /toy/wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(server.event().await, Event::Called("wait"));
    drop(client);
    assert_eq!(server.event().await, Event::Abandoned);
    // There was no answer, so there is none to be written or lost.
    server.shows("tidings_http_requests_total{contract=\"toy\",operation=\"wait\",status=\"499\"} 1\n").await;
    assert_eq!(server.end().await.1, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_served_within_few_places() {
    let server = at_most(8);
    let address = server.addresses[0].clone();
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move {
                let mut client = Client::connect(&address).await;
                // Evicted, turned away or served; the server has to live through it.
                if client.try_send(b"GET /toy/echo HTTP/1.1\r\nhost: test\r\n\r\n").await {
                    client.fill().await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(server.connect().await.get("/toy/echo").await.status, 200);
}
