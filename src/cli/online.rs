//! `tidings check --online`: the relay, the issuers and the receivers that the files name, tried under their policies.
//!
//! Connections are made as they are for mail, keys and webhooks, with TLS and login, by the same code; then they are
//! closed. Nothing is sent but what the relay is greeted with, and the request for an issuer's keys.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::auth::issuers::{KeySource, fetch_once};
use crate::base::clock::SystemClock;
use crate::base::outbound::{Destination, Egress, Outbound};
use crate::channel::email::{self, RelaySettings};
use crate::config::{Loaded, Place, Problem, Settings, Severity};
use crate::http::settings::ListenAddress;
use crate::model::subscription::{ContractName, SubscriptionDraft};
use crate::model::target::Target;

/// How many are tried at a time.
const AT_ONCE: usize = 16;

/// How long the relay may take to answer while somebody waits for this command.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);

/// What came of one.
#[derive(Debug, Serialize)]
pub(super) struct Tried {
    /// The key that names it.
    pub(super) key: String,
    /// What it is, for people.
    pub(super) what: String,
    pub(super) reached: bool,
    /// How long it took.
    pub(super) milliseconds: u128,
    /// What more there is to tell, or why it was not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

/// What is tried.
enum Trial {
    Relay(RelaySettings),
    Issuer(Destination),
    Webhook(Arc<Egress>, Destination),
}

/// Tries everything; what was not reached is a problem too, where it is named.
pub(super) async fn run(loaded: &Loaded) -> (Vec<Tried>, Vec<Problem>) {
    let outbound = Arc::new(outbound(&loaded.settings));
    let (room, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (number, (key, what, trial)) in trials(&loaded.settings, &outbound).into_iter().enumerate() {
        let (room, outbound) = (Arc::clone(&room), Arc::clone(&outbound));
        running.spawn(async move {
            // The room is never closed.
            let _place = room.acquire().await;
            let begun = Instant::now();
            let (reached, detail) = match trial.run(outbound).await {
                Ok(detail) => (true, detail),
                Err(why) => (false, Some(why)),
            };
            (number, Tried { key, what, reached, milliseconds: begun.elapsed().as_millis(), detail })
        });
    }
    let mut tried = running.join_all().await;
    tried.sort_by_key(|(number, _)| *number);
    let tried: Vec<_> = tried.into_iter().map(|(_, tried)| tried).collect();
    let problems = problems(loaded, &tried);
    (tried, problems)
}

fn outbound(settings: &Settings) -> Outbound {
    let outbound = Outbound::new(settings.trust.clone());
    outbound.listens_on(settings.server.listen.iter().chain(&settings.admin.listen).filter_map(ListenAddress::tcp));
    outbound
}

fn problems(loaded: &Loaded, tried: &[Tried]) -> Vec<Problem> {
    let origins = loaded.effective.origins();
    let problem = |tried: &Tried| Problem {
        severity: Severity::Error,
        place: origins.get(&tried.key).cloned().unwrap_or(Place::BuiltIn {}),
        key: tried.key.clone(),
        message: format!("{} cannot be used: {}", tried.what, tried.detail.as_deref().unwrap_or_default()),
        suggestion: None,
    };
    tried.iter().filter(|tried| !tried.reached).map(problem).collect()
}

/// The key that names it, what it is, and how it is tried.
type Planned = (String, String, Trial);

fn trials(settings: &Settings, outbound: &Outbound) -> Vec<Planned> {
    let relay = settings.email.iter().map(|email| {
        let relay = RelaySettings { timeout: email.relay.timeout.min(RELAY_PATIENCE), ..email.relay.clone() };
        ("email.relay".to_owned(), format!("the relay {}", relay.address), Trial::Relay(relay))
    });
    let issuers = settings.issuers.iter().enumerate().filter_map(|(number, issuer)| match &issuer.keys {
        KeySource::Url { url, .. } => {
            let what = format!("the keys of {} at {url}", issuer.issuer);
            Some((format!("auth.issuers[{number}].jwks"), what, Trial::Issuer(url.clone())))
        }
        KeySource::File(_) => None,
    });
    relay.chain(issuers).chain(webhooks(settings, outbound)).collect()
}

/// Each origin once under each policy.
fn webhooks(settings: &Settings, outbound: &Outbound) -> Vec<Planned> {
    let policies = settings.webhooks.policies.iter().map(|policy| {
        let egress = outbound.egress(policy.egress.clone(), settings.webhooks.connect_timeout, 0);
        (policy.egress.name.as_str(), Arc::new(egress))
    });
    let policies: HashMap<_, _> = policies.collect();
    let (mut seen, mut planned) = (HashSet::new(), Vec::new());
    // The declared ones stand in the order of their entries, each list by itself.
    let is_customer = |s: &SubscriptionDraft| s.contract == ContractName::Trigger;
    let (customers, others): (Vec<_>, Vec<_>) = settings.engine.declared.iter().partition(|s| is_customer(s));
    let listed =
        |list: &'static str, of: Vec<_>| of.into_iter().enumerate().map(move |(n, s)| (format!("{list}[{n}]"), s));
    for (entry, subscription) in listed("subscriptions", others).chain(listed("customers", customers)) {
        for target in &subscription.endpoints {
            let Target::Webhook(webhook) = target else { continue };
            let (Some(egress), Ok(to)) = (policies.get(webhook.egress.as_str()), Destination::parse(&webhook.url))
            else {
                continue;
            };
            if seen.insert((webhook.egress.clone(), to.origin())) {
                let what = format!("{} under the egress policy {}", to.origin(), webhook.egress);
                planned.push((format!("{entry}.webhook.url"), what, Trial::Webhook(Arc::clone(egress), to)));
            }
        }
    }
    planned
}

impl Trial {
    async fn run(self, outbound: Arc<Outbound>) -> Result<Option<String>, String> {
        match self {
            Self::Relay(relay) => email::reach(&relay, &outbound).await.map(|()| None),
            Self::Issuer(url) => {
                let keys = fetch_once(&url, outbound, Arc::new(SystemClock)).await?;
                Ok(Some(format!("{keys} {} can be used", if keys == 1 { "key" } else { "keys" })))
            }
            Self::Webhook(egress, to) => egress.reach(&to).await.map(|_| None).map_err(|error| error.to_string()),
        }
    }
}
