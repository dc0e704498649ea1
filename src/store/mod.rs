//! The ledger: one store, in operations of the domain, not gets and puts.
//!
//! [`Store`] is what everything above knows. Queues, duplicate identities, wake-ups, the ledger's time and group
//! commit live behind it; a second store on a distributed engine must pass the same test-suite
//! (`tests/store/`). Promises that every store keeps:
//!
//! - Nothing is answered before it is on disk, and memory follows a commit, never leads it.
//! - An [`Append`] is all or nothing. It names the version of the subscription set that it was matched against, and a
//!   stale one is refused with [`AppendError::Stale`], to be matched again.
//! - A notification is in at most one page of [`Store::take`], unless the page is repeated under its key.
//! - After its deadline a notification is in no page, whether or not a sweep has run.
//! - The ledger's time never goes backwards, and a wall clock in doubt ends nothing (design.md, promise 10).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

mod health;
mod lease;
mod look;
pub mod metrics;
mod push;
pub mod redb;

use async_trait::async_trait;

pub use self::health::{ClockDoubt, Room};
pub use self::lease::{Lease, Leased};
pub use self::look::{
    Act, Action, HandedOut, LOOK_RECORDS, Look, LookCursor, Looked, NotDone, NotificationView, Repeated, Round, Story,
};
pub use self::metrics::StoreMetrics;
pub use self::push::{
    Claim, Claimed, EndpointHold, KEPT_ATTEMPTS, KeptAttempt, KeptCondition, PushView, Settle, Settled, Settlement,
    Standing, Suppression,
};
use crate::base::clock::Timestamp;
use crate::model::event::{Event, EventDraft, Identity};
use crate::model::id::{ClientId, EndpointNumber, LedgerId, SubscriptionId};
use crate::model::notification::{ByKind, EndpointKind, Sums};
use crate::model::subscription::{HoldReason, SetVersion, Subscription, SubscriptionDraft, SubscriptionSet};
use crate::model::target::Ordering;

/// What a store is told when it is opened; the keys of design.md that it answers to.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// `limits.queue_depth`: waiting notifications of one subscription; beyond it its new ones fail as `queue-full`.
    pub queue_depth: u64,
    /// `limits.queue_total`: waiting notifications in all; beyond it an append is refused.
    pub queue_total: u64,
    /// `events.duplicate_window`: how long an identity is remembered.
    pub duplicate_window: Duration,
    /// `events.duplicate_events`: how many identities are remembered at most.
    pub duplicate_events: usize,
    /// `api.trigger.repeat_window`: how long identities are remembered besides, see [`Repeats::Loose`].
    pub repeat_window: Duration,
    /// `events.history`: how long ended notifications and their bodies can be looked up.
    pub history: Duration,
    /// `events.history_max`: bytes of bodies beyond which the oldest ended ones go early.
    pub history_max: u64,
    /// `limits.disk_reserve`: bytes of room below which an append is refused, until there is twice as much; 0: never.
    pub disk_reserve: u64,
    /// `limits.clock_leap`: how far the wall clock may leap before it is in doubt.
    pub clock_leap: Duration,
    /// `store.two_phase_commit`: a second flush in each commit, for data files that hostile hands could prepare.
    pub two_phase_commit: bool,
    /// How long the page of an idempotency key is kept (contracts/polling.md: 10 minutes).
    pub page_key_lifetime: Duration,
}

impl StoreSettings {
    /// How long identities are remembered.
    #[must_use]
    pub fn identities_kept_for(&self) -> Duration {
        self.duplicate_window.max(self.repeat_window)
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            queue_depth: 1_000_000,
            queue_total: 5_000_000,
            duplicate_window: Duration::from_hours(24),
            duplicate_events: 1_000_000,
            repeat_window: Duration::from_mins(20),
            history: Duration::from_hours(7 * 24),
            history_max: 2 << 30,
            disk_reserve: 256 << 20,
            clock_leap: Duration::from_mins(10),
            two_phase_commit: false,
            page_key_lifetime: Duration::from_mins(10),
        }
    }
}

/// Endpoints of one kind that an event goes to, and how long its notifications live there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// How they are served.
    pub kind: EndpointKind,
    /// From acceptance to the deadline, which is never after the event's own expiry.
    pub ttl: Duration,
    /// The endpoints in ascending order, each once; not empty.
    pub endpoints: Vec<EndpointNumber>,
    /// When the first of them may be handed out or sent, where that is not at once (a customer's hours): until then they
    /// are [`HoldReason::OutsideHours`], and `ttl` begins then. An event that expires before it is handed out to nobody.
    pub from: Option<Timestamp>,
}

