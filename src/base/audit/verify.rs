//! Recomputes the chain of a trail that is read from anywhere.
//!
//! What is no line of ours is passed over and counted: a journal has the log's lines in between, and a line that a
//! crash cut short is closed off and written anew. Neither can hide anything, for the numbers and hashes of the lines
//! around it have to fit.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::{self, BufRead};

use super::chain::Head;
use super::line::{self, FORM, LOST, MAX_LINE, Read, START};

/// The most findings and remarks that are kept; all are counted.
const MAX_FINDINGS: usize = 1000;

/// How many lines at the end of a run can at least be unknown to the next one where the output is a journal.
const MAX_UNKNOWN: usize = 50_000;

/// One line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its number in the input, from 1.
    pub line: u64,
    /// Its number in the chain.
    pub seq: u64,
    /// When it was written, as it says.
    pub time: String,
}

/// Something about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line's number in the input, from 1.
    pub line: u64,
    /// What is the matter, for people.
    pub what: String,
}

/// What a trail is found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines of ours.
    pub lines: u64,
    /// Other lines that are not empty.
    pub skipped: u64,
    /// The first of ours.
    pub first: Option<Mark>,
    /// The last of ours.
    pub last: Option<Mark>,
    /// How many places there are at which the chain does not hold.
    pub broken: u64,
    /// The first of them, 1000 at most.
    pub breaks: Vec<Finding>,
    /// What the trail says of itself that a reader should know, 1000 at most.
    pub remarks: Vec<Finding>,
}

/// Reads `input` to its end. `head` is what the appliance has noted of this file before it was read, if that is known:
/// with it also a changed last line and missing lines at the end show.
pub fn verify(input: impl BufRead, head: Option<Head>) -> io::Result<Report> {
    let mut check = Check { head, ..Check::default() };
    let mut lines = Lines { input, number: 0 };
    let mut buffer = Vec::new();
    while lines.next(&mut buffer)? {
        check.line(lines.number, &buffer);
    }
    Ok(check.end())
}

#[derive(Default)]
struct Check {
    report: Report,
    before: Option<Head>,
    /// The last lines of the present run by their hash: where the next one may go on from.
    run: HashMap<[u8; 32], u64>,
    /// Those before.
    run_before: HashMap<[u8; 32], u64>,
    head: Option<Head>,
    /// The line that the noted head should be.
    at_head: Option<(u64, Head)>,
}

impl Check {
    fn line(&mut self, number: u64, text: &[u8]) {
        let Some(read) = line::read(text) else {
            self.other(number, text);
            return;
        };
        let here = Head::of(read.seq, text);
        if read.audit == FORM {
            self.link(number, &read);
        } else {
            self.broken(number, format!("is of form {}, which this release does not know", read.audit));
        }
        self.say(number, &read);
        self.remember(number, &read, here);
    }

    /// Whether the line follows the one before.
    fn link(&mut self, number: u64, read: &Read) {
        let Some(before) = self.before else {
            let fits = read.seq != 1 || read.previous == Head::START.hex();
            if !fits || read.seq == 0 {
                self.broken(number, "is the first of its chain, but names one before".to_owned());
            } else if read.seq > 1 {
                self.remark(number, format!("is number {}: what was before it is not here", read.seq));
            }
            return;
        };
        if read.previous == before.hex() && read.seq == before.seq.wrapping_add(1) {
            return;
        }
        let of_run = |Head { hash, .. }| self.run.get(&hash).or_else(|| self.run_before.get(&hash)).copied();
        let known = Head::parse(0, &read.previous).and_then(of_run);
        match known {
            Some(seq) if read.last_run.as_deref() == Some("broken-off") && read.seq == seq.wrapping_add(1) => {
                let unknown = before.seq.saturating_sub(seq);
                self.remark(
                    number,
                    format!("goes on {unknown} lines earlier: the run before was broken off before it had noted them"),
                );
            }
            _ => self.broken(number, no_link(read, before)),
        }
    }

