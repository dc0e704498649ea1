//! The endpoints of a declared subscription: `poll`, `webhook`, `email`, and who is told of the subscription itself.

use std::collections::HashSet;

use super::egress;
use super::email::{self, locale};
use super::kind::{boolean, list, located, name, text};
use super::places::join_key;
use super::reader::{Item, Located, Section, Shown, nearest};
use super::secret::{password, signing_secret};
use super::subscriptions::Known;
use crate::base::outbound::Destination;
use crate::base::secret::ExposeSecret as _;
use crate::model::address::Address;
use crate::model::recipients::AllowedRecipients;
use crate::model::subscription::ContractName;
use crate::model::target::{
    BasicAuth, ContentMode, EmailTarget, Ordering, Role, Shape, SigningSecret, Target, WebhookTarget,
};

/// Reads all endpoints; there is at least one, or that has been reported.
pub(super) fn read(entry: &Section<'_>, known: &Known<'_>, contract: ContractName) -> Vec<Target> {
    let poll = entry.optional("poll", |item| item.section(|_| Some(Target::Poll)));
    if poll.is_some() && !known.polling {
        let message = "nobody can poll it: api.polling.enabled is false";
        entry.reader.warning(&join_key(&entry.path, "poll"), message, None);
    }
    let webhook = entry.optional("webhook", |item| item.section(|webhook| read_webhook(webhook, known, contract)));
    let email = entry.optional("email", |item| item.section(|email| Some(read_email(email, known))));
    let contacts = entry.optional("contact_emails", |item| addresses(item, known)).unwrap_or_default();
    if !["poll", "webhook", "email"].iter().any(|kind| entry.has(kind)) {
        let advice = "write poll = {}, webhook = { url = \"…\" } or email = { to = [\"…\"] }".to_owned();
        entry.reader.error_with(&entry.path, "says nothing of how it is served", Some(advice));
    }
    let told = |address: Address| email_target(&address, Role::Contact, None, None);
    poll.into_iter()
        .chain(webhook.map(Target::Webhook))
        .chain(email.into_iter().flatten())
        .chain(contacts.into_iter().map(told))
        .collect()
}

/// Reads a webhook whose requests have the form of `contract`.
pub(super) fn read_webhook(webhook: &Section<'_>, known: &Known<'_>, contract: ContractName) -> Option<WebhookTarget> {
    let mut url = webhook.required("url", located(url));
    let egress = webhook.optional("egress", located(name));
    let ordering = [("relaxed", Ordering::Relaxed), ("strict", Ordering::Strict)];
    let ordering = webhook.optional("ordering", |item| item.one_of(&ordering)).unwrap_or_default();
    let modes = [("structured", ContentMode::Structured), ("binary", ContentMode::Binary)];
    let content_mode = webhook.optional("content_mode", |item| item.one_of(&modes)).unwrap_or_default();
    let secrets = webhook.optional("secrets", |item| secrets(item, known)).unwrap_or_default();
    // What is not signed does not go out, and a consumer of management has no secret: as one that it makes itself.
    let is_given = contract != ContractName::Management || webhook.has("secrets");
    let asymmetric = webhook.optional("asymmetric", boolean).unwrap_or(!is_given);
    let basic = read_basic(webhook, known);
    let strategies = [("retry", true), ("ignore", false)];
    let retries = webhook.optional("error_strategy", |item| item.one_of(&strategies)).unwrap_or(true);
    check_proof(webhook, contract, asymmetric);
    if contract == ContractName::Registrations {
        as_registration(webhook, known, &mut url);
    }
    check_egress(webhook, known, egress.as_ref(), &url);
    let egress = egress.map_or_else(|| egress::DEFAULT.to_owned(), |egress| egress.value);
    let url = url.value;
    let (shape, target) = (shape(contract), WebhookTarget::new(&url, &egress));
    (!url.is_empty()).then_some(WebhookTarget {
        ordering,
        content_mode,
        secrets,
        asymmetric,
        shape,
        basic,
        retries,
        ..target
    })
}

const fn shape(contract: ContractName) -> Shape {
    match contract {
        ContractName::Registrations => Shape::Registration,
        ContractName::Management => Shape::Management,
        ContractName::Polling | ContractName::Recipients | ContractName::Trigger => Shape::CloudEvent,
    }
}

/// That receivers can tell where requests come from, as their contract has it.
fn check_proof(webhook: &Section<'_>, contract: ContractName, asymmetric: bool) {
    let (needed, advice) = match contract {
        // Unless the files say otherwise, the appliance's own key signs.
        ContractName::Management => (!asymmetric, "remove asymmetric = false, or name secrets = [{ file = \"…\" }]"),
        ContractName::Registrations => (true, "name secrets = [{ file = \"…\" }] (tidings keygen --webhook makes one)"),
        ContractName::Polling | ContractName::Recipients | ContractName::Trigger => (
            !asymmetric,
            "name secrets = [{ file = \"…\" }] (tidings keygen --webhook makes one), or write asymmetric = true",
        ),
    };
    if needed && !webhook.has("secrets") {
        webhook.reader.error_with(&webhook.path, "its requests would not be signed", Some(advice.to_owned()));
    }
}

/// contracts/registrations.md, "Request".
fn as_registration(webhook: &Section<'_>, known: &Known<'_>, url: &mut Located<String>) {
    let secure = Destination::parse(&url.value).is_ok_and(|to| to.is_secure());
    if !secure && !url.value.is_empty() && !known.rules.registrations.allow_http {
        let advice = "write api.registrations.allow_http = true where that is meant".to_owned();
        webhook.reader.error_with(&url.path, "a registration needs https://", Some(advice));
    }
    if let Some(stripped) = url.value.strip_suffix('/') {
        url.value = stripped.to_owned();
    }
}

