//! All that the files say, checked; and the reading of it from the merged values.

use std::fmt;
use std::path::PathBuf;

use super::api_keys;
use super::clients::{self, Auth, Client};
use super::contracts::{self, Contracts};
use super::crossings::check_schedule;
use super::customers;
use super::egress::Policies;
use super::email::{self, Email};
use super::events::{self, Events};
use super::issuers;
use super::kind::{boolean, text};
use super::limits;
use super::log::{self, LogSettings};
use super::operator;
use super::reader::Section;
use super::recipients;
use super::server;
use super::sources::Sources;
use super::subscriptions::{self, Known};
use super::trust;
use super::webhooks;
use crate::api::events::{EventsSettings, OperatorSettings};
use crate::api::management::ManagementSettings;
use crate::api::polling::PollingSettings;
use crate::api::recipients::RecipientsSettings;
use crate::api::registrations::RegistrationsSettings;
use crate::api::root::RootSettings;
use crate::api::trigger::TriggerSettings;
use crate::auth::issuers::IssuerSettings;
use crate::auth::{AuthSettings, scope};
use crate::base::audit::Output;
use crate::base::outbound::TrustSettings;
use crate::channel::email::EmailSettings;
use crate::channel::webhook::WebhookSettings;
use crate::engine::{ClientProfile, DeliverySettings, EngineSettings, ForeignClients};
use crate::http::settings::ServerSettings;
use crate::model::condition::OPERATOR_CLIENT;
use crate::model::notification::EndpointKind;
use crate::model::subscription::SubscriptionDraft;
use crate::model::target::Target;
use crate::store::StoreSettings;

/// All that the files say, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `data_dir`; a relative path is relative to the working directory.
    pub data_dir: PathBuf,
    /// `reload_on_change`: whether the files are read again when they change.
    pub reload_on_change: bool,
    /// `[server]`
    pub server: ServerSettings,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// `[admin]`, with the server's limits.
    pub admin: ServerSettings,
    /// `[api.polling]`; `None` where it is not enabled.
    pub polling: Option<PollingSettings>,
    /// `[api.events]`; `None` where it is not enabled.
    pub events: Option<EventsSettings>,
    /// `[api.registrations]`; `None` where it is not enabled.
    pub registrations: Option<RegistrationsSettings>,
    /// `[api.management]`; `None` where it is not enabled.
    pub management: Option<ManagementSettings>,
    /// `[api.recipients]`; `None` where it is not enabled.
    pub recipients: Option<RecipientsSettings>,
    /// `[api.trigger]`; `None` where it is not enabled.
    pub trigger: Option<TriggerSettings>,
    /// The operator half of the events contract on the admin listener, which is there in any case.
    pub operator: OperatorSettings,
    /// `auth.token_paths`.
    pub root: RootSettings,
    /// `[auth]`, `[[clients]]`, `[[api_keys]]`, `[limits]`
    pub auth: AuthSettings,
    /// `[[auth.issuers]]`
    pub issuers: Vec<IssuerSettings>,
    /// `[trust]`
    pub trust: TrustSettings,
    /// `[webhooks]`, with the egress policies.
    pub webhooks: WebhookSettings,
    /// `[email]`, with the templates as they were read; `None`: there is no mail.
    pub email: Option<EmailSettings>,
    /// `[events]`, `[[event_types]]`, `[[subscriptions]]`
    pub engine: EngineSettings,
    /// `[events]`, `[limits]`
    pub store: StoreSettings,
    /// `audit.output`
    pub audit: Output,
    /// `[log]`
    pub log: LogSettings,
    /// The `curl` lines of a sample configuration: set where a client's secret stands in the file as `value` and only
    /// this machine is served, so that it is no secret, and the client can publish and poll a declared subscription.
    pub sample: Option<Sample>,
}

/// What is needed to show somebody how to try a sample configuration.
#[derive(Clone)]
pub struct Sample {
    /// The client.
    pub client_id: String,
    /// The sample's secret, as it stands in the file for all to see.
    pub secret: String,
    /// The declared subscription.
    pub subscription: String,
    /// One of its event types.
    pub event_type: String,
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, secret: _, subscription, event_type } = self;
        write!(f, "Sample({client_id}, {subscription}, {event_type}, …)")
    }
}