/// Which events are the same as one before, of those with an identity: nothing is stored for a repeat, and it is
/// answered as the first was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeats {
    /// Those with its fingerprint, within [`StoreSettings::duplicate_window`]. If their contents differ, that is
    /// [`AppendError::Conflict`].
    #[default]
    Strict,
    /// Those with its fingerprint, within this window (zero: none is), but where both have a content that is not all zeros
    /// and these differ: then it is another event. Never a conflict (contracts/trigger.md, where the content is the
    /// trace). No window is longer than [`StoreSettings::repeat_window`] and [`StoreSettings::duplicate_window`] are.
    Loose(Duration),
}

/// One event to be stored and fanned out.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub draft: EventDraft,
    /// What makes a repeat of it; see [`EventDraft::identity`].
    pub identity: Option<Identity>,
    /// Which repeats of it there are.
    pub repeats: Repeats,
    /// How many subscriptions it matched.
    pub matched: u32,
    /// Where it goes; at most [`crate::model::id::MAX_TARGETS`] endpoints in all.
    pub targets: Vec<TargetGroup>,
}

/// Events to be stored in one transaction, all or none.
#[derive(Clone, Debug)]
pub struct Append {
    /// The version of the subscription set that they were matched against.
    pub matched_against: SetVersion,
    /// The events, in order; not empty.
    pub events: Vec<NewEvent>,
    /// Whether they are the appliance's own, few and small, which tell of what is wrong: neither `limits.queue_total`
    /// nor a low disk refuses them, until no more than a quarter of `limits.disk_reserve` is left.
    pub own: bool,
    /// A condition that is kept with them, in the place of the one with the same name and subject: so that what is told
    /// once is told exactly once, whatever interrupts it. Kept also where all of them are repeats.
    pub keep: Option<KeptCondition>,
}

/// What became of one event of an [`Append`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Our id; for a repeat that of the first.
    pub id: LedgerId,
    /// Whether the identity was known: then nothing was stored, and all else is the first answer's.
    pub duplicate: bool,
    /// How many subscriptions it matched.
    pub matched: u32,
    /// Its notifications.
    pub notifications: ByKind<u32>,
    /// The latest deadline of its notifications; `None` without any.
    pub expires: Option<Timestamp>,
}

/// Why an [`Append`] stored nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The subscription set has changed since: match again.
    #[error("the subscriptions have changed meanwhile")]
    Stale,
    /// The event at `index` has the identity of a remembered one, but another type, subject, audience or data.
    #[error("event {index} of the batch has the identity of another event")]
    Conflict {
        /// Its place in the batch, from 0.
        index: usize,
    },
    /// `limits.queue_total` is reached.
    #[error("{waiting} notifications are waiting, which is the limit")]
    Full {
        /// How many wait.
        waiting: u64,
    },
    /// There is less room than `limits.disk_reserve`, or was and there is not yet twice as much, or this one is too large
    /// for what there is.
    #[error("{0}")]
    NoRoom(Room),
    /// The store cannot write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store did not do what it was asked for. Nothing was changed, or it is not known whether it was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A write, a flush or a read failed, or an earlier one did: `detail` is for the log, not for callers.
    #[error("the data file cannot be used: {detail}")]
    Unavailable {
        /// What the layer below said.
        detail: String,
    },
    /// It has been closed.
    #[error("the store is closed")]
    Closed,
    /// A record cannot be read.
    #[error("the data file holds a record that cannot be read: {detail}")]
    Corrupt {
        /// Which, and what is wrong with it.
        detail: String,
    },
}

/// An `Idempotency-Key` (contracts/polling.md): 1 to 64 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key `text`, `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let legal = (1..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, 0x21..=0x7e));
        legal.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request to consume a page.
#[derive(Clone, Debug)]
pub struct Take {
    /// Whose queue.
    pub endpoint: EndpointNumber,
    /// The most notifications in the page, 1 to 1000.
    pub max: usize,
    /// The page ends when its events reach this many bytes; at least one is given.
    pub max_bytes: usize,
    /// Who asks.
    pub client: ClientId,
    /// The request that asks, kept with the page.
    pub request_id: String,
    /// Gives the same page again while it is kept.
    pub key: Option<IdempotencyKey>,
}

