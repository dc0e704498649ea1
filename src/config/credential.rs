//! What clients and API keys have in common: until when their secrets are right, and what holds for their calls.

use std::sync::Arc;

use super::kind::{DAY, boolean, list, text};
use super::places::join_key;
use super::reader::{Item, Located, Section, Shown};
use super::sources::Sources;
use crate::auth::{AHEAD, AllowedFrom, PublishBounds, Terms};
use crate::base::clock::Timestamp;
use crate::base::network::{Network, NetworkFault};
use crate::base::rate::Rate;

/// The entry of `allowed_from` that stands for unix sockets.
const UNIX: &str = "unix";

/// A rate such as `100/s`, `10/min` or `1000/h`.
pub(super) fn rate(item: &Item<'_>) -> Option<Rate> {
    let Some(text) = item.as_text() else { return item.refuse_kind(RATE_FORM) };
    Rate::parse(text).or_else(|| item.refuse(format!("must be {RATE_FORM}, not {}", Shown(text))))
}

/// A rate, or none at all.
#[derive(Clone, Copy, Default)]
pub(super) struct Ceiling(pub(super) Option<Rate>);

/// A rate, or `unlimited`.
pub(super) fn ceiling(item: &Item<'_>) -> Option<Ceiling> {
    let unlimited = item.as_text() == Some("unlimited");
    if unlimited { Some(Ceiling(None)) } else { rate(item).map(|rate| Ceiling(Some(rate))) }
}

const RATE_FORM: &str = "a rate such as \"100/s\", \"10/min\" or \"1000/h\" (at most 1000000), or \"unlimited\" where \
                         that is possible";

/// An RFC 3339 instant.
pub(super) fn instant(item: &Item<'_>) -> Option<Timestamp> {
    const FORM: &str = "an instant in quotes such as \"2027-01-01T00:00:00Z\"";
    let Some(text) = item.as_text() else { return item.refuse_kind(FORM) };
    Timestamp::parse_rfc3339(text).or_else(|| item.refuse(format!("must be {FORM}, not {}", Shown(text))))
}

/// `not_after` of a secret or key; a warning where it is over or near.
pub(super) fn read_not_after(entry: &Section<'_>, sources: &Sources) -> Option<Timestamp> {
    let end = entry.optional("not_after", instant)?;
    warn_of_end(entry, end, sources.now);
    Some(end)
}

fn warn_of_end(entry: &Section<'_>, end: Timestamp, now: Timestamp) {
    let path = join_key(&entry.path, "not_after");
    if now > end {
        let advice = Some("remove it once nobody uses it any more".to_owned());
        entry.reader.warning(&path, "it has ended and is not taken any more", advice);
    } else if end.since(now) <= AHEAD {
        let days = end.since(now).as_secs() / DAY.as_secs();
        let advice = Some("put a new one beside it, let its user change over, then remove this one".to_owned());
        entry.reader.warning(&path, format!("it ends in {days} days"), advice);
    }
}

/// `enabled`, `allowed_from`, `request_rate` and `publish`; `request_rate` is that of `[limits]`.
pub(super) fn read_terms(entry: &Section<'_>, request_rate: Option<Rate>) -> Terms {
    Terms {
        enabled: entry.optional("enabled", boolean).unwrap_or(true),
        allowed_from: entry.optional("allowed_from", list(1, origin)).map(|origins| allowed_from(&origins)),
        request_rate: entry.optional("request_rate", ceiling).map_or(request_rate, |ceiling| ceiling.0),
        publish: entry.optional("publish", |item| item.section(|publish| Some(Arc::new(read_publish(publish))))),
    }
}

/// A network, as it is written, or `unix`.
fn origin(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    match Network::parse(&text) {
        _ if text == UNIX => Some(text),
        Ok(network) => Some(network.to_string()),
        Err(NetworkFault::Form) => item.refuse(format!("{}, or \"{UNIX}\", not {}", NetworkFault::Form, Shown(&text))),
        Err(fault) => item.refuse(format!("{} {fault}", Shown(&text))),
    }
}

fn allowed_from(origins: &[Located<String>]) -> AllowedFrom {
    let unix = origins.iter().any(|origin| origin.value == UNIX);
    // What is no network has been reported.
    AllowedFrom { networks: origins.iter().filter_map(|origin| Network::parse(&origin.value).ok()).collect(), unix }
}

fn read_publish(publish: &Section<'_>) -> PublishBounds {
    let patterns = |key| publish.optional(key, list(1, pattern)).unwrap_or_default();
    let values = |patterns: Vec<Located<String>>| patterns.into_iter().map(|pattern| pattern.value).collect();
    let [types, sources, audience] = ["types", "sources", "audience"].map(|key| values(patterns(key)));
    let bounds = PublishBounds { types, sources, audience };
    if bounds == PublishBounds::default() && !["types", "sources", "audience"].iter().any(|key| publish.has(key)) {
        publish.reader.error(&publish.path, "bounds nothing: name types, sources or audience, or leave it out");
    }
    bounds
}

/// A text, or what others begin with and a `*`.
fn pattern(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    match text.find('*') {
        Some(at) if at + 1 < text.len() => item.refuse(format!("has a * elsewhere than at its end: {}", Shown(&text))),
        _ => Some(text),
    }
}
