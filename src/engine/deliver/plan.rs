//! What a lane may do now: wait for something, or claim.

use std::future::pending;

use super::circuit::pace;
use super::crew::Crew;
use super::gates::Permit;
use super::keep::State;
use super::lane::Lane;
use crate::base::clock::Timestamp;
use crate::base::rate::Bucket;
use crate::model::target::Ordering;

/// What a lane may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
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
pub(super) struct How {
    /// To find out whether a held endpoint is there again.
    pub probe: bool,
    /// One alone, and what was never tried first: the last attempt was a fault.
    pub careful: bool,
    /// How many more there may be.
    pub most: usize,
}

impl Lane {
    /// Waits until something is due and an attempt may begin.
    pub(super) async fn next(&self, bucket: &mut Bucket) -> Permit {
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
    pub(super) fn plan(&self, now: Timestamp, bucket: &mut Bucket) -> Plan {
        let spec = self.spec();
        // Of those that are under way, some may have had their answer and wait for the disk.
        let share = spec.way.share().saturating_sub(self.sending());
        self.with(|state| state.plan(now, (spec.target.ordering(), share), self.in_flight(), bucket))
    }
}

impl State {
    fn plan(
        &self,
        now: Timestamp,
        (ordering, share): (Ordering, usize),
        in_flight: usize,
        bucket: &mut Bucket,
    ) -> Plan {
        let quiet = self.quiet_until.filter(|until| *until > now);
        if let Some(hold) = self.circuit.hold() {
            return match hold.probe_at.map(|at| quiet.map_or(at, |quiet| quiet.max(at))) {
                None => Plan::Changed,
                Some(_) if in_flight > 0 => Plan::Freed,
                Some(at) if at > now => Plan::At(at),
                Some(_) => Plan::Claim(How { probe: true, careful: false, most: 1 }),
            };
        }
        let careful = self.circuit.is_doubtful();
        let one = careful || ordering == Ordering::Strict;
        let pace = pace(self.circuit.standing().recovered, now);
        let most = if one { 1 } else { pace.map_or(usize::MAX, |pace| pace.in_flight) };
        let most = share.min(most.saturating_sub(in_flight));
        let wait = pace.and_then(|pace| bucket.check(pace.rate, now).err());
        match (quiet, wait) {
            (Some(quiet), _) => Plan::At(quiet),
            _ if most == 0 => Plan::Freed,
            (None, Some(wait)) => Plan::At(now.plus(wait)),
            // In a ramp one after the other, as the rate has it.
            (None, None) => {
                let most = if pace.is_some() { 1 } else { most };
                Plan::Claim(How { probe: false, careful, most })
            }
        }
    }
}