/// A page that has been consumed, and by which [`Store::confirm`] knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageId {
    /// Whose queue.
    pub endpoint: EndpointNumber,
    /// The store's number of the page.
    pub number: u64,
    /// Tells pages of one number apart.
    pub part: u32,
}

/// A consumed page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Which page; `None` for an empty one, which is not recorded.
    pub id: Option<PageId>,
    /// Whether it was given before under the same key.
    pub repeated: bool,
    /// Its notifications, oldest first.
    pub notifications: Vec<Handed>,
}

/// A notification in a page.
#[derive(Clone, Debug)]
pub struct Handed {
    /// The notification's id.
    pub id: LedgerId,
    /// Its event.
    pub event: Event,
}

/// A change of the subscription set.
#[derive(Clone, Debug)]
pub enum SubscriptionChange {
    /// Makes a subscription; its id must not be taken.
    Create(SubscriptionDraft),
    /// Makes the subscription of this id what the draft says, and opens its intake; when it was made and what holds it
    /// stay.
    /// An endpoint that is there already ([`crate::model::target::Target::is_endpoint_of`]) keeps what waits for it; of one
    /// that goes that is cancelled.
    Update(SubscriptionDraft),
    /// Adds nothing more to it; what waits is still handed out.
    Drain(SubscriptionId),
    /// Its time is over: nothing more is added; what waits is still handed out, and it can be read until it is removed. No
    /// matter if it takes in nothing already.
    End(SubscriptionId),
    /// Ends it: what waits is cancelled, however much it is, at once.
    Remove(SubscriptionId),
    /// Ends it: what waits has failed, however much it is, at once.
    Fail(SubscriptionId),
    /// Ends it as [`Self::Remove`] does, and erases what was sent: of the events that only it got all but type, source,
    /// ids and times, and what was answered to their attempts. The sweep does that, in bounded steps; see
    /// [`Swept::erasing`].
    Erase(SubscriptionId),
    /// Ends it if it takes in nothing more, and nothing waits or is on its way; if not, it stays. No matter if it is not
    /// there.
    RemoveDrained(SubscriptionId),
    /// Holds it for this reason: nothing is handed out, deadlines go on. No matter if it is held so already.
    Hold(SubscriptionId, HoldReason),
    /// Ends the hold for this reason, if there is one: once there is none, what waits is handed out again.
    Release(SubscriptionId, HoldReason),
}

/// Why a change of the subscription set was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The id of a `Create` is taken.
    #[error("the subscription {0} exists already")]
    Exists(SubscriptionId),
    /// The id of another change is not there.
    #[error("there is no subscription {0}")]
    Missing(SubscriptionId),
    /// The store cannot write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a subscription's queue looks like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Queued and unexpired, whether or not a sweep has run.
    pub waiting: u64,
    /// Leased, and the lease runs.
    pub leased: u64,
    /// Unexpired, but held.
    pub held: u64,
    /// When it was last polled.
    pub last_polled: Option<Timestamp>,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Notifications found past their deadline.
    pub expired: u64,
    /// Events of the history that were removed.
    pub removed: u64,
    /// Whether there is more to do at once.
    pub more: bool,
    /// Whether something of what [`SubscriptionChange::Erase`] was asked for is still there.
    pub erasing: bool,
}

/// Figures for metrics and readiness.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Events accepted.
    pub accepted: u64,
    /// Events that matched a subscription.
    pub matched: u64,
    /// Events that matched none.
    pub unmatched: u64,
    /// Appended events that were repeats, since the start.
    pub duplicates: u64,
    /// Notifications by state, for each kind.
    pub sums: ByKind<Sums>,
    /// Notifications failed as `queue-full`, since the start.
    pub queue_full: u64,
    /// Notifications in pages whose answer did not reach the socket whole, since the start, with all those found at it:
    /// a page that was on its way when the process was killed is one.
    pub answer_unconfirmed: u64,
    /// When the oldest waiting notification was accepted.
    pub oldest_waiting: Option<Timestamp>,
    /// How many subscriptions there are.
    pub subscriptions: u64,
    /// Identities remembered.
    pub identities: u64,
    /// Bytes of the data file.
    pub file_bytes: u64,
    /// Bytes inside the file that are used, as far as the store counts them.
    pub body_bytes: u64,
    /// Free bytes on the file's volume.
    pub free_bytes: u64,
    /// The ledger's time.
    pub ledger_time: Timestamp,
    /// The store's epoch.
    pub epoch: u16,
}

