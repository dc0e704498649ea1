//! What becomes of members of a body that nobody knows (contracts/README.md).

use prometheus_client::metrics::counter::Counter;

/// Names of ignored members that one request puts into the log at most, and how many characters of each.
const MAX_LOGGED: usize = 16;
const MAX_LOGGED_CHARACTERS: usize = 64;

/// What becomes of members of a body that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownMembers {
    /// They are ignored, counted and logged by name.
    Ignore,
    /// They are refused with 400.
    Refuse,
}

/// Counts and logs members that were ignored.
pub(super) fn note_ignored(unknown: &[String], counter: &Counter, request_id: &str) {
    if !unknown.is_empty() {
        counter.inc_by(unknown.len() as u64);
        let cut = |name: &String| name.chars().take(MAX_LOGGED_CHARACTERS).collect::<String>();
        let members: Vec<_> = unknown.iter().take(MAX_LOGGED).map(cut).collect();
        tracing::info!(request_id, count = unknown.len(), ?members, "unknown members of a body were ignored");
    }
}
