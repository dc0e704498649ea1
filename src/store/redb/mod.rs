//! The ledger on redb: one file, one writer, group commit.
//!
//! A resident thread writes: it commits whatever operations have queued up while the last commit was on its way, and
//! answers them once they are on disk; one caller alone is never delayed, a crowd gathers for a moment (`writer`). What can be known without the disk is kept
//! in memory and follows each commit (`memory`), and is rebuilt from the heads at start (`load`). The tables and why
//! they are these are in `tables`; the states of notifications follow from rows that are written anyway (`account`).
//!
//! After a failed write or flush redb's handle is of no use: the operations of that group are answered with an error,
//! readiness says so, and the writer opens the file anew, reads memory from it and goes on. An operation that was
//! answered with an error may then turn out to be stored: whole, never in part.
//!
//! A commit is one flush: redb tells a torn commit by its checksums and goes back to the one before. Its author advises
//! two where somebody could choose what is written and also crash the process at will, as these checksums are no
//! signatures. Producers here are known and cannot do the latter, and the second flush costs up to half the rate: so it
//! is off, and `store.two_phase_commit` turns it on.
//!
//! Not in here: what an event means, who may see it, when somebody polls.

mod account;
mod act;
mod append;
mod attempt_row;
mod backend;
mod change;
mod claims;
mod compact;
mod course;
mod courses;
mod endpoint;
mod erase;
mod hand;
mod identities;
mod judge;
mod lapse;
mod lease;
mod leases;
mod load;
mod look;
mod memory;
mod notes;
mod open;
mod overdue;
mod own_rows;
mod page;
mod page_keys;
mod pin;
mod push;
mod queue;
mod receivers;
mod record;
mod room;
mod rows;
mod runs;
mod settle;
mod settlement;
mod standing_row;
mod subscription_row;
mod survey;
mod sweep;
mod tables;
mod take;
mod target_row;
mod time;
mod verify;
mod writer;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use redb::Database;
use tokio::sync::{Notify, Semaphore, oneshot};

pub use self::backend::Faults;
use self::claims::Claims;
use self::look::Unwritten;
use self::memory::{Memory, Pending};
use self::notes::{DomainNote, Note};
use self::open::Opened;
pub use self::open::{CACHE_BYTES, OpenError, Opening, Progress};
use self::record::Meta;
pub use self::room::Volume;
use self::room::{Gauge, Used};
pub use self::survey::{Survey, survey};
use self::time::LedgerTime;
pub use self::verify::{Finding, Report, verify};
use self::writer::{Operation, Sender};
use super::{
    Act, Append, AppendError, Claim, Claimed, ClockDoubt, Figures, KeptCondition, Lease, Leased, Look, Looked, NotDone,
    Page, PageId, QueueStatus, Receipt, Room, Settled, Settlement, Standing, Store, StoreError, StoreMetrics,
    StoreSettings, Story, SubscribeError, SubscriptionChange, SubscriptionSums, Suppression, Swept, Take,
};
use crate::base::clock::{Clock, Timestamp};
use crate::base::random::Random;
use crate::base::seal::SealKey;
use crate::model::event::Event;
use crate::model::id::{EndpointNumber, LedgerId};
use crate::model::subscription::{SetVersion, Subscription, SubscriptionSet};
use crate::model::target::Ordering;

/// Operations that may wait for the writer; more callers wait before they hand theirs over.
const MAX_WAITING_OPERATIONS: usize = 4096;

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// The data file; made if it is not there.
    pub path: PathBuf,
    /// Its settings.
    pub settings: StoreSettings,
    /// Seals what must be recovered.
    pub seal: Arc<SealKey>,
    /// Rules deadlines and ids.
    pub clock: Arc<dyn Clock>,
    /// For nonces.
    pub random: Arc<dyn Random>,
    /// Where transactions are counted.
    pub metrics: StoreMetrics,
    /// Is told how opening goes on.
    pub progress: Progress,
    /// Faults to inject below, in tests.
    pub faults: Option<Arc<dyn Faults>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("path", &self.path).field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What the store, its writer and its readers share.
