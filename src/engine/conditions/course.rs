//! The course of conditions: from what is found and what has been told follows what is to be told now. Pure.
//!
//! A condition that begins is noted as not told yet, with the instant since when it holds; then its event is stored, then
//! it is noted as told. Whatever is interrupted is done again with the same identity, which the store knows.

use std::collections::HashSet;

use super::finding::Finding;
use super::kept::Kept;
use crate::base::clock::Timestamp;
use crate::model::condition::Condition;
use crate::store::KeptCondition;

/// What is to be told.
#[derive(Debug)]
pub(super) enum Step {
    /// It has begun. What is kept of it already, where the telling was interrupted.
    Begin(Finding, Option<KeptCondition>),
    /// It still holds.
    Continue(Finding, KeptCondition),
    /// It has ended.
    End(Condition, KeptCondition),
}

/// What is to be told at `now`: what ends first, then what begins and what goes on. Of what is `unknown` it cannot be said
/// that it has ended.
pub(super) fn steps(
    findings: Vec<Finding>,
    kept: &Kept,
    unknown: impl Fn(Condition, &KeptCondition) -> bool,
    now: Timestamp,
) -> Vec<Step> {
    let (mut told, mut holding) = (Vec::new(), HashSet::new());
    for finding in findings {
        holding.insert((finding.condition, finding.key.written()));
        match kept.condition(finding.condition, &finding.key).cloned() {
            Some(kept) if kept.told.0 == 0 => told.push(Step::Begin(finding, Some(kept))),
            Some(kept) if finding.repeat.is_due(kept.told.1, now) => told.push(Step::Continue(finding, kept)),
            Some(_) => {}
            None => told.push(Step::Begin(finding, None)),
        }
    }
    let has_ended = |(condition, kept): &(Condition, &KeptCondition)| {
        !holding.contains(&(*condition, kept.subject.clone())) && !unknown(*condition, kept)
    };
    let ended = kept.conditions().filter(has_ended).map(|(condition, kept)| Step::End(condition, kept.clone()));
    ended.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::super::finding::{DAY, Key, Repeat};
    use super::*;

    fn finding(subject: &str) -> Finding {
        Finding {
            condition: Condition::DiskLow,
            key: Key::Other(subject.to_owned()),
            since: None,
            repeat: Repeat::Daily,
            detail: String::new(),
            what_to_do: String::new(),
            facts: Map::new(),
            mark: None,
        }
    }

    fn kept(name: &str, times: u32, told: Timestamp) -> Kept {
        let (name, subject) = (name.to_owned(), "a".to_owned());
        let told = (times, told);
        [KeptCondition { name, subject, since: Timestamp::default(), told, detail: String::new() }]
            .into_iter()
            .collect()
    }

    #[test]
    fn it_begins_goes_on_daily_and_ends() {
        let disk = Condition::DiskLow.as_str();
        let start = Timestamp::from_millis(0);
        let steps = |found: &[&str], kept: &Kept, now| {
            steps(found.iter().map(|subject| finding(subject)).collect(), kept, |_, _| false, now)
        };
        assert!(matches!(steps(&["a"], &Kept::default(), start)[..], [Step::Begin(_, None)]));
        assert!(matches!(steps(&["a"], &kept(disk, 0, start), start)[..], [Step::Begin(_, Some(_))]));
        let told = kept(disk, 1, start);
        assert!(steps(&["a"], &told, start).is_empty());
        assert!(matches!(steps(&["a"], &told, start.plus(DAY))[..], [Step::Continue(..)]));
        assert!(matches!(steps(&["b"], &told, start)[..], [Step::End(..), Step::Begin(..)]));
        assert!(steps(&[], &kept("what is kept besides", 0, start), start).is_empty());
        assert!(super::steps(Vec::new(), &told, |_, _| true, start).is_empty());
    }
}
