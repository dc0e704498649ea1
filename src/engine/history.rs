//! The newest notifications of some subscriptions, for those whom they are for.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Engine, StoreError};
use crate::base::clock::Timestamp;
use crate::model::id::SubscriptionId;
use crate::model::notification::State;
use crate::store::{Look, LookCursor, NotificationView};

/// How far one looks back at first; each further time goes back as far again as all before.
const FIRST: Duration = Duration::from_hours(1);

/// Beyond this all that is left is looked at together.
const FAR: Duration = Duration::from_hours(64 * 24);

/// How often the store is asked for one history: each time reads [`crate::store::LOOK_RECORDS`] records at most.
const MAX_LOOKS: usize = 200;

/// The most notifications of one look.
const MAX_OF_LOOK: usize = 1000;

/// Notifications accepted between two instants.
struct Span {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Engine {
    /// The notifications of `subscriptions` in states that are `wanted`, the newest first: `most` at most, and where there
    /// is very much between them fewer, and always the newest.
    pub async fn history_of(
        &self,
        subscriptions: &[SubscriptionId],
        wanted: impl Fn(State) -> bool,
        most: usize,
    ) -> Result<Vec<NotificationView>, StoreError> {
        let mut found = Vec::new();
        let (mut left, mut to, mut back) = (MAX_LOOKS, None, FIRST);
        let now = self.store.now();
        while !subscriptions.is_empty() && found.len() < most {
            let from = (back <= FAR).then(|| now.minus(back));
            let span = Span { from, to };
            let Some(newest) = self.newest(subscriptions, &wanted, most - found.len(), span, &mut left).await? else {
                break;
            };
            found.extend(newest);
            if from.is_none() {
                break;
            }
            (to, back) = (from, back * 2);
        }
        Ok(found)
    }

    /// The newest `most` of a span, the newest first; `None` where that would take more looks than are `left`.
    async fn newest(
        &self,
        subscriptions: &[SubscriptionId],
        wanted: impl Fn(State) -> bool,
        most: usize,
        span: Span,
        left: &mut usize,
    ) -> Result<Option<VecDeque<NotificationView>>, StoreError> {
        let mut last = VecDeque::new();
        let mut cursor: Option<LookCursor> = None;
        loop {
            let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
            *left = fewer;
            let (any_of, limit) = (Some(subscriptions.to_vec()), MAX_OF_LOOK);
            let look = Look { any_of, from: span.from, to: span.to, cursor, limit, ..Look::default() };
            let looked = self.store.notifications(look).await?;
            for view in looked.notifications.into_iter().filter(|view| wanted(view.state)) {
                last.push_front(view);
                last.truncate(most);
            }
            cursor = looked.cursor;
            if cursor.is_none() {
                return Ok(Some(last));
            }
        }
    }
}
