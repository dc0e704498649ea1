//! `tidings receiver` as a process: what it prints, how it misbehaves, how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::program::{Ended, PATIENCE};

/// The key behind `whsec_`, of 24 bytes.
const KEY: &[u8] = b"a key of the tests, 24 B";

/// A running receiver; killed when it is dropped.
struct Receiver {
    child: Child,
    address: String,
    /// `None` once nobody reads it any more.
    stdout: Option<BufReader<ChildStdout>>,
}

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

fn receiver(arguments: &[&str]) -> Receiver {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(["receiver", "--listen", "127.0.0.1:0"]).args(arguments);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix('/'));
    let stdout = child.stdout.take().map(BufReader::new);
    Receiver { address: address.unwrap_or_else(|| panic!("{line}")).to_owned(), child, stdout }
}

impl Receiver {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Posts `body` with these further headers; answers all that comes back.
    fn post(&self, headers: &str, body: &str) -> String {
        let mut stream = self.connect();
        let length = body.len();
        let head =
            format!("POST /hook HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The same, signed.
    fn post_signed(&self, id: &str, body: &str) -> String {
        self.post(&signed(id, body), body)
    }

    /// The status of what comes back.
    fn status(&self) -> Option<u16> {
        self.post_signed("n", "{}").split(' ').nth(1).map(|status| status.parse().unwrap())
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; answers its exit code.
    fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The headers of a message that is signed now.
fn signed(id: &str, body: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the receiver in the other process has the machine's clock")]
    let now = jiff::Timestamp::now().as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY);
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}.{now}.{body}").as_bytes()));
    format!("webhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: v1,AAAA v1,{signature}\r\n")
}

#[test]
fn what_arrives_is_verified_and_printed_a_line_each() {
    let mut receiver = receiver(&["--secret", &secret(), "--json", "--count", "3"]);
    let body = r#"{"specversion":"1.0","type":"301","data":{"n":1.50}}"#;
    assert!(receiver.post_signed("n-1", body).starts_with("HTTP/1.1 204 "));
    assert!(receiver.post_signed("n-1", body).starts_with("HTTP/1.1 204 "));
    assert!(receiver.post(&signed("n-2", body), "{}").starts_with("HTTP/1.1 401 "));
    let (first, again, changed) = (receiver.line(), receiver.line(), receiver.line());
    assert_eq!((&first["id"], &first["verified"], &first["type"]), (&json!("n-1"), &json!(true), &json!("301")));
    assert_eq!((&first["body"], &first["path"], &first["seen"]), (&json!(body), &json!("/hook"), &json!(1)));
    assert_eq!(again["seen"], 2);
    assert_eq!((&changed["verified"], &changed["answer"]), (&json!(false), &json!(401)));
    assert!(changed["reason"].as_str().unwrap().contains("changed on its way"), "{changed}");
    assert_eq!(receiver.end(), Some(1), "one was not signed");
}

#[test]
fn a_secret_may_be_in_a_file_and_all_signed_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{}\n", secret())).unwrap();
    let mut receiver = receiver(&["--secret-file", file.to_str().unwrap(), "--count", "1"]);
    assert_eq!(receiver.status(), Some(204));
    let mut text = String::new();
    receiver.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("verified: v1 with key 1\n") && text.contains("body       {}\n"), "{text}");
    assert_eq!(receiver.end(), Some(0));
}

#[test]
fn it_misbehaves_as_it_is_asked_to() {
    assert_eq!(receiver(&["--status", "410"]).status(), Some(410));
    assert_eq!(receiver(&["--hang-up"]).status(), None);
    let twice = receiver(&["--fail-first", "2", "--quiet"]);
    assert_eq!([(); 4].map(|()| twice.status()), [Some(503), Some(503), Some(204), Some(204)]);
    let slow = receiver(&["--slow-body"]);
    let mut stream = slow.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.ends_with("\r\n\r\n") {
        reader.read_line(&mut line).unwrap();
    }
    assert!(line.starts_with("HTTP/1.1 200 ") && line.contains("transfer-encoding: chunked"), "{line}");
    let mut first = [0; 6];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"1\r\n.\r\n", "a byte comes, and then a second passes");
}

#[test]
fn a_delay_keeps_the_answer_back() {
    let receiver = receiver(&["--delay", "300ms", "--count", "1"]);
    let began = Instant::now();
    assert_eq!(receiver.status(), Some(204), "also where it is the last one");
    assert!(began.elapsed().as_millis() >= 300);
}

#[test]
fn signals_and_a_reader_that_has_gone_end_it_well() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut receiver = receiver(&["--delay", "1h"]);
        // One waits for its answer: that does not hold up the end.
        let mut stream = receiver.connect();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").unwrap();
        receiver.stdout.as_mut().unwrap().read_line(&mut String::new()).unwrap();
        receiver.signal(signal);
        assert_eq!(receiver.end(), Some(0));
    }
    let mut unread = receiver(&[]);
    unread.stdout = None;
    let mut stream = unread.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(unread.end(), Some(0));
}

#[test]
fn other_methods_and_bodies_beyond_the_bound_are_refused() {
    let receiver = receiver(&["--quiet"]);
    let mut stream = receiver.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: POST"), "{answer}");
    let mut stream = receiver.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n").unwrap();
    let mut status = [0; 13];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 413 ");
}

#[test]
fn what_cannot_be_is_refused_before_it_listens() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        Ended::of(&command.arg("receiver").args(arguments).output().unwrap())
    };
    let wrong = run(&["--secret", "whsec_not base64"]).expect(64).says("whsec_ and a key in base64");
    assert!(!wrong.stderr.contains("not base64"), "{wrong:?}");
    run(&["--public-key", "whpk_AAAA"]).expect(64).says("32 bytes");
    run(&["--secret-file", "/nowhere"]).expect(74).says("/nowhere");
    run(&["--status", "100"]).expect(64);
    run(&["--delay", "2"]).expect(64).says("2s");
    run(&["--delay", "2h"]).expect(64).says("60 minutes");
    run(&["--hang-up", "--status", "500"]).expect(64);
    run(&["--count", "0"]).expect(64);
    run(&["--listen", "192.0.2.1:1"]).expect(69).says("--listen");
}
