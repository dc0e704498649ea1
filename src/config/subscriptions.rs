//! `[[subscriptions]]`: declared ones, checked against the clients and the catalogue.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::clients::refuse_same_ids;
use super::contracts::Rules;
use super::egress::Policies;
use super::endpoints;
use super::filter;
use super::issuers::Issuer;
use super::kind::{list, located, name, type_id};
use super::operator::refuse_reserved;
use super::reader::{Item, Located, Section, Shown, nearest};
use super::rules;
use super::sources::Sources;
use crate::base::clock::Timestamp;
use crate::channel::email::EmailSettings;
use crate::model::affiliation::Affiliation;
use crate::model::catalogue::Catalogue;
use crate::model::condition::{Condition, OPERATOR_SUBSCRIPTION, SECRET_EXPIRY, is_own};
use crate::model::id::{ClientId, EventTypeId, SubscriptionId};
use crate::model::notification::EndpointKind;
use crate::model::pattern::stands_for;
use crate::model::subscription::{ContractName, OnRemove, Origin, SubscriptionDraft};
use crate::model::target::Target;

/// Who has made a declared subscription (contracts/polling.md, "Subscription").
pub(super) const CREATED_BY: &str = "configuration";

const HOW_TO_KNOW: &str = "declare it in [[clients]], or name it in client_ids of an issuer in [[auth.issuers]]";

/// What an entry is checked against.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) clients: &'a BTreeMap<&'a str, &'a Affiliation>,
    /// Whose clients there are besides.
    pub(super) issuers: &'a [Issuer],
    pub(super) catalogue: &'a Catalogue,
    /// What holds of the contracts.
    pub(super) rules: &'a Rules,
    /// `events.time_zone`.
    pub(super) time_zone: &'a TimeZone,
    /// Whether the polling contract is served.
    pub(super) polling: bool,
    /// The egress policies, the built-in one too.
    pub(super) policies: &'a Policies,
    /// Whether there is mail.
    pub(super) mail: bool,
    /// What it goes by, where that could be read.
    pub(super) email: Option<&'a EmailSettings>,
    pub(super) sources: &'a Sources,
}

impl Known<'_> {
    /// Whether an issuer may speak for this client.
    pub(super) fn is_foreign(&self, client: &str) -> bool {
        let mut patterns = self.issuers.iter().flat_map(|issuer| &issuer.client_ids);
        patterns.any(|pattern| stands_for(&pattern.value, client))
    }
}

/// Reads `[[subscriptions]]`.
pub(super) fn read(top: &Section<'_>, known: &Known<'_>) -> Vec<SubscriptionDraft> {
    let drafts = top.list("subscriptions", |entry| read_entry(entry, known));
    refuse_same_ids(top, drafts.iter().map(|(id, _)| id));
    refuse_reserved(
        top,
        OPERATOR_SUBSCRIPTION,
        "that of the subscription of [operator]",
        drafts.iter().map(|(id, _)| id),
    );
    drafts.into_iter().map(|(_, draft)| draft).collect()
}

fn read_entry(entry: &Section<'_>, known: &Known<'_>) -> (Located<String>, SubscriptionDraft) {
    let id = entry.required("id", located(name));
    let client = entry.required("client_id", located(name));
    let event_types = entry.required("event_types", list(1, type_id));
    let contract = entry.optional("contract", contract).unwrap_or(ContractName::Polling);
    let on_remove = entry.optional("on_remove", |item| item.one_of(&OnRemove::ALL.map(|of| (of.as_str(), of))));
    let on_remove = on_remove.unwrap_or_default();
    let endpoints = endpoints::read(entry, known, contract);
    check_client(entry, known, &client);
    for event_type in &event_types {
        check_type(entry, known, event_type, contract, &endpoints);
    }
    let ids: Vec<_> = event_types.iter().map(|event_type| event_type.value.as_str()).collect();
    let filter = entry.optional("filter", |item| filter::read(item, &ids, known.catalogue));
    let expires_at = entry.optional("expires_on", |item| end(item, known, contract));
    let types = event_types.iter().map(|t| EventTypeId::new(&t.value)).collect();
    let mut draft = SubscriptionDraft {
        created_by: CREATED_BY.to_owned(),
        origin: Origin::Configuration,
        on_remove,
        endpoints,
        filter,
        expires_at,
        ..SubscriptionDraft::new(SubscriptionId::new(&id.value), contract, ClientId::new(&client.value), types)
    };
    rules::hold(entry, known, &client, &mut draft);
    (id, draft)
}