pub(super) struct Shared {
    options: Options,
    /// What it goes by now; `options` has those of the start.
    settings: ArcSwap<StoreSettings>,
    /// `None` while the file is being opened anew after a fault, and once it is closed.
    db: RwLock<Option<Arc<Database>>>,
    /// The file under it, also while it is closed.
    file: RwLock<Arc<File>>,
    memory: RwLock<Memory>,
    /// Held by the writer while it reads memory for a transaction, and by who claims: so that who claims waits here, and
    /// not for memory, where all who read would wait behind. To be taken before memory.
    at_work: Mutex<()>,
    /// Wakes those who wait for another set of subscriptions.
    set_changed: Notify,
    pending: Mutex<Pending>,
    /// The first positions of committed pages that are being read, and of how many: what is behind must stay.
    unread: Mutex<BTreeMap<u64, usize>>,
    /// Why nothing can be committed.
    trouble: RwLock<Option<String>>,
    time: LedgerTime,
    gauge: Gauge,
    duplicates: AtomicU64,
    queue_full: AtomicU64,
    unconfirmed: AtomicU64,
}

impl Shared {
    /// The ledger's time: never before that of the last transaction.
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Looks at the room; `thoroughly` also at what is used inside the file.
    fn look_at_room(&self, thoroughly: bool, meta: &Meta, waiting: u64) {
        if thoroughly && let Ok(db) = self.database() {
            match Used::count(&db, meta) {
                Ok(used) => self.gauge.reckon(used),
                Err(error) => tracing::debug!(%error, "what is used inside the data file cannot be counted"),
            }
        }
        let Some(mut volume) = self.volume() else { return };
        if self.gauge.wants_blocks(volume) {
            self.fill_holes();
            volume = self.volume().unwrap_or(volume);
        }
        match self.gauge.look(volume, meta, waiting) {
            Some(room) if room.low => tracing::warn!(
                path = %self.options.path.display(),
                "publishing is refused, all else goes on: {room}; make room on the data file's volume"
            ),
            Some(room) => tracing::warn!("publishing is taken again: {room}"),
            None => {}
        }
    }

    /// Whether the file should be compacted.
    fn wants_compaction(&self) -> bool {
        let meta = self.memory.read().meta.clone();
        self.volume().is_some_and(|volume| self.gauge.wants_compaction(volume, &meta))
    }

    /// Gives the file the blocks that it has not, while there are some.
    fn fill_holes(&self) {
        let file = Arc::clone(&self.file.read());
        match backend::fill_holes(&file, self.options.faults.as_deref()) {
            Ok(()) => tracing::info!("the data file's volume fills up: the file has been given all its blocks"),
            Err(error) => tracing::debug!(%error, "the data file cannot be given all its blocks"),
        }
    }

    fn volume(&self) -> Option<Volume> {
        self.options.faults.as_ref().and_then(|f| f.volume()).or_else(|| Volume::of(&self.file.read()))
    }

    /// When the oldest notification that waits was accepted: one row is read for it, while memory is not locked.
    fn oldest_waiting(&self, now: Timestamp) -> Option<Timestamp> {
        let oldest = self.memory.read().oldest_waiting(now)?;
        // Not worth waiting for a compaction.
        let db = self.db.try_read()?.clone()?;
        page::accepted(&db, oldest)
    }

    /// The answer with this page did not reach the socket whole.
    fn count_unconfirmed(&self, page: PageId, notifications: u64) {
        tracing::warn!(
            endpoint = page.endpoint.0,
            page = page.number,
            notifications,
            "an answer did not reach the socket whole: its notifications are consumed, answer-unconfirmed"
        );
        self.unconfirmed.fetch_add(notifications, Atomic::Relaxed);
    }

    fn database(&self) -> Result<Arc<Database>, StoreError> {
        match &*self.db.read() {
            Some(db) => Ok(Arc::clone(db)),
            None => Err(match &*self.trouble.read() {
                Some(detail) => StoreError::Unavailable { detail: detail.clone() },
                None => StoreError::Closed,
            }),
        }
    }
}

