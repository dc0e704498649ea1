//! How the endpoints of a subscription are doing, and what waits for them.

use crate::engine::{EndpointReport, Engine};
use crate::model::id::EndpointNumber;
use crate::model::subscription::Subscription;
use crate::store::Store;

/// One endpoint, and what waits for it.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// How it is doing.
    pub report: EndpointReport,
    /// Notifications that wait to be handed out or sent.
    pub waiting: u64,
    /// Notifications that wait for a hold to end, of the subscription or of the endpoint.
    pub held: u64,
    /// Notifications that are leased, or are being sent.
    pub in_flight: u64,
}

impl EndpointView {
    fn of(report: EndpointReport, store: &dyn Store) -> Self {
        let queue = store.queue(report.number);
        let all = queue.waiting + queue.held;
        let is_held = report.standing.hold.is_some() || queue.waiting == 0;
        let (waiting, held) = if is_held { (0, all) } else { (all, 0) };
        Self { report, waiting, held, in_flight: queue.leased }
    }
}

impl Engine {
    /// The endpoints of a subscription, in its order.
    pub(super) fn endpoint_views(&self, subscription: &Subscription) -> Vec<EndpointView> {
        let reports = self.endpoint_states(subscription.id.as_str());
        reports.into_iter().map(|report| EndpointView::of(report, &*self.store)).collect()
    }

    /// The endpoint of this number.
    pub(super) fn endpoint_view(&self, subscription: &Subscription, number: EndpointNumber) -> Option<EndpointView> {
        self.endpoint_views(subscription).into_iter().find(|view| view.report.number == number)
    }

    /// Whether nothing of a subscription is handed out or sent to an endpoint of it.
    pub(super) fn holds_back(&self, subscription: &Subscription) -> bool {
        subscription.is_held() || subscription.endpoints.iter().any(|of| self.store.standing(of.number).hold.is_some())
    }
}
