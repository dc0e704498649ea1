//! `[[customers]]`: who is told of what an upstream system triggers, declared.

use std::collections::{BTreeMap, HashMap};

use super::clients::refuse_same_ids;
use super::email::locale;
use super::endpoints::{address, email_target, read_webhook, refuse_without_mail};
use super::events::time_zone;
use super::kind::{list, located, name, text, type_id};
use super::places::join_key;
use super::reader::{Item, Located, Section, Shown};
use super::subscriptions::{CREATED_BY, Known, check_client};
use crate::model::holder::{customer_client, customer_subscription};
use crate::model::id::ClientId;
use crate::model::notification::EndpointKind;
use crate::model::profile::{Hours, Profile};
use crate::model::subscription::{ContractName, Origin, SubscriptionDraft};
use crate::model::target::{Role, Target};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// A value that a customer is found by, and where it stands.
type Key = (String, Located<String>);

struct Customer {
    id: Located<String>,
    keys: Vec<Key>,
    draft: SubscriptionDraft,
}

/// Reads `[[customers]]`.
pub(super) fn read(top: &Section<'_>, known: &Known<'_>) -> Vec<SubscriptionDraft> {
    let customers = top.list("customers", |entry| read_entry(entry, known));
    refuse_same_ids(top, customers.iter().map(|customer| &customer.id));
    refuse_same_keys(top, &customers);
    customers.into_iter().map(|customer| customer.draft).collect()
}

fn read_entry(entry: &Section<'_>, known: &Known<'_>) -> Customer {
    let id = entry.required("id", located(name));
    let keys = entry.required("keys", |item| keys(item, known));
    let channels = entry.required("channels", list(1, channel));
    let email = entry.optional("email", |item| {
        refuse_without_mail(item, known);
        address(item)
    });
    let webhook =
        entry.optional("webhook", |item| item.section(|hook| read_webhook(hook, known, ContractName::Trigger)));
    let poll = entry.optional("poll", |item| item.section(|poll| Some(poll.required("client_id", located(name)))));
    if let Some(client) = &poll {
        check_client(entry, known, client);
    }
    check_channels(entry, &channels);
    let profile = Profile {
        keys: keys.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect(),
        channels: channels.iter().filter_map(|channel| kind(&channel.value)).collect(),
        locale: entry.optional("locale", locale),
        time_zone: entry.optional("time_zone", |item| time_zone(item)?.iana_name().map(str::to_owned)),
        hours: entry.optional("hours", hours),
    };
    let mail = |to| email_target(&to, Role::Subscriber, None, profile.locale.clone());
    let endpoints = email.map(mail).into_iter().chain(webhook.map(Target::Webhook));
    let endpoints = endpoints.chain(poll.as_ref().map(|_| Target::Poll)).collect();
    let client = poll.map_or_else(|| customer_client(&id.value), |client| ClientId::new(&client.value));
    let organisation = entry.optional("organisation", text);
    let subscription = customer_subscription(organisation.as_deref(), &id.value);
    let draft = SubscriptionDraft {
        organisation,
        profile: Some(profile),
        created_by: CREATED_BY.to_owned(),
        origin: Origin::Configuration,
        endpoints,
        ..SubscriptionDraft::new(subscription, ContractName::Trigger, client, Vec::new())
    };
    Customer { id, keys, draft }
}

/// What the customer is found by: some of `api.trigger.recipient_keys`.
fn keys(item: &Item<'_>, known: &Known<'_>) -> Option<Vec<Key>> {
    let members = item.members()?;
    let recipient_keys = &known.rules.trigger.recipient_keys;
    if members.is_empty() {
        let advice = Some(format!("name some of {}", recipient_keys.join(", ")));
        item.reader.error_with(&item.path, "must not be empty: nobody could find the customer", advice);
        return None;
    }
    let key = |(name, member): (&str, Item<'_>)| {
        if !recipient_keys.iter().any(|key| key == name) {
            member.refuse_key("api.trigger.recipient_keys does not name it", recipient_keys.iter().map(String::as_str));
        }
        located(type_id)(&member).map(|value| (name.to_owned(), value))
    };
    Some(members.into_iter().filter_map(key).collect())
}

