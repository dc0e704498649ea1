//! The safe poll's body and answer (contracts/events.md, "Poll safely"): the shape of RFC 8936 with JSON events in
//! place of signed tokens.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::openapi::CloudEvent;
use super::problems::Problems;
use crate::engine::Leased;
use crate::model::cloud_event;
use crate::model::id::LedgerId;
use crate::model::json::{self, Members};

/// Ids in `ack`, and members of `setErrs`, in one request.
const MAX_IDS: usize = 1000;
/// The most events of one page, and how many it has where the request does not say.
const MAX_EVENTS: u64 = 1000;
const EVENTS: u64 = 100;
/// The longest lease in seconds, and how long it is where the request does not say.
const MAX_LEASE: u64 = 3600;
const LEASE: u64 = 60;
/// The longest `err` and `description` in characters.
const MAX_ERR: usize = 64;
const MAX_DESCRIPTION: usize = 900;
/// The nesting of a body: the object, `setErrs`, one of its members.
const DEPTH: usize = 3;
/// Bytes of an answer besides its events.
const FRAME_BYTES: usize = 64;

/// What is acknowledged, and what is wanted.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
pub(super) struct SafePoll {
    /// The most notifications that are wanted; 0 to acknowledge only.
    #[schema(minimum = 0, maximum = 1000, default = 100, nullable = false)]
    max_events: Option<u64>,
    /// Whether an answer is wanted at once though nothing waits.
    #[schema(default = false, nullable = false)]
    return_immediately: Option<bool>,
    /// The ids of notifications that have been taken care of.
    #[schema(max_items = 1000, nullable = false)]
    ack: Option<Vec<String>>,
    /// The ids of at most 1000 notifications that could not be taken care of, with the reason: they are failed.
    #[schema(nullable = false)]
    set_errs: Option<BTreeMap<String, SetErr>>,
    /// How long the lease is to run.
    #[schema(minimum = 1, maximum = 3600, default = 60, nullable = false)]
    lease_seconds: Option<u64>,
}

/// Why a notification could not be taken care of (RFC 8936, 2.6).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
struct SetErr {
    /// Which error it is.
    #[schema(max_length = 64)]
    err: String,
    /// More about it.
    #[schema(max_length = 900, nullable = false)]
    description: Option<String>,
}

/// Notifications that have been leased.
#[derive(ToSchema)]
#[schema(as = Leased)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, clippy::zero_sized_map_values, reason = "only its schema is used: the bytes are written by hand")]
pub(super) struct Page {
    /// Their events, by the notification's id.
    sets: BTreeMap<String, CloudEvent>,
    /// Their ids, oldest first.
    order: Vec<String>,
    /// Whether more wait.
    more_available: bool,
}

/// What a body asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) max: usize,
    pub(super) return_immediately: bool,
    pub(super) acks: Vec<LedgerId>,
    pub(super) errors: Vec<(LedgerId, String)>,
    pub(super) duration: Duration,
}

