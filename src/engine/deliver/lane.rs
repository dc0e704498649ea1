//! The lane of one endpoint: it waits until something is due and may be sent, claims it, and has it attempted.
//!
//! A lane never holds a claim that it cannot start at once, so there is nothing to be put back but by a fault of the
//! program. How the endpoint stands is decided here, in memory, and kept with the settlement that changes it; the store
//! has it one commit later, and a crash between the two costs an attempt at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::claim::UnderWay;
use super::crew::{Crew, Outlet};
use super::gates::Way;
use super::keep::State;
use super::notice::EndpointName;
use crate::base::clock::Timestamp;
use crate::base::rate::Bucket;
use crate::base::stop::Stop;
use crate::model::id::EndpointNumber;
use crate::model::notification::EndpointKind;
use crate::model::subscription::Subscription;
use crate::model::target::Target;

/// How long it is waited for where the store or the program has failed.
pub(super) const TROUBLE_PAUSE: Duration = Duration::from_secs(1);
/// How long attempts in flight are waited for after the stop. The channels' timeouts mostly end them before.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// The longest that an endpoint is left alone because it asked for it: it is asked again then.
const LONGEST_QUIET: Duration = Duration::from_hours(24);

/// What an endpoint is at present: that can change while its lane runs.
pub(super) struct Spec {
    pub name: EndpointName,
    pub subscription: Arc<Subscription>,
    pub outlet: Arc<Outlet>,
    pub target: Arc<Target>,
    pub way: Way,
}

/// The lane of one endpoint.
pub(super) struct Lane {
    pub crew: Arc<Crew>,
    pub number: EndpointNumber,
    pub kind: EndpointKind,
    spec: Mutex<Arc<Spec>>,
    state: Mutex<State>,
    /// Held by who is keeping how the endpoint stands: one after the other, so that the last word is the last.
    pub keeping: tokio::sync::Mutex<()>,
    pub under_way: UnderWay,
    /// How many of them the target has not answered yet.
    pub sending: AtomicUsize,
    /// Something has changed that a lane that waits must know of.
    changed: Notify,
    /// An attempt has ended.
    pub freed: Notify,
    gone: Stop,
}

impl Lane {
    pub(super) fn new(crew: &Arc<Crew>, spec: Spec) -> Self {
        let (number, kind) = (spec.name.number, spec.name.kind);
        let state = State::new(crew.store.standing(number));
        Self {
            crew: Arc::clone(crew),
            number,
            kind,
            spec: Mutex::new(Arc::new(spec)),
            state: Mutex::new(state),
            keeping: tokio::sync::Mutex::default(),
            under_way: UnderWay::default(),
            sending: AtomicUsize::new(0),
            changed: Notify::new(),
            freed: Notify::new(),
            gone: Stop::new(),
        }
    }

    pub(super) fn spec(&self) -> Arc<Spec> {
        Arc::clone(&self.spec.lock())
    }

    /// Looks at what is known of the endpoint, or changes it. Nothing may be waited for within.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// How many attempts are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.under_way.len()
    }

    /// How many of them the target has not answered yet.
    pub(super) fn sending(&self) -> usize {
        self.sending.load(Ordering::Acquire)
    }

    /// The endpoint is another one now, or has other settings. What is in flight goes on as it was.
    pub(super) fn learn(&self, spec: Spec) {
        let now = self.crew.time.now();
        *self.spec.lock() = Arc::new(spec);
        self.with(|state| {
            state.circuit.probe_soon(now);
            state.quiet_until = None;
        });
        self.wake();
    }

    /// The endpoint is gone: nothing more is claimed.
    pub(super) fn end(&self) {
        self.gone.stop();
    }

    /// Has the lane look at what it may do.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Leaves the endpoint alone until then, within bounds.
    pub(super) fn keep_quiet(&self, until: Timestamp, now: Timestamp) {
        let until = until.min(now.plus(LONGEST_QUIET));
        self.with(|state| state.quiet_until = state.quiet_until.max(Some(until)));
    }

    /// Works until the endpoint is gone or the stop is given, and the attempts in flight have ended or their time is up.
    pub(super) async fn run(self: Arc<Self>) {
        let mut attempts = JoinSet::new();
        let mut bucket = Bucket::default();
        self.tell_present();
        while !self.is_over() {
            self.reap(&mut attempts);
            tokio::select! {
                biased;
                () = self.over() => {}
                () = self.changed.notified() => {}
                permit = self.next(&mut bucket) => self.start(permit, &mut bucket, &mut attempts).await,
            }
        }
        let drained = async { while attempts.join_next().await.is_some() {} };
        tokio::select! {
            () = drained => {}
            () = self.out_of_time() => {}
        }
    }

    /// Forgets attempts that have ended. One that broke off has put back what it had; it must not begin again at once.
    fn reap(&self, attempts: &mut JoinSet<()>) {
        while let Some(ended) = attempts.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(endpoint = %self.spec().name.place, "an attempt broke off: {error}");
                let now = self.crew.time.now();
                self.keep_quiet(now.plus(TROUBLE_PAUSE), now);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.gone.is_stopped() || self.crew.stop.is_stopped()
    }

    async fn over(&self) {
        tokio::select! {
            () = self.gone.stopped() => {}
            () = self.crew.stop.stopped() => {}
        }
    }

    async fn out_of_time(&self) {
        self.crew.stop.stopped().await;
        tokio::time::sleep(STOP_LIMIT).await;
    }
}
