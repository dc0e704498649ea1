//! `tidings publish FILE`: many events, in batches.
//!
//! A file has one event a line (NDJSON), or one JSON array of events, or one event. What a `CloudEvent` needs and an event
//! does not have (`specversion`, `source`, `id`) is added, so that a batch that is sent again is stored once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal as _, Read};
use std::time::Duration;

use hyper::header::AUTHORIZATION;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Answer, Call};
use super::credentials::Api;
use super::exit::{Exit, Failure};
use super::output;
use super::refusal::refused;
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::model::id::uuid_v7;
use crate::model::json::Members;

/// Events and bytes of one batch: contracts/events.md takes 1000 and, where nothing else is configured, 8 MiB.
const BATCH_EVENTS: u64 = 1000;
const BATCH_BYTES: usize = 4 << 20;
/// The longest line, and the largest file that is no NDJSON, in bytes.
const MAX_LINE: u64 = 16 << 20;
const MAX_DOCUMENT: u64 = 256 << 20;
/// How often a batch that the server cannot take now is sent again, and how long is waited at most.
const TRIES: u32 = 6;
const MAX_PAUSE: u64 = 60;

/// What completes events.
pub(super) struct Completion<'a> {
    /// The source of events without one.
    pub(super) source: String,
    /// For ids.
    pub(super) clock: &'a dyn Clock,
    /// For ids.
    pub(super) random: &'a dyn Random,
}

/// What became of the events.
#[derive(Debug, Default)]
pub(super) struct Published {
    events: u64,
    matched: u64,
    repeats: u64,
}

#[derive(Deserialize)]
struct Accepted {
    duplicate: bool,
    matched: u64,
}

/// Where the events come from: a file, or standard input for `-`.
pub(super) enum Source {
    /// One event a line.
    Lines(Box<dyn BufRead>),
    /// All of one document.
    Document(std::vec::IntoIter<Box<RawValue>>),
}

/// One event, and where it stands.
struct Event {
    json: Box<RawValue>,
    place: u64,
}

impl Source {
    /// Opens `path` and finds out how its events stand in it; answers how many bytes there are, where that is known.
    pub(super) fn open(path: &str) -> Result<(Self, Option<u64>), Failure> {
        let wrong = |error: io::Error| Failure::new(Exit::Io, format!("cannot read {path}: {error}"));
        let (mut reader, size): (Box<dyn BufRead>, _) = if path == "-" {
            (Box::new(BufReader::new(io::stdin())), None)
        } else {
            let file = File::open(path).map_err(wrong)?;
            let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
            (Box::new(BufReader::new(file)), size)
        };
        let first = read_line(&mut reader).map_err(wrong)?.unwrap_or_default();
        if first.starts_with(b"{") && serde_json::from_slice::<&RawValue>(&first).is_ok() {
            return Ok((
                Self::Lines(Box::new(BufReader::new(Cursor::new(first).chain(Cursor::new("\n")).chain(reader)))),
                size,
            ));
        }
        let mut document = first;
        document.push(b'\n');
        reader.take(MAX_DOCUMENT + 1).read_to_end(&mut document).map_err(wrong)?;
        if document.len() as u64 > MAX_DOCUMENT {
            let text = format!("{path} is larger than {MAX_DOCUMENT} bytes and has not one event a line; write it so");
            return Err(Failure::new(Exit::Usage, text));
        }
        Ok((Self::Document(document_events(&document, path)?.into_iter()), None))
    }

    fn next(&mut self, place: u64) -> Result<Option<Box<RawValue>>, Failure> {
        match self {
            Self::Document(events) => Ok(events.next()),
            Self::Lines(reader) => {
                let wrong = |what: String| Failure::new(Exit::Usage, format!("event {place}: {what}"));
                let Some(line) = read_line(reader).map_err(|error| wrong(error.to_string()))? else { return Ok(None) };
                let text = String::from_utf8(line).map_err(|_| wrong("the line is not UTF-8".to_owned()))?;
                RawValue::from_string(text).map(Some).map_err(|error| wrong(format!("the line is not JSON: {error}")))
            }
        }
    }
}