/// The ledger on redb (see the module's documentation).
pub struct RedbStore {
    shared: Arc<Shared>,
    writer: Sender,
    permits: Arc<Semaphore>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl RedbStore {
    /// Opens the data file, makes it if it is not there, repairs it if it must be. Blocks.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let Opened { db, file, meta } = open::open(&options)?;
        let time = LedgerTime::start(Arc::clone(&options.clock), options.settings.clock_leap, &meta);
        let memory = open::read(&db, &options, &options.settings, time.now())?;
        let shared = Arc::new(Shared {
            time,
            gauge: Gauge::new(options.settings.disk_reserve),
            unconfirmed: AtomicU64::new(memory.meta.unconfirmed()),
            db: RwLock::new(Some(Arc::new(db))),
            file: RwLock::new(file),
            memory: RwLock::new(memory),
            at_work: Mutex::default(),
            set_changed: Notify::new(),
            pending: Mutex::default(),
            unread: Mutex::default(),
            trouble: RwLock::new(None),
            duplicates: AtomicU64::new(0),
            queue_full: AtomicU64::new(0),
            settings: ArcSwap::from_pointee(options.settings.clone()),
            options,
        });
        let waiting = shared.memory.read().queued;
        shared.look_at_room(true, &meta, waiting);
        let (writer, thread) = writer::start(Arc::clone(&shared)).map_err(|e| OpenError::Io {
            path: shared.options.path.clone(),
            detail: format!("the writer's thread cannot be started: {e}"),
        })?;
        let permits = Arc::new(Semaphore::new(MAX_WAITING_OPERATIONS));
        Ok(Self { shared, writer, permits, thread: Mutex::new(Some(thread)) })
    }

