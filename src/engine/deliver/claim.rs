//! Claiming what is due, as much as there are permits for, and what is under way of it.
//!
//! A store that had to open its file anew has forgotten its claims, so that what is being attempted may be claimed again.
//! It is not sent twice for that: the attempt that is under way settles it, or puts it back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::attempt::Job;
use super::circuit::pace;
use super::crew::Crew;
use super::gates::Permit;
use super::lane::{Lane, Spec, TROUBLE_PAUSE};
use super::plan::{How, Plan};
use crate::base::rate::Bucket;
use crate::model::id::LedgerId;
use crate::store::{Claim, Claimed};

/// The most that is claimed at once.
const BATCH: usize = 32;
/// How long a lane rests that was woken and found nothing, so that it never spins.
const REST: Duration = Duration::from_millis(2);

/// What is being attempted, and whether it was claimed once more meanwhile.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashMap<LedgerId, bool>>);

impl UnderWay {
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    fn ids(&self) -> HashSet<LedgerId> {
        self.0.lock().keys().copied().collect()
    }

    fn begin(&self, id: LedgerId) {
        self.0.lock().insert(id, false);
    }

    /// Whether it is being attempted; takes note that it was claimed again.
    fn claimed_again(&self, id: LedgerId) -> bool {
        self.0.lock().get_mut(&id).is_some_and(|again| {
            *again = true;
            true
        })
    }

    /// It is not any more; answers whether it was claimed again.
    fn end(&self, id: LedgerId) -> bool {
        self.0.lock().remove(&id) == Some(true)
    }
}

impl Lane {
    /// Claims what there are permits for, and has it attempted.
    pub(super) async fn start(self: &Arc<Self>, permit: Permit, bucket: &mut Bucket, attempts: &mut JoinSet<()>) {
        let Crew { store, time, .. } = &*self.crew;
        // Waiting for the permit took its time.
        let Plan::Claim(how) = self.plan(time.now(), bucket) else { return };
        let spec = self.spec();
        let permits = gather(permit, &spec, how, self);
        let claim = Claim {
            endpoint: self.number,
            ordering: spec.target.ordering(),
            max: permits.len(),
            probe: how.probe || how.careful,
        };
        let before = self.under_way.ids();
        match self.crew.note(store.claim(claim).await) {
            Ok(claimed) if claimed.is_empty() => tokio::time::sleep(REST).await,
            Ok(claimed) => {
                if let Some(pace) = self.with(|state| pace(state.circuit.standing().recovered, time.now())) {
                    // It was looked before whether there is one.
                    let _ = bucket.take(pace.rate, time.now());
                }
                let new = claimed.into_iter().filter(|claimed| self.is_new(claimed, &before));
                for (claimed, permit) in new.zip(permits) {
                    let job = Job::new(Arc::clone(self), Arc::clone(&spec), claimed, how.probe, permit);
                    attempts.spawn(job.run());
                }
            }
            Err(_) => time.pause(TROUBLE_PAUSE).await,
        }
    }

    /// Whether it is not being attempted already, and was not when the claim began: what has ended since may have been
    /// claimed before it did.
    fn is_new(&self, claimed: &Claimed, before: &HashSet<LedgerId>) -> bool {
        let again = self.under_way.claimed_again(claimed.id);
        if !again && before.contains(&claimed.id) {
            self.crew.store.put_back(self.number, &[claimed.id]);
        }
        !again && !before.contains(&claimed.id)
    }

    /// One more attempt is under way.
    pub(super) fn begin_attempt(&self, id: LedgerId, probe: bool) {
        self.under_way.begin(id);
        self.sending.fetch_add(1, Ordering::AcqRel);
        self.crew.metrics.begins(self.kind);
        if probe {
            self.with(|state| state.probing = true);
        }
    }

    /// The target has answered one, or will not.
    pub(super) fn has_answer(&self) {
        self.sending.fetch_sub(1, Ordering::AcqRel);
        self.freed.notify_one();
    }

    /// One attempt has ended.
    pub(super) fn end_attempt(&self, id: LedgerId, probe: bool) {
        if probe {
            self.with(|state| state.probing = false);
        }
        if self.under_way.end(id) {
            // Where the settlement has not ended that claim as well, it is nobody's now.
            self.crew.store.put_back(self.number, &[id]);
        }
        self.crew.metrics.ends(self.kind);
        self.freed.notify_one();
    }
}

/// As many permits as can be had at once. Where there is a rate, one at a time: what is claimed may be less.
fn gather(first: Permit, spec: &Spec, how: How, lane: &Lane) -> Vec<Permit> {
    let most = if spec.way.has_rate() { 1 } else { how.most.min(BATCH) };
    let mut permits = vec![first];
    while permits.len() < most
        && let Some(permit) = spec.outlet.gates.try_pass(&spec.way, &lane.crew.time)
    {
        permits.push(permit);
    }
    permits
}