/// `username` and `password`, which go out as HTTP Basic.
fn read_basic(webhook: &Section<'_>, known: &Known<'_>) -> Option<BasicAuth> {
    let username = webhook.optional("username", |item| match text(item)? {
        name if name.contains(':') => item.refuse("must have no colon in it (RFC 7617)"),
        name => Some(name),
    });
    let password = webhook.optional("password", password(known.sources));
    match (webhook.has("username"), webhook.has("password")) {
        (true, false) => webhook.reader.error(&webhook.path, "username needs password: the receiver wants both"),
        (false, true) => webhook.reader.error(&webhook.path, "password needs username: the receiver wants both"),
        _ => {}
    }
    Some(BasicAuth { username: username?, password: password?.expose_secret().to_owned().into() })
}

/// That there is the policy, and that it could ever let the URL be reached.
fn check_egress(webhook: &Section<'_>, known: &Known<'_>, egress: Option<&Located<String>>, url: &Located<String>) {
    let name = egress.map_or(egress::DEFAULT, |egress| egress.value.as_str());
    let Some(policy) = known.policies.get(name) else {
        let advice =
            nearest(name, known.policies.names()).or_else(|| Some("declare it in [[webhooks.egress]]".to_owned()));
        let path = egress.map_or(&webhook.path, |egress| &egress.path);
        return webhook.reader.missing_elsewhere(path, format!("there is no egress policy {}", Shown(name)), advice);
    };
    // What is no URL has been reported.
    let Ok(to) = Destination::parse(&url.value) else { return };
    if let Err(refusal) = policy.could_reach(&to) {
        let advice = "allow it in [[webhooks.egress]], and name that policy in egress";
        let advice = (!policy.is_own(&to)).then(|| advice.to_owned());
        webhook.reader.warning(&url.path, format!("can never be reached: {refusal}"), advice);
    }
}

/// A URL that can be posted to.
fn url(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    match Destination::parse(&text) {
        Ok(_) => Some(text),
        // Its query may hold a secret, so it is not shown.
        Err(error) => item.refuse(error.to_string()),
    }
}

fn secrets(item: &Item<'_>, known: &Known<'_>) -> Option<Vec<SigningSecret>> {
    let items = item.items()?;
    if items.is_empty() {
        return item.refuse("must not be empty");
    }
    Some(items.iter().filter_map(signing_secret(known.sources)).collect())
}

fn read_email(email: &Section<'_>, known: &Known<'_>) -> Vec<Target> {
    let to = email.required("to", |item| addresses(item, known));
    let template = email.optional("template", |item| template(item, known));
    let locale = email.optional("locale", locale);
    to.iter().map(|to| email_target(to, Role::Subscriber, template.clone(), locale.clone())).collect()
}

/// The name of a template that there is.
fn template(item: &Item<'_>, known: &Known<'_>) -> Option<String> {
    let name = name(item)?;
    // What is wrong with [email] itself has been said.
    if let Some(email) = known.email.filter(|email| !email.templates.has(&name)) {
        let advice = nearest(&name, email.templates.names())
            .unwrap_or_else(|| format!("put {name}.txt or {name}.html in the folder that email.templates names"));
        item.reader.error_with(&item.path, format!("there is no template {}", Shown(&name)), Some(advice));
    }
    Some(name)
}

pub(super) fn email_target(to: &Address, role: Role, template: Option<String>, locale: Option<String>) -> Target {
    Target::Email(EmailTarget { address: to.as_str().to_owned(), role, template, locale })
}

/// Addresses, none of them twice.
pub(super) fn addresses(item: &Item<'_>, known: &Known<'_>) -> Option<Vec<Address>> {
    addresses_from(1, item, known)
}

/// The same, at least so many.
pub(super) fn addresses_from(at_least: usize, item: &Item<'_>, known: &Known<'_>) -> Option<Vec<Address>> {
    refuse_without_mail(item, known);
    let read: Vec<Located<Address>> = list(at_least, address)(item)?;
    if let Some(email) = known.email {
        refuse_unmailable(item, &read, &email.allowed_recipients);
    }
    let mut seen = HashSet::new();
    Some(read.into_iter().map(|address| address.value).filter(|address| seen.insert(address.clone())).collect())
}

/// Says of an address that nothing could be mailed there.
pub(super) fn refuse_without_mail(item: &Item<'_>, known: &Known<'_>) {
    if !known.mail {
        let advice = Some("write a section [email] with from and relay".to_owned());
        item.reader.missing_elsewhere(&item.path, "there is no mail without [email]", advice);
    }
}

fn refuse_unmailable(item: &Item<'_>, addresses: &[Located<Address>], allowed: &AllowedRecipients) {
    for address in addresses.iter().filter(|address| allowed.check_form(&address.value).is_err()) {
        let message = format!("{} has other than ASCII characters in it", Shown(address.value.as_str()));
        item.reader.error_with(&address.path, message, Some(email::UTF8_ADVICE.to_owned()));
    }
}

/// An e-mail address.
pub(super) fn address(item: &Item<'_>) -> Option<Address> {
    let text = text(item)?;
    Address::parse(&text)
        .or_else(|| item.refuse(format!("must be an address such as \"ops@example.com\", not {}", Shown(&text))))
}