/// Reads a body, or all that is wrong with it. Ids that no notification can have are left out, like unknown ones.
pub(super) fn read(body: &Bytes) -> Result<Body, Problems> {
    let mut problems = Problems::default();
    let mut read = Body {
        max: usize::try_from(EVENTS).unwrap_or_default(),
        return_immediately: false,
        acks: Vec::new(),
        errors: Vec::new(),
        duration: Duration::from_secs(LEASE),
    };
    match json::check_depth(body, DEPTH).map(|raw| serde_json::from_str(raw.get())) {
        Err(error) => problems.invalid(String::new(), format!("is not acceptable JSON: {error}")),
        Ok(Err(_)) => problems.invalid(String::new(), "must be a JSON object"),
        Ok(Ok(Members(members))) => {
            for (name, value) in members {
                read.set(&name, value, &mut problems);
            }
            read.check_ids(&mut problems);
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

impl Body {
    fn set(&mut self, name: &str, value: &RawValue, problems: &mut Problems) {
        match name {
            "maxEvents" => {
                if let Some(max) = number(value, 0, MAX_EVENTS, "/maxEvents", problems) {
                    self.max = usize::try_from(max).unwrap_or_default();
                }
            }
            "leaseSeconds" => {
                if let Some(seconds) = number(value, 1, MAX_LEASE, "/leaseSeconds", problems) {
                    self.duration = Duration::from_secs(seconds);
                }
            }
            "returnImmediately" => match serde_json::from_str(value.get()) {
                Ok(given) => self.return_immediately = given,
                Err(_) => problems.invalid("/returnImmediately".to_owned(), "must be true or false"),
            },
            "ack" => self.acks = acks(value, problems),
            "setErrs" => self.errors = errors(value, problems),
            other => problems.invalid(format!("/{}", escape(other)), "is not a member of a safe poll"),
        }
    }

    fn check_ids(&self, problems: &mut Problems) {
        let acks: HashSet<_> = self.acks.iter().collect();
        for (id, _) in self.errors.iter().filter(|(id, _)| acks.contains(id)) {
            problems.invalid(format!("/setErrs/{id}"), "is in `ack` too");
        }
    }
}

fn number(value: &RawValue, least: u64, most: u64, pointer: &str, problems: &mut Problems) -> Option<u64> {
    let number = serde_json::from_str::<u64>(value.get()).ok().filter(|n| (least..=most).contains(n));
    if number.is_none() {
        problems.invalid(pointer.to_owned(), format!("must be a whole number from {least} to {most}"));
    }
    number
}

fn acks(value: &RawValue, problems: &mut Problems) -> Vec<LedgerId> {
    let Ok(ids) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
        problems.invalid("/ack".to_owned(), "must be an array of ids");
        return Vec::new();
    };
    if ids.len() > MAX_IDS {
        problems.invalid("/ack".to_owned(), format!("has {} ids; at most {MAX_IDS} are taken", ids.len()));
        return Vec::new();
    }
    let mut known = Vec::with_capacity(ids.len());
    for (index, id) in ids.into_iter().enumerate() {
        match json::string(id) {
            Some(id) => known.extend(LedgerId::parse(&id)),
            None => problems.invalid(format!("/ack/{index}"), "must be an id, as a string"),
        }
    }
    known
}

fn errors(value: &RawValue, problems: &mut Problems) -> Vec<(LedgerId, String)> {
    let Ok(Members(members)) = serde_json::from_str(value.get()) else {
        problems.invalid("/setErrs".to_owned(), "must be an object of ids");
        return Vec::new();
    };
    if members.len() > MAX_IDS {
        problems.invalid("/setErrs".to_owned(), format!("has {} ids; at most {MAX_IDS} are taken", members.len()));
        return Vec::new();
    }
    let reasons = members.into_iter().filter_map(|(id, value)| {
        let reason = reason(value, &format!("/setErrs/{}", escape(&id)), problems)?;
        Some((LedgerId::parse(&id)?, reason))
    });
    reasons.collect()
}

/// `err` and `description` (RFC 8936, 2.6) in one text.
fn reason(value: &RawValue, pointer: &str, problems: &mut Problems) -> Option<String> {
    let Ok(Members(members)) = serde_json::from_str(value.get()) else {
        problems.invalid(pointer.to_owned(), "must be an object with `err` and, if wanted, `description`");
        return None;
    };
    let mut text = |name: &str, most: usize| {
        let (_, value) = members.iter().find(|(n, _)| n == name)?;
        let text = json::string(value).filter(|text| text.chars().count() <= most);
        if text.is_none() {
            problems.invalid(format!("{pointer}/{name}"), format!("must be a text of at most {most} characters"));
        }
        text
    };
    let (err, description) = (text("err", MAX_ERR), text("description", MAX_DESCRIPTION));
    if !members.iter().any(|(name, _)| name == "err") {
        problems.invalid(format!("{pointer}/err"), "is missing");
    }
    let err = err?;
    Some(match description.as_deref() {
        None | Some("") => err.into_owned(),
        Some(description) => format!("{err}: {description}"),
    })
}

/// A member's name as a JSON Pointer has it (RFC 6901, 3), cut to what is worth showing.
fn escape(name: &str) -> String {
    let cut: String = name.chars().take(MAX_ERR).collect();
    cut.replace('~', "~0").replace('/', "~1")
}

/// The answer's body.
pub(super) fn answer(leased: &Leased) -> Vec<u8> {
    let Leased { notifications, until: _, more, consumed: _, failed: _ } = leased;
    let size: usize = notifications.iter().map(|n| cloud_event::size_hint(&n.event) + FRAME_BYTES * 2).sum();
    let mut out = Vec::with_capacity(size + FRAME_BYTES);
    out.extend_from_slice(b"{\"sets\":{");
    for (index, handed) in notifications.iter().enumerate() {
        separate(&mut out, index);
        write_id(&mut out, handed.id);
        out.push(b':');
        cloud_event::write(&mut out, &handed.event);
    }
    out.extend_from_slice(b"},\"order\":[");
    for (index, handed) in notifications.iter().enumerate() {
        separate(&mut out, index);
        write_id(&mut out, handed.id);
    }
    out.extend_from_slice(b"],\"moreAvailable\":");
    out.extend_from_slice(if *more { b"true}" } else { b"false}" });
    out
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

/// An id is hexadecimal digits and hyphens: nothing in it has to be escaped.
fn write_id(out: &mut Vec<u8>, id: LedgerId) {
    out.push(b'"');
    out.extend_from_slice(id.to_string().as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198f0c2-1111-7000-8000-000000040001";

    fn body(text: &str) -> Result<Body, Problems> {
        read(&Bytes::copy_from_slice(text.as_bytes()))
    }

    fn places(text: &str) -> Vec<String> {
        body(text).unwrap_err().fields.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn an_empty_object_has_the_contract_s_defaults() {
        let read = body("{}").unwrap();
        assert_eq!((read.max, read.return_immediately, read.duration), (100, false, Duration::from_mins(1)));
        assert!(read.acks.is_empty() && read.errors.is_empty());
    }

    #[test]
    fn all_members_are_read() {
        let text = format!(
            r#"{{"maxEvents":0,"returnImmediately":true,"ack":["{ID}","no id of ours"],"leaseSeconds":3600,
                "setErrs":{{"0198f0c2-1111-7000-8000-000000040002":{{"err":"invalid_request","description":"no such user"}},
                            "unknown":{{"err":"x"}}}}}}"#
        );
        let read = body(&text).unwrap();
        assert_eq!((read.max, read.return_immediately, read.duration), (0, true, Duration::from_hours(1)));
        assert_eq!(read.acks, [LedgerId::parse(ID).unwrap()]);
        assert_eq!(read.errors.len(), 1);
        assert_eq!(read.errors[0].1, "invalid_request: no such user");
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_place() {
        assert_eq!(
            places(
                r#"{"maxEvents":1001,"returnImmediately":1,"ack":[1],"leaseSeconds":0,"acks":[],"setErrs":{"a/b":{}}}"#
            ),
            ["/maxEvents", "/returnImmediately", "/ack/0", "/leaseSeconds", "/acks", "/setErrs/a~1b/err"]
        );
        assert_eq!(
            places(&format!(r#"{{"ack":["{ID}"],"setErrs":{{"{ID}":{{"err":"x"}}}}}}"#)),
            [format!("/setErrs/{ID}")]
        );
        for text in ["", "[]", "1", "{\"ack\":[],\"ack\":[]}", r#"{"ack":[[[[1]]]]}"#] {
            assert_eq!(places(text), [""], "{text}");
        }
        for text in [r#"{"ack":{}}"#, r#"{"ack":null}"#] {
            assert_eq!(places(text), ["/ack"], "{text}");
        }
        assert_eq!(places(r#"{"setErrs":{"x":{"err":1}}}"#), ["/setErrs/x/err"]);
    }

    #[test]
    fn a_thousand_ids_are_taken_and_one_more_is_not() {
        let list = |count: usize| format!("{{\"ack\":[{}]}}", vec![format!("\"{ID}\""); count].join(","));
        assert_eq!(body(&list(MAX_IDS)).unwrap().acks.len(), MAX_IDS);
        assert_eq!(places(&list(MAX_IDS + 1)), ["/ack"]);
        for (seconds, good) in [(1, true), (3600, true), (3601, false)] {
            assert_eq!(body(&format!("{{\"leaseSeconds\":{seconds}}}")).is_ok(), good, "{seconds}");
        }
    }
}
