//! One message for one address, in the form in which it goes over the wire (RFC 5322, MIME).
//!
//! Nothing that an event holds can make a header or end one: what is rendered for the subject has lost its control
//! characters here, and every other header is made of the configuration, of ids, or of an address that was parsed. Lines
//! are short: headers are folded, bodies go as 7-bit text, quoted-printable or base64.
//!
//! The same notification gives the same message at every attempt, but for its `Date` and where its template has changed.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as Mailboxes;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::headers::url::URL;
use mail_builder::mime::MimePart;

use super::settings::Mailbox;
use super::templates::Rendered;
use crate::base::clock::Timestamp;
use crate::base::legible::{cut, is_disruptive};
use crate::base::trace::TraceContext;
use crate::model::address::Address;
use crate::model::id::LedgerId;

/// The most characters of a subject.
const MAX_SUBJECT: usize = 250;

/// How many bytes fit in an encoded word of 75 characters.
const WORD_BYTES: usize = 45;

/// What a message is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter<'a> {
    pub(super) from: &'a Mailbox,
    pub(super) to: &'a Address,
    pub(super) list_unsubscribe: &'a [String],
    pub(super) id: LedgerId,
    pub(super) now: Timestamp,
    pub(super) trace: Option<&'a TraceContext>,
    pub(super) content: &'a Rendered,
}

impl Letter<'_> {
    /// Whether a header needs a relay that knows SMTPUTF8. Names and subjects do not: they are encoded (RFC 2047).
    pub(super) fn needs_smtputf8(&self) -> bool {
        self.from.address.needs_smtputf8() || self.to.needs_smtputf8()
    }

    /// The message's bytes.
    pub(super) fn compose(&self) -> Vec<u8> {
        let Self { from, to, list_unsubscribe, id, now, trace, content } = *self;
        let (text, html) = (body(&content.text), body(&content.html));
        let mut builder = MessageBuilder::new()
            .date(Date::new(now.as_millis().div_euclid(1000)))
            .from(Mailboxes::new_address(from.name.as_deref(), from.address.as_str()))
            .to(to.as_str())
            .header("Subject", unstructured(&subject(&content.subject)))
            .message_id(format!("{id}@{}", from.address.domain()))
            .header("Auto-Submitted", Raw::new("auto-generated"));
        if !list_unsubscribe.is_empty() {
            builder = builder.header("List-Unsubscribe", URL::new_list(list_unsubscribe.iter().map(String::as_str)));
        }
        // As the upstream called it (contracts/trigger.md); its digits were checked.
        if let Some(trace) = trace {
            builder = builder.header("X-B3-TraceId", Raw::new(trace.trace_id()));
        }
        let boundary = boundary(id, &text, &html);
        let alternative = ContentType::new("multipart/alternative").attribute("boundary", boundary);
        let parts = vec![MimePart::new("text/plain", text), MimePart::new("text/html", html)];
        let mut out = Vec::new();
        builder.body(MimePart::new(alternative, parts)).serialize(&mut out);
        out
    }
}

/// A line of text without anything that could end it or turn its direction, and without blanks around it.
fn subject(rendered: &str) -> String {
    let plain: String = rendered.chars().map(|c| if is_disruptive(c) { ' ' } else { c }).collect();
    let words: Vec<_> = plain.split_whitespace().collect();
    let line = words.join(" ");
    cut(&line, MAX_SUBJECT).into_owned()
}

/// A line as the value of a header. The builder encodes what is not ASCII; what looks like an encoded word without being
/// one (RFC 2047, 2) would be decoded by who reads it, so it is encoded here.
fn unstructured(line: &str) -> HeaderType<'static> {
    if !line.contains("=?") {
        return Text::new(line.to_owned()).into();
    }
    let mut words = vec![String::new()];
    for c in line.chars() {
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > WORD_BYTES) {
            words.push(String::new());
        }
        words.last_mut().into_iter().for_each(|word| word.push(c));
    }
    let encoded = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
    Raw::new(encoded.collect::<Vec<_>>().join(" ")).into()
}

/// Text whose lines end in LF, without control characters but tabs.
fn body(rendered: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if rendered.chars().all(is_plain) {
        return Cow::Borrowed(rendered);
    }
    let lines = rendered.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(lines.chars().filter(|c| is_plain(*c)).collect())
}

/// What parts the bodies: ids can be guessed, so it is made sure that no body has it.
fn boundary(id: LedgerId, text: &str, html: &str) -> String {
    let mut boundary = format!("=_{id}");
    while text.contains(&boundary) || html.contains(&boundary) {
        boundary.push('_');
    }
    boundary
}
