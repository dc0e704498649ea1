//! Trails over outputs that a test holds in its hand.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tidings::base::audit::{
    Actor, Entry, Head, HeadFile, Keeper, Known, Opening, Outcome, Output, Report, Short, Sink, Trail, verify,
};
use tidings::base::clock::{ManualClock, Timestamp};

/// An output in memory, which takes so many bytes and then fails until it is told otherwise.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    room: Option<usize>,
}

impl Memory {
    /// It takes `room` more bytes; `None`: all.
    pub(crate) fn room(&self, room: Option<usize>) {
        self.0.lock().unwrap().room = room;
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().bytes.clone()).unwrap()
    }
}

impl Sink for Memory {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Short> {
        let mut held = self.0.lock().unwrap();
        let taken = held.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        held.bytes.extend_from_slice(&bytes[..taken]);
        held.room = held.room.map(|room| room - taken);
        if taken < bytes.len() { Err(Short { taken, error: io::ErrorKind::StorageFull.into() }) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A trail that nobody writes yet.
pub(crate) fn trail() -> Trail {
    Trail::new(Arc::new(ManualClock::new(Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").unwrap())))
}

/// Opens `trail` with its head in `data_dir`.
pub(crate) fn open(trail: &Trail, output: &Output, data_dir: &Path) -> Keeper {
    trail.open(&Opening { output, data_dir, version: "1" }).unwrap()
}

pub(crate) fn open_on(trail: &Trail, sink: &Memory, data_dir: &Path) -> Keeper {
    trail.open_on(Box::new(sink.clone()), &Opening { output: &Output::Journal, data_dir, version: "1" }).unwrap()
}

/// A change to `object`.
pub(crate) fn change(object: &str) -> Entry {
    Entry::new("subscription.create", Outcome::Ok).answered(201).by(Actor::client("crm")).about(object)
}

pub(crate) fn refusal(reason: &str) -> Entry {
    Entry::new("authenticate", Outcome::Refused).answered(401).because(reason)
}

/// What is noted in `data_dir`.
pub(crate) fn head(data_dir: &Path) -> Option<Head> {
    match HeadFile::read(&HeadFile::path_in(data_dir)).unwrap() {
        Known::At { head, .. } => Some(head),
        Known::Nothing | Known::Damaged => None,
    }
}

pub(crate) fn report(text: impl AsRef<[u8]>, head: Option<Head>) -> Report {
    verify(text.as_ref(), head).unwrap()
}

/// The report of a text in which nothing is wrong.
#[track_caller]
pub(crate) fn sound(text: impl AsRef<[u8]>, head: Option<Head>) -> Report {
    let report = report(text.as_ref(), head);
    assert_eq!(report.breaks, [], "{}", String::from_utf8_lossy(text.as_ref()));
    report
}

/// The lines of a trail.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The values that the lines have for `name`.
pub(crate) fn values(text: &str, name: &str) -> Vec<String> {
    let show = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    lines(text).iter().filter_map(|line| line.get(name).map(show)).collect()
}
