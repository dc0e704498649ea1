//! The body of a new subscription (contracts/management.md, "Create").

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::ManagementSettings;
use super::error::Error;
use super::expiry;
use super::filters;
use super::given::{Given, Member, json};
use crate::base::clock::Timestamp;
use crate::base::outbound::Destination;
use crate::engine::Engine;
use crate::model::address::Address;
use crate::model::condition::is_own;
use crate::model::filter::Filter;
use crate::model::id::{ClientId, EventTypeId, MAX_NAME};
use crate::model::notification::EndpointKind;
use crate::model::subscription::ContractName;
use crate::model::target::{BasicAuth, EmailTarget, Role, Shape, Target, WebhookTarget};

/// What answers show in the place of a password.
pub(super) const HIDDEN: &str = "********";

/// The members of a body.
const KNOWN: [&str; 5] = ["eventType", "filters", "contactEmails", "expiresOn", "notificationChannels"];

/// A subscription that is asked for.
#[derive(Debug)]
pub(super) struct Create {
    pub(super) event_type: EventTypeId,
    pub(super) filter: Option<Filter>,
    pub(super) expires_at: Timestamp,
    /// Contacts, then addresses, then webhooks.
    pub(super) endpoints: Vec<Target>,
    /// The names of members that mean nothing and were ignored.
    pub(super) unknown: Vec<String>,
}

/// What a body is read with.
pub(super) struct Reader<'a> {
    pub(super) settings: &'a ManagementSettings,
    pub(super) engine: &'a Engine,
    /// Who asks.
    pub(super) client: &'a ClientId,
    pub(super) now: Timestamp,
}

