//! Replays that a consumer asks for: new rounds of notifications of its own subscriptions (contracts/management.md,
//! "Replay").
//!
//! Never a new notification, so that its id and its number stay. What cannot be replayed (its body has gone, its event's
//! `expirytime` has passed) is not counted and takes no place from what can. A cancelled notification is never meant.

use std::collections::HashSet;
use std::sync::Arc;

use super::operator::ActError;
use super::{Engine, StoreError};
use crate::base::clock::Timestamp;
use crate::model::filter::{Attributes, Clause, Filter};
use crate::model::id::{EventTypeId, LedgerId};
use crate::model::notification::State;
use crate::model::subscription::Subscription;
use crate::store::{Act, Look, NotDone, NotificationView};

/// The most in one transaction.
const TRANSACTION: usize = 1000;

/// The most looks of one call, each of which reads a bounded number of records.
const LOOKS: usize = 1000;

/// Which of its notifications a consumer wants to have again; what is `None` is not asked for.
#[derive(Clone, Debug)]
pub struct Replay {
    /// This one.
    pub notification: Option<LedgerId>,
    /// Those that were delivered, or else those that failed or expired.
    pub delivered: bool,
    /// Those of events of this type.
    pub event_type: Option<EventTypeId>,
    /// Those whose event was accepted at or after this instant.
    pub from: Option<Timestamp>,
    /// Those whose event was accepted before this instant.
    pub to: Option<Timestamp>,
    /// Those of whose event one of these holds; with none of them every event's.
    pub attributes: Vec<Clause>,
    /// The most of them, at least 1; the oldest come first.
    pub limit: usize,
    /// Who asks, as it is kept with the round.
    pub by: String,
    /// Whether they are only to be counted.
    pub dry_run: bool,
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many there are, up to the limit.
    pub matched: usize,
    /// Those that have a new round, oldest first; none after a dry run.
    pub queued: Vec<LedgerId>,
}

/// Why a notification was not replayed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotReplayed {
    /// It was cancelled, which a consumer cannot undo.
    #[error("it was cancelled")]
    Cancelled,
    /// There is none, it has not ended, or it cannot be sent any more.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ActError> for NotReplayed {
    fn from(error: ActError) -> Self {
        match error {
            ActError::NotDone(reason) => Self::NotDone(reason),
            ActError::Store(error) => Self::Store(error),
        }
    }
}

/// Why a replay did not come to its end. What it has begun has begun.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is more in the history than one call looks through.
    #[error("the history is too large to be looked through at once")]
    TooMuch {
        /// How many were queued before.
        queued: usize,
    },
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Replay {
    /// Whether it means a notification in this state of an endpoint of these subscriptions.
    fn means(&self, view: &NotificationView, among: &[Arc<Subscription>]) -> bool {
        let state = match view.state {
            State::Delivered => self.delivered,
            State::Failed | State::Expired => !self.delivered,
            State::Queued | State::Leased | State::Held | State::Consumed | State::Cancelled => false,
        };
        state
            && self.event_type.as_ref().is_none_or(|wanted| view.event_type.as_ref() == Some(wanted))
            && self.from.is_none_or(|from| view.accepted >= from)
            && self.to.is_none_or(|to| view.accepted < to)
            && is_of(view, among)
    }

    fn look(&self, among: &[Arc<Subscription>]) -> Look {
        let subscription = if let [only] = among { Some(only.id.clone()) } else { None };
        Look {
            state: self.delivered.then_some(State::Delivered),
            event_type: self.event_type.clone(),
            subscription,
            from: self.from,
            to: self.to,
            limit: TRANSACTION,
            ..Look::default()
        }
    }
}

/// Whether it is one of the events of these subscriptions: what their contacts are told of them is none.
fn is_of(view: &NotificationView, among: &[Arc<Subscription>]) -> bool {
    let of = view.subscription.as_ref().and_then(|id| among.iter().find(|subscription| subscription.id == *id));
    let endpoint = of.and_then(|of| of.endpoints.iter().find(|endpoint| endpoint.number == view.endpoint));
    endpoint.is_some_and(|endpoint| endpoint.target.takes_events())
}

impl Engine {
    /// Begins a new round of the notification `id`, if it is one of these subscriptions'.
    pub async fn replay_one(&self, id: LedgerId, by: &str, among: &[Arc<Subscription>]) -> Result<(), NotReplayed> {
        let view = self.store.story(id).await?.map(|story| story.view);
        let view = view.filter(|view| is_of(view, among)).ok_or(NotDone::NotFound)?;
        if view.state == State::Cancelled {
            return Err(NotReplayed::Cancelled);
        }
        Ok(self.retry(id, by, false).await.map(|_| ())?)
    }

    /// Begins new rounds of what `replay` means of these subscriptions' notifications, oldest first, or counts them.
    pub async fn replay(&self, replay: &Replay, among: &[Arc<Subscription>]) -> Result<Replayed, ReplayError> {
        let mut done = Replayed::default();
        if among.is_empty() {
            return Ok(done);
        }
        if let Some(id) = replay.notification {
            let view = self.store.story(id).await?.map(|story| story.view);
            let view = view.filter(|view| replay.means(view, among));
            self.replay_these(replay, view.into_iter().collect(), &mut done).await?;
            return Ok(done);
        }
        let mut look = replay.look(among);
        for _ in 0..LOOKS {
            let looked = self.store.notifications(look.clone()).await?;
            let meant = looked.notifications.into_iter().filter(|view| replay.means(view, among)).collect();
            self.replay_these(replay, meant, &mut done).await?;
            match looked.cursor {
                Some(cursor) if done.matched < replay.limit => look.cursor = Some(cursor),
                _ => return Ok(done),
            }
            tokio::task::yield_now().await;
        }
        Err(ReplayError::TooMuch { queued: done.queued.len() })
    }

    /// Does so with as many of `views`, at most 1000, as the limit leaves room for.
    async fn replay_these(
        &self,
        replay: &Replay,
        mut views: Vec<NotificationView>,
        done: &mut Replayed,
    ) -> Result<(), StoreError> {
        if !replay.attributes.is_empty() {
            self.keep_wanted(replay, &mut views).await?;
        }
        // What is refused takes no place, so there may be more than one step.
        let mut rest = views.as_slice();
        while let left @ 1.. = replay.limit.saturating_sub(done.matched)
            && !rest.is_empty()
        {
            let (chosen, behind) = rest.split_at(left.min(rest.len()));
            rest = behind;
            let items = chosen.iter().map(|view| (view.id, self.reopen(view))).collect();
            let outcomes = self.store.act(Act { items, by: replay.by.clone(), dry_run: replay.dry_run }).await?;
            let taken = chosen.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(view, _)| view.id);
            let taken: Vec<_> = taken.collect();
            done.matched += taken.len();
            if !replay.dry_run {
                done.queued.extend(taken);
            }
        }
        Ok(())
    }

    /// Keeps those whose event has the attributes that are asked for; one whose body has gone has none.
    async fn keep_wanted(&self, replay: &Replay, views: &mut Vec<NotificationView>) -> Result<(), StoreError> {
        let filter = Filter { mine: false, any: replay.attributes.clone() };
        let mut wanted = HashSet::new();
        let mut seen = HashSet::new();
        for view in &*views {
            // An event has several notifications.
            if seen.insert(view.event)
                && let Some(event) = self.store.event(view.event).await?
                && filter.wants(&Attributes::of(event.draft.data.as_ref()))
            {
                wanted.insert(view.event);
            }
        }
        views.retain(|view| wanted.contains(&view.event));
        Ok(())
    }
}