fn contract(item: &Item<'_>) -> Option<ContractName> {
    const DECLARED: [ContractName; 3] = [ContractName::Polling, ContractName::Registrations, ContractName::Management];
    match item.as_text() {
        Some("recipients") => item.refuse("what a group is mailed about is declared in [[recipients]]"),
        Some("trigger") => item.refuse("customers are declared in [[customers]]"),
        _ => item.one_of(&DECLARED.map(|contract| (contract.as_str(), contract))),
    }
}

/// The first instant after a day, in the zone of the contract or else that of `[events]`.
fn end(item: &Item<'_>, known: &Known<'_>, contract: ContractName) -> Option<Timestamp> {
    const FORM: &str = "a date in quotes such as \"2027-08-24\"";
    let Some(text) = item.as_text() else { return item.refuse_kind(FORM) };
    let zone = match contract {
        ContractName::Management => &known.rules.management.time_zone,
        _ => known.time_zone,
    };
    let next = text.parse::<Date>().ok().filter(|_| text.len() == 10).and_then(|date| date.tomorrow().ok());
    let Some(next) = next.and_then(|next| next.to_zoned(zone.clone()).ok()) else {
        return item.refuse(format!("must be {FORM}, not {}", Shown(text)));
    };
    let end = Timestamp::from_millis(next.timestamp().as_millisecond());
    if end <= known.sources.now {
        let advice = Some("remove the entry, or name a later day".to_owned());
        item.reader.warning(&item.path, "the subscription has ended and takes in nothing more", advice);
    }
    Some(end)
}

pub(super) fn check_client(entry: &Section<'_>, known: &Known<'_>, client: &Located<String>) {
    // Without a path it is missing itself, which has been reported.
    let is_known = || known.clients.contains_key(client.value.as_str()) || known.is_foreign(&client.value);
    if client.path.is_empty() || is_known() {
        return;
    }
    let message = format!("there is no client {}", Shown(&client.value));
    let advice = nearest(&client.value, known.clients.keys().copied()).or_else(|| Some(HOW_TO_KNOW.to_owned()));
    entry.reader.missing_elsewhere(&client.path, message, advice);
}

fn check_type(
    entry: &Section<'_>,
    known: &Known<'_>,
    event_type: &Located<String>,
    contract: ContractName,
    endpoints: &[Target],
) {
    let id = event_type.value.as_str();
    if is_own(id) && Condition::named(id).is_none() {
        let message = format!("there is no built-in event type {}", Shown(id));
        let names = Condition::ALL.map(Condition::as_str);
        let advice = nearest(id, names).or_else(|| Some(format!("known: {}", names.join(", "))));
        return entry.reader.missing_elsewhere(&event_type.path, message, advice);
    }
    if !known.catalogue.knows(id) && id != SECRET_EXPIRY {
        let message = format!("there is no event type {}, and events.catalogue is \"closed\"", Shown(id));
        let advice = Some("declare it in [[event_types]]".to_owned());
        return entry.reader.missing_elsewhere(&event_type.path, message, advice);
    }
    let is_closed = |kind: &EndpointKind| {
        let has = endpoints.iter().any(|target| target.takes_events() && target.kind() == *kind);
        has && !known.catalogue.is_open_to(id, contract, *kind)
    };
    for kind in EndpointKind::ALL.iter().filter(|kind| is_closed(kind)) {
        let (id, kind) = (Shown(id), kind.as_str());
        let message = format!("the event type {id} is not open to {kind}: its channels or contracts leave it out");
        entry.reader.error(&event_type.path, message);
    }
}