impl Reader<'_> {
    /// Reads the body, or says all that is wrong with it.
    pub(super) fn read(&self, body: &[u8]) -> Result<Create, Error> {
        let mut given = Given::default();
        let members = given.members("", json(body)?).unwrap_or_default();
        let read = self.read_members(&mut given, &members);
        let unknown = given.finish(self.settings.unknown_members)?;
        // Without an event type something has been refused.
        let (event_type, filter, expires_at, endpoints) =
            read.ok_or_else(|| Error::Internal("a body without an event type was let through".to_owned()))?;
        Ok(Create { event_type, filter, expires_at, endpoints, unknown })
    }

    fn read_members(
        &self,
        given: &mut Given,
        members: &[Member<'_>],
    ) -> Option<(EventTypeId, Option<Filter>, Timestamp, Vec<Target>)> {
        let find = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        let event_type = find("eventType");
        if event_type.is_none() {
            given.missing("eventType");
        }
        let event_type = event_type.and_then(|value| self.read_event_type(given, value));
        let settings = self.engine.settings();
        // What is no event type has been refused, and says nothing of attributes.
        let attributes = event_type.as_ref().map(|id| {
            settings.catalogue.get(id.as_str()).map(|declared| declared.attributes.as_slice()).unwrap_or_default()
        });
        let filter = find("filters").and_then(|value| filters::read(given, "filters", value, attributes));
        let contacts = find("contactEmails");
        if contacts.is_none() {
            given.missing("contactEmails");
        }
        let mut endpoints = contacts.map(|value| self.read_contacts(given, value)).unwrap_or_default();
        let end = find("expiresOn").and_then(|value| read_end(given, value, self.settings, self.now));
        let channels = find("notificationChannels");
        if channels.is_none() {
            given.missing("notificationChannels");
        }
        let channels = channels.map(|value| self.read_channels(given, value)).unwrap_or_default();
        if let Some(event_type) = &event_type {
            self.check_kinds(given, event_type, &channels);
        }
        endpoints.extend(channels);
        members.iter().filter(|(name, _)| !KNOWN.contains(&&**name)).for_each(|(name, _)| given.unknown("", name));
        let end = end.unwrap_or_else(|| expiry::a_year_ahead(&self.settings.time_zone, self.now));
        Some((event_type?, filter, end, endpoints))
    }

    fn read_event_type(&self, given: &mut Given, value: &RawValue) -> Option<EventTypeId> {
        let text = given.text("eventType", value)?;
        let id = EventTypeId::new(&text);
        let fits = (1..=MAX_NAME).contains(&text.chars().count());
        // What the appliance tells of itself is of other clients' matters too: only files subscribe to that.
        let is_open = |kind| self.engine.settings().catalogue.offers(&text, ContractName::Management, kind);
        if fits && !is_own(&text) && EndpointKind::ALL.into_iter().any(is_open) {
            return Some(id);
        }
        let shown: String = text.chars().take(MAX_NAME).collect();
        given.refuse("eventType", format!("{shown} is not an event type that can be subscribed to here"));
        None
    }

    /// That events of the type may go to all of `endpoints`.
    fn check_kinds(&self, given: &mut Given, event_type: &EventTypeId, endpoints: &[Target]) {
        let settings = self.engine.settings();
        for (kind, path) in [(EndpointKind::Email, EMAIL), (EndpointKind::Webhook, WEBHOOK)] {
            let is_open = settings.catalogue.is_open_to(event_type.as_str(), ContractName::Management, kind);
            if !is_open && endpoints.iter().any(|target| target.kind() == kind) {
                given.refuse(path, format!("events of the type {event_type} do not go there"));
            }
        }
    }

    fn read_contacts(&self, given: &mut Given, value: &RawValue) -> Vec<Target> {
        let addresses = self.read_addresses(given, "contactEmails", value);
        addresses.into_iter().map(|address| mail(&address, Role::Contact)).collect()
    }

    /// Addresses, each once; at least one.
    fn read_addresses(&self, given: &mut Given, path: &str, value: &RawValue) -> BTreeSet<Address> {
        let items = given.some_items(path, value, "address");
        items.into_iter().filter_map(|(path, item)| self.read_address(given, &path, item)).collect()
    }

    fn read_address(&self, given: &mut Given, path: &str, value: &RawValue) -> Option<Address> {
        let mut address = None;
        for (name, value) in given.members(path, value)? {
            if name == "email" {
                address = Some(value);
            } else {
                given.unknown(path, &name);
            }
        }
        let path = format!("{path}.email");
        let Some(address) = address else {
            given.missing(&path);
            return None;
        };
        let text = given.text(&path, address)?;
        let Some(address) = Address::parse(&text) else {
            given.refuse(&path, "must be an e-mail address such as ops@example.com");
            return None;
        };
        match self.engine.objection(&mail(&address, Role::Subscriber)) {
            Some(objection) => given.refuse(&path, objection),
            None => return Some(address),
        }
        None
    }

    fn read_channels(&self, given: &mut Given, value: &RawValue) -> Vec<Target> {
        const PATH: &str = "notificationChannels";
        let (mut addresses, mut webhooks, mut any) = (BTreeSet::new(), Vec::new(), false);
        for (name, value) in given.members(PATH, value).unwrap_or_default() {
            match &*name {
                "email" => {
                    for (path, list) in read_entries(given, EMAIL, "email", value) {
                        any = true;
                        addresses.extend(self.read_addresses(given, &path, list));
                    }
                }
                "webhook" => {
                    for (path, list) in read_entries(given, WEBHOOK, "webhook", value) {
                        any = true;
                        self.read_webhooks(given, &path, list, &mut webhooks);
                    }
                }
                _ => given.unknown(PATH, &name),
            }
        }
        if !any {
            given.refuse(PATH, "must have at least one channel, email or webhook");
        }
        let webhooks = webhooks.into_iter().map(Target::Webhook);
        addresses.iter().map(|address| mail(address, Role::Subscriber)).chain(webhooks).collect()
    }

    fn read_webhooks(&self, given: &mut Given, path: &str, value: &RawValue, found: &mut Vec<WebhookTarget>) {
        for (path, item) in given.some_items(path, value, "webhook") {
            let Some(webhook) = self.read_webhook(given, &path, item) else { continue };
            let to = Destination::parse(&webhook.url);
            if found.iter().any(|other| Destination::parse(&other.url) == to) {
                given.refuse(&format!("{path}.callbackUri"), "is there twice");
            } else {
                found.push(webhook);
            }
        }
    }

    fn read_webhook(&self, given: &mut Given, path: &str, value: &RawValue) -> Option<WebhookTarget> {
        let (mut url, mut retries, mut basic) = (None, true, None);
        for (name, value) in given.members(path, value)? {
            let at = format!("{path}.{name}");
            match &*name {
                "callbackUri" => url = Some(given.text(&at, value)),
                "errorStrategy" => {
                    retries = given.one_of(&at, value, &[("retry", true), ("ignore", false)]).unwrap_or(true);
                }
                "auth" => basic = read_auth(given, &at, value),
                _ => given.unknown(path, &name),
            }
        }
        let at = format!("{path}.callbackUri");
        let Some(url) = url else {
            given.missing(&at);
            return None;
        };
        let url = url?;
        if let Err(error) = Destination::parse(&url) {
            // Its query may hold a secret, so it is not shown.
            given.refuse(&at, error);
            return None;
        }
        let settings = self.engine.settings();
        let target = WebhookTarget::new(&url, settings.egress_of(self.client));
        // What is not signed does not go out, and a consumer has no secret here.
        let target = WebhookTarget { asymmetric: true, shape: Shape::Management, basic, retries, ..target };
        match self.engine.objection(&Target::Webhook(target.clone())) {
            Some(objection) => given.refuse(&at, objection),
            None => return Some(target),
        }
        None
    }
}

