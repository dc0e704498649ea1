//! Acting on one notification: retry and cancel.

use std::sync::Arc;

use crate::engine::Engine;
use crate::model::id::LedgerId;
use crate::model::subscription::Subscription;
use crate::store::{Act, Action, NotDone, NotificationView, StoreError};

/// Why nothing was done with a notification.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ActError {
    /// It is not such that this can be done with it.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Ends a notification that has not ended; answers it as it is then. A dry run changes nothing.
    pub async fn cancel(&self, id: LedgerId, by: &str, dry_run: bool) -> Result<NotificationView, ActError> {
        self.act_on(id, Action::Cancel, by, dry_run).await
    }

    /// Begins a new round of a notification that has ended; answers it as it is then. A dry run changes nothing.
    pub async fn retry(&self, id: LedgerId, by: &str, dry_run: bool) -> Result<NotificationView, ActError> {
        let view = self.look_at(id).await?;
        self.act_on(id, self.reopen(&view), by, dry_run).await
    }

    /// A new round lives as long as a new notification of its type and kind.
    pub(in crate::engine) fn reopen(&self, view: &NotificationView) -> Action {
        // Without a type the body has gone, and the store refuses.
        let event_type = view.event_type.as_ref().map_or("", |event_type| event_type.as_str());
        Action::Reopen { ttl: self.settings.load().catalogue.ttl(event_type, view.kind) }
    }

    /// The subscription of a notification, if it is still there.
    pub(super) fn subscription_of(&self, view: &NotificationView) -> Option<Arc<Subscription>> {
        self.store.subscriptions().get(view.subscription.as_ref()?.as_str()).cloned()
    }

    async fn act_on(
        &self,
        id: LedgerId,
        action: Action,
        by: &str,
        dry_run: bool,
    ) -> Result<NotificationView, ActError> {
        let act = Act { items: vec![(id, action)], by: by.to_owned(), dry_run };
        let outcome = self.store.act(act).await?;
        outcome.into_iter().next().unwrap_or(Err(NotDone::NotFound))?;
        self.look_at(id).await
    }

    async fn look_at(&self, id: LedgerId) -> Result<NotificationView, ActError> {
        let story = self.store.story(id).await?;
        Ok(story.ok_or(NotDone::NotFound)?.view)
    }
}
