//! The worker: one lane for each endpoint that is sent to, as the subscriptions change.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, JoinError, JoinSet};

use super::board::Board;
use super::crew::{Crew, Outlet, Outlets};
use super::lane::{Lane, Spec};
use super::metrics::DeliveryMetrics;
use super::notice::{Conditions, EndpointName};
use super::time::Time;
use crate::channel::Channel;
use crate::engine::Engine;
use crate::model::notification::EndpointKind;
use crate::model::subscription::{Endpoint, Subscription, SubscriptionSet};

/// How long a lane that broke off is not begun again.
const PAUSE: Duration = Duration::from_secs(1);

/// How things are sent.
#[derive(Clone, Default)]
pub struct Channels {
    /// How webhooks are; `None`: what is for them waits.
    pub webhooks: Option<Arc<dyn Channel>>,
    /// How mail is; `None`, here or in the settings: what is for an address waits.
    pub email: Option<Arc<dyn Channel>>,
}

impl Channels {
    /// The one that serves endpoints of this kind.
    pub(super) fn of(&self, kind: EndpointKind) -> Option<&Arc<dyn Channel>> {
        match kind {
            EndpointKind::Poll => None,
            EndpointKind::Webhook => self.webhooks.as_ref(),
            EndpointKind::Email => self.email.as_ref(),
        }
    }
}

/// What deliveries need besides the engine and its channels.
#[derive(Clone)]
pub struct Delivery {
    /// Who is told of conditions.
    pub conditions: Arc<dyn Conditions>,
    /// What is shown of them.
    pub metrics: DeliveryMetrics,
}

/// The lanes at work.
struct Lanes {
    crew: Arc<Crew>,
    board: Arc<Board>,
    outlets: Outlets,
    tasks: JoinSet<()>,
    by_task: HashMap<task::Id, Arc<Lane>>,
}

impl Engine {
    /// Delivers until the stop is given, by the channels that are set ([`Engine::use_channels`]); then attempts in flight
    /// have a bounded time to end. Neither a failure of the store nor a panic in a lane ends it.
    pub async fn run_delivery(self: Arc<Self>, delivery: Delivery) {
        self.deliveries.open(&self.store);
        delivery.metrics.watch(&self.deliveries);
        let mut channels = self.deliveries.channels();
        let mut lanes = self.lanes(delivery);
        channels.mark_changed();
        let mut set = self.store.subscriptions();
        loop {
            tokio::select! {
                biased;
                () = self.stop.stopped() => break,
                // The engine, which is here, keeps the sender.
                Ok(()) = channels.changed() => {
                    let given = channels.borrow_and_update().clone();
                    lanes.outlets = Outlets::of(given, &self.settings().delivery, &lanes.outlets);
                    lanes.tend(&set, true);
                }
                changed = self.store.subscriptions_after(set.version()) => {
                    set = changed;
                    lanes.tend(&set, false);
                }
                Some(ended) = lanes.tasks.join_next_with_id() => lanes.ended(ended),
            }
        }
        while lanes.tasks.join_next().await.is_some() {}
    }

    fn lanes(&self, delivery: Delivery) -> Lanes {
        let Delivery { conditions, metrics } = delivery;
        let time = Time::new(Arc::clone(&self.store), Arc::clone(&self.clock));
        let (random, stop) = (Arc::clone(&self.random), self.stop.clone());
        let crew = Arc::new(Crew::new((Arc::clone(&self.store), time), random, stop, conditions, metrics));
        let board = Arc::clone(&self.deliveries);
        Lanes { crew, board, outlets: Outlets::default(), tasks: JoinSet::new(), by_task: HashMap::new() }
    }
}

impl Lanes {
    /// Begins lanes of endpoints that are new, tells those that are other ones now (all of them, where the outlets are
    /// others), and ends those that are gone.
    fn tend(&mut self, set: &SubscriptionSet, others: bool) {
        let mut stays = HashSet::new();
        for subscription in set.iter() {
            for endpoint in &subscription.endpoints {
                let Some(outlet) = self.outlets.get(endpoint.kind()) else { continue };
                stays.insert(endpoint.number);
                match self.board.lane(endpoint.number) {
                    Some(lane) if !others && Arc::ptr_eq(&lane.spec().subscription, subscription) => {}
                    Some(lane) => lane.learn(spec(outlet, subscription, endpoint)),
                    None => {
                        let lane = Arc::new(Lane::new(&self.crew, spec(outlet, subscription, endpoint)));
                        self.board.add(&lane);
                        self.begin(lane);
                    }
                }
            }
        }
        self.board.keep_only(|number| stays.contains(&number)).iter().for_each(|lane| lane.end());
    }

    fn begin(&mut self, lane: Arc<Lane>) {
        let task = self.tasks.spawn(Arc::clone(&lane).run());
        self.by_task.insert(task.id(), lane);
    }

    /// A lane has ended: by itself, as its endpoint is gone, or by a fault of the program. Then it is begun again.
    fn ended(&mut self, ended: Result<(task::Id, ()), JoinError>) {
        let (id, error) = match ended {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error)),
        };
        let lane = self.by_task.remove(&id);
        if let (Some(error), Some(lane)) = (error, lane) {
            tracing::error!(endpoint = lane.spec().name.place, "deliveries to an endpoint broke off: {error}");
            let again = Arc::clone(&lane);
            let task = self.tasks.spawn(async move {
                tokio::time::sleep(PAUSE).await;
                again.run().await;
            });
            self.by_task.insert(task.id(), lane);
        }
    }
}

fn spec(outlet: &Arc<Outlet>, subscription: &Arc<Subscription>, endpoint: &Endpoint) -> Spec {
    let name = EndpointName {
        subscription: subscription.id.clone(),
        number: endpoint.number,
        kind: endpoint.kind(),
        place: endpoint.target.place(),
    };
    let way = outlet.gates.way(outlet.channel.shared(&endpoint.target));
    let (outlet, subscription) = (Arc::clone(outlet), Arc::clone(subscription));
    Spec { name, subscription, outlet, target: Arc::new(endpoint.target.clone()), way }
}
