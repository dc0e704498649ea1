//! HTTP/2: each answer that somebody wants to know about is reported once, as written or as lost.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::Builder;
use tidings::http::settings::{ListenAddress, ServerSettings};

use crate::client::soon;
use crate::peer::{Peer, head, raw, read, waiting};
use crate::secure::Site;
use crate::toy::{BIG, Event, Running, settings};

fn impatient(time: Duration) -> ServerSettings {
    ServerSettings { body_timeout: time, ..settings() }
}

#[tokio::test]
async fn an_answer_that_is_read_was_written() {
    let site = Site::new();
    let mut server = Running::start(&site.settings());
    let mut peer = Peer::connect(&server, site.caller()).await;
    for (path, status, length) in [("big", 200, BIG), ("empty", 204, 0), ("big", 200, BIG)] {
        let answer = peer.get(&format!("/toy/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (status, length));
        assert_eq!((server.event().await, server.event().await), (Event::Called(path), Event::Written));
    }
    assert_eq!(server.end().await.1, []);
}

/// curl takes a request back whose answer has not ended when all is there that was announced.
#[tokio::test]
async fn an_answer_ends_with_its_last_byte() {
    let mut server = Running::start(&settings());
    server.gate.send_replace(true);
    let mut raw = raw(&server).await;
    assert!(raw.frame(1, 5, 1, &waiting()).await);
    let data = loop {
        let (kind, flags, payload) = raw.next().await;
        if kind == 0 {
            break (flags, payload);
        }
    };
    assert_eq!(data, (1, b"waited".to_vec()));
    assert_eq!((server.event().await, server.event().await), (Event::Called("wait"), Event::Written));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_answers_at_once_are_reported_each() {
    let site = Site::new();
    let mut server = Running::start(&site.settings());
    let mut peer = Peer::connect(&server, site.caller()).await;
    server.gate.send_replace(true);
    let mut asked = Vec::new();
    for n in 0..60 {
        asked.push(peer.begin(head("GET", ["/toy/wait", "/toy/empty", "/toy/wait"][n % 3]), true).await);
    }
    for asked in asked {
        assert!(asked.answer().await.status.is_success());
    }
    let mut written = 0;
    for _ in 0..120 {
        written += usize::from(server.event().await == Event::Written);
    }
    assert_eq!((written, server.end().await.1), (60, vec![]));
}

#[tokio::test]
async fn an_answer_whose_caller_takes_it_back_is_lost() {
    let mut server = Running::start(&settings());
    // A window for some of it, or the whole, and for none of it.
    for window in [10_000, 0] {
        let mut builder = Builder::new();
        builder.initial_window_size(window);
        let mut peer = Peer::in_the_clear(&server, &builder).await;
        for path in ["/toy/big", "/toy/wait"] {
            server.gate.send_replace(true);
            let mut asked = peer.begin(head("GET", path), true).await;
            assert_eq!(server.event().await, Event::Called(&path[5..]));
            let response = soon(&mut asked.response).await.unwrap();
            if window > 0 && path == "/toy/wait" {
                assert_eq!(read(response.into_body()).await.unwrap(), b"waited");
                assert_eq!(server.event().await, Event::Written);
                continue;
            }
            asked.body.send_reset(Reason::CANCEL);
            assert_eq!(server.event().await, Event::Lost, "{path} {window}");
        }
        assert_eq!(peer.get("/toy/overloaded").await.status, 503);
        assert_eq!(server.event().await, Event::Called("overloaded"));
    }
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up_and_holds_up_no_other() {
    let mut server = Running::start(&impatient(Duration::from_millis(300)));
    // The window of the connection is its caller's matter.
    let mut builder = Builder::new();
    let mut peer = Peer::in_the_clear(&server, builder.initial_connection_window_size(1 << 20)).await;
    let asked = peer.begin(head("GET", "/toy/big"), true).await;
    assert_eq!(server.event().await, Event::Called("big"));
    let response = soon(asked.response).await.unwrap();
    assert_eq!(peer.get("/toy/echo").await.status, 200);
    assert_eq!(server.event().await, Event::Called("echo"));
    assert_eq!(server.event().await, Event::Lost);
    let cut = read(response.into_body()).await.unwrap_err();
    assert_eq!(cut.reason(), Some(Reason::CANCEL));
    assert_eq!(peer.get("/toy/echo").await.status, 200);
    assert_eq!(server.end().await.1, [Event::Called("echo")]);
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_is_not_given_up() {
    let mut server = Running::start(&impatient(Duration::from_millis(400)));
    let mut peer = Peer::in_the_clear(&server, &Builder::new()).await;
    let asked = peer.begin(head("GET", "/toy/big"), true).await;
    let mut body = soon(asked.response).await.unwrap().into_body();
    // Longer than the limit in all, but never standing still for so long.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let data = soon(body.data()).await.unwrap().unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    read(body).await.unwrap();
    assert_eq!((server.event().await, server.event().await), (Event::Called("big"), Event::Written));
}

#[tokio::test]
async fn an_answer_whose_reader_hangs_up_is_lost() {
    let site = Site::new();
    let mut server = Running::start(&site.settings());
    let mut peer = Peer::connect(&server, site.caller()).await;
    let asked = peer.begin(head("GET", "/toy/big"), true).await;
    let _response = soon(asked.response).await.unwrap();
    peer.driver.abort();
    assert_eq!((server.event().await, server.event().await), (Event::Called("big"), Event::Lost));
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_that_the_socket_does_not_take_is_lost() {
    let mut server = Running::start(&impatient(Duration::from_millis(300)));
    let ListenAddress::Tcp(address) = server.addresses[0] else { panic!("a TCP address") };
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut builder = Builder::new();
    builder.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
    let (mut send, mut connection) = builder.handshake::<_, Bytes>(socket).await.unwrap();
    let (_response, _) = send.send_request(head("GET", "/toy/big"), true).unwrap();
    tokio::select! {
        event = server.event() => assert_eq!(event, Event::Called("big")),
        _ = &mut connection => panic!("it is open"),
    }
    // The window is open, but nothing reads the socket.
    assert_eq!(server.event().await, Event::Lost);
    server.shows("tidings_http_connections 0\n").await;
}

#[tokio::test]
async fn an_answer_that_the_end_of_the_server_cuts_off_is_lost() {
    let server = Running::start_with(&settings(), &["/toy"], Duration::from_millis(100)).unwrap();
    let mut peer = Peer::in_the_clear(&server, &Builder::new()).await;
    let asked = peer.begin(head("GET", "/toy/big"), true).await;
    let _response = soon(asked.response).await.unwrap();
    let (drained, events) = server.end().await;
    assert_eq!((drained.dropped, &*events), (1, &[Event::Called("big"), Event::Lost][..]));
}