/// The sums of one subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionSums {
    /// Which.
    pub id: SubscriptionId,
    /// Its notifications by state, those of all its endpoints.
    pub sums: Sums,
    /// How many of them failed as `queue-full`, since the start.
    pub queue_full: u64,
}

impl SubscriptionSums {
    /// Those of subscriptions, from those of their endpoints.
    pub(crate) fn of_endpoints(endpoints: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut merged = HashMap::new();
        for Self { id, sums, queue_full } in endpoints {
            let own: &mut Self = merged.entry(id.clone()).or_insert(Self { id, sums: Sums::default(), queue_full: 0 });
            own.sums.merge(&sums);
            own.queue_full += queue_full;
        }
        merged.into_values().collect()
    }
}

/// The ledger (see the module's documentation).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores events, fans them out, numbers and schedules them in one transaction.
    async fn append(&self, append: Append) -> Result<Vec<Receipt>, AppendError>;

    /// Consumes the oldest waiting notifications of a queue, or repeats a page. An empty queue is answered without
    /// the writer and without the disk. A call that is dropped before it is started consumes nothing.
    async fn take(&self, take: Take) -> Result<Page, StoreError>;

    /// Acknowledges and leases in one transaction. What is leased is in no page and under no other lease until its lease
    /// ends; then, if its deadline has not passed, it waits again in its old place. Without anything to acknowledge, an
    /// empty queue is answered without the writer. A call that is dropped before it is started does nothing.
    async fn lease(&self, lease: Lease) -> Result<Leased, StoreError>;

    /// Says that the answer with this page has reached the socket whole; stored with the next transaction.
    fn confirm(&self, page: PageId);

    /// Says that it has not: counted. The page stays without its mark.
    fn unconfirmed(&self, page: PageId, notifications: u64);

    /// Resolves once the queue has something to hand out (a lease's end brings that too), or is gone.
    async fn wait(&self, endpoint: EndpointNumber);

    /// What a queue looks like.
    fn queue(&self, endpoint: EndpointNumber) -> QueueStatus;

    /// Notes that a queue was polled now; kept in memory and stored with the next transaction.
    fn polled(&self, endpoint: EndpointNumber);

    /// The subscriptions as they are now. What was answered before this call is in it.
    fn subscriptions(&self) -> Arc<SubscriptionSet>;

    /// Makes changes of the subscription set, all or none, in one transaction. The subscriptions that were created or
    /// updated are answered in order.
    async fn change_subscriptions(
        &self,
        changes: Vec<SubscriptionChange>,
    ) -> Result<Vec<Arc<Subscription>>, SubscribeError>;

    /// An event by its id, `None` if it is not there any more.
    async fn event(&self, id: LedgerId) -> Result<Option<Event>, StoreError>;

    /// Notifications, in order of acceptance.
    async fn notifications(&self, look: Look) -> Result<Looked, StoreError>;

    /// The whole story of a notification, `None` if there is none or the history has forgotten it.
    async fn story(&self, id: LedgerId) -> Result<Option<Story>, StoreError>;

    /// Claims what is due of an endpoint that is sent to, oldest first. Nothing where its subscription is held, or it is
    /// itself and this is no probe. What is claimed is in no other claim until it is settled or put back; a claim is
    /// memory only. A call that is dropped puts back what it has claimed. While nothing can be committed this is an error:
    /// what could not be settled must not be sent.
    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError>;

    /// Puts back what was claimed and not sent: it is due again at once.
    fn put_back(&self, endpoint: EndpointNumber, notifications: &[LedgerId]);

    /// Stores what an attempt has brought; answers once it is on disk. Whatever became of the notification meanwhile, the
    /// attempt counts for it as long as it has not ended. After an error it is not known whether it is stored: it is to be
    /// settled again, or put back. (Where a commit has failed, all claims are forgotten and all that is not settled is due
    /// again, so that nothing is stuck if that is not done.)
    async fn settle(&self, settlement: Settlement) -> Result<Settled, StoreError>;

    /// Resolves once a claim (no probe) of this endpoint would give something, or the endpoint is gone or polled.
    async fn due(&self, endpoint: EndpointNumber, ordering: Ordering);

    /// The same for a claim that is a probe.
    async fn probe_due(&self, endpoint: EndpointNumber, ordering: Ordering);

    /// Since when the notification is due that has been so longest of all that nobody has claimed and whose endpoints are
    /// not held; for metrics, as it looks at every endpoint. In strict order only the oldest of an endpoint can be due.
    fn overdue(&self) -> Option<Timestamp>;

    /// How an endpoint stands that is sent to.
    fn standing(&self, endpoint: EndpointNumber) -> Standing;

    /// Stores how an endpoint stands that is sent to; of one that is gone nothing.
    async fn stand(&self, endpoint: EndpointNumber, standing: Standing) -> Result<(), StoreError>;

    /// Resolves with the subscriptions once their version is another than `known`.
    async fn subscriptions_after(&self, known: SetVersion) -> Arc<SubscriptionSet>;

    /// Whether an address is not mailed to for now: that it does not exist was said less than `age` ago.
    async fn suppression(&self, address: &str, age: Duration) -> Result<Option<Suppression>, StoreError>;

    /// All addresses that are not mailed to, in order, from `after` on, `limit` at most.
    async fn suppressions(&self, after: Option<&str>, limit: usize) -> Result<Vec<Suppression>, StoreError>;

    /// Keeps a suppression in the place of the one for the same address; `None` lifts it.
    async fn suppress(&self, address: &str, suppression: Option<Suppression>) -> Result<(), StoreError>;

    /// The conditions that last.
    async fn conditions(&self) -> Result<Vec<KeptCondition>, StoreError>;

    /// Keeps a condition in the place of the one with the same name and subject.
    async fn keep_condition(&self, condition: KeptCondition) -> Result<(), StoreError>;

    /// Forgets a condition that has ended.
    async fn end_condition(&self, name: &str, subject: &str) -> Result<(), StoreError>;

    /// The domains that webhooks of a subscriber may be in, in order (contracts/registrations.md).
    async fn webhook_domains(&self, subscriber: &str) -> Result<Vec<String>, StoreError>;

    /// Adds one; answers whether it was not there.
    async fn add_webhook_domain(&self, subscriber: &str, domain: &str) -> Result<bool, StoreError>;

    /// Takes one away; answers whether it was there.
    async fn remove_webhook_domain(&self, subscriber: &str, domain: &str) -> Result<bool, StoreError>;

    /// Cancels notifications or begins new rounds of them, in one transaction; answers for each, in order.
    async fn act(&self, act: Act) -> Result<Vec<Result<(), NotDone>>, StoreError>;

    /// A sealed secret of the appliance itself (signing keys) by name.
    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps a secret, sealed, unless there is one of that name already; answers the one that is there then.
    async fn keep_secret(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// Keeps a secret, sealed, in the place of the one of that name, if there is one.
    async fn replace_secret(&self, name: &str, value: Vec<u8>) -> Result<(), StoreError>;

    /// One bounded step of what time has brought: ends what is expired, settles what has ended, removes what is
    /// older than the history. Idempotent.
    async fn sweep(&self) -> Result<Swept, StoreError>;

    /// The ledger's time now: the clock's while that is trusted, but never before that of the last transaction.
    fn now(&self) -> Timestamp;

    /// Goes by `settings` from now on; how pages are flushed (`two_phase_commit`) waits until the store is opened again.
    fn replace_settings(&self, settings: StoreSettings);

    /// The doubt about the wall clock, `None` while it is trusted.
    fn clock_doubt(&self) -> Option<ClockDoubt>;

    /// Trusts the wall clock as it is: what has expired by it ends. Behind the ledger's time, the wall clock is waited
    /// for at half the pace. Answers whether it was in doubt; that it is not any more is on disk then.
    async fn accept_clock(&self) -> Result<bool, StoreError>;

    /// The room that there was when it was last looked at: before each append, and in each sweep.
    fn room(&self) -> Room;

    /// Figures for metrics.
    fn figures(&self) -> Figures;

    /// The sums of each subscription, in no order.
    fn subscription_sums(&self) -> Vec<SubscriptionSums>;

    /// Why it cannot commit, `None` if it can.
    fn trouble(&self) -> Option<String>;

    /// Finishes what was begun, flushes and closes. Later calls answer [`StoreError::Closed`].
    async fn close(&self);
}
