//! What a contract asks of a subscription that the files declare: whom it is for, its channels and its event types.

use super::places::join_key;
use super::reader::{Located, Section, Shown};
use super::subscriptions::Known;
use crate::model::affiliation::Affiliation;
use crate::model::condition::SECRET_EXPIRY;
use crate::model::notification::EndpointKind;
use crate::model::subscription::{ContractName, SubscriptionDraft};
use crate::model::target::Target;

/// Says what `draft` lacks, and completes it.
pub(super) fn hold(entry: &Section<'_>, known: &Known<'_>, client: &Located<String>, draft: &mut SubscriptionDraft) {
    let rule = Rule { entry, known, client };
    match draft.contract {
        ContractName::Registrations => rule.registration(draft),
        ContractName::Management => rule.management(draft),
        ContractName::Polling | ContractName::Recipients | ContractName::Trigger => {}
    }
    if draft.contract != ContractName::Management && draft.filter.as_ref().is_some_and(|filter| filter.mine) {
        let path = join_key(&join_key(&entry.path, "filter"), "target");
        let advice = "leave it out, or write contract = \"management\"".to_owned();
        let message = "\"my\" is for the parties of a subscription, which only those of management have";
        entry.reader.error_with(&path, message, Some(advice));
    }
}

struct Rule<'a, 'r> {
    entry: &'a Section<'r>,
    known: &'a Known<'a>,
    client: &'a Located<String>,
}

impl Rule<'_, '_> {
    /// contracts/registrations.md, "Request": a webhook or an address, with at least one type that is not mandatory, and
    /// with all that are.
    fn registration(&self, draft: &mut SubscriptionDraft) {
        self.refuse_poll("registration");
        let [webhook, email] = ["webhook", "email"].map(|kind| self.entry.has(kind));
        if webhook && email {
            self.entry.reader.error_with(
                &self.entry.path,
                "a registration has a webhook or an address, not both",
                Some("declare two".to_owned()),
            );
        }
        let takes_events = || draft.endpoints.iter().filter(|target| target.takes_events());
        if takes_events().filter(|target| target.kind() == EndpointKind::Email).count() > 1 {
            let path = join_key(&join_key(&self.entry.path, "email"), "to");
            self.entry.reader.error(&path, "a registration has one address: declare one for each");
        }
        if let Some(kind) = takes_events().next().map(Target::kind) {
            self.add_mandatory(draft, kind);
        }
        if let Some(owner) = self.affiliation(|client| client.subscriber.is_some(), "subscriber") {
            draft.holders = owner.subscriber.iter().cloned().collect();
        }
    }

    fn add_mandatory(&self, draft: &mut SubscriptionDraft, kind: EndpointKind) {
        let path = join_key(&self.entry.path, "event_types");
        let mandatory = self.known.catalogue.mandatory(kind);
        if !draft.event_types.is_empty() && draft.event_types.iter().all(|id| mandatory.contains(id)) {
            let message = "every registration has these: name one that it is made for";
            self.entry.reader.error(&path, message);
        }
        let missing: Vec<_> = mandatory.into_iter().filter(|id| !draft.event_types.contains(id)).collect();
        for id in missing.iter().filter(|id| id.as_str() != SECRET_EXPIRY) {
            let message = format!("the event type {} is mandatory, and added", Shown(id.as_str()));
            self.entry.reader.warning(&path, message, Some("name it too".to_owned()));
        }
        draft.event_types.extend(missing);
    }

    /// contracts/management.md, "Create": one type, addresses or a webhook, and who is told of its end.
    fn management(&self, draft: &mut SubscriptionDraft) {
        self.refuse_poll("subscription of management");
        if draft.event_types.len() > 1 {
            let path = join_key(&self.entry.path, "event_types");
            self.entry.reader.error(&path, "a subscription of management has one event type: declare one for each");
        }
        if !self.entry.has("contact_emails") {
            self.entry.missing("contact_emails");
        }
        if let Some(owner) = self.affiliation(|client| !client.parties.is_empty(), "parties") {
            draft.holders.clone_from(&owner.parties);
            draft.organisation.clone_from(&owner.organisation);
        }
    }

    fn refuse_poll(&self, what: &str) {
        if let Some(poll) = self.entry.item("poll") {
            self.entry.reader.error(&poll.path, format!("a {what} cannot be polled: give it a webhook or an address"));
        }
    }

    /// Whom the client belongs to, if it says so.
    fn affiliation(&self, has: impl Fn(&Affiliation) -> bool, key: &str) -> Option<&Affiliation> {
        let Located { value, path } = self.client;
        let declared = self.known.clients.get(value.as_str()).copied();
        if let Some(found) = declared.filter(|client| has(client)) {
            return Some(found);
        }
        // One that is not there has been reported.
        let message = if declared.is_some() {
            format!("the client {} has no {key}, so that nobody could see it", Shown(value))
        } else if self.known.is_foreign(value) {
            format!("the {key} of {} stand in its tokens, so that nobody could see it", Shown(value))
        } else {
            return None;
        };
        let advice = Some(format!("write {key} in its entry of [[clients]]"));
        self.entry.reader.error_with(path, message, advice);
        None
    }
}
