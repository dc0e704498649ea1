//! What is known of the configuration: which one runs, since when, what waits for a restart, how the last reload ended.

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::api::admin::{LastReloadReport, ProblemReport};
use crate::base::clock::Timestamp;
use crate::engine::RefusedFiles;

/// The most problems that are kept of a reload that was refused, errors first.
const MAX_KEPT: usize = 100;

/// What a reload came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `tidings reload`, or another call on the admin listener.
    Command,
    /// SIGHUP.
    Signal,
    /// A file is not what it was (`reload_on_change`).
    Change,
}

impl Trigger {
    /// The word in answers and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Signal => "signal",
            Self::Change => "change",
        }
    }
}

/// What is known, for readiness, the metrics and the admin listener.
#[derive(Debug)]
pub(super) struct Board(Mutex<Known>);

/// What is known at one time.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The digest of what runs.
    pub(super) digest: String,
    /// Since when it runs.
    pub(super) since: Timestamp,
    /// What was wrong with the files at the start, where the last good configuration runs in their stead.
    pub(super) instead_of: Option<Vec<ProblemReport>>,
    /// The keys that wait for a restart.
    pub(super) restart: Vec<String>,
    /// The last reload.
    pub(super) last: Option<Ended>,
}

/// How a reload ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    at: Timestamp,
    /// When the first of a row of failures was, where it is one.
    first: Timestamp,
    by: Trigger,
    /// What stood in its way; `None` if nothing did.
    problems: Option<Vec<ProblemReport>>,
}

impl Board {
    /// The configuration with this digest runs.
    pub(super) fn new(digest: String, since: Timestamp, instead_of: Option<&[ProblemReport]>) -> Self {
        let instead_of = instead_of.map(worst);
        Self(Mutex::new(Known { digest, since, instead_of, restart: Vec::new(), last: None }))
    }

    pub(super) fn known(&self) -> Known {
        self.0.lock().clone()
    }

    /// A reload was done: this runs now.
    pub(super) fn replaced(&self, digest: String, restart: Vec<String>, at: Timestamp, by: Trigger) {
        let mut known = self.0.lock();
        if known.digest != digest || known.instead_of.is_some() {
            known.since = at;
        }
        *known = Known {
            digest,
            since: known.since,
            instead_of: None,
            restart,
            last: Some(Ended { at, first: at, by, problems: None }),
        };
    }

    /// A reload was refused, and nothing was changed.
    pub(super) fn refused(&self, problems: &[ProblemReport], at: Timestamp, by: Trigger) {
        let problems = worst(problems);
        let mut known = self.0.lock();
        let first = known.last.as_ref().filter(|last| last.problems.is_some()).map_or(at, |last| last.first);
        known.last = Some(Ended { at, first, by, problems: Some(problems) });
    }

    /// Since when the files are bad, and what is wrong with them; `None` if they are not known to be.
    pub(super) fn refusal(&self) -> Option<RefusedFiles> {
        let Known { since, instead_of, last, .. } = self.known();
        match (last, instead_of) {
            (Some(Ended { problems: Some(problems), first, .. }), _) => {
                Some(RefusedFiles { since: first, detail: first_error(&problems) })
            }
            (None, Some(problems)) => Some(RefusedFiles { since, detail: first_error(&problems) }),
            (Some(Ended { problems: None, .. }) | None, _) => None,
        }
    }

    /// What readiness tells of it.
    pub(super) fn details(&self) -> Map<String, Value> {
        let Known { digest, since: _, instead_of, restart, last } = self.known();
        let mut details = Map::new();
        if !digest.is_empty() {
            details.insert("configuration".to_owned(), digest.into());
        }
        let failed = last.as_ref().and_then(|last| Some((last, last.problems.as_ref()?)));
        let trouble = match (failed, &instead_of) {
            (Some((last, problems)), _) => {
                let at = last.at.to_rfc3339_seconds();
                Some(format!("the configuration on disk was refused at {at}: {}", first_error(problems)))
            }
            (None, Some(problems)) => {
                Some(format!("the configuration on disk could not be used at the start: {}", first_error(problems)))
            }
            (None, None) => None,
        };
        if let Some(trouble) = trouble {
            let runs = if instead_of.is_some() { "the last good one runs" } else { "the one before goes on" };
            let advice = "correct the files (tidings check), and run tidings reload";
            details.insert("bad_configuration".to_owned(), format!("{trouble}; {runs}: {advice}").into());
        }
        if !restart.is_empty() {
            details.insert("restart_needed".to_owned(), json!(restart));
        }
        details
    }
}

impl Known {
    /// When what runs was put in place, and whether the last reload was done.
    pub(super) fn success(&self) -> (Timestamp, bool) {
        let done = self.last.as_ref().map_or(self.instead_of.is_none(), |last| last.problems.is_none());
        let at = self.last.as_ref().filter(|last| last.problems.is_none()).map_or(self.since, |last| last.at);
        (at, done)
    }

    pub(super) fn source(&self) -> &'static str {
        if self.instead_of.is_some() { "last-good" } else { "files" }
    }
}

impl Ended {
    pub(super) fn report(&self) -> LastReloadReport {
        LastReloadReport {
            at: self.at.to_rfc3339_millis(),
            by: self.by.as_str().to_owned(),
            successful: self.problems.is_none(),
            problems: self.problems.clone().unwrap_or_default(),
        }
    }
}

/// As many of them as are kept.
fn worst(problems: &[ProblemReport]) -> Vec<ProblemReport> {
    let (errors, warnings): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.is_error());
    errors.into_iter().chain(warnings).take(MAX_KEPT).cloned().collect()
}

fn first_error(problems: &[ProblemReport]) -> String {
    let errors = problems.iter().filter(|problem| problem.is_error());
    match (errors.clone().next(), errors.count()) {
        (Some(first), 1) => first.to_string(),
        (Some(first), count) => format!("{first} (and {} more)", count - 1),
        (None, _) => "no reason is known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_000);

    #[test]
    fn a_refused_reload_is_told_until_one_is_done() {
        let board = Board::new("d1".to_owned(), Timestamp::from_millis(0), None);
        assert_eq!(board.known().success(), (Timestamp::from_millis(0), true));
        board.refused(&[ProblemReport::of("it is bad".to_owned())], AT, Trigger::Signal);
        assert!(board.details()["bad_configuration"].as_str().unwrap().contains("it is bad; the one before goes on"));
        assert_eq!(board.known().success(), (Timestamp::from_millis(0), false));
        board.replaced("d2".to_owned(), vec!["server.listen".to_owned()], AT, Trigger::Command);
        assert_eq!(Value::from(board.details()), json!({"configuration": "d2", "restart_needed": ["server.listen"]}));
        assert_eq!(board.known().success(), (AT, true));
    }

    #[test]
    fn the_last_good_configuration_is_told_until_the_files_are_good() {
        let problems = ["it is bad", "and this"].map(|text| ProblemReport::of(text.to_owned()));
        let board = Board::new("d1".to_owned(), Timestamp::from_millis(0), Some(&problems));
        assert_eq!((board.known().source(), board.known().success().1), ("last-good", false));
        assert!(
            board.details()["bad_configuration"].as_str().unwrap().contains("at the start: it is bad (and 1 more)")
        );
        board.replaced("d1".to_owned(), Vec::new(), AT, Trigger::Command);
        assert_eq!((board.known().source(), board.known().since), ("files", AT));
        assert!(!board.details().contains_key("bad_configuration"));
    }
}
