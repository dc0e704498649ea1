//! `[[subscriptions]]`: declared ones, checked against the clients and the catalogue.

use std::collections::BTreeSet;

use super::clients::refuse_same_ids;
use super::egress::Policies;
use super::endpoints;
use super::issuers::Issuer;
use super::kind::{list, located, name, type_id};
use super::operator::refuse_reserved;
use super::reader::{Located, Section, Shown, nearest};
use super::sources::Sources;
use crate::channel::email::EmailSettings;
use crate::model::catalogue::Catalogue;
use crate::model::condition::{Condition, OPERATOR_SUBSCRIPTION, is_own};
use crate::model::id::{ClientId, EventTypeId, SubscriptionId};
use crate::model::notification::EndpointKind;
use crate::model::pattern::stands_for;
use crate::model::subscription::{ContractName, OnRemove, Origin, SubscriptionDraft};
use crate::model::target::Target;

/// Who has made a declared subscription (contracts/polling.md, "Subscription").
pub(super) const CREATED_BY: &str = "configuration";

const HOW_TO_KNOW: &str = "declare it in [[clients]], or name it in client_ids of an issuer in [[auth.issuers]]";

/// What an entry is checked against.
pub(super) struct Known<'a> {
    pub(super) clients: &'a BTreeSet<&'a str>,
    /// Whose clients there are besides.
    pub(super) issuers: &'a [Issuer],
    pub(super) catalogue: &'a Catalogue,
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
    let contract = entry.optional("contract", |item| item.one_of(&[("polling", ContractName::Polling)]));
    let contract = contract.unwrap_or(ContractName::Polling);
    let on_remove = entry.optional("on_remove", |item| item.one_of(&OnRemove::ALL.map(|of| (of.as_str(), of))));
    let on_remove = on_remove.unwrap_or_default();
    let endpoints = endpoints::read(entry, known);
    check_client(entry, known, &client);
    for event_type in &event_types {
        check_type(entry, known, event_type, contract, &endpoints);
    }
    let types = event_types.iter().map(|t| EventTypeId::new(&t.value)).collect();
    let draft = SubscriptionDraft {
        created_by: CREATED_BY.to_owned(),
        origin: Origin::Configuration,
        on_remove,
        endpoints,
        ..SubscriptionDraft::new(SubscriptionId::new(&id.value), contract, ClientId::new(&client.value), types)
    };
    (id, draft)
}

fn check_client(entry: &Section<'_>, known: &Known<'_>, client: &Located<String>) {
    // Without a path it is missing itself, which has been reported.
    if client.path.is_empty() || known.clients.contains(client.value.as_str()) {
        return;
    }
    let patterns = known.issuers.iter().flat_map(|issuer| &issuer.client_ids);
    if patterns.into_iter().any(|pattern| stands_for(&pattern.value, &client.value)) {
        return;
    }
    let message = format!("there is no client {}", Shown(&client.value));
    let advice = nearest(&client.value, known.clients.iter().copied()).or_else(|| Some(HOW_TO_KNOW.to_owned()));
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
    if !known.catalogue.knows(id) {
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
