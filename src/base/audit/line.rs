//! An entry as a line of the chain.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::chain::Head;
use super::entry::{Actor, Address, Entry, Outcome};
use crate::base::clock::Timestamp;
use crate::base::legible::escaped;

/// The form of the lines.
pub(super) const FORM: u64 = 1;

/// The longest line that is taken for one of ours; those that we write are far shorter.
pub(super) const MAX_LINE: usize = 64 << 10;

/// The action of the line that says how many could not be written.
pub(super) const LOST: &str = "audit.lost";
/// The action of a run's first line.
pub(super) const START: &str = "appliance.start";
/// The action of the last line of a run that was stopped in order.
pub(super) const STOP: &str = "appliance.stop";

/// An entry and when it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamped {
    pub(super) entry: Entry,
    pub(super) time: Timestamp,
    pub(super) repeats: Option<Repeats>,
}

/// That it was more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeats {
    /// How often in all.
    pub(super) count: u64,
    /// When it was last.
    pub(super) last: Timestamp,
}

#[derive(Serialize)]
struct Line<'a> {
    audit: u64,
    seq: u64,
    time: String,
    action: &'static str,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(flatten)]
    details: Details<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    previous: String,
}

struct Details<'a>(&'a [(&'static str, Value)]);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Appends the line after `head` to `out`, and answers the head that it makes.
pub(super) fn append(out: &mut Vec<u8>, head: Head, stamped: &Stamped) -> Head {
    let seq = head.seq + 1;
    let line = escaped(&json(seq, &head, stamped));
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
    Head::of(seq, line.as_bytes())
}

fn json(seq: u64, head: &Head, stamped: &Stamped) -> String {
    let Stamped { entry, time, repeats } = stamped;
    let Entry { action, outcome, status, principal, address, route, object, reason, request, details } = entry;
    let time = time.to_rfc3339_millis();
    let line = Line {
        audit: FORM,
        seq,
        action,
        outcome: *outcome,
        status: *status,
        principal: principal.as_ref(),
        address: *address,
        contract: route.map(|(contract, _)| contract),
        operation: route.map(|(_, operation)| operation),
        object: object.as_deref(),
        reason: reason.as_deref(),
        request: request.as_deref(),
        details: Details(details),
        repeated: repeats.map(|repeats| repeats.count),
        first: repeats.map(|_| time.clone()),
        last: repeats.map(|repeats| repeats.last.to_rfc3339_millis()),
        previous: head.hex(),
        time,
    };
    serde_json::to_string(&line).expect("texts, numbers and maps with texts as keys have a JSON form")
}

/// What is read back of a line.
#[derive(Debug, Deserialize)]
pub(super) struct Read {
    pub(super) audit: u64,
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) action: String,
    pub(super) previous: String,
    /// How the run before ended, in a run's first line.
    pub(super) last_run: Option<String>,
    /// Lines at the end of the file that the run before had not noted.
    pub(super) unconfirmed: Option<u64>,
    /// Lines that could not be written.
    pub(super) count: Option<u64>,
}

/// Whether `line` begins as ours do.
pub(super) fn is_ours(line: &[u8]) -> bool {
    line.starts_with(b"{\"audit\":")
}

/// The line read back, if it is whole.
pub(super) fn read(line: &[u8]) -> Option<Read> {
    is_ours(line).then(|| serde_json::from_slice(line).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(entry: Entry) -> Value {
        let stamped = Stamped { entry, time: Timestamp::from_millis(0), repeats: None };
        let mut out = Vec::new();
        append(&mut out, Head::START, &stamped);
        assert_eq!(out.split(|b| *b == b'\n').count(), 2);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_has_what_was_given_in_its_order() {
        let entry = Entry::new("subscription.create", Outcome::Ok)
            .answered(201)
            .by(Actor::ApiKey { id: "billing".into(), key: "tdg_abcdefgh".into() })
            .from(Some("10.0.0.1".parse().unwrap()).into())
            .through("polling", "subscribe")
            .about("s-1")
            .of_request("r-1");
        let repeats = Some(Repeats { count: 2, last: Timestamp::from_millis(500) });
        let stamped = Stamped { entry, time: Timestamp::from_millis(0), repeats };
        assert_eq!(
            json(8, &Head::of(7, b"abc"), &stamped),
            r#"{"audit":1,"seq":8,"time":"1970-01-01T00:00:00.000Z","action":"subscription.create","outcome":"ok","status":201,"principal":{"kind":"api-key","id":"billing","key":"tdg_abcdefgh"},"address":"10.0.0.1","contract":"polling","operation":"subscribe","object":"s-1","request":"r-1","repeated":2,"first":"1970-01-01T00:00:00.000Z","last":"1970-01-01T00:00:00.500Z","previous":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#
        );
    }

    #[test]
    fn what_callers_write_is_cut_and_escaped() {
        let long = "x".repeat(100_000);
        let value = line(
            Entry::new("token.issue", Outcome::Refused)
                .by(Actor::Claimed { id: "a\n{\"audit\":1}\u{1b}[2J\u{202e}".into() })
                .about(&long)
                .because(&long)
                .of_request(&long)
                .with("scope", long.clone()),
        );
        assert_eq!(value["principal"]["id"], "a\n{\"audit\":1}\u{1b}[2J\u{202e}");
        for (name, length) in [("object", 257), ("reason", 257), ("request", 257), ("scope", 1025)] {
            assert_eq!(value[name].as_str().unwrap().chars().count(), length, "{name}");
        }
        for actor in [
            Actor::Claimed { id: long.clone() },
            Actor::Client { id: long.clone(), issuer: long.clone() },
            Actor::ApiKey { id: long.clone(), key: long.clone() },
        ] {
            assert!(line(Entry::new("x", Outcome::Ok).by(actor)).to_string().len() < 1000);
        }
    }
}