fn channel(item: &Item<'_>) -> Option<String> {
    item.one_of(&EndpointKind::ALL.map(|kind| (kind.as_str(), kind))).map(|kind| kind.as_str().to_owned())
}

fn kind(name: &str) -> Option<EndpointKind> {
    EndpointKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

/// That there is an address for a channel, and a channel for each address.
fn check_channels(entry: &Section<'_>, channels: &[Located<String>]) {
    let has = [("email", entry.has("email")), ("webhook", entry.has("webhook")), ("poll", entry.has("poll"))];
    let is_there = |channel: &&Located<String>| has.iter().any(|(kind, there)| *kind == channel.value && *there);
    // What is wrong with the channels themselves has been said.
    if channels.is_empty() {
        return;
    }
    if !channels.iter().any(|channel| is_there(&channel)) {
        let advice = "write email = \"…\", webhook = { url = \"…\" } or poll = { client_id = \"…\" }".to_owned();
        entry.reader.error_with(&entry.path, "none of its channels has an address", Some(advice));
        return;
    }
    for channel in channels.iter().filter(|channel| !is_there(channel)) {
        let message = format!("{} is never used: there is no {} in the entry", Shown(&channel.value), channel.value);
        entry.reader.warning(&channel.path, message, None);
    }
    for (kind, _) in has.iter().filter(|(kind, there)| *there && channels.iter().all(|channel| channel.value != *kind))
    {
        entry.reader.warning(&join_key(&entry.path, kind), "is never used: channels leaves it out", None);
    }
}

/// Two times of a day, the second perhaps on the next one.
fn hours(item: &Item<'_>) -> Option<Hours> {
    const FORM: &str = "must be two times of a day such as [\"08:00\", \"20:00\"]";
    let items = item.items()?;
    let [from, to] = &items[..] else { return item.refuse(FORM) };
    let (from, to) = (time(from, DAY - 1), time(to, DAY));
    match (from?, to?) {
        (from, to) if from == to => item.refuse("begins and ends at once: leave it out where all hours are meant"),
        (from, to) => Some(Hours { from, to }),
    }
}

/// Minutes since midnight, up to `last`.
fn time(item: &Item<'_>, last: u16) -> Option<u16> {
    let text = text(item)?;
    let form = format!("must be a time from \"00:00\" to \"{:02}:{:02}\", not {}", last / 60, last % 60, Shown(&text));
    let two =
        |part: &str| part.parse::<u16>().ok().filter(|_| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()));
    let parts = text.split_once(':').and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)));
    let minutes = parts.filter(|(_, minutes)| *minutes < 60).map(|(hours, minutes)| hours * 60 + minutes);
    minutes.filter(|minutes| *minutes <= last).or_else(|| item.refuse(form))
}

/// Says of every value by which two customers of one organisation would be found where the other one is.
fn refuse_same_keys(top: &Section<'_>, customers: &[Customer]) {
    let mut first: HashMap<(Option<&str>, &str, &str), &str> = HashMap::new();
    for customer in customers {
        let organisation = customer.draft.organisation.as_deref();
        let keys: BTreeMap<_, _> = customer.keys.iter().map(|(name, value)| (name, value)).collect();
        for (name, Located { value, path }) in keys {
            if let Some(other) = first.get(&(organisation, name.as_str(), value.as_str())) {
                let place = top.reader.place(other);
                let message =
                    format!("another customer of the organisation has the {name} {} too, in {place}", Shown(value));
                let advice = "a command could not tell who is meant: change one of them".to_owned();
                top.reader.error_with(path, message, Some(advice));
            } else {
                first.insert((organisation, name, value), path);
            }
        }
    }
}
