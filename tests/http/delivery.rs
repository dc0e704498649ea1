//! Each answer that somebody wants to know about is reported once, as written or as lost.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tidings::base::audit::{Opening, Output, Short, Sink, Trail};
use tidings::base::clock::SystemClock;

use crate::client::request;
use crate::toy::{BIG, Event, Running, settings};

const CALLED: Event = Event::Called("big");

#[tokio::test]
async fn an_answer_that_is_read_was_written() {
    let mut server = Running::start(&settings());
    let mut client = server.connect().await;
    for _ in 0..3 {
        assert_eq!(client.get("/toy/big").await.body.len(), BIG);
        assert_eq!((server.event().await, server.event().await), (CALLED, Event::Written));
    }
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_without_a_body_is_written_too() {
    let mut server = Running::start(&settings());
    assert_eq!(server.connect().await.get("/toy/empty").await.status, 204);
    assert_eq!((server.event().await, server.event().await), (Event::Called("empty"), Event::Written));
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_lost_in_the_end() {
    let mut short = settings();
    short.body_timeout = Duration::from_millis(200);
    let mut server = Running::start(&short);
    let mut client = server.connect().await;
    client.send(request("GET", "/toy/big", "", "")).await;
    assert_eq!((server.event().await, server.event().await), (CALLED, Event::Lost));
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_whose_reader_hangs_up_is_lost() {
    let mut server = Running::start(&settings());
    let mut client = server.connect().await;
    client.send(request("GET", "/toy/big", "", "")).await;
    client.take(1024).await;
    drop(client);
    assert_eq!((server.event().await, server.event().await), (CALLED, Event::Lost));
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_that_the_end_of_the_server_cuts_off_is_lost() {
    let server = Running::start_with(&settings(), &["/toy"], Duration::from_millis(100)).unwrap();
    let mut client = server.connect().await;
    client.send(request("GET", "/toy/big", "", "")).await;
    client.take(1024).await;
    let (drained, events) = server.end().await;
    assert_eq!((drained.dropped, &*events), (1, &[CALLED, Event::Lost][..]));
}

#[tokio::test]
async fn answers_in_a_row_are_reported_each() {
    let mut server = Running::start(&settings());
    let mut client = server.connect().await;
    client.send(request("GET", "/toy/empty", "", "").repeat(3) + &request("GET", "/toy/big", "", "")).await;
    for _ in 0..3 {
        assert_eq!(client.answer().await.status, 204);
        assert_eq!((server.event().await, server.event().await), (Event::Called("empty"), Event::Written));
    }
    drop(client);
    assert_eq!((server.event().await, server.event().await), (CALLED, Event::Lost));
}

/// hyper may look at the next request before it has flushed the answer to the one before.
#[tokio::test]
async fn answers_to_requests_sent_ahead_are_reported_each() {
    let mut server = Running::start(&settings());
    let mut client = server.connect().await;
    client.send(request("GET", "/toy/big", "", "").repeat(3)).await;
    for _ in 0..3 {
        assert_eq!(client.answer().await.body.len(), BIG);
    }
    let mut events = Vec::new();
    for _ in 0..6 {
        events.push(server.event().await);
    }
    assert_eq!(events.iter().filter(|event| **event == Event::Written).count(), 3, "{events:?}");
    assert_eq!(server.end().await.1, []);
}

/// An output of the audit trail that takes its first line, and then nothing while the other end is there.
struct Slow {
    first: bool,
    released: Receiver<()>,
}

impl Sink for Slow {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, _: &[u8]) -> Result<(), Short> {
        if !std::mem::take(&mut self.first) {
            let _ = self.released.recv();
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A change is written down before it is answered: whoever hangs up meanwhile has no answer either.
#[tokio::test]
async fn an_answer_whose_reader_hangs_up_before_its_line_is_written_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (release, released) = std::sync::mpsc::channel();
    let trail = Trail::new(Arc::new(SystemClock));
    let opening = Opening { output: &Output::Journal, data_dir: folder.path(), version: "test" };
    let _keeper = trail.open_on(Box::new(Slow { first: true, released }), &opening).unwrap();
    let mut server = Running::start_audited(&settings(), &["/toy"], Duration::from_secs(30), trail).unwrap();
    let mut client = server.connect().await;
    client.send(request("DELETE", "/toy/empty", "", "")).await;
    assert_eq!(server.event().await, Event::Called("empty"));
    drop(client);
    assert_eq!(server.event().await, Event::Lost);
    assert_eq!(server.end().await.1, []);
    drop(release);
}
