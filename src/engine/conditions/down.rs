//! Targets that are down: what endpoints share, such as the mail relay. Delivery says so.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Map, json};

use super::finding::{Finding, Key, Repeat};
use crate::engine::{Conditions, EndpointName, TargetDown};
use crate::model::condition::Condition;
use crate::model::notification::EndpointKind;
use crate::store::Standing;

/// The most targets that are remembered to be down; of more it is not told.
const MAX: usize = 1000;

/// The targets that are down now, as delivery has said. What it says of endpoints is not listened to: how they stand is
/// in the store, which outlives a restart.
#[derive(Debug, Default)]
pub struct DownTargets(Mutex<BTreeMap<String, TargetDown>>);

impl Conditions for DownTargets {
    fn endpoint_held(&self, _: &EndpointName, _: &Standing) {}
    fn endpoint_disabled(&self, _: &EndpointName, _: &Standing) {}
    fn endpoint_recovered(&self, _: &EndpointName, _: &Standing) {}

    fn target_down(&self, down: &TargetDown) {
        let mut targets = self.0.lock();
        if targets.len() < MAX || targets.contains_key(&down.target) {
            targets.insert(down.target.clone(), down.clone());
        }
    }

    fn target_up(&self, down: &TargetDown) {
        self.0.lock().remove(&down.target);
    }
}

impl DownTargets {
    pub(super) fn find(&self) -> Vec<Finding> {
        self.0.lock().values().map(of_target).collect()
    }
}

fn of_target(down: &TargetDown) -> Finding {
    let TargetDown { kind, target, since, fault } = down;
    let since_text = since.to_rfc3339_seconds();
    let (subject, detail, what_to_do) = match kind {
        EndpointKind::Email => (
            "relay",
            format!(
                "The mail relay has taken no mail since {since_text}: {fault}. Mail waits, each until its deadline."
            ),
            "See whether the relay runs and lets the appliance in, and whether relay, username and password in [email] are \
             right. Mail goes on by itself as soon as the relay takes it.",
        ),
        EndpointKind::Webhook | EndpointKind::Poll => (
            target.as_str(),
            format!(
                "Nothing gets to {target} since {since_text}: {fault}. What is for it waits, each until its deadline."
            ),
            "See whether it runs and lets the appliance in. It goes on by itself as soon as something is taken.",
        ),
    };
    let facts = [("kind", json!(kind.as_str())), ("fault", json!(fault))];
    Finding {
        condition: Condition::EndpointHeld,
        key: Key::Other(subject.to_owned()),
        since: Some(*since),
        repeat: Repeat::Daily,
        detail,
        what_to_do: what_to_do.to_owned(),
        facts: facts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<Map<_, _>>(),
        mark: None,
    }
}
