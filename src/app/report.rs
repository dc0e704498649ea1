//! What is told of configurations, in the words of the admin listener.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::admin::{DifferenceReport, FieldReport, HeldReport, PlanReport, ProblemReport, SubscriptionCounts};
use crate::config::{Difference, DifferenceKind, Effective, FieldChange, Loaded, Place, Problem, Severity};
use crate::engine::Provisioned;
use crate::model::holder::customer_subscription;
use crate::model::id::SubscriptionId;
use crate::model::notification::{State, Sums};
use crate::model::subscription::{ContractName, OnRemove, Subscription, SubscriptionSet};
use crate::store::SubscriptionSums;

/// A problem of the files, as it is told.
#[must_use]
pub fn problem(problem: &Problem) -> ProblemReport {
    let Problem { severity, place, key, message, suggestion } = problem;
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    ProblemReport {
        severity: severity.to_owned(),
        place: shown(place).unwrap_or_default(),
        key: key.clone(),
        message: message.clone(),
        suggestion: suggestion.clone(),
    }
}

fn shown(place: &Place) -> Option<String> {
    (!matches!(place, Place::BuiltIn {})).then(|| place.to_string())
}

/// The keys that wait for a restart.
pub(super) fn restart_keys(differences: &[Difference]) -> Vec<String> {
    let waiting = differences.iter().filter(|difference| difference.restart);
    waiting.flat_map(|d| d.fields.iter().map(|field| full_key(&d.section, &field.key))).collect()
}

fn full_key(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// How many subscriptions were changed how.
pub(super) fn counts(provisioned: &Provisioned) -> SubscriptionCounts {
    let Provisioned { created, updated, drained, failed, dropped, held, released, extended, emptied: _ } = provisioned;
    SubscriptionCounts {
        created: created.len(),
        updated: updated.len(),
        drained: drained.len(),
        failed: failed.len(),
        dropped: dropped.len(),
        held: held.len(),
        released: released.len(),
        extended: extended.len(),
    }
}

/// What going from `running` to `loaded` would change. `foreseen` is what would become of the subscriptions, which are
/// those of `set` with these sums.
#[must_use]
pub fn plan(
    running: &Effective,
    loaded: &Loaded,
    foreseen: &Provisioned,
    set: Arc<SubscriptionSet>,
    sums: Vec<SubscriptionSums>,
) -> PlanReport {
    let differences = running.differences(&loaded.effective);
    let ledger = Ledger::of(set, sums, foreseen);
    PlanReport {
        running: running.digest(),
        disk: loaded.effective.digest(),
        restart: restart_keys(&differences),
        differences: differences.into_iter().map(|difference| ledger.difference(difference)).collect(),
        held: foreseen.held.iter().map(|id| ledger.held(id)).collect(),
        released: foreseen.released.iter().map(|id| ledger.held(id)).collect(),
        subscriptions: counts(foreseen),
        warnings: loaded.warnings.iter().map(problem).collect(),
    }
}

/// What the store has of subscriptions.
struct Ledger {
    set: Arc<SubscriptionSet>,
    waiting: HashMap<SubscriptionId, u64>,
    /// Those that would be removed or made anew at once, with what would become of what waits.
    removals: HashMap<SubscriptionId, OnRemove>,
}

impl Ledger {
    fn of(set: Arc<SubscriptionSet>, sums: Vec<SubscriptionSums>, foreseen: &Provisioned) -> Self {
        let waits = |sums: &Sums| [State::Queued, State::Leased, State::Held].map(|state| sums.get(state)).iter().sum();
        let failed = foreseen.failed.iter().map(|id| (id.clone(), OnRemove::Fail));
        let dropped = foreseen.dropped.iter().map(|id| (id.clone(), OnRemove::Drop));
        let waiting = sums.into_iter().map(|of| (of.id, waits(&of.sums))).collect();
        let emptied = foreseen.emptied.iter().map(|id| (id.clone(), OnRemove::Drop));
        Self { set, waiting, removals: failed.chain(dropped).chain(emptied).collect() }
    }

    fn difference(&self, difference: Difference) -> DifferenceReport {
        let Difference { kind, section, id, fields, place, restart } = difference;
        let is_gone = kind == DifferenceKind::Removed;
        let gone = id.as_deref().filter(|_| is_gone);
        let gone = gone.and_then(|id| self.declared_by(&section, id, &fields));
        let removal = |id: &SubscriptionId| self.removals.get(id).copied().unwrap_or_default();
        let on_remove = gone.as_ref().map(|ids| ids.first().map(removal).unwrap_or_default().as_str());
        let waits = |id: &SubscriptionId| self.waiting.get(id).copied().unwrap_or_default();
        let subscription = id.as_deref().filter(|_| section == "subscriptions" && !is_gone).map(SubscriptionId::new);
        let client = fields.iter().find(|field| field.key == "client_id").and_then(|field| field.new.as_deref());
        let moves = subscription.filter(|id| self.is_of_another(id, client));
        let anew = moves.as_ref().and_then(|id| self.removals.get(id)).map(|of| of.as_str());
        let on_remove = on_remove.or(anew);
        let waiting = gone.map(|ids| ids.iter().map(waits).sum()).or_else(|| moves.as_ref().map(waits));
        DifferenceReport {
            kind: match kind {
                DifferenceKind::Added => "added",
                DifferenceKind::Changed => "changed",
                DifferenceKind::Removed => "removed",
            }
            .to_owned(),
            section,
            id,
            fields: fields
                .into_iter()
                .map(|field| FieldReport { key: field.key, old: field.old, new: field.new })
                .collect(),
            place: place.as_ref().and_then(shown),
            restart,
            waiting,
            on_remove: on_remove.map(str::to_owned),
        }
    }

    /// Whether the subscription is there, but of another client.
    fn is_of_another(&self, id: &SubscriptionId, client: Option<&str>) -> bool {
        let stored = self.set.get(id.as_str());
        client.is_some_and(|client| stored.is_some_and(|stored| stored.client_id.as_str() != client))
    }

    /// The subscriptions that an entry stands for; `None` if it is of a section that declares none.
    fn declared_by(&self, section: &str, id: &str, fields: &[FieldChange]) -> Option<Vec<SubscriptionId>> {
        match section {
            "subscriptions" => Some(vec![SubscriptionId::new(id)]),
            "customers" => {
                let organisation = fields.iter().find(|field| field.key == "organisation");
                Some(vec![customer_subscription(organisation.and_then(|field| field.old.as_deref()), id)])
            }
            "recipients" => {
                let of_group =
                    |s: &&Arc<Subscription>| s.contract == ContractName::Recipients && s.holders.iter().eq([id]);
                Some(self.set.iter().filter(of_group).map(|s| s.id.clone()).collect())
            }
            _ => None,
        }
    }

    fn held(&self, id: &SubscriptionId) -> HeldReport {
        let client = self.set.get(id.as_str()).map_or_else(String::new, |s| s.client_id.to_string());
        HeldReport { id: id.to_string(), client, waiting: self.waiting.get(id).copied().unwrap_or_default() }
    }
}
