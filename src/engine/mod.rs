//! The use cases (publish, poll, subscribe, provision, sweep, the operator's) and the workers that run them.
//!
//! [`Engine`] is all that a contract knows of what is below it. It decides what may be published and who gets it; the
//! store decides what is durable. Nothing here knows HTTP, and no lock is held while something is waited for.
//!
//! - Who may see an event follows from the owners of the subscription's client as the files name them *now*: they are
//!   looked up whenever an event is matched (design.md, "Nouns"). For a client of an external issuer the files name the
//!   bounds, and the owners that its own token named are stored with the subscription (`clients`).
//! - What the files say may be replaced while it works ([`Engine::replace_settings`]): each operation goes by the settings
//!   that it has begun with.
//! - A subscription of another contract or of another client is answered as one that does not exist; but to the
//!   operator ([`operator`]), who sees all.

mod admission;
mod clients;
mod conditions;
mod customers;
mod deliver;
mod erase;
mod health;
mod history;
mod lease;
mod limits;
mod matching;
mod notices;
mod operator;
mod poll;
mod provision;
mod publish;
mod recipients;
mod replay;
mod subscribe;
mod sweep;
mod trigger;
mod webhook_domains;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, RwLock, watch};

pub use self::admission::{Admission, StillAdmitted};
pub use self::clients::{ClientProfile, ForeignClients};
pub use self::conditions::{ConditionParts, ConditionWatch, DownTargets, Expiry, RefusedFiles};
pub use self::customers::{CustomerError, CustomerKept};
pub use self::deliver::{
    ChannelSettings, Channels, Conditions, Delivery, DeliveryMetrics, DeliverySettings, EndpointName, EndpointReport,
    EndpointState, MAX_SCHEDULE, NoConditions, SharedReport, TargetDown,
};
pub use self::lease::LeaseRequest;
pub use self::limits::ClientLimits;
pub use self::operator::{
    ActError, Bulk, BulkAction, BulkDone, BulkError, Chosen, EndpointView, EventReport, Filter, MAX_BULK, Next,
    PurgeError, StoryReport, SubscriptionFilter, SubscriptionReport, Suppressed, Why,
};
pub use self::poll::{AnswerWatch, MAX_PAGE_BYTES, PollError, PollRequest, Polled};
pub use self::provision::{ProvisionError, Provisioned, foresee};
pub use self::publish::{Directed, DirectedError, Objection, PublishError, Refused, Route};
pub use self::recipients::{RecipientLists, RecipientTable, RecipientsError};
pub use self::replay::{NotReplayed, Replay, ReplayError, Replayed};
pub use self::subscribe::{
    ChangeError, ReadError, SubscribeRequest, SubscriptionRefused, SubscriptionView, UnsubscribeError,
};
pub use self::sweep::SweepStatus;
pub use self::trigger::{Trigger, TriggerError, Triggered};
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::base::stop::Stop;
use crate::model::catalogue::Catalogue;
use crate::model::id::ClientId;
use crate::model::owners::Owners;
use crate::model::subscription::SubscriptionDraft;
use crate::store::Store;
/// What the use cases are asked with and answer with, as the contracts see it.
pub use crate::store::{
    ClockDoubt, EndpointHold, Handed, HandedOut, IdempotencyKey, KeptAttempt, Leased, LookCursor, Looked, NotDone,
    NotificationView, QueueStatus, Receipt, Repeated, Repeats, Round, Standing, StoreError, Story, Suppression,
};

/// What the use cases are told by the files.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// `[events]` and `[[event_types]]`.
    pub catalogue: Catalogue,
    /// The owners of each declared client.
    pub owners: HashMap<ClientId, Owners>,
    /// What is said of declared clients besides; those of whom nothing is said may be left out.
    pub profiles: HashMap<ClientId, ClientProfile>,
    /// The clients of each external issuer; no client is one of two, and none of them is declared.
    pub foreign: Vec<ForeignClients>,
    /// `[[subscriptions]]`.
    pub declared: Vec<SubscriptionDraft>,
    /// What each client is limited to.
    pub limits: ClientLimits,
    /// How notifications are sent.
    pub delivery: DeliverySettings,
}

/// The use cases over one store.
pub struct Engine {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: ArcSwap<EngineSettings>,
    stop: Stop,
    sweeps: sweep::Board,
    /// What has been told of ends.
    notices: notices::Told,
    waiting: limits::WaitingPolls,
    /// Held while a subscription is made, so that neither its client nor the limit goes meanwhile.
    subscribing: Mutex<()>,
    /// Read while events are matched and stored: no event goes by the settings of one time and the subscriptions of another.
    matching: RwLock<()>,
    /// Changes with each reload.
    reloads: watch::Sender<()>,
    deliveries: Arc<deliver::Board>,
}

impl Engine {
    /// The use cases over `store`. Polls that wait are answered with an empty page once `stop` is given, and the
    /// workers end.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: EngineSettings,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            clock,
            random,
            settings: ArcSwap::from_pointee(settings),
            stop,
            sweeps: sweep::Board::default(),
            notices: notices::Told::default(),
            waiting: limits::WaitingPolls::default(),
            subscribing: Mutex::default(),
            matching: RwLock::default(),
            reloads: watch::Sender::new(()),
            deliveries: Arc::default(),
        }
    }

    /// What the files say now. An operation takes it once, so that it goes by one and the same to its end.
    #[must_use]
    pub fn settings(&self) -> Arc<EngineSettings> {
        self.settings.load_full()
    }
}
