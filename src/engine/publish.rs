//! Publishing: what the catalogue says, matching, one transaction.
//!
//! The hot path of the appliance. A batch is stored as a whole or not at all.

use std::time::Duration;

use super::matching::{Matched, match_event, match_own};
use super::{Engine, EngineSettings, Receipt, StoreError};
use crate::base::clock::Timestamp;
use crate::model::catalogue::Catalogue;
use crate::model::condition::{SECRET_EXPIRY, is_own};
use crate::model::event::{EventDraft, Identity};
use crate::model::id::{EventTypeId, MAX_TARGETS, SubscriptionId};
use crate::model::notification::EndpointKind;
use crate::model::subscription::SubscriptionSet;
use crate::store::{Append, AppendError, KeptCondition, NewEvent, Repeats, Room, TargetGroup};

/// How often a batch is matched before it is given up: each further time means that the subscriptions changed between
/// matching and the transaction.
const MATCHINGS: usize = 16;

/// What the catalogue has against an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The appliance itself makes events of this type.
    #[error("is a built-in type, which cannot be published")]
    BuiltIn,
    /// The catalogue is closed and does not have it.
    #[error("is not in the catalogue, which is closed: declare it in [[event_types]]")]
    Unknown,
    /// The event does not say for whom it is.
    #[error("is required for events of this type")]
    NoAudience,
}

/// An event that the catalogue does not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why.
    pub objection: Objection,
}

/// Why nothing of a batch was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PublishError {
    /// The catalogue refuses these; there is at least one.
    #[error("the catalogue refuses {} of the events", .0.len())]
    Refused(Vec<Refused>),
    /// An event has the identity of another one with other contents.
    #[error("event {index} has the identity of another event")]
    Conflict {
        /// Its place in the batch, from 0.
        index: usize,
    },
    /// An event matches more endpoints than an event can have.
    #[error("event {index} matches {endpoints} endpoints; the limit is {MAX_TARGETS}")]
    TooManyTargets {
        /// Its place in the batch, from 0.
        index: usize,
        /// How many it matches.
        endpoints: usize,
    },
    /// `limits.queue_total` is reached.
    #[error("{waiting} notifications are waiting, which is the limit (limits.queue_total)")]
    Full {
        /// How many wait.
        waiting: u64,
    },
    /// There is less room than `limits.disk_reserve`.
    #[error("{0}")]
    NoRoom(Room),
    /// The subscriptions changed as often as it was matched.
    #[error("the subscriptions are changing too fast")]
    Unsettled,
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event for those who are named, and not for who wants its type (contracts/trigger.md).
#[derive(Clone, Debug)]
pub struct Directed {
    /// The event.
    pub draft: EventDraft,
    /// What makes a repeat of it; `None`: nothing does.
    pub identity: Option<Identity>,
    /// Which repeats are recognised.
    pub repeats: Repeats,
}

/// One whom a [`Directed`] event is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The subscription; of one that is not there nothing is told.
    pub subscription: SubscriptionId,
    /// The kind of its endpoints that get it: all of that kind that take events.
    pub kind: EndpointKind,
    /// When they get it at the earliest ([`TargetGroup::from`]).
    pub from: Option<Timestamp>,
}

