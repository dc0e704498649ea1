//! `[[recipients]]`: who in a group is mailed about what, declared. One subscription for each type with an address, as the
//! contract would make it.

use super::clients::{owner, refuse_same_ids};
use super::endpoints::{addresses_from, email_target};
use super::kind::located;
use super::places::join_key;
use super::reader::{Item, Located, Section, Shown};
use super::subscriptions::{CREATED_BY, Known};
use crate::model::address::Address;
use crate::model::holder::{group_client, group_subscription};
use crate::model::id::EventTypeId;
use crate::model::notification::EndpointKind;
use crate::model::subscription::{ContractName, Origin, SubscriptionDraft};
use crate::model::target::Role;

/// The most addresses of a type, and the most characters of one (contracts/recipients.md).
const MAX_ADDRESSES: usize = 50;
const MAX_CHARACTERS: usize = 254;

/// Reads `[[recipients]]`.
pub(super) fn read(top: &Section<'_>, known: &Known<'_>) -> Vec<SubscriptionDraft> {
    let entries = top.list("recipients", |entry| read_entry(entry, known));
    refuse_same_ids(top, entries.iter().map(|(group, _)| group));
    entries.into_iter().flat_map(|(_, drafts)| drafts).collect()
}

fn read_entry(entry: &Section<'_>, known: &Known<'_>) -> (Located<String>, Vec<SubscriptionDraft>) {
    let group = entry.required("group", located(owner));
    if group.value.starts_with('/') {
        entry.reader.error(&group.path, "must not begin with a slash: that of a token is no part of the group");
    }
    let lists = entry.required("addresses", |item| lists(item, known));
    if lists.iter().all(|(_, addresses)| addresses.is_empty())
        && entry.item("addresses").is_some_and(|item| item.is_table())
    {
        let message = "names no address, so that nothing would be declared";
        let names = types(known).join(", ");
        let advice = (!names.is_empty()).then(|| format!("give some of these addresses: {names}"));
        entry.reader.error_with(&join_key(&entry.path, "addresses"), message, advice);
    }
    let named = lists.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    let drafts = named.map(|(event_type, addresses)| draft(&group.value, event_type, &addresses)).collect();
    (group, drafts)
}

fn draft(group: &str, event_type: EventTypeId, addresses: &[Address]) -> SubscriptionDraft {
    let id = group_subscription(group, &event_type);
    SubscriptionDraft {
        holders: vec![group.to_owned()],
        created_by: CREATED_BY.to_owned(),
        origin: Origin::Configuration,
        endpoints: addresses.iter().map(|to| email_target(to, Role::Subscriber, None, None)).collect(),
        ..SubscriptionDraft::new(id, ContractName::Recipients, group_client(group), vec![event_type])
    }
}

/// The addresses of each type.
fn lists(item: &Item<'_>, known: &Known<'_>) -> Option<Vec<(EventTypeId, Vec<Address>)>> {
    let lists = item.members()?.into_iter().filter_map(|(name, member)| {
        check_type(name, &member, known);
        Some((EventTypeId::new(name), list(&member, known)?))
    });
    Some(lists.collect())
}

fn list(item: &Item<'_>, known: &Known<'_>) -> Option<Vec<Address>> {
    let count = item.items()?.len();
    if count == 0 {
        return Some(Vec::new());
    }
    let addresses = addresses_from(1, item, known)?;
    if count > MAX_ADDRESSES {
        return item.refuse(format!("must have at most {MAX_ADDRESSES} addresses, not {count}"));
    }
    if let Some(long) = addresses.iter().find(|address| address.as_str().chars().count() > MAX_CHARACTERS) {
        let shown = Shown(long.as_str());
        return item
            .refuse(format!("an address must have at most {MAX_CHARACTERS} characters, not as many as {shown}"));
    }
    Some(addresses)
}

/// The types of the contract: those whose `contracts` name it, in order.
fn types<'a>(known: &Known<'a>) -> Vec<&'a str> {
    let is_of = |contracts: &Vec<String>| contracts.iter().any(|name| name == ContractName::Recipients.as_str());
    let types = known.catalogue.iter().filter(|t| t.contracts.as_ref().is_some_and(is_of));
    let mut names: Vec<_> = types.map(|event_type| event_type.id.as_str()).collect();
    names.sort_unstable();
    names
}

fn check_type(name: &str, member: &Item<'_>, known: &Known<'_>) {
    let names = types(known);
    if !names.contains(&name) {
        member.refuse_key("no entry of [[event_types]] with this id names recipients in contracts", names);
    } else if !known.catalogue.is_open_to(name, ContractName::Recipients, EndpointKind::Email) {
        member.reader.error(&member.path, format!("the channels of the event type {} leave email out", Shown(name)));
    }
}
