//! The requests of the loads, as bytes that are made once.

use std::io::Write as _;

use crate::load::Source;
use crate::process::connection::request;

/// Bytes of one event, structured.
pub(crate) const EVENT_BYTES: usize = 300;
/// Stands once in the data of every event, and nowhere else in a page: counting it counts results.
pub(crate) const MARK: u8 = b'~';

const DIGITS: usize = 16;

/// A `CloudEvent` of [`EVENT_BYTES`] bytes; `id` has 16 characters.
pub(crate) fn event(id: &str, event_type: &str) -> Vec<u8> {
    let head = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/bench","type":"{event_type}","data":{{"mark":"~","pad":""#
    );
    let tail = r#""}}"#;
    let padding = "x".repeat(EVENT_BYTES.saturating_sub(head.len() + tail.len()));
    format!("{head}{padding}{tail}").into_bytes()
}

/// The number `n` as the id of an event.
pub(crate) fn id(n: u64) -> String {
    format!("{n:016x}")
}

/// Publishes single events, each under an id of its own.
#[derive(Clone, Debug)]
pub(crate) struct Publishing {
    bytes: Vec<u8>,
    id_at: usize,
    next: u64,
}

impl Publishing {
    /// Events of `event_type` with the ids from `first` on.
    pub(crate) fn new(token: &str, event_type: &str, first: u64) -> Self {
        let headers = [("authorization", token), ("content-type", "application/cloudevents+json")];
        let blank = "?".repeat(DIGITS);
        let bytes = request("POST", "/v1/events", &headers, &event(&blank, event_type));
        let id_at = bytes.windows(DIGITS).position(|w| w == blank.as_bytes()).unwrap_or_default();
        Self { bytes, id_at, next: first }
    }
}

impl Source for Publishing {
    fn next(&mut self) -> &[u8] {
        let mut place = &mut self.bytes[self.id_at..self.id_at + DIGITS];
        // It has exactly the room that 16 digits need.
        let _ = write!(place, "{:016x}", self.next);
        self.next += 1;
        &self.bytes
    }
}

/// A batch of the events with the ids `numbers`.
pub(crate) fn batch(token: &str, event_type: &str, numbers: std::ops::Range<u64>) -> Vec<u8> {
    let events: Vec<Vec<u8>> = numbers.map(|n| event(&id(n), event_type)).collect();
    let body = [b"[".as_slice(), &events.join(b",".as_slice()), b"]"].concat();
    let headers = [("authorization", token), ("content-type", "application/cloudevents-batch+json")];
    request("POST", "/v1/events", &headers, &body)
}

/// The same request again and again.
#[derive(Clone, Debug)]
pub(crate) struct Same(pub(crate) Vec<u8>);

impl Source for Same {
    fn next(&mut self) -> &[u8] {
        &self.0
    }
}