/// Why a [`Directed`] event was not stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DirectedError<E> {
    /// Nobody can be named for it.
    #[error("nobody can be named for it")]
    Route(E),
    /// It could not be stored.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Engine {
    /// Stores `drafts` and fans them out, all or none; answers in their order once they are on disk.
    pub async fn publish(&self, drafts: Vec<EventDraft>) -> Result<Vec<Receipt>, PublishError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let _settings_stay = self.matching.read().await;
        let settings = self.settings();
        check(&drafts, &settings.catalogue)?;
        self.append(|set| match_all(&drafts, set, &settings, self.store.now())).await
    }

    /// Stores an event that the appliance itself tells, and fans it out: to who wants its type, and where it tells of the
    /// subscription `about`, to the contacts of that. The catalogue has no say, nor is it refused for want of room. While
    /// the wall clock is ahead and in doubt its notifications live longer by as much: news of that must not be withheld.
    pub(super) async fn publish_own(
        &self,
        draft: &EventDraft,
        about: Option<&SubscriptionId>,
    ) -> Result<Vec<Receipt>, PublishError> {
        let _settings_stay = self.matching.read().await;
        let settings = self.settings();
        self.append_own(draft, None, |set| match_own(draft, about, set, &settings, self.store.now())).await
    }

    /// The same, but it tells the contacts of a subscription of itself, and `keep` is kept with it.
    pub(super) async fn publish_to_contacts(
        &self,
        draft: &EventDraft,
        subscription: &SubscriptionId,
        keep: KeptCondition,
    ) -> Result<Vec<Receipt>, PublishError> {
        let _settings_stay = self.matching.read().await;
        let settings = self.settings();
        self.append_own(draft, Some(keep), |set| match_own(draft, Some(subscription), set, &settings, self.store.now()))
            .await
    }

    /// The same, but it goes to the webhook of a subscription and to nobody else.
    pub(super) async fn publish_to_webhook(
        &self,
        draft: &EventDraft,
        subscription: &SubscriptionId,
        keep: KeptCondition,
    ) -> Result<Vec<Receipt>, PublishError> {
        let _settings_stay = self.matching.read().await;
        let settings = self.settings();
        let route = Route { subscription: subscription.clone(), kind: EndpointKind::Webhook, from: None };
        let only = |set: &SubscriptionSet| {
            let targets = targets_of(std::slice::from_ref(&route), &draft.event_type, set, &settings.catalogue);
            let endpoints = targets.iter().map(|target| target.endpoints.len()).sum();
            Matched { subscriptions: u32::from(endpoints > 0), targets, endpoints }
        };
        self.append_own(draft, Some(keep), only).await
    }

    async fn append_own(
        &self,
        draft: &EventDraft,
        keep: Option<KeptCondition>,
        matching: impl Fn(&SubscriptionSet) -> Matched,
    ) -> Result<Vec<Receipt>, PublishError> {
        let ahead = self.store.clock_doubt().map_or(Duration::ZERO, |doubt| doubt.wall.since(doubt.ledger));
        self.append(|set| {
            let mut matched = matching(set);
            matched.targets.iter_mut().for_each(|target| target.ttl = target.ttl.saturating_add(ahead));
            let event = new_event(0, draft, matched)?;
            Ok(Append { matched_against: set.version(), events: vec![event], own: true, keep: keep.clone() })
        })
        .await
    }

    /// Stores an event for those whom `route` names, whatever the subscriptions want, and answers once it is on disk: it is
    /// told once more where the subscriptions change meanwhile. The catalogue has no say but in how long it lives.
    pub async fn publish_to<E>(
        &self,
        directed: &Directed,
        route: impl Fn(&SubscriptionSet) -> Result<Vec<Route>, E>,
    ) -> Result<Receipt, DirectedError<E>> {
        let _settings_stay = self.matching.read().await;
        let settings = self.settings();
        for _ in 0..MATCHINGS {
            let set = self.store.subscriptions();
            let routes = route(&set).map_err(DirectedError::Route)?;
            let event = directed_event(directed, &routes, &set, &settings.catalogue);
            let append = Append { matched_against: set.version(), events: vec![event], own: false, keep: None };
            match self.store.append(append).await {
                Err(AppendError::Stale) => {}
                Ok(receipts) => {
                    let receipt = receipts.into_iter().next();
                    return receipt.ok_or(DirectedError::Publish(PublishError::Unsettled));
                }
                Err(error) => return Err(DirectedError::Publish(error.into())),
            }
        }
        Err(DirectedError::Publish(PublishError::Unsettled))
    }

    /// Stores what `matched` makes of the subscriptions as they are, again and again until they hold still.
    async fn append(
        &self,
        matched: impl Fn(&SubscriptionSet) -> Result<Append, PublishError>,
    ) -> Result<Vec<Receipt>, PublishError> {
        for _ in 0..MATCHINGS {
            match self.store.append(matched(&self.store.subscriptions())?).await {
                Err(AppendError::Stale) => {}
                Ok(receipts) => return Ok(receipts),
                Err(error) => return Err(error.into()),
            }
        }
        Err(PublishError::Unsettled)
    }

    /// What the catalogue has against an event of this type, with or without an audience.
    pub fn objections(&self, event_type: &str, has_audience: bool) -> impl Iterator<Item = Objection> + use<> {
        objections(&self.settings.load().catalogue, event_type, has_audience)
    }
}

