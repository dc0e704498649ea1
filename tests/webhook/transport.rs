//! Every way in which there can be no answer, and its class.

use std::time::Duration;

use tidings::channel::{Sent, Verdict};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::stage::Stage;
use crate::upstream::{Reply, Upstream};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

/// That it is a fault of this class, which says no word of the query.
fn expect(sent: &Sent, class: &str, says: &str) {
    assert_eq!(sent.verdict, Verdict::Fault { retry_after: None, slow: false }, "{sent:?}");
    assert_eq!((sent.reason.as_str(), sent.status, sent.answer.as_str()), (class, None, ""), "{sent:?}");
    assert!(sent.detail.contains(says) && !sent.detail.contains("s3cret"), "{sent:?}");
}

fn stage(port: u16) -> Stage {
    Stage::with(&[&format!("127.0.0.1:{port}")])
}

#[tokio::test]
async fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let sent = stage(port).send(&format!("http://127.0.0.1:{port}/?key=s3cret")).await;
    expect(&sent, "connect-refused", &format!("http://127.0.0.1:{port}: "));
    assert!(sent.phases.connect.is_some() && sent.phases.answer.is_none());
}

#[tokio::test]
async fn nobody_answers_the_attempt_to_connect() {
    // A listener whose queue is full takes no more connections.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
        assert!(waiting.len() < 100);
    }
    let url = format!("http://{address}/?key=s3cret");
    for (connect, total) in [(SHORT, LONG), (LONG, SHORT)] {
        let sent = stage(address.port()).within(connect, total).send(&url).await;
        expect(&sent, "connect-timeout", "");
        assert!(sent.phases.connect.is_some_and(|took| took >= SHORT) && sent.phases.answer.is_none(), "{sent:?}");
    }
}

#[tokio::test]
async fn there_is_no_way() {
    let sent = Stage::with(&["255.255.255.255:81"]).send("http://255.255.255.255:81/?key=s3cret").await;
    expect(&sent, "unreachable", "");
}

#[tokio::test]
async fn the_name_is_nobody_s() {
    let sent = stage(81).send("http://nobody.test:81/?key=s3cret").await;
    expect(&sent, "name", "the name nobody.test cannot be resolved");
}

#[tokio::test]
async fn the_connection_is_lost() {
    let upstream = Upstream::start(Reply::Closed).await;
    let stage = stage(upstream.address.port());
    let url = upstream.url("?key=s3cret");
    for reply in [Reply::Closed, Reply::Cut(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())] {
        upstream.reply(reply);
        let sent = stage.send(&url).await;
        expect(&sent, "hang-up", "");
        assert!(
            sent.phases.connect.is_some() && sent.phases.answer.is_some() && sent.phases.body.is_none(),
            "{sent:?}"
        );
    }
}

#[tokio::test]
async fn the_connection_is_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        // What has come and was not read makes the end a reset.
        drop(stream);
    });
    expect(&stage(address.port()).send(&format!("http://{address}/?key=s3cret")).await, "hang-up", "");
}

#[tokio::test]
async fn the_head_does_not_come() {
    let upstream = Upstream::start(Reply::Silence).await;
    let stage = stage(upstream.address.port()).within(SHORT, SHORT);
    for reply in [Reply::Silence, Reply::Stuck(b"HTTP/1.1 200 OK\r\nX-A".to_vec())] {
        upstream.reply(reply);
        let sent = stage.send(&upstream.url("?key=s3cret")).await;
        expect(&sent, "timeout", "no whole answer within 300ms");
        assert!(sent.phases.answer.is_some_and(|took| took >= SHORT / 2) && sent.phases.body.is_none(), "{sent:?}");
    }
}

#[tokio::test]
async fn what_comes_is_no_http() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..],
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ] {
        let upstream = Upstream::start(Reply::Cut(garbage.to_vec())).await;
        let sent = stage(upstream.address.port()).send(&upstream.url("?key=s3cret")).await;
        expect(&sent, "protocol", "");
    }
    let endless_head = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 2 << 20]].concat();
    let upstream = Upstream::start(Reply::Cut(endless_head)).await;
    expect(&stage(upstream.address.port()).send(&upstream.url("")).await, "protocol", "");
}

/// The status has been said: that is the answer, whatever becomes of the body.
#[tokio::test]
async fn a_body_without_an_end_does_not_change_the_answer() {
    let head = |status: u16| format!("HTTP/1.1 {status} x\r\nContent-Length: 100\r\n\r\nbegun").into_bytes();
    let chunked = b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\nzz\r\n".to_vec();
    for (reply, status, says) in [
        (Reply::Stuck(head(200)), 200, "; its body has no end: there was no whole answer within 300ms"),
        (Reply::Cut(head(200)), 200, "; its body has no end: "),
        (Reply::Stuck(head(503)), 503, "; its body has no end: "),
        (Reply::Cut(chunked), 500, "; its body has no end: "),
    ] {
        let upstream = Upstream::start(reply).await;
        let sent = stage(upstream.address.port()).within(SHORT, SHORT).send(&upstream.url("?key=s3cret")).await;
        assert_eq!((sent.status, sent.answer.as_str()), (Some(status), "begun"), "{sent:?}");
        assert_eq!(sent.verdict == Verdict::Delivered, status == 200, "{sent:?}");
        assert!(sent.detail.contains(says) && !sent.detail.contains("s3cret"), "{sent:?}");
        assert!(sent.phases.body.is_some());
    }
}

#[tokio::test]
async fn an_endless_body_is_left() {
    let upstream = Upstream::start(Reply::Endless).await;
    let sent = stage(upstream.address.port()).within(LONG, LONG).send(&upstream.url("")).await;
    assert_eq!((sent.verdict, sent.answer.len()), (Verdict::Delivered, 4096));
    assert!(sent.phases.body.is_some_and(|took| took < LONG / 2));
}