    /// What a line says of the trail itself.
    fn say(&mut self, number: u64, read: &Read) {
        let unconfirmed = read.unconfirmed.unwrap_or(0);
        match (read.action.as_str(), read.last_run.as_deref()) {
            (START, Some("stopped")) if unconfirmed > 0 => {
                self.broken(
                    number,
                    format!("says that {unconfirmed} lines before it were not there when the appliance had stopped"),
                );
            }
            (START, Some("broken-off")) => {
                self.remark(number, format!("begins a run after one that did not write its last line ({unconfirmed} lines at its end were not noted)"));
            }
            (START, Some("unknown")) => {
                self.remark(number, "begins a run that could not know how the one before had ended".to_owned());
            }
            (LOST, _) => {
                let count = read.count.unwrap_or(0);
                self.remark(number, format!("says that {count} lines could not be written"));
            }
            _ => {}
        }
    }

    fn remember(&mut self, number: u64, read: &Read, here: Head) {
        self.report.lines += 1;
        let mark = Mark { line: number, seq: read.seq, time: read.time.clone() };
        self.report.first.get_or_insert_with(|| mark.clone());
        self.report.last = Some(mark);
        if read.action == START {
            self.run.clear();
            self.run_before.clear();
            // A run that is broken off at once has noted nothing but what it went on from.
            let before = Head::parse(read.seq.wrapping_sub(1), &read.previous);
            self.run.extend(before.map(|before| (before.hash, before.seq)));
        }
        if self.run.len() >= MAX_UNKNOWN {
            self.run_before = std::mem::take(&mut self.run);
        }
        self.run.insert(here.hash, here.seq);
        self.before = Some(here);
        if self.head.is_some_and(|head| head.seq == here.seq) {
            self.at_head = Some((number, here));
        }
    }

    /// A line that is none of ours.
    fn other(&mut self, number: u64, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.report.skipped += 1;
        if line::is_ours(text) {
            self.remark(number, "is the beginning of a line that was cut short".to_owned());
        }
    }

    fn end(mut self) -> Report {
        let last = self.report.last.as_ref().map_or((0, 0), |mark| (mark.line, mark.seq));
        match (self.head, self.at_head) {
            (Some(head), Some((number, here))) if here != head => {
                self.broken(number, format!("is not line {} as the appliance has noted it", head.seq));
            }
            (Some(head), None) if head.seq > last.1 => {
                self.broken(last.0, format!("is the last, but the appliance has written up to line {}", head.seq));
            }
            _ => {}
        }
        self.report
    }

    fn broken(&mut self, line: u64, what: String) {
        self.report.broken += 1;
        if self.report.breaks.len() < MAX_FINDINGS {
            self.report.breaks.push(Finding { line, what });
        }
    }

    fn remark(&mut self, line: u64, what: String) {
        if self.report.remarks.len() < MAX_FINDINGS {
            self.report.remarks.push(Finding { line, what });
        }
    }
}

fn no_link(read: &Read, before: Head) -> String {
    let (seq, before) = (read.seq, before.seq);
    match seq.cmp(&before.wrapping_add(1)) {
        Ordering::Equal => {
            format!("does not name the hash of the line before, number {before}: one of the two was changed")
        }
        Ordering::Greater => format!("is number {seq} after number {before}: lines are missing, or were changed"),
        Ordering::Less => format!("is number {seq} after number {before}: lines are there twice, or were moved"),
    }
}

/// Lines of bounded length: what is longer is none of ours, and not kept.
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line without its end, in `buffer`; `false` at the end of the input.
    fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.clear();
        let mut any = false;
        loop {
            let available = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if available.is_empty() {
                self.number += u64::from(any);
                return Ok(any);
            }
            any = true;
            let end = available.iter().position(|b| *b == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            // One byte more than is allowed, so that a longer line is seen to be one.
            let room = (MAX_LINE + 1).saturating_sub(buffer.len());
            buffer.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                self.number += 1;
                return Ok(true);
            }
        }
    }
}
