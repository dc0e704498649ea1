//! The contracts that the settings enable, over one engine, and who may call them.

use std::sync::Arc;

use crate::api::events::EventsContract;
use crate::api::management::ManagementContract;
use crate::api::metrics::ApiMetrics;
use crate::api::polling::PollingContract;
use crate::api::recipients::RecipientsContract;
use crate::api::registrations::RegistrationsContract;
use crate::api::root::RootContract;
use crate::api::trigger::TriggerContract;
use crate::auth::issuers::TrustedIssuers;
use crate::auth::{Authenticator, Gate, GateParts, SigningKeys, TokenService, WebhookKeys};
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::config::Settings;
use crate::engine::Engine;
use crate::http::contract::Contract;
use crate::http::settings::ListenAddress;
use crate::http::{Authenticate, Doorkeeper};

/// What the contracts stand on.
pub(super) struct Foundation {
    pub(super) engine: Arc<Engine>,
    pub(super) keys: Arc<SigningKeys>,
    pub(super) webhook_keys: Arc<WebhookKeys>,
    pub(super) gate: GateParts,
    pub(super) issuers: Arc<TrustedIssuers>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) metrics: ApiMetrics,
}

/// The enabled contracts with the root, and who knows the tokens.
pub(super) fn build(settings: &Settings, on: Foundation) -> (Vec<Arc<dyn Contract>>, Arc<dyn Authenticate>) {
    let Foundation { engine, keys, webhook_keys, gate, issuers, clock, random, metrics } = on;
    let clients = Arc::clone(&gate.clients);
    let tokens = TokenService::new(&settings.auth, Arc::clone(&keys), gate.clone(), random);
    let root = RootContract::new(settings.root.clone(), Arc::new(tokens), webhook_keys, Arc::clone(&clock));
    let mut contracts: Vec<Arc<dyn Contract>> = vec![Arc::new(root)];
    if let Some(polling) = &settings.polling {
        contracts.push(Arc::new(PollingContract::new(polling.clone(), Arc::clone(&engine), &metrics)));
    }
    if let Some(recipients) = &settings.recipients {
        contracts.push(Arc::new(RecipientsContract::new(recipients.clone(), Arc::clone(&engine))));
    }
    if let Some(registrations) = &settings.registrations {
        contracts.push(Arc::new(RegistrationsContract::new(registrations.clone(), Arc::clone(&engine), &metrics)));
    }
    if let Some(management) = &settings.management {
        let (engine, clock) = (Arc::clone(&engine), Arc::clone(&clock));
        contracts.push(Arc::new(ManagementContract::new(management.clone(), engine, clock, &metrics)));
    }
    if let Some(trigger) = &settings.trigger {
        contracts.push(Arc::new(TriggerContract::new(trigger.clone(), Arc::clone(&engine), &metrics)));
    }
    if let Some(events) = &settings.events {
        contracts.push(Arc::new(EventsContract::new(events.clone(), engine)));
    }
    let authenticator = Authenticator::new(&settings.auth, keys, clients);
    let gate = Gate::new(gate);
    (contracts, Arc::new(Doorkeeper::new(authenticator, issuers, gate, clock)))
}

/// Puts the port that was given for port 0 into the URLs that are shown to callers.
pub(super) fn settle_port(settings: &mut Settings, bound: &[ListenAddress]) {
    let given = settings.server.listen.iter().zip(bound).find_map(|(asked, given)| match (asked, given) {
        (ListenAddress::Tcp(asked), ListenAddress::Tcp(given)) if asked.port() == 0 => Some(given.port()),
        _ => None,
    });
    let Some(port) = given else { return };
    let url = with_port(&settings.public_url, port);
    set_public_url(settings, &url);
}

/// Shows callers this URL.
pub(super) fn set_public_url(settings: &mut Settings, url: &str) {
    if let Some(polling) = &mut settings.polling {
        url.clone_into(&mut polling.public_url);
    }
    if let Some(events) = &mut settings.events {
        url.clone_into(&mut events.public_url);
    }
    if let Some(registrations) = &mut settings.registrations {
        url.clone_into(&mut registrations.public_url);
    }
    if let Some(management) = &mut settings.management {
        url.clone_into(&mut management.public_url);
    }
    if let Some(recipients) = &mut settings.recipients {
        url.clone_into(&mut recipients.public_url);
    }
    if let Some(trigger) = &mut settings.trigger {
        url.clone_into(&mut trigger.public_url);
    }
    let Settings { operator, root, auth, public_url, .. } = settings;
    for place in [&mut operator.public_url, &mut root.public_url, &mut auth.issuer, public_url] {
        url.clone_into(place);
    }
}

/// `url` with `port` in place of a port 0; any other is what somebody meant.
fn with_port(url: &str, port: u16) -> String {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
    let (authority, path) = url.split_at(end);
    authority.strip_suffix(":0").map_or_else(|| url.to_owned(), |host| format!("{host}:{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_port_0_is_replaced() {
        assert_eq!(with_port("http://127.0.0.1:0", 8420), "http://127.0.0.1:8420");
        assert_eq!(with_port("http://[::1]:0/tidings", 8420), "http://[::1]:8420/tidings");
        for other in ["http://127.0.0.1:8080", "https://tidings.example", "http://[::0]", "https://a.example/x:0"] {
            assert_eq!(with_port(other, 8420), other);
        }
    }
}
