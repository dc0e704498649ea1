//! What is known of how an endpoint stands, and keeping it: with the settlement that changes it, and never an older word
//! after a newer one.

use super::circuit::{Circuit, is_worth_keeping};
use super::lane::{Lane, TROUBLE_PAUSE};
use crate::base::clock::Timestamp;
use crate::store::{Settled, Settlement, Standing, StoreError};

/// What is known of the endpoint.
#[derive(Debug, Default)]
pub(super) struct State {
    pub circuit: Circuit,
    /// How it stands in the store.
    kept: Standing,
    /// Before this instant it wants nothing.
    pub quiet_until: Option<Timestamp>,
    /// Whether a probe is under way.
    pub probing: bool,
}

impl State {
    /// What is known at the start.
    pub(super) fn new(kept: Standing) -> Self {
        Self { circuit: Circuit::new(kept.clone()), kept, ..Self::default() }
    }

    /// How it stands, where the store does not have it so.
    fn to_keep(&self) -> Option<Standing> {
        let standing = self.circuit.standing();
        is_worth_keeping(&self.kept, standing).then(|| standing.clone())
    }
}

impl Lane {
    /// Settles an attempt, and keeps with it how the endpoint stands, where that has changed. While the store fails it is
    /// tried again; `None`: the store is closed.
    pub(super) async fn settle(&self, settlement: &Settlement) -> Option<Settled> {
        loop {
            match self.crew.note(self.try_settle(settlement).await) {
                Ok(settled) => return Some(settled),
                Err(StoreError::Closed) => return None,
                Err(_) => self.crew.time.pause(TROUBLE_PAUSE).await,
            }
        }
    }

    async fn try_settle(&self, settlement: &Settlement) -> Result<Settled, StoreError> {
        let store = &self.crew.store;
        if self.with(|state| state.to_keep()).is_none() {
            return store.settle(settlement.clone()).await;
        }
        let turn = self.keeping.lock().await;
        // Who had the turn before may have kept it.
        let Some(standing) = self.with(|state| state.to_keep()) else {
            drop(turn);
            return store.settle(settlement.clone()).await;
        };
        let settled = store.settle(Settlement { standing: Some(standing.clone()), ..settlement.clone() }).await?;
        self.with(|state| state.kept = standing);
        Ok(settled)
    }

    /// Keeps how the endpoint stands, if that has changed.
    pub(super) async fn keep(&self) -> Result<(), StoreError> {
        let _turn = self.keeping.lock().await;
        if let Some(standing) = self.with(|state| state.to_keep()) {
            self.crew.store.stand(self.number, standing.clone()).await?;
            self.with(|state| state.kept = standing);
        }
        Ok(())
    }

    /// The same, until the store does it or is closed.
    pub(super) async fn keep_surely(&self) {
        loop {
            match self.crew.note(self.keep().await) {
                Ok(()) | Err(StoreError::Closed) => return,
                Err(_) => self.crew.time.pause(TROUBLE_PAUSE).await,
            }
        }
    }
}
