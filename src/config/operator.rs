//! `[operator]`: who is told of conditions that need a person. It is the short form of a subscription to all of them.

use super::endpoints::{addresses, email_target};
use super::reader::{Located, Section, Shown};
use super::subscriptions::{CREATED_BY, Known};
use crate::model::condition::{Condition, OPERATOR_CLIENT, OPERATOR_SUBSCRIPTION};
use crate::model::subscription::{ContractName, Origin, SubscriptionDraft};
use crate::model::target::{Role, Target};

/// Reads `[operator]`: the subscription that it stands for, `None` where nobody is to be told.
pub(super) fn read(top: &Section<'_>, known: &Known<'_>) -> Option<SubscriptionDraft> {
    let told = top.section("operator", |operator| {
        operator.required("email", |item| {
            let nobody = item.items()?.is_empty();
            if nobody { Some(Vec::new()) } else { addresses(item, known) }
        })
    });
    let endpoints: Vec<_> = told.iter().map(|to| email_target(to, Role::Subscriber, None, None)).collect();
    (!endpoints.is_empty()).then(|| draft(endpoints))
}

fn draft(endpoints: Vec<Target>) -> SubscriptionDraft {
    let types = Condition::ALL.map(|condition| condition.as_str().into()).into();
    let (id, client) = (OPERATOR_SUBSCRIPTION.into(), OPERATOR_CLIENT.into());
    SubscriptionDraft {
        created_by: CREATED_BY.to_owned(),
        origin: Origin::Configuration,
        endpoints,
        ..SubscriptionDraft::new(id, ContractName::Polling, client, types)
    }
}

/// Reports ids that somebody else may not have.
pub(super) fn refuse_reserved<'a>(
    top: &Section<'_>,
    reserved: &str,
    what: &str,
    ids: impl IntoIterator<Item = &'a Located<String>>,
) {
    for id in ids.into_iter().filter(|id| id.value == reserved) {
        let message = format!("the id {} is {what}", Shown(reserved));
        top.reader.error_with(&id.path, message, Some("give it another one".to_owned()));
    }
}