const EMAIL: &str = "notificationChannels.email";
const WEBHOOK: &str = "notificationChannels.webhook";

/// The lists inside the entries of a channel, with their places: `[{"webhook": […]}]`. The `id` that an answer shows of an
/// entry may be there.
fn read_entries<'a>(given: &mut Given, path: &str, inside: &str, value: &'a RawValue) -> Vec<(String, &'a RawValue)> {
    let mut lists = Vec::new();
    for (path, item) in given.items(path, value) {
        let Some(members) = given.members(&path, item) else { continue };
        let at = format!("{path}.{inside}");
        if members.iter().all(|(name, _)| name != inside) {
            given.missing(&at);
        }
        for (name, value) in members {
            match &*name {
                name if name == inside => lists.push((at.clone(), value)),
                "id" => {}
                name => given.unknown(&path, name),
            }
        }
    }
    lists
}

fn read_auth(given: &mut Given, path: &str, value: &RawValue) -> Option<BasicAuth> {
    let (mut username, mut password) = (None, None);
    for (name, value) in given.members(path, value)? {
        let at = format!("{path}.{name}");
        match &*name {
            "username" => username = Some(given.text(&at, value)),
            "password" => password = Some(given.text(&at, value)),
            _ => given.unknown(path, &name),
        }
    }
    for (name, is_there) in [("username", username.is_some()), ("password", password.is_some())] {
        if !is_there {
            given.missing(&format!("{path}.{name}"));
        }
    }
    let (username, password) = (username??, password??);
    // RFC 7617, 2.
    if username.contains(':') || username.chars().any(char::is_control) {
        given.refuse(&format!("{path}.username"), "must have no colon and no control characters");
    }
    if password.chars().any(char::is_control) {
        given.refuse(&format!("{path}.password"), "must have no control characters");
    }
    if password == HIDDEN {
        given.refuse(&format!("{path}.password"), "is what answers show in its place: send the password itself");
    }
    Some(BasicAuth { username: username.into_owned(), password: password.into_owned().into() })
}

/// Reads `expiresOn`.
pub(super) fn read_end(
    given: &mut Given,
    value: &RawValue,
    settings: &ManagementSettings,
    now: Timestamp,
) -> Option<Timestamp> {
    let text = given.text("expiresOn", value)?;
    match expiry::read(&text, &settings.time_zone, now) {
        Ok(end) => Some(end),
        Err(fault) => {
            given.refuse("expiresOn", fault);
            None
        }
    }
}

fn mail(address: &Address, role: Role) -> Target {
    Target::Email(EmailTarget { address: address.as_str().to_owned(), role, template: None, locale: None })
}
