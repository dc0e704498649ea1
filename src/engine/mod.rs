//! The use cases (publish, poll, subscribe, sweep) and the workers that run them.

use std::collections::HashMap;

use crate::model::catalogue::Catalogue;
use crate::model::id::ClientId;
use crate::model::owners::Owners;
use crate::model::subscription::SubscriptionDraft;

/// What the use cases are told by the files.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// `[events]` and `[[event_types]]`.
    pub catalogue: Catalogue,
    /// The owners of each declared client.
    pub owners: HashMap<ClientId, Owners>,
    /// `[[subscriptions]]`.
    pub declared: Vec<SubscriptionDraft>,
}
