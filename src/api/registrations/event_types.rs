//! Which event types a registration may have, and must have (contracts/registrations.md, "Request").

use super::error::Problem;
use crate::model::catalogue::Catalogue;
use crate::model::condition::is_own;
use crate::model::id::EventTypeId;
use crate::model::notification::EndpointKind;
use crate::model::subscription::ContractName;

/// What the contract calls a kind of registration.
pub(super) const fn name(kind: EndpointKind) -> &'static str {
    match kind {
        EndpointKind::Webhook => "WEBHOOK",
        EndpointKind::Email => "EMAIL",
        // No registration has one.
        EndpointKind::Poll => "POLL",
    }
}

/// What is wrong with `types`, each with its place in the body, for a registration of `kind`; `update`: it is there already.
pub(super) fn check(
    types: &[(usize, EventTypeId)],
    kind: EndpointKind,
    update: bool,
    catalogue: &Catalogue,
) -> Vec<Problem> {
    if types.is_empty() && update && kind == EndpointKind::Email {
        return Vec::new();
    }
    let mandatory = catalogue.mandatory(kind);
    let mut problems: Vec<_> = types.iter().filter_map(|(index, id)| refuse(*index, id, kind, catalogue)).collect();
    let unknown = problems.len();
    let is_missing = |id: &&EventTypeId| !types.iter().any(|(_, given)| given == *id);
    problems.extend(mandatory.iter().filter(is_missing).map(|id| {
        Problem::of("eventTypes", format!("[{id}] is missing: it is mandatory for {} registrations", name(kind)))
    }));
    // What is not known may be a preferred one that is spelled badly.
    if unknown == 0 && types.iter().all(|(_, id)| mandatory.contains(id)) {
        let message = format!("must have at least one preferred event type of {} registrations", name(kind));
        problems.push(Problem::of("eventTypes", message));
    }
    problems
}

fn refuse(index: usize, id: &EventTypeId, kind: EndpointKind, catalogue: &Catalogue) -> Option<Problem> {
    let is_open = |kind| {
        // What the appliance tells of itself is of other subscribers' matters too.
        !is_own(id.as_str()) && catalogue.offers(id.as_str(), ContractName::Registrations, kind)
    };
    if is_open(kind) {
        return None;
    }
    let other = if kind == EndpointKind::Webhook { EndpointKind::Email } else { EndpointKind::Webhook };
    let why =
        if is_open(other) { format!("is for {} registrations only", name(other)) } else { "is unknown".to_owned() };
    Some(Problem::of(format!("eventTypes[{index}]"), format!("the event type [{id}] {why}")))
}