/// Reads the merged values. What is wrong with them is with the reader.
pub(super) fn read(top: &Section<'_>, sources: &Sources) -> Settings {
    let data_dir = PathBuf::from(top.required("data_dir", text));
    let reload_on_change = top.required("reload_on_change", boolean);
    // It is read again by itself where the files are bad (`fallback`).
    top.choice("on_bad_configuration", &[("last-good", ()), ("refuse", ())]);
    let servers = server::read(top, sources);
    let Auth { audience, token_lifetime, token_paths, mut issuers } = clients::read_auth(top);
    let contracts = contracts::read(top, &servers, token_paths);
    let Contracts { polling, events, registrations, management, recipients: groups, trigger, .. } = contracts;
    let Contracts { operator: operator_half, mut root, rules, served, .. } = contracts;
    if groups.is_some() {
        issuers::name_group(&mut issuers, &rules.group_claim);
    }
    let limits = limits::read(top);
    let clients = clients::read(top, sources, limits.auth.request_rate);
    let ids: Vec<_> = clients.iter().map(|client| &client.id).collect();
    let api_keys = api_keys::read(top, sources, limits.auth.request_rate, &ids);
    // A key publishes under its id as a client does.
    let ids: Vec<_> = ids.into_iter().chain(api_keys.iter().map(|key| &key.id)).collect();
    operator::refuse_reserved(top, OPERATOR_CLIENT, "the appliance's own", ids.iter().copied());
    issuers::check(top, &issuers, &servers.public_url, ids.into_iter());
    let Events { catalogue, store, time_zone, own_ttls } = events::read(top, &limits);
    let scopes = clients.iter().flat_map(|client| &client.scopes);
    let scopes = scopes.chain(api_keys.iter().flat_map(|key| &key.scopes));
    served.check_scopes(top, scopes.chain(issuers.iter().flat_map(|issuer| &issuer.scopes)));
    served.check_contracts(top, issuers.iter().flat_map(|issuer| &issuer.contracts));
    let client_ids = clients.iter().map(|client| (client.id.value.as_str(), &client.settings.affiliation)).collect();
    let mut webhooks = webhooks::read(top, sources);
    let policies = Policies::new(&webhooks.settings.policies, servers.tcp());
    clients::check_egress(top, &clients, &policies);
    let email = email::read(top, sources, &catalogue, &time_zone);
    let known = Known {
        clients: &client_ids,
        issuers: &issuers,
        catalogue: &catalogue,
        rules: &rules,
        time_zone: &time_zone,
        polling: polling.is_some(),
        policies: &policies,
        mail: email.is_some(),
        email: email.as_ref().and_then(|email| email.settings.as_ref()),
        sources,
    };
    let mut declared = subscriptions::read(top, &known);
    declared.extend(operator::read(top, &known));
    declared.extend(recipients::read(top, &known));
    declared.extend(customers::read(top, &known));
    let suppress_for = email.as_ref().and_then(|email| email.settings.as_ref()).map(|email| email.suppress_for);
    let suppress_for = suppress_for.unwrap_or(DeliverySettings::default().suppress_for);
    let allowed = email.as_ref().and_then(|email| email.settings.as_ref()).map(|email| &email.allowed_recipients);
    let allowed_recipients = allowed.cloned().unwrap_or_default();
    let (mail, email) = email.map(|Email { delivery, settings }| (delivery, settings)).unzip();
    let delivery =
        DeliverySettings { webhooks: webhooks.delivery, email: mail, suppress_for, allowed_recipients, time_zone };
    let webhooks_schedule = ("webhooks", EndpointKind::Webhook, delivery.webhooks.schedule.as_slice());
    let email_schedule = delivery.email.as_ref().map(|mail| ("email", EndpointKind::Email, mail.schedule.as_slice()));
    for schedule in std::iter::once(webhooks_schedule).chain(email_schedule) {
        check_schedule(top, schedule, &catalogue.ttl, &own_ttls);
    }
    let (audit, log) = (log::read_audit(top), log::read(top));
    let sample = polling.as_ref().and(events.as_ref()).filter(|_| servers.are_local());
    let sample = sample.and_then(|_| find_sample(&clients, &declared));
    let owners = clients.iter().map(|c| (c.settings.id.clone(), c.settings.affiliation.owners())).collect();
    let issuers: Vec<_> = issuers.into_iter().filter_map(|issuer| issuer.settings).collect();
    let foreign = issuers.iter().map(foreign_clients).collect();
    let issuer = servers.public_url.clone();
    let with_profile = clients.iter().filter(|client| client.profile != ClientProfile::default());
    let profiles = with_profile.map(|client| (client.settings.id.clone(), client.profile.clone())).collect();
    let keys = clients.iter().filter_map(|c| Some((c.settings.id.clone(), c.webhook_api_key.clone()?)));
    webhooks.settings.api_keys = keys.collect();
    root.certificates = clients.iter().any(|client| !client.settings.certificates.is_empty());
    let clients = clients.into_iter().map(|client| client.settings).collect();
    let api_keys = api_keys.into_iter().map(|key| key.settings).collect();
    Settings {
        data_dir,
        reload_on_change,
        server: servers.server,
        public_url: servers.public_url,
        admin: servers.admin,
        polling,
        events,
        registrations,
        management,
        recipients: groups,
        trigger,
        operator: operator_half,
        root,
        auth: AuthSettings { audience, issuer, token_lifetime, clients, api_keys, limits: limits.auth },
        issuers,
        trust: trust::read(top),
        webhooks: webhooks.settings,
        email: email.flatten(),
        engine: EngineSettings { catalogue, owners, profiles, foreign, declared, limits: limits.clients, delivery },
        store,
        audit,
        log,
        sample,
    }
}

/// What the engine is told of an issuer.
fn foreign_clients(issuer: &IssuerSettings) -> ForeignClients {
    ForeignClients { client_ids: issuer.client_ids.clone(), owners: issuer.owners.clone() }
}

/// The first client whose secret is none, together with a subscription that it can publish to and poll.
fn find_sample(clients: &[Client], declared: &[SubscriptionDraft]) -> Option<Sample> {
    clients.iter().find_map(|client| {
        let secret = client.open_secret.clone()?;
        let settings = &client.settings;
        let may = |scope: &str| settings.scopes.contains(scope);
        let polled = |s: &&SubscriptionDraft| s.client_id == settings.id && s.endpoints.contains(&Target::Poll);
        let subscription = declared.iter().find(polled)?;
        let event_type = subscription.event_types.first()?.as_str().to_owned();
        let (client_id, subscription) = (settings.id.as_str().to_owned(), subscription.id.as_str().to_owned());
        (may(scope::PUBLISH) && may(scope::CONSUMER)).then_some(Sample { client_id, secret, subscription, event_type })
    })
}
