//! `tidings verify --audit`: recomputes the chain of an audit trail.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::output;
use super::settings::Configuration;
use crate::base::audit::{self, Finding, Head, HeadFile, Known, Mark, Output, Report};

/// What is read.
enum Trail {
    Standard,
    File(PathBuf),
}

/// Runs the command on `named`, a file or `-`; without one, on the file of the configuration.
pub(super) fn run(named: &str, as_json: bool, configuration: &Configuration) -> Result<Exit, Failure> {
    let trail = chosen(named, configuration)?;
    let (report, name, head) = match &trail {
        Trail::Standard => (audit::verify(io::stdin().lock(), None), "standard input".to_owned(), None),
        Trail::File(path) => {
            // Before the file: what is noted is written by then.
            let head = noted(path, configuration);
            let report = File::open(path).and_then(|file| audit::verify(BufReader::new(file), head));
            (report, path.display().to_string(), head)
        }
    };
    let report = report.map_err(|error| Failure::new(Exit::Io, format!("cannot read {name}: {error}")))?;
    output::result(&if as_json { json_of(&name, head, &report) } else { text_of(&name, head, &report) })?;
    Ok(if holds(&report) { Exit::Ok } else { Exit::Finding })
}

/// Whether all is well. A trail without a line shows nothing.
fn holds(report: &Report) -> bool {
    report.broken == 0 && report.lines > 0
}

fn chosen(named: &str, configuration: &Configuration) -> Result<Trail, Failure> {
    match named {
        "-" => Ok(Trail::Standard),
        "" => match configuration.load_running()?.settings.audit {
            Output::File(path) => Ok(Trail::File(path)),
            Output::Journal => Err(Failure::new(
                Exit::Usage,
                "the audit trail goes to the journal: `journalctl -u tidings -o cat | tidings verify --audit -`",
            )),
        },
        path => Ok(Trail::File(PathBuf::from(path))),
    }
}

/// What the appliance has noted of its trail, where `path` is that of the configuration and the data folder can be
/// looked into.
fn noted(path: &Path, configuration: &Configuration) -> Option<Head> {
    let settings = configuration.load_if_there().ok()??.settings;
    let Output::File(own) = &settings.audit else { return None };
    if fs::canonicalize(own).ok()? != fs::canonicalize(path).ok()? {
        return None;
    }
    match HeadFile::read(&HeadFile::path_in(&settings.data_dir)).ok()? {
        Known::At { head, .. } => Some(head),
        Known::Nothing | Known::Damaged => None,
    }
}

fn json_of(name: &str, head: Option<Head>, report: &Report) -> String {
    let mark = |mark: &Option<Mark>| match mark {
        Some(Mark { line, seq, time }) => json!({"line": line, "seq": seq, "time": time}),
        None => Value::Null,
    };
    let findings = |findings: &[Finding]| {
        findings.iter().map(|Finding { line, what }| json!({"line": line, "what": what})).collect::<Value>()
    };
    let Report { lines, skipped, first, last, broken, breaks, remarks } = report;
    let shown = json!({
        "ok": holds(report),
        "file": name,
        "lines": lines,
        "skipped": skipped,
        "first": mark(first),
        "last": mark(last),
        "noted": head.map(|head| head.seq),
        "broken": broken,
        "breaks": findings(breaks),
        "remarks": findings(remarks),
    });
    format!("{shown:#}\n")
}

fn text_of(name: &str, head: Option<Head>, report: &Report) -> String {
    let Report { lines, skipped, first, last, broken, breaks, remarks } = report;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{name}\n  {lines} lines of the audit trail, {skipped} others");
    for (place, mark) in [("first", first), ("last", last)] {
        if let Some(Mark { line, seq, time }) = mark {
            let _ = writeln!(out, "  {place}: number {seq} of {time}, line {line}");
        }
    }
    if let Some(head) = head {
        let _ = writeln!(out, "  the appliance has noted number {}", head.seq);
    }
    for Finding { line, what } in remarks {
        let _ = writeln!(out, "  line {line} {what}");
    }
    for Finding { line, what } in breaks {
        let _ = writeln!(out, "  BROKEN: line {line} {what}");
    }
    let unlisted = broken.saturating_sub(breaks.len() as u64);
    if unlisted > 0 {
        let _ = writeln!(out, "  BROKEN: at {unlisted} more places");
    }
    let verdict = match (broken, lines) {
        (0, 0) => "there is no line of an audit trail",
        (0, _) => "the chain holds",
        _ => "the chain does not hold",
    };
    let _ = writeln!(out, "{verdict}");
    output::printable(&out)
}