/// What `catalogue` has against an event of this type, with or without an audience.
fn objections(catalogue: &Catalogue, event_type: &str, has_audience: bool) -> impl Iterator<Item = Objection> + use<> {
    let about_type = if is_built_in(event_type) {
        Some(Objection::BuiltIn)
    } else {
        (!catalogue.knows(event_type)).then_some(Objection::Unknown)
    };
    let about_audience = !has_audience && catalogue.requires_audience(event_type);
    about_type.into_iter().chain(about_audience.then_some(Objection::NoAudience))
}

fn check(drafts: &[EventDraft], catalogue: &Catalogue) -> Result<(), PublishError> {
    let refused: Vec<_> = drafts
        .iter()
        .enumerate()
        .flat_map(|(index, draft)| {
            objections(catalogue, draft.event_type.as_str(), draft.audience.is_some())
                .map(move |objection| Refused { index, objection })
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(PublishError::Refused(refused)) }
}

fn match_all(
    drafts: &[EventDraft],
    set: &SubscriptionSet,
    settings: &EngineSettings,
    now: Timestamp,
) -> Result<Append, PublishError> {
    let matched = |draft| match_event(draft, set, settings, now);
    let events = drafts.iter().enumerate().map(|(index, draft)| new_event(index, draft, matched(draft)));
    Ok(Append { matched_against: set.version(), events: events.collect::<Result<_, _>>()?, own: false, keep: None })
}

fn new_event(index: usize, draft: &EventDraft, matched: Matched) -> Result<NewEvent, PublishError> {
    if matched.endpoints > MAX_TARGETS {
        return Err(PublishError::TooManyTargets { index, endpoints: matched.endpoints });
    }
    Ok(NewEvent {
        draft: draft.clone(),
        identity: draft.identity(),
        repeats: Repeats::Strict,
        matched: matched.subscriptions,
        targets: matched.targets,
    })
}

/// The event for the endpoints that `routes` name.
fn directed_event(directed: &Directed, routes: &[Route], set: &SubscriptionSet, catalogue: &Catalogue) -> NewEvent {
    let Directed { draft, identity, repeats } = directed;
    let targets = targets_of(routes, &draft.event_type, set, catalogue);
    let matched = u32::try_from(targets.len()).unwrap_or(u32::MAX);
    NewEvent { draft: draft.clone(), identity: *identity, repeats: *repeats, matched, targets }
}

/// The endpoints that `routes` name, each route a group; those that name none are left out.
fn targets_of(
    routes: &[Route],
    event_type: &EventTypeId,
    set: &SubscriptionSet,
    catalogue: &Catalogue,
) -> Vec<TargetGroup> {
    let mut targets = Vec::new();
    for Route { subscription, kind, from } in routes {
        let endpoints = set.get(subscription.as_str()).into_iter().flat_map(|s| &s.endpoints);
        let wanted = endpoints.filter(|endpoint| endpoint.kind() == *kind && endpoint.target.takes_events());
        let mut endpoints: Vec<_> = wanted.map(|endpoint| endpoint.number).collect();
        if !endpoints.is_empty() {
            endpoints.sort_unstable();
            let ttl = catalogue.ttl(event_type.as_str(), *kind);
            targets.push(TargetGroup { kind: *kind, ttl, endpoints, from: *from });
        }
    }
    targets
}

/// Whether only the appliance itself makes events of this type (contracts/events.md).
fn is_built_in(event_type: &str) -> bool {
    is_own(event_type) || event_type == SECRET_EXPIRY
}

impl From<AppendError> for PublishError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Stale => Self::Unsettled,
            AppendError::Conflict { index } => Self::Conflict { index },
            AppendError::Full { waiting } => Self::Full { waiting },
            AppendError::NoRoom(room) => Self::NoRoom(room),
            AppendError::Store(error) => Self::Store(error),
        }
    }
}
