//! An attempt as the operator half tells of it: a hand-out, or a sending.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::base::legible::cut;

/// How many characters of an answer are shown; `--json` shows all that is kept.
const MAX_ANSWER: usize = 200;

/// The members that the commands show.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Attempt {
    HandOut(HandOut),
    Sending(Sending),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HandOut {
    at: String,
    client: String,
    request_id: String,
    leased_until: Option<String>,
    confirmed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sending {
    number: u32,
    at: String,
    took_millis: u64,
    connect_millis: Option<u64>,
    answer_millis: Option<u64>,
    body_millis: Option<u64>,
    outcome: String,
    reason: String,
    status: Option<u16>,
    detail: String,
    answer: Option<String>,
    probe: bool,
}

impl Attempt {
    /// In words, a line each.
    pub(super) fn tell(&self) -> Vec<String> {
        match self {
            Self::HandOut(hand_out) => vec![hand_out.tell()],
            Self::Sending(sending) => sending.tell(),
        }
    }
}

impl HandOut {
    fn tell(&self) -> String {
        let Self { at, client, request_id, leased_until, confirmed } = self;
        let how = match (leased_until, confirmed) {
            (Some(until), _) => format!("leased until {until}"),
            (None, Some(false)) => "consumed, and the answer is not known to have arrived whole".to_owned(),
            (None, _) => "consumed, and the answer was written whole".to_owned(),
        };
        format!("{at} to {client} (request {request_id}): {how}")
    }
}

impl Sending {
    fn tell(&self) -> Vec<String> {
        let Self { number, at, outcome, reason, status, detail, answer, probe, .. } = self;
        let probe = if *probe { ", to see whether it is there again" } else { "" };
        // A class that says no more than the status says nothing.
        let class = Some(reason).filter(|reason| status.is_none_or(|status| !reason.ends_with(&status.to_string())));
        let status = status.map(|status| format!(" {status}")).unwrap_or_default();
        let class = class.map(|class| format!(" ({class})")).unwrap_or_default();
        let mut lines = vec![format!("{number}. {at}{probe}: {outcome}{status}{class} after {}", self.times())];
        lines.extend(Some(format!("   {detail}")).filter(|_| !detail.is_empty()));
        let one_line = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.extend(answer.as_ref().map(|answer| format!("   it answered: {}", cut(&one_line(answer), MAX_ANSWER))));
        lines
    }

    /// For example `120 ms (connection 14 ms, answer 105 ms, body 1 ms)`.
    fn times(&self) -> String {
        let parts = [("connection", self.connect_millis), ("answer", self.answer_millis), ("body", self.body_millis)];
        let parts = parts.iter().filter_map(|(name, millis)| millis.map(|millis| format!("{name} {millis} ms")));
        let parts: Vec<_> = parts.collect();
        let mut out = format!("{} ms", self.took_millis);
        if !parts.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, " ({})", parts.join(", "));
        }
        out
    }
}
