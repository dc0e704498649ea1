//! Acting on all notifications that a filter means: cancellations and replays.
//!
//! The ledger is gone through from the oldest on, in transactions of at most 1000 notifications. One call does a bounded
//! part of the work and answers where to go on. What has been done stays done, whatever becomes of the rest: a
//! cancellation can simply be asked for again; a replay goes on behind the cursor, so that nothing is replayed twice.

use super::look::Filter;
use crate::engine::Engine;
use crate::model::id::LedgerId;
use crate::model::notification::State;
use crate::store::{Act, Action, LookCursor, Looked, NotDone, NotificationView, StoreError};

/// The most notifications that one call acts on.
pub const MAX_BULK: usize = 100_000;

/// The most in one transaction.
const TRANSACTION: usize = 1000;

/// The most looks of one call, each of which reads a bounded number of records.
const LOOKS: usize = 100;

/// The most ids that are told.
const LISTED: usize = 1000;

/// What is to be done with many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkAction {
    /// End those that have not ended.
    Cancel,
    /// Begin a new round of those that have ended; of cancelled ones only where the filter names that state.
    Replay,
}

/// What is to be done with which notifications.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// What.
    pub action: BulkAction,
    /// With which.
    pub filter: Filter,
    /// Where an earlier call has stopped.
    pub cursor: Option<LookCursor>,
    /// The most to act on, 1 to [`MAX_BULK`].
    pub limit: usize,
    /// Who asks, as the audit trail names them.
    pub by: String,
    /// Whether to say only what would be done.
    pub dry_run: bool,
}

/// What a call has done, or in a dry run would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkDone {
    /// Notifications that the filter means and that are in a state in which this is done at all.
    pub matched: u64,
    /// Those that it was done with.
    pub done: u64,
    /// How many were refused, for each reason once.
    pub refused: Vec<(NotDone, u64)>,
    /// The ids of those that it was done with, the first 1000.
    pub ids: Vec<LedgerId>,
    /// Where to go on; `None` if all have been looked at.
    pub cursor: Option<LookCursor>,
}

/// The store could not go on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct BulkError {
    /// Why.
    pub error: StoreError,
    /// What was done before, which stays done; its cursor is where to go on.
    pub so_far: BulkDone,
}

impl BulkAction {
    /// Whether it can be done at all with a notification in `state`.
    #[must_use]
    pub const fn fits(self, state: State) -> bool {
        match self {
            Self::Cancel => !state.is_end(),
            Self::Replay => state.is_end(),
        }
    }
}

impl Bulk {
    /// Whether a notification that the filter let through is meant.
    fn means(&self, state: State) -> bool {
        self.action.fits(state) && (state != State::Cancelled || self.filter.state == Some(state))
    }

    /// At most `left` of those that were found, and where to go on behind them.
    fn choose(&self, looked: Looked, left: usize) -> (Vec<NotificationView>, Option<LookCursor>) {
        let mut chosen: Vec<_> = looked.notifications.into_iter().filter(|view| self.means(view.state)).collect();
        if chosen.len() <= left {
            return (chosen, looked.cursor);
        }
        chosen.truncate(left);
        let behind = chosen.last().map(|view| behind(view.id));
        (chosen, behind)
    }
}

/// The place behind this notification.
fn behind(id: LedgerId) -> LookCursor {
    let parts = id.parts();
    LookCursor { position: parts.position, target: parts.target }
}

impl BulkDone {
    fn count(&mut self, ids: impl Iterator<Item = LedgerId>, outcomes: Vec<Result<(), NotDone>>) {
        for (id, outcome) in ids.zip(outcomes) {
            self.matched += 1;
            match outcome {
                Ok(()) => self.note_done(id),
                Err(reason) => self.note_refused(reason),
            }
        }
    }

    fn note_done(&mut self, id: LedgerId) {
        self.done += 1;
        if self.ids.len() < LISTED {
            self.ids.push(id);
        }
    }

    fn note_refused(&mut self, reason: NotDone) {
        match self.refused.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.refused.push((reason, 1)),
        }
    }
}

impl Engine {
    /// Does to the notifications that are meant what is asked for, oldest first, until `limit` of them have been acted
    /// on, all have been looked at, or it has been long enough for one call.
    pub async fn act_on_all(&self, bulk: &Bulk) -> Result<BulkDone, BulkError> {
        let mut done = BulkDone { cursor: bulk.cursor, ..BulkDone::default() };
        let mut left = bulk.limit.min(MAX_BULK);
        for _ in 0..LOOKS {
            match self.bulk_step(bulk, &mut done, left).await {
                Ok(chosen) => left -= chosen,
                Err(error) => return Err(BulkError { error, so_far: done }),
            }
            if done.cursor.is_none() || left == 0 || self.stop.is_stopped() {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(done)
    }

    /// One look and one transaction; says how many were chosen.
    async fn bulk_step(&self, bulk: &Bulk, done: &mut BulkDone, left: usize) -> Result<usize, StoreError> {
        let looked = self.store.notifications(bulk.filter.look(done.cursor, TRANSACTION)).await?;
        let (chosen, cursor) = bulk.choose(looked, left);
        if !chosen.is_empty() {
            let items = chosen.iter().map(|view| (view.id, self.bulk_action(bulk.action, view))).collect();
            let outcomes = self.store.act(Act { items, by: bulk.by.clone(), dry_run: bulk.dry_run }).await?;
            done.count(chosen.iter().map(|view| view.id), outcomes);
        }
        done.cursor = cursor;
        Ok(chosen.len())
    }

    fn bulk_action(&self, action: BulkAction, view: &NotificationView) -> Action {
        match action {
            BulkAction::Cancel => Action::Cancel,
            BulkAction::Replay => self.reopen(view),
        }
    }
}