/// The next line that is not blank, without blanks around it.
fn read_line(reader: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        if reader.take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() as u64 > MAX_LINE {
            return Err(io::Error::other(format!("a line is longer than {MAX_LINE} bytes")));
        }
        let trimmed = line.trim_ascii();
        if !trimmed.is_empty() {
            return Ok(Some(trimmed.to_vec()));
        }
    }
}

fn document_events(document: &[u8], path: &str) -> Result<Vec<Box<RawValue>>, Failure> {
    let parsed = if document.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice(document)
    } else {
        serde_json::from_slice(document).map(|event| vec![event])
    };
    parsed.map_err(|error| {
        let text = format!("{path} has neither one JSON event a line, nor one array of events: {error}");
        Failure::new(Exit::Usage, text)
    })
}

/// Publishes all events of `source`; a batch that is refused ends it.
pub(super) async fn publish(
    mut source: Source,
    size: Option<u64>,
    completion: &Completion<'_>,
    api: &Api,
    authorization: &str,
    mut receipts: impl FnMut(&Answer) -> Result<(), Failure>,
) -> Result<Published, Failure> {
    let bar = progress_bar(size);
    let mut published = Published::default();
    let mut next = source.next(1)?;
    while next.is_some() {
        let batch = fill(&mut source, &mut next, published.events, completion)?;
        let answer = send(&batch.json, api, authorization).await?;
        if !answer.status.is_success() {
            bar.finish_and_clear();
            let (first, last) = (published.events + 1, published.events + batch.events);
            let what = format!("publish events {first} to {last} (the {} before them are published)", published.events);
            return Err(refused(&what, &answer));
        }
        published.add(&answer)?;
        receipts(&answer)?;
        bar.inc(batch.read);
        bar.set_message(format!("{} events", published.events));
    }
    bar.finish_and_clear();
    Ok(published)
}

struct Batch {
    json: Vec<u8>,
    events: u64,
    /// Bytes that were read for it.
    read: u64,
}

/// Takes events from `next` on until the batch is full or they are at their end.
fn fill(
    source: &mut Source,
    next: &mut Option<Box<RawValue>>,
    before: u64,
    completion: &Completion<'_>,
) -> Result<Batch, Failure> {
    let mut batch = Batch { json: vec![b'['], events: 0, read: 0 };
    while let Some(json) = next.take() {
        let place = before + batch.events + 1;
        batch.read += json.get().len() as u64 + 1;
        if batch.events > 0 {
            batch.json.push(b',');
        }
        completion.write(&mut batch.json, &Event { json, place })?;
        batch.events += 1;
        *next = source.next(place + 1)?;
        let room = next.as_ref().is_some_and(|next| batch.json.len() + next.get().len() < BATCH_BYTES);
        if !room || batch.events >= BATCH_EVENTS {
            break;
        }
    }
    batch.json.push(b']');
    Ok(batch)
}

impl Completion<'_> {
    /// The event with what it lacks before what it has, which stays byte for byte.
    fn write(&self, out: &mut Vec<u8>, event: &Event) -> Result<(), Failure> {
        let Ok(Members(members)) = serde_json::from_str(event.json.get()) else {
            return Err(Failure::new(Exit::Usage, format!("event {} is not a JSON object", event.place)));
        };
        let has = |name: &str| members.iter().any(|(n, _)| n == name);
        let mut lacking = Vec::new();
        if !has("specversion") {
            lacking.push(("specversion", "1.0".to_owned()));
        }
        if !has("source") {
            lacking.push(("source", self.source.clone()));
        }
        if !has("id") {
            lacking.push(("id", self.id()));
        }
        out.push(b'{');
        for (index, (name, value)) in lacking.iter().enumerate() {
            let comma = if index + 1 < lacking.len() || !members.is_empty() { "," } else { "" };
            out.extend_from_slice(format!("\"{name}\":{}{comma}", serde_json::Value::from(value.as_str())).as_bytes());
        }
        // Without its opening brace.
        out.extend_from_slice(&event.json.get().as_bytes()[1..]);
        Ok(())
    }

    fn id(&self) -> String {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        uuid_v7(self.clock.now(), random).to_string()
    }
}

