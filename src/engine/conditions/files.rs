//! Configuration files that cannot be used.

use serde_json::{Map, json};

use super::finding::{Finding, Key, Repeat};
use crate::base::clock::Timestamp;
use crate::model::condition::Condition;

/// Files that were refused, while an earlier configuration runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFiles {
    /// Since when.
    pub since: Timestamp,
    /// What is wrong with them, as far as fits into a sentence.
    pub detail: String,
}

pub(super) fn of_refused(refused: RefusedFiles) -> Finding {
    let RefusedFiles { since, detail } = refused;
    let facts = Map::from_iter([("problem".to_owned(), json!(detail))]);
    Finding {
        condition: Condition::ReloadFailed,
        key: Key::Other("configuration".to_owned()),
        since: Some(since),
        repeat: Repeat::Daily,
        detail: format!("The configuration on disk cannot be used, and an earlier one runs: {detail}."),
        what_to_do: "See `tidings check`, correct the files, and run `tidings reload`.".to_owned(),
        facts,
        mark: None,
    }
}
