//! What all lanes work with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::gates::Gates;
use super::metrics::DeliveryMetrics;
use super::notice::Conditions;
use super::settings::{ChannelSettings, DeliverySettings};
use super::time::Time;
use super::work::Channels;
use crate::base::random::Random;
use crate::base::stop::Stop;
use crate::channel::Channel;
use crate::model::notification::EndpointKind;
use crate::store::{Store, StoreError};

/// What all lanes work with.
pub(super) struct Crew {
    pub store: Arc<dyn Store>,
    pub time: Time,
    pub random: Arc<dyn Random>,
    pub stop: Stop,
    pub conditions: Arc<dyn Conditions>,
    pub metrics: DeliveryMetrics,
    trouble: Trouble,
}

/// One channel, with its limits.
pub(super) struct Outlet {
    pub channel: Arc<dyn Channel>,
    pub schedule: Vec<Duration>,
    pub gates: Arc<Gates>,
    /// How long an address that does not exist is not mailed to.
    pub suppress_for: Duration,
}

/// The outlets of all channels that there are.
#[derive(Clone, Default)]
pub(super) struct Outlets {
    webhooks: Option<Arc<Outlet>>,
    email: Option<Arc<Outlet>>,
}

impl Outlets {
    /// The outlets of `channels`. What is known of targets is kept, where the limits stay what they are.
    pub(super) fn of(channels: Channels, settings: &DeliverySettings, before: &Self) -> Self {
        let DeliverySettings { webhooks, email, suppress_for, allowed_recipients: _, time_zone: _ } = settings;
        let outlet = |kind, channel, settings: &ChannelSettings| {
            let ChannelSettings { schedule, in_flight, in_flight_each } = settings;
            let limits = (*in_flight, *in_flight_each);
            let known = before.get(kind).map(|outlet| Arc::clone(&outlet.gates)).filter(|gates| gates.has(limits));
            let gates = known.unwrap_or_else(|| Arc::new(Gates::new(limits)));
            Arc::new(Outlet { channel, schedule: schedule.clone(), gates, suppress_for: *suppress_for })
        };
        let mail = channels.email.zip(email.as_ref());
        Self {
            webhooks: channels.webhooks.map(|channel| outlet(EndpointKind::Webhook, channel, webhooks)),
            email: mail.map(|(channel, settings)| outlet(EndpointKind::Email, channel, settings)),
        }
    }

    /// The one for endpoints of this kind, if there is one.
    pub(super) const fn get(&self, kind: EndpointKind) -> Option<&Arc<Outlet>> {
        match kind {
            EndpointKind::Poll => None,
            EndpointKind::Webhook => self.webhooks.as_ref(),
            EndpointKind::Email => self.email.as_ref(),
        }
    }
}

/// Whether the store fails; the log has the first failure of a row and its end.
#[derive(Default)]
struct Trouble {
    fails: AtomicBool,
    /// What could not be read last.
    corrupt: Mutex<Option<String>>,
}

impl Crew {
    pub(super) fn new(
        (store, time): (Arc<dyn Store>, Time),
        random: Arc<dyn Random>,
        stop: Stop,
        conditions: Arc<dyn Conditions>,
        metrics: DeliveryMetrics,
    ) -> Self {
        Self { store, time, random, stop, conditions, metrics, trouble: Trouble::default() }
    }

    /// Takes note of whether the store did what it was asked for.
    pub(super) fn note<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match &result {
            Ok(_) => {
                if self.trouble.fails.load(Ordering::Relaxed) && self.trouble.fails.swap(false, Ordering::Relaxed) {
                    tracing::info!("the store takes what deliveries bring again");
                }
            }
            Err(StoreError::Closed) => {}
            // It does not pass, and others may go on beside it: said once.
            Err(StoreError::Corrupt { detail }) => {
                let mut told = self.trouble.corrupt.lock();
                if told.as_ref() != Some(detail) {
                    tracing::error!(detail, "a record that deliveries need cannot be read: run tidings verify");
                    *told = Some(detail.clone());
                }
            }
            Err(error) => {
                if !self.trouble.fails.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the store fails for deliveries; they are tried until it does not");
                }
            }
        }
        result
    }
}