/// Sends a batch, again where the server cannot take it now.
async fn send(batch: &[u8], api: &Api, authorization: &str) -> Result<Answer, Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        let call = Call::post(api.events("/events")?, "application/cloudevents-batch+json", batch.to_vec());
        let answer = api.send(call.header(AUTHORIZATION, authorization)).await?;
        let later = matches!(answer.status.as_u16(), 429 | 503 | 507);
        if !later || tries == TRIES {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_secs(answer.retry_after.unwrap_or(1).clamp(1, MAX_PAUSE))).await;
    }
}

impl Published {
    fn add(&mut self, answer: &Answer) -> Result<(), Failure> {
        let receipts: Vec<Accepted> = answer.read("the answer")?;
        for Accepted { duplicate, matched } in receipts {
            self.events += 1;
            self.repeats += u64::from(duplicate);
            self.matched += u64::from(matched > 0);
        }
        Ok(())
    }

    /// For people.
    pub(super) fn sentence(&self) -> String {
        let Self { events, matched, repeats } = self;
        let repeats =
            if *repeats > 0 { format!(", {repeats} of them repeats that were stored before") } else { String::new() };
        format!("{events} events published{repeats}: {matched} match a subscription, {} match none\n", events - matched)
    }
}

/// On stderr, where that is a terminal.
fn progress_bar(size: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(size, ProgressDrawTarget::hidden());
    }
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:30} {bytes}/{total_bytes} {msg} {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {msg}"),
    };
    // A template that is wrong leaves the default one.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The receipts of a batch, a line each.
pub(super) fn receipt_lines(answer: &Answer) -> Result<(), Failure> {
    let receipts: Vec<&RawValue> = answer.read("the answer")?;
    let lines: Vec<&str> = receipts.into_iter().flat_map(|receipt| [receipt.get(), "\n"]).collect();
    output::result(&lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::{ManualClock, Timestamp};
    use crate::base::random::SeededRandomness;

    fn completed(json: &str) -> Result<String, Failure> {
        let (clock, random) = (ManualClock::new(Timestamp::from_millis(0)), SeededRandomness::new(1));
        let completion = Completion { source: "urn:x".to_owned(), clock: &clock, random: &random };
        let mut out = Vec::new();
        let json = RawValue::from_string(json.to_owned()).unwrap();
        completion.write(&mut out, &Event { json, place: 7 })?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_an_event_lacks_is_added_and_the_rest_stays_as_it_is() {
        let whole = r#"{"specversion":"1.0","id":"1","source":"/s","type":"301","data":{ "n": 1.00 }}"#;
        assert_eq!(completed(whole).unwrap(), whole);
        let added = completed(r#"{ "type" : "301", "data":1.00 }"#).unwrap();
        assert!(added.starts_with(r#"{"specversion":"1.0","source":"urn:x","id":""#), "{added}");
        assert!(added.ends_with(r#"", "type" : "301", "data":1.00 }"#), "{added}");
        let bare: serde_json::Value = serde_json::from_str(&completed("{}").unwrap()).unwrap();
        assert_eq!(bare.as_object().unwrap().len(), 3);
        assert!(completed("[1]").unwrap_err().text.contains("event 7"));
    }

    fn events(file: &str) -> Result<Vec<String>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        std::fs::write(&path, file).unwrap();
        let (mut source, _) = Source::open(path.to_str().unwrap())?;
        let mut events = Vec::new();
        while let Some(event) = source.next(events.len() as u64 + 1)? {
            events.push(event.get().to_owned());
        }
        Ok(events)
    }

    #[test]
    fn a_file_has_a_line_each_or_an_array_or_one_event() {
        assert_eq!(events("{\"a\":1}\n\n {\"b\":2} \r\n{\"c\":3}").unwrap(), ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
        assert_eq!(events("[{\"a\":1},\n {\"b\":2}]\n").unwrap(), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(events("\n{\n \"a\": 1\n}\n").unwrap(), ["{\n \"a\": 1\n}"]);
        assert!(events("[1\n2]").is_err(), "a line's end is not lost");
        assert!(events("[]").unwrap().is_empty());
        assert!(events("hello\nyou").unwrap_err().text.contains("array of events"));
        assert!(events("{\"a\":1}\nhello\n").unwrap_err().text.contains("event 2"));
        assert!(events("").is_err());
    }
}
