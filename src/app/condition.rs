//! What stage the appliance is in, as readiness and the metrics see it from the first moment of a start.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::board::Board;
use crate::api::admin::{Health, Readiness};
use crate::base::audit::Trail;
use crate::base::clock::Timestamp;
use crate::store::Store;

/// Where the appliance is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The store is being opened or repaired; how far it is.
    Opening(String),
    /// The store is open; the contracts do not listen yet.
    Starting,
    /// It does its work.
    Serving,
    /// It takes no new work.
    Stopping,
}

/// The condition of one running appliance; shared by the start, the admin listener and the metrics.
pub(super) struct Condition {
    stage: Mutex<Stage>,
    store: OnceLock<Arc<dyn Store>>,
    started: Timestamp,
    trail: Trail,
    board: Arc<Board>,
}

impl Condition {
    pub(super) fn new(started: Timestamp, trail: Trail, board: Arc<Board>) -> Self {
        Self { stage: Mutex::new(Stage::Opening("begun".to_owned())), store: OnceLock::new(), started, trail, board }
    }

    /// How far the opening of the store is, in its own words. Only the start counts: a store that opens its file anew
    /// after a fault tells that as its trouble.
    pub(super) fn opening(&self, progress: String) {
        if let Stage::Opening(known) = &mut *self.stage.lock() {
            *known = progress;
        }
    }

    /// The store is open. Only the first call counts.
    pub(super) fn opened(&self, store: Arc<dyn Store>) {
        if self.store.set(store).is_ok() {
            *self.stage.lock() = Stage::Starting;
        }
    }

    /// The contracts listen.
    pub(super) fn serving(&self) {
        *self.stage.lock() = Stage::Serving;
    }

    /// No new work is taken.
    pub(super) fn stopping(&self) {
        *self.stage.lock() = Stage::Stopping;
    }

    /// The store, once it is open.
    pub(super) fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store.get()
    }

    /// What is known of the configuration.
    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// When the process began its work.
    pub(super) const fn started(&self) -> Timestamp {
        self.started
    }

    fn reasons(&self) -> Vec<String> {
        let stage = match &*self.stage.lock() {
            Stage::Opening(progress) => Some(format!("the data file is being opened: {progress}")),
            Stage::Starting => Some("the contracts do not listen yet".to_owned()),
            Stage::Serving => None,
            Stage::Stopping => Some("the appliance is stopping".to_owned()),
        };
        let trouble = self.store().and_then(|store| store.trouble());
        let trouble = trouble.map(|trouble| format!("nothing can be stored: {trouble}"));
        let needs = self.store().map(|store| needs_person(&**store)).unwrap_or_default();
        stage.into_iter().chain(trouble).chain(needs).collect()
    }

    fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        let mut tell = |name: &str, value: Value| details.insert(name.to_owned(), value);
        tell("version", env!("CARGO_PKG_VERSION").into());
        tell("started", self.started.to_rfc3339_seconds().into());
        if let Some(store) = self.store() {
            let figures = store.figures();
            tell("ledger_time", store.now().to_rfc3339_millis().into());
            tell("file_bytes", figures.file_bytes.into());
            tell("free_bytes", figures.free_bytes.into());
            tell("room_bytes", store.room().bytes.into());
        }
        details.extend(self.board.details());
        let mut tell = |name: &str, value: Value| details.insert(name.to_owned(), value);
        // No reason not to do its work: who needs it to be one watches the metrics.
        if let Some(trouble) = self.trail.trouble() {
            tell("audit", format!("the audit trail cannot be written: {trouble}").into());
        }
        match self.trail.lost() {
            0 => {}
            lost => drop(tell("audit_lost", lost.into())),
        }
        details
    }
}

/// What holds up the work until a person does something about it.
fn needs_person(store: &dyn Store) -> Vec<String> {
    let doubt = store.clock_doubt().map(|doubt| {
        format!(
            "the clock is in doubt: {doubt}; what looks expired is withheld. Set the clock right, or if it is right: tidings \
             clock accept"
        )
    });
    let room = Some(store.room())
        .filter(|room| room.low)
        .map(|room| format!("publishing is refused for want of room: {room}; make room on the data file's volume"));
    doubt.into_iter().chain(room).collect()
}

impl Health for Condition {
    fn readiness(&self) -> Readiness {
        Readiness { reasons: self.reasons(), details: self.details() }
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Condition").field("stage", &self.stage).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition() -> Condition {
        let start = Timestamp::from_millis(0);
        Condition::new(start, Trail::off(), Arc::new(Board::new(String::new(), start, None)))
    }

    #[test]
    fn it_is_ready_only_while_it_serves() {
        let condition = condition();
        condition.opening("repairing 40 %".to_owned());
        assert_eq!(condition.readiness().reasons, ["the data file is being opened: repairing 40 %"]);
        condition.serving();
        assert!(condition.readiness().is_ready());
        assert_eq!(condition.readiness().details["started"], "1970-01-01T00:00:00Z");
        condition.stopping();
        assert_eq!(condition.readiness().reasons, ["the appliance is stopping"]);
    }

    #[test]
    fn a_data_file_that_is_opened_anew_does_not_undo_the_start() {
        let condition = condition();
        condition.serving();
        condition.opening("repairing 90 %".to_owned());
        assert!(condition.readiness().is_ready());
        condition.stopping();
        condition.opening("repairing 90 %".to_owned());
        assert_eq!(condition.readiness().reasons, ["the appliance is stopping"]);
    }
}