    /// Hands an operation to the writer and waits for its answer.
    async fn submit<T>(&self, operation: impl FnOnce(oneshot::Sender<T>) -> Operation) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.writer.send(operation(reply), permit)?;
        answer.await.map_err(|_| StoreError::Closed)
    }

    async fn note_domain(&self, subscriber: &str, domain: &str, there: bool) -> Result<bool, StoreError> {
        let note = DomainNote { subscriber: subscriber.to_owned(), domain: domain.to_owned(), there };
        self.submit(|reply| Operation::Domain { note, reply }).await?
    }

    /// Runs `read` where blocking is allowed.
    async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // A compaction is waited for where that holds up nobody else.
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || read(&*shared.database()?));
        reading.await.map_err(|_| StoreError::Closed)?
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn append(&self, append: Append) -> Result<Vec<Receipt>, AppendError> {
        let room = self.shared.gauge.room();
        if room.low && !append.own {
            return Err(AppendError::NoRoom(room));
        }
        let append = append::Prepared::new(append);
        self.submit(|reply| Operation::Append { append, reply }).await?
    }

    async fn take(&self, take: Take) -> Result<Page, StoreError> {
        if !take::is_worth_asking(&self.shared, &take) {
            return Ok(Page { id: None, repeated: false, notifications: Vec::new() });
        }
        let endpoint = take.endpoint;
        let Some(mut unread) = self.submit(|reply| Operation::Take { take, reply }).await?? else {
            return Ok(Page { id: None, repeated: false, notifications: Vec::new() });
        };
        let (id, repeated, positions) = (unread.id, unread.repeated, std::mem::take(&mut unread.positions));
        let notifications = self.reading(move |db| page::read(db, endpoint, &positions)).await?;
        unread.hand_over();
        Ok(Page { id: Some(id), repeated, notifications })
    }

    async fn lease(&self, lease: Lease) -> Result<Leased, StoreError> {
        lease::run_on(self, lease).await
    }

    fn confirm(&self, page: PageId) {
        self.shared.pending.lock().confirmed.push((page.endpoint.0, page.number, page.part));
    }

    fn unconfirmed(&self, page: PageId, notifications: u64) {
        self.shared.count_unconfirmed(page, notifications);
    }

    async fn wait(&self, endpoint: EndpointNumber) {
        loop {
            let Some(arrival) = self.shared.memory.read().endpoints.get(&endpoint.0).map(|e| Arc::clone(&e.arrival))
            else {
                return;
            };
            let notified = arrival.notified();
            tokio::pin!(notified);
            // From here on an arrival is not missed, so look after it.
            notified.as_mut().enable();
            let (now, withheld_to) = (self.shared.now(), self.shared.time.withheld_to());
            let next_end = match self.shared.memory.read().endpoints.get(&endpoint.0) {
                // Whoever ends the hold wakes us.
                Some(endpoint) if endpoint.held => None,
                Some(endpoint) if !endpoint.has_waiting(now, withheld_to) => endpoint.leases.next_end(now),
                _ => return,
            };
            match next_end {
                None => notified.await,
                Some(end) => tokio::select! {
                    () = notified => {}
                    () = self.shared.time.sleep_until(end) => {}
                },
            }
        }
    }

    fn queue(&self, endpoint: EndpointNumber) -> QueueStatus {
        let now = self.shared.now();
        let memory = self.shared.memory.read();
        memory.endpoints.get(&endpoint.0).map_or_else(QueueStatus::default, |e| QueueStatus {
            waiting: if e.is_held() { 0 } else { e.waiting(now) },
            leased: e.leased(now),
            held: e.outside_hours(now) + if e.is_held() { e.waiting(now) } else { 0 },
            last_polled: e.last_polled.get(),
        })
    }

    fn polled(&self, endpoint: EndpointNumber) {
        let now = self.shared.now();
        if let Some(endpoint) = self.shared.memory.read().endpoints.get(&endpoint.0) {
            endpoint.last_polled.note(now);
        }
        self.shared.pending.lock().polled.insert(endpoint.0);
    }

    fn subscriptions(&self) -> Arc<SubscriptionSet> {
        Arc::clone(&self.shared.memory.read().subscriptions)
    }

    async fn change_subscriptions(
        &self,
        changes: Vec<SubscriptionChange>,
    ) -> Result<Vec<Arc<Subscription>>, SubscribeError> {
        self.submit(|reply| Operation::Change { changes, reply }).await?
    }

    async fn event(&self, id: LedgerId) -> Result<Option<Event>, StoreError> {
        self.reading(move |db| page::event(db, id)).await
    }

    async fn notifications(&self, look: Look) -> Result<Looked, StoreError> {
        let asked = look::Asked::new(&self.shared, look);
        self.reading(move |db| look::list(db, asked)).await
    }

    async fn story(&self, id: LedgerId) -> Result<Option<Story>, StoreError> {
        let (unwritten, now) = (Unwritten::of(&self.shared), self.shared.now());
        self.reading(move |db| look::story(db, id, unwritten, now)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let claims = tokio::task::spawn_blocking(move || Claims::take(shared, &claim)).await;
        claims.map_err(|_| StoreError::Closed)?.map(Claims::hand_over)
    }

    fn put_back(&self, endpoint: EndpointNumber, notifications: &[LedgerId]) {
        claims::return_claims(&self.shared, endpoint, notifications);
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled, StoreError> {
        self.submit(|reply| Operation::Settle { settlement: Box::new(settlement), reply }).await?
    }

    async fn due(&self, endpoint: EndpointNumber, ordering: Ordering) {
        claims::due(&self.shared, endpoint, ordering, false).await;
    }

    async fn probe_due(&self, endpoint: EndpointNumber, ordering: Ordering) {
        claims::due(&self.shared, endpoint, ordering, true).await;
    }

    fn overdue(&self) -> Option<Timestamp> {
        overdue::since(&self.shared)
    }

    fn standing(&self, endpoint: EndpointNumber) -> Standing {
        let memory = self.shared.memory.read();
        let push = memory.endpoints.get(&endpoint.0).and_then(|endpoint| endpoint.push.as_ref());
        push.map(|push| push.standing().clone()).unwrap_or_default()
    }

    async fn stand(&self, endpoint: EndpointNumber, standing: Standing) -> Result<(), StoreError> {
        self.submit(|reply| Operation::Stand { endpoint, standing: Box::new(standing), reply }).await?
    }

    async fn subscriptions_after(&self, known: SetVersion) -> Arc<SubscriptionSet> {
        loop {
            let changed = self.shared.set_changed.notified();
            tokio::pin!(changed);
            // From here on a change is not missed, so look after it.
            changed.as_mut().enable();
            let now = self.subscriptions();
            if now.version() != known {
                return now;
            }
            changed.await;
        }
    }

    async fn suppression(&self, address: &str, age: Duration) -> Result<Option<Suppression>, StoreError> {
        let (address, since) = (address.to_owned(), self.shared.now().minus(age));
        self.reading(move |db| notes::suppression(db, &address, since)).await
    }

    async fn suppressions(&self, after: Option<&str>, limit: usize) -> Result<Vec<Suppression>, StoreError> {
        let after = after.map(str::to_owned);
        self.reading(move |db| notes::suppressions(db, after.as_deref(), limit)).await
    }

    async fn suppress(&self, address: &str, suppression: Option<Suppression>) -> Result<(), StoreError> {
        let note = Note::Suppression { address: address.to_owned(), suppression };
        self.submit(|reply| Operation::Note { note, reply }).await?
    }

    async fn conditions(&self) -> Result<Vec<KeptCondition>, StoreError> {
        self.reading(notes::conditions).await
    }

    async fn keep_condition(&self, condition: KeptCondition) -> Result<(), StoreError> {
        self.submit(|reply| Operation::Note { note: Note::Condition(condition), reply }).await?
    }

    async fn end_condition(&self, name: &str, subject: &str) -> Result<(), StoreError> {
        let note = Note::ConditionEnd { name: name.to_owned(), subject: subject.to_owned() };
        self.submit(|reply| Operation::Note { note, reply }).await?
    }

    async fn webhook_domains(&self, subscriber: &str) -> Result<Vec<String>, StoreError> {
        let subscriber = subscriber.to_owned();
        self.reading(move |db| notes::domains(db, &subscriber)).await
    }

    async fn add_webhook_domain(&self, subscriber: &str, domain: &str) -> Result<bool, StoreError> {
        self.note_domain(subscriber, domain, true).await
    }

    async fn remove_webhook_domain(&self, subscriber: &str, domain: &str) -> Result<bool, StoreError> {
        self.note_domain(subscriber, domain, false).await
    }

    async fn act(&self, act: Act) -> Result<Vec<Result<(), NotDone>>, StoreError> {
        if act.dry_run {
            let (unwritten, now) = (Unwritten::of(&self.shared), self.shared.now());
            return self.reading(move |db| Ok(act::Plan::new(db, &act, unwritten, now)?.answers)).await;
        }
        self.submit(|reply| Operation::Act { act, reply }).await?
    }

    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_owned();
        let seal = Arc::clone(&self.shared.options.seal);
        self.reading(move |db| page::secret(db, &seal, &name)).await
    }

    async fn keep_secret(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let name = name.to_owned();
        self.submit(|reply| Operation::KeepSecret { name, value, reply }).await?
    }

    async fn replace_secret(&self, name: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.submit(|reply| Operation::ReplaceSecret { name, value, reply }).await?
    }

    async fn sweep(&self) -> Result<Swept, StoreError> {
        self.submit(|reply| Operation::Sweep { reply }).await?
    }

    fn now(&self) -> Timestamp {
        self.shared.now()
    }

    fn replace_settings(&self, settings: StoreSettings) {
        self.shared.time.set_leap(settings.clock_leap);
        self.shared.gauge.set_reserve(settings.disk_reserve);
        self.shared.settings.store(Arc::new(settings));
    }

    fn clock_doubt(&self) -> Option<ClockDoubt> {
        self.shared.time.doubt()
    }

    async fn accept_clock(&self) -> Result<bool, StoreError> {
        let doubted = self.shared.time.accept();
        // Its transaction notes it.
        self.sweep().await?;
        Ok(doubted)
    }

    fn room(&self) -> Room {
        self.shared.gauge.room()
    }

    fn figures(&self) -> Figures {
        let now = self.shared.now();
        let file_bytes = std::fs::metadata(&self.shared.options.path).map_or(0, |m| m.len());
        let free_bytes = self.shared.volume().map_or(0, |v| v.free);
        let oldest_waiting = self.shared.oldest_waiting(now);
        let memory = self.shared.memory.read();
        let meta = &memory.meta;
        Figures {
            accepted: meta.accepted,
            matched: meta.matched,
            unmatched: meta.accepted - meta.matched,
            duplicates: self.shared.duplicates.load(Atomic::Relaxed),
            sums: memory.sums(now),
            queue_full: self.shared.queue_full.load(Atomic::Relaxed),
            answer_unconfirmed: self.shared.unconfirmed.load(Atomic::Relaxed),
            oldest_waiting,
            subscriptions: memory.subscriptions.len() as u64,
            identities: memory.identities.len() as u64,
            file_bytes,
            body_bytes: meta.body_bytes,
            free_bytes,
            ledger_time: now,
            epoch: meta.epoch,
        }
    }

    fn subscription_sums(&self) -> Vec<SubscriptionSums> {
        let now = self.shared.now();
        self.shared.memory.read().subscription_sums(now)
    }

    fn trouble(&self) -> Option<String> {
        self.shared.trouble.read().clone()
    }

    async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.submit(|reply| Operation::Close { reply }).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It ends right after its answer.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// The result of one operation in a group, where its error is its own: a record that cannot be read. What fails below
/// is everybody's.
fn own<T>(result: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match result {
        Err(error @ (StoreError::Unavailable { .. } | StoreError::Closed)) => Err(error),
        other => Ok(other),
    }
}

/// What redb said, as the store's error. Callers see that the store cannot be used; the text is for the log.
fn storage(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Unavailable { detail: error.into().to_string() }
}
