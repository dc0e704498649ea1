//! Looking at notifications and events.

use super::endpoints::EndpointView;
use super::next::Next;
use super::why::Why;
use crate::base::clock::Timestamp;
use crate::engine::Engine;
use crate::model::event::Event;
use crate::model::id::{EventTypeId, LedgerId, SubscriptionId};
use crate::model::notification::State;
use crate::store::{Look, LookCursor, Looked, NotificationView, StoreError, Story};

/// The most notifications that are shown with their event.
const MAX_OF_EVENT: usize = 100;

/// Which notifications are meant; what is `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state now.
    pub state: Option<State>,
    /// Ended or held for this reason.
    pub reason: Option<String>,
    /// Of this type.
    pub event_type: Option<EventTypeId>,
    /// For this subscription.
    pub subscription: Option<SubscriptionId>,
    /// Accepted at or after this instant.
    pub from: Option<Timestamp>,
    /// Accepted before this instant.
    pub to: Option<Timestamp>,
}

/// All that is known of a notification.
#[derive(Clone, Debug)]
pub struct StoryReport {
    /// What the ledger tells.
    pub story: Story,
    /// Where it goes, and how that is doing; `None` where it is not there any more.
    pub endpoint: Option<EndpointView>,
    /// Why it was matched, as far as that can be told from what holds now.
    pub why: Why,
    /// What happens next.
    pub next: Next,
}

/// An event and its notifications.
#[derive(Clone, Debug)]
pub struct EventReport {
    /// The event.
    pub event: Event,
    /// Its first notifications, 100 at most.
    pub notifications: Vec<NotificationView>,
    /// Whether it has more.
    pub more: bool,
}

impl Filter {
    /// Whether it asks for nothing, and so means every notification there is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The look of the store that begins behind `cursor`.
    pub(super) fn look(&self, cursor: Option<LookCursor>, limit: usize) -> Look {
        let Self { state, reason, event_type, subscription, from, to } = self.clone();
        Look { state, reason, event_type, subscription, any_of: None, from, to, cursor, limit }
    }
}

impl Engine {
    /// Notifications in order of acceptance, from behind `cursor`; `limit` is 1 to 1000.
    pub async fn notifications(
        &self,
        filter: &Filter,
        cursor: Option<LookCursor>,
        limit: usize,
    ) -> Result<Looked, StoreError> {
        self.store.notifications(filter.look(cursor, limit)).await
    }

    /// All that is known of a notification, `None` if there is none or the history has forgotten it.
    pub async fn story(&self, id: LedgerId) -> Result<Option<StoryReport>, StoreError> {
        let Some(story) = self.store.story(id).await? else { return Ok(None) };
        let subscription = self.subscription_of(&story.view);
        let why = Why::of(&story, subscription.as_deref(), &self.settings());
        let endpoint = subscription.as_deref().and_then(|of| self.endpoint_view(of, story.view.endpoint));
        let next = Next::of(&story, subscription.as_deref(), endpoint.as_ref(), self.store.now());
        Ok(Some(StoryReport { story, endpoint, why, next }))
    }

    /// An event and its notifications, `None` if there is none or the history has let its body go.
    pub async fn event(&self, id: LedgerId) -> Result<Option<EventReport>, StoreError> {
        if id.parts().target != 0 {
            return Ok(None);
        }
        let Some(event) = self.store.event(id).await? else { return Ok(None) };
        // What follows the event's own place in the ledger are its notifications, and then those of others.
        let before = LookCursor { position: id.parts().position, target: 0 };
        let mut found = self.store.notifications(Filter::default().look(Some(before), MAX_OF_EVENT + 1)).await?;
        found.notifications.retain(|notification| notification.event == id);
        let more = found.notifications.len() > MAX_OF_EVENT;
        found.notifications.truncate(MAX_OF_EVENT);
        Ok(Some(EventReport { event, notifications: found.notifications, more }))
    }
}
