//! The lane of one endpoint: it waits until something is due and may be sent, claims it, and has it attempted.
//!
//! A lane never holds a claim that it cannot start at once, so there is nothing to be put back but by a fault of the
//! program. How the endpoint stands is decided here, in memory, and kept with the settlement that changes it; the store
//! has it one commit later, and a crash between the two costs an attempt at most.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::attempt::Job;
use super::circuit::pace;
use super::crew::{Crew, Outlet};
use super::gates::{Permit, Way};
use super::keep::State;
use super::notice::EndpointName;
use crate::base::clock::Timestamp;
use crate::base::rate::Bucket;
use crate::base::stop::Stop;
use crate::model::id::EndpointNumber;
use crate::model::notification::EndpointKind;
use crate::model::target::{Ordering as Order, Target};
use crate::store::{Claim, Claimed};

/// The most that is claimed at once.
const BATCH: usize = 32;
/// How long a lane rests that was woken and found nothing, so that it never spins.
const REST: Duration = Duration::from_millis(2);
/// How long it is waited for where the store or the program has failed.
pub(super) const TROUBLE_PAUSE: Duration = Duration::from_secs(1);
/// How long attempts in flight are waited for after the stop. The channels' timeouts mostly end them before.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// The longest that an endpoint is left alone because it asked for it: it is asked again then.
const LONGEST_QUIET: Duration = Duration::from_hours(24);

/// What an endpoint is at present: that can change while its lane runs.
pub(super) struct Spec {
    pub name: EndpointName,
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
    in_flight: AtomicUsize,
    /// Something has changed that a lane that waits must know of.
    changed: Notify,
    /// An attempt has ended.
    freed: Notify,
    gone: Stop,
}

/// What a lane may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Claim what is due.
    Claim(How),
    /// Nothing before this instant.
    At(Timestamp),
    /// Nothing before an attempt has ended.
    Freed,
    /// Nothing before something has changed.
    Changed,
}

/// How something is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct How {
    /// To find out whether a held endpoint is there again.
    probe: bool,
    /// One alone, and what was never tried first: the last attempt was a fault.
    careful: bool,
    /// Whether there may be only one more.
    one: bool,
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
            in_flight: AtomicUsize::new(0),
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
        self.in_flight.load(Ordering::Acquire)
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

    /// Waits until something is due and an attempt may begin.
    async fn next(&self, bucket: &mut Bucket) -> Permit {
        let Crew { store, time, .. } = &*self.crew;
        loop {
            match self.plan(time.now(), bucket) {
                Plan::Changed => pending().await,
                Plan::At(at) => time.sleep_until(at).await,
                Plan::Freed => self.freed.notified().await,
                Plan::Claim(how) => {
                    let spec = self.spec();
                    let ordering = spec.target.ordering();
                    if how.probe {
                        store.probe_due(self.number, ordering).await;
                    } else {
                        store.due(self.number, ordering).await;
                    }
                    return spec.outlet.gates.pass(&spec.way, time).await;
                }
            }
        }
    }

    /// What may be done at `now`.
    fn plan(&self, now: Timestamp, bucket: &mut Bucket) -> Plan {
        let state = self.state.lock();
        let in_flight = self.in_flight();
        let quiet = state.quiet_until.filter(|until| *until > now);
        if let Some(hold) = state.circuit.hold() {
            return match hold.probe_at.map(|at| quiet.map_or(at, |quiet| quiet.max(at))) {
                None => Plan::Changed,
                Some(_) if in_flight > 0 => Plan::Freed,
                Some(at) if at > now => Plan::At(at),
                Some(_) => Plan::Claim(How { probe: true, careful: false, one: true }),
            };
        }
        let careful = state.circuit.is_doubtful();
        let is_strict = self.spec.lock().target.ordering() == Order::Strict;
        let pace = pace(state.circuit.standing().recovered, now);
        match (quiet, pace) {
            (Some(quiet), _) => return Plan::At(quiet),
            _ if in_flight > 0 && (careful || is_strict) => return Plan::Freed,
            (_, Some(pace)) if in_flight >= pace.in_flight => return Plan::Freed,
            (_, Some(pace)) => {
                if let Err(wait) = bucket.check(pace.rate, now) {
                    return Plan::At(now.plus(wait));
                }
            }
            _ => {}
        }
        Plan::Claim(How { probe: false, careful, one: careful || is_strict || pace.is_some() })
    }

    /// Claims what there are permits for, and has it attempted.
    async fn start(self: &Arc<Self>, permit: Permit, bucket: &mut Bucket, attempts: &mut JoinSet<()>) {
        let Crew { store, time, .. } = &*self.crew;
        // Waiting for the permit took its time.
        let Plan::Claim(how) = self.plan(time.now(), bucket) else { return };
        let spec = self.spec();
        let permits = self.gather(permit, &spec, how);
        let claim = Claim {
            endpoint: self.number,
            ordering: spec.target.ordering(),
            max: permits.len(),
            probe: how.probe || how.careful,
        };
        match self.crew.note(store.claim(claim).await) {
            Ok(claimed) if claimed.is_empty() => tokio::time::sleep(REST).await,
            Ok(claimed) => {
                if let Some(pace) = self.with(|state| pace(state.circuit.standing().recovered, time.now())) {
                    // It was looked before whether there is one.
                    let _ = bucket.take(pace.rate, time.now());
                }
                for (claimed, permit) in claimed.into_iter().zip(permits) {
                    attempts.spawn(self.job(&spec, claimed, how.probe, permit).run());
                }
            }
            Err(_) => time.pause(TROUBLE_PAUSE).await,
        }
    }

    /// As many permits as can be had at once. Where there is a rate, one at a time: what is claimed may be less.
    fn gather(&self, first: Permit, spec: &Spec, how: How) -> Vec<Permit> {
        let most = if how.one || spec.way.has_rate() { 1 } else { BATCH };
        let mut permits = vec![first];
        while permits.len() < most
            && let Some(permit) = spec.outlet.gates.try_pass(&spec.way, &self.crew.time)
        {
            permits.push(permit);
        }
        permits
    }

    fn job(self: &Arc<Self>, spec: &Arc<Spec>, claimed: Claimed, probe: bool, permit: Permit) -> Job {
        Job::new(Arc::clone(self), Arc::clone(spec), claimed, probe, permit)
    }

    /// One more attempt is under way.
    pub(super) fn begin_attempt(&self, probe: bool) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.crew.metrics.begins(self.kind);
        if probe {
            self.with(|state| state.probing = true);
        }
    }

    /// One attempt has ended.
    pub(super) fn end_attempt(&self, probe: bool) {
        if probe {
            self.with(|state| state.probing = false);
        }
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.crew.metrics.ends(self.kind);
        self.freed.notify_one();
    }
}
