//! Trying every template before any mail is sent: what `tidings check` says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::{Error, ErrorKind, Value};

use super::context::{Variables, Wanted};
use super::environment::{innermost, render, words};
use super::locale::is_locale;
use super::set::Templates;
use super::stand_in::StandIn;
use crate::base::clock::Timestamp;
use crate::channel::Message;
use crate::model::event::{Event, EventDraft};
use crate::model::id::{Epoch, LedgerId, LedgerIdParts, Position};
use crate::model::json::RawJson;
use crate::model::subscription::{ContractName, Subscription, SubscriptionDraft};

/// What the engine itself gives to a template, besides its functions.
const GIVEN: [&str; 4] = ["loop", "self", "super", "caller"];

/// An instant that a sample event happened at.
const SAMPLE_TIME: Timestamp = Timestamp::from_millis(1_796_000_000_000);

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file's name, without the folder.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// Whether the template cannot be used; if not, somebody should look at it.
    pub is_error: bool,
}

impl Finding {
    pub(super) fn error(file: &str, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into(), is_error: true }
    }

    pub(super) fn warning(file: &str, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { is_error: false, ..Self::error(file, line, message) }
    }
}

impl Templates {
    /// Renders every file and says what is wrong with it. `samples` holds data by the name of a template; where there is
    /// none, all members of `data` are taken to be there.
    #[must_use]
    pub fn inspect(&self, samples: &BTreeMap<String, RawJson>) -> Vec<Finding> {
        let tried = self.files().filter(|file| !file.starts_with('_'));
        tried.flat_map(|file| self.inspect_file(file, samples)).collect()
    }

    fn inspect_file(&self, file: &str, samples: &BTreeMap<String, RawJson>) -> Vec<Finding> {
        let name = sample_name(file, samples);
        let sample = samples.get(name);
        let variables = self.sample_variables(name, sample);
        let mut findings = self.unknown_variables(file, &variables);
        if let Err(error) = render(self.environment(), file, &Value::from_object(variables)) {
            let finding = judged(file, name, &error, sample.is_some());
            // That a name is unknown has been said.
            let is_known = |known: &Finding| known.line == finding.line && known.file == finding.file;
            if !findings.iter().any(is_known) {
                findings.push(finding);
            }
        }
        findings
    }

    /// What a template of this name knows of a sample event.
    fn sample_variables(&self, name: &str, sample: Option<&RawJson>) -> Variables {
        let message = sample_message(name, sample);
        let mut variables = self.variables(&Wanted {
            template: None,
            locale: None,
            default_locale: "en",
            address: "jane@example.com",
            type_name: None,
            message: &message,
        });
        variables.insert("extensions", StandIn::value("extensions"));
        if sample.is_none() {
            variables.insert("data", StandIn::value("data"));
        }
        variables
    }

    /// Names that mean nothing, also in branches that the sample does not take.
    fn unknown_variables(&self, file: &str, known: &Variables) -> Vec<Finding> {
        let Ok(template) = self.environment().get_template(file) else { return Vec::new() };
        let functions: BTreeSet<_> = self.environment().globals().map(|(name, _)| name).collect();
        let is_known = |name: &str| known.contains_key(name) || functions.contains(name) || GIVEN.contains(&name);
        let mut unknown: Vec<_> =
            template.undeclared_variables(false).into_iter().filter(|name| !is_known(name)).collect();
        unknown.sort();
        let message = |name: &str| {
            let names = known.keys().copied().collect::<Vec<_>>().join(", ");
            format!("there is no variable {name}; there are {names}")
        };
        let finding = |name: &String| Finding::error(file, line_of(template.source(), name), message(name));
        unknown.iter().map(finding).collect()
    }
}

/// The name of the sample for a file: with or without what may be a locale.
fn sample_name<'a>(file: &'a str, samples: &BTreeMap<String, RawJson>) -> &'a str {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    match stem.rsplit_once('.') {
        Some((name, locale)) if is_locale(locale) && !samples.contains_key(stem) => name,
        _ => stem,
    }
}

fn sample_message(name: &str, sample: Option<&RawJson>) -> Message {
    let id = |target| {
        let position = Position::new(1).unwrap_or_default();
        LedgerId::new(LedgerIdParts { accepted: SAMPLE_TIME, epoch: Epoch::default(), position, target })
    };
    let draft = EventDraft {
        publisher: "sample".into(),
        id: Some("sample-1".to_owned()),
        source: "/sample".to_owned(),
        event_type: name.into(),
        subject: Some("sample subject".to_owned()),
        time: None,
        data_schema: None,
        audience: None,
        expiry: None,
        trace: None,
        extensions: Vec::new(),
        data: sample.cloned(),
    };
    Message {
        id: id(1),
        subscription: sample_subscription(name),
        number: None,
        event: Event { id: id(0), accepted: SAMPLE_TIME, draft },
        attempt: 1,
        now: SAMPLE_TIME,
        epoch: Epoch::default(),
    }
}

fn sample_subscription(event_type: &str) -> Arc<Subscription> {
    let types = vec![event_type.into()];
    let draft = SubscriptionDraft::new("sample".into(), ContractName::Polling, "sample".into(), types);
    Arc::new(draft.into_subscription(SAMPLE_TIME, Vec::new()))
}

/// What it means that a file could not be rendered.
fn judged(file: &str, name: &str, error: &Error, has_sample: bool) -> Finding {
    let inner = innermost(error);
    let (place, line) = (inner.name().unwrap_or(file), inner.line());
    if !has_sample && depends_on_data(inner.kind()) {
        let message = format!(
            "cannot be tried without a sample of its data: {}; put one in {name}.sample.json beside it",
            words(error)
        );
        return Finding::warning(place, line, message);
    }
    Finding::error(place, line, words(error))
}

/// Whether another value could have been fine.
const fn depends_on_data(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidOperation
            | ErrorKind::NonPrimitive
            | ErrorKind::NonKey
            | ErrorKind::CannotUnpack
            | ErrorKind::BadSerialization
            | ErrorKind::CannotDeserialize
    )
}

/// The line where `name` first stands as a word.
fn line_of(source: &str, name: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let has = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + name.len()..].chars().next();
            !before.is_some_and(|c| is_part(c) || c == '.') && !after.is_some_and(is_part)
        })
    };
    source.lines().position(has).map(|line| line + 1)
}
