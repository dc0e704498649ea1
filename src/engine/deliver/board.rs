//! All lanes, and those who look at them: people, metrics, and who resumes an endpoint.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::circuit::{Change, Circuit, pace};
use super::lane::Lane;
use super::state::{EndpointReport, EndpointState, SharedReport};
use super::work::Channels;
use crate::engine::{Engine, StoreError};
use crate::model::id::EndpointNumber;
use crate::model::notification::EndpointKind;
use crate::model::subscription::{Endpoint, Subscription};
use crate::model::target::Target;
use crate::store::Store;

/// All lanes.
#[derive(Default)]
pub(in crate::engine) struct Board {
    lanes: RwLock<HashMap<EndpointNumber, Arc<Lane>>>,
    /// There from the first look on.
    store: OnceLock<Arc<dyn Store>>,
    channels: watch::Sender<Channels>,
}

impl Board {
    /// Deliveries over `store` are about to begin.
    pub(super) fn open(&self, store: &Arc<dyn Store>) {
        let _ = self.store.set(Arc::clone(store));
    }

    /// The channels that things are sent by, and when they become other ones.
    pub(super) fn channels(&self) -> watch::Receiver<Channels> {
        self.channels.subscribe()
    }

    pub(super) fn lane(&self, number: EndpointNumber) -> Option<Arc<Lane>> {
        self.lanes.read().get(&number).cloned()
    }

    pub(super) fn add(&self, lane: &Arc<Lane>) {
        self.lanes.write().insert(lane.number, Arc::clone(lane));
    }

    /// Takes out the lanes of all endpoints but these, and answers them.
    pub(super) fn keep_only(&self, stays: impl Fn(EndpointNumber) -> bool) -> Vec<Arc<Lane>> {
        let mut lanes = self.lanes.write();
        lanes.extract_if(|number, _| !stays(*number)).map(|(_, lane)| lane).collect()
    }

    /// How many endpoints of each kind there are in each state.
    pub(super) fn counts(&self) -> BTreeMap<(EndpointKind, EndpointState), u64> {
        let mut counts = BTreeMap::new();
        for kind in EndpointKind::ALL.into_iter().filter(|kind| *kind != EndpointKind::Poll) {
            counts.extend(EndpointState::ALL.map(|state| ((kind, state), 0)));
        }
        let Some(store) = self.store.get() else { return counts };
        for subscription in store.subscriptions().iter() {
            for endpoint in &subscription.endpoints {
                if let Some(count) = counts.get_mut(&(endpoint.kind(), self.state(&**store, subscription, endpoint))) {
                    *count += 1;
                }
            }
        }
        counts
    }

    fn state(&self, store: &dyn Store, subscription: &Subscription, endpoint: &Endpoint) -> EndpointState {
        match self.lane(endpoint.number) {
            Some(lane) => lane.with(|state| EndpointState::of(subscription, state.circuit.hold(), state.probing)),
            None => EndpointState::of(subscription, store.standing(endpoint.number).hold.as_ref(), false),
        }
    }

    /// For how long the notification has been due that has been so longest.
    pub(super) fn overdue(&self) -> Duration {
        let Some(store) = self.store.get() else { return Duration::ZERO };
        store.overdue().map_or(Duration::ZERO, |since| store.now().since(since))
    }

    fn report(&self, store: &dyn Store, subscription: &Subscription, endpoint: &Endpoint) -> EndpointReport {
        let (number, target) = (endpoint.number, endpoint.target.clone());
        let now = store.now();
        let Some(lane) = self.lane(number) else {
            let standing = store.standing(number);
            let state = EndpointState::of(subscription, standing.hold.as_ref(), false);
            let (in_flight, ramping, quiet_until, shared) = (0, false, None, None);
            return EndpointReport { number, target, state, standing, in_flight, ramping, quiet_until, shared };
        };
        let (spec, in_flight) = (lane.spec(), lane.in_flight());
        let way = &spec.way;
        let shared = SharedReport {
            target: way.key.clone(),
            rests_until: way.target.rests_until(now),
            down: way.target.down().map(|down| (down.since, down.fault)),
            slow: way.target.is_slow(),
        };
        lane.with(|state| EndpointReport {
            number,
            target,
            state: EndpointState::of(subscription, state.circuit.hold(), state.probing),
            standing: state.circuit.standing().clone(),
            in_flight,
            ramping: pace(state.circuit.standing().recovered, now).is_some(),
            quiet_until: state.quiet_until.filter(|until| *until > now),
            shared: Some(shared),
        })
    }

    /// Has an endpoint sent to again that was held for its own sake.
    async fn resume(&self, store: &dyn Store, number: EndpointNumber) -> Result<(), StoreError> {
        let now = store.now();
        let Some(lane) = self.lane(number) else {
            let mut circuit = Circuit::new(store.standing(number));
            if circuit.resume(now) == Change::Closed {
                store.stand(number, circuit.standing().clone()).await?;
            }
            return Ok(());
        };
        let change = lane.with(|state| {
            state.quiet_until = None;
            state.circuit.resume(now)
        });
        lane.wake();
        if change == Change::Closed {
            lane.keep().await?;
            lane.tell(change);
        }
        Ok(())
    }
}

impl Engine {
    /// Sends by these channels and the settings of now from here on. What is in flight goes on as it was.
    pub fn use_channels(&self, channels: Channels) {
        self.deliveries.channels.send_replace(channels);
    }

    /// Why a caller of an API may not name `target`: nothing could ever be sent there, as the files are. For that caller.
    #[must_use]
    pub fn objection(&self, target: &Target) -> Option<String> {
        let channels = self.deliveries.channels.borrow();
        match (target.kind(), channels.of(target.kind())) {
            (EndpointKind::Poll, _) => None,
            (_, Some(channel)) => channel.objection(target),
            (kind, None) => Some(format!("nothing can be sent by {} here", kind.as_str())),
        }
    }

    /// Whether those who own a subscription may see the text of the answers of its `target`.
    #[must_use]
    pub fn shows_answers(&self, target: &Target) -> bool {
        self.deliveries.channels.borrow().of(target.kind()).is_some_and(|channel| channel.shows_answers(target))
    }

    /// How the endpoints of a subscription are doing, in its order; empty if there is none.
    #[must_use]
    pub fn endpoint_states(&self, subscription: &str) -> Vec<EndpointReport> {
        let set = self.store.subscriptions();
        let Some(subscription) = set.get(subscription) else { return Vec::new() };
        let report = |endpoint| self.deliveries.report(&*self.store, subscription, endpoint);
        subscription.endpoints.iter().map(report).collect()
    }

    /// Has all endpoints of a subscription sent to again that are held because they failed or said that they are gone.
    pub(in crate::engine) async fn resume_endpoints(&self, subscription: &Subscription) -> Result<(), StoreError> {
        for endpoint in subscription.endpoints.iter().filter(|endpoint| endpoint.kind() != EndpointKind::Poll) {
            self.deliveries.resume(&*self.store, endpoint.number).await?;
        }
        Ok(())
    }
}
