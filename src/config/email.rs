//! `[email]`: the relay, what mail looks like, and who may be mailed. Without the section there is none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::credential::rate;
use super::endpoints::address;
use super::kind::{DAY, SECOND, boolean, duration, list, located, text};
use super::reader::{Item, Located, Section, Shown};
use super::secret::{password, secret_pem};
use super::sources::Sources;
use super::templates;
use super::webhooks::read_delivery;
use crate::channel::email::{
    Dkim, EmailSettings, IDLE, Login, Mailbox, RelayAddress, RelaySettings, SUPPRESS_FOR, Security, Templates,
    is_locale,
};
use crate::engine::ChannelSettings;
use crate::model::address::Address;
use crate::model::catalogue::Catalogue;
use crate::model::id::EventTypeId;
use crate::model::recipients::{AllowedRecipients, RecipientRule};

/// What to do about an address that not every relay can take.
pub(super) const UTF8_ADVICE: &str =
    "write email.smtputf8 = true if the relay offers SMTPUTF8, or name another address";

/// The language of mail where the files do not say.
const DEFAULT_LOCALE: &str = "en";

/// How long the relay may take to answer, where the files do not say.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What `[email]` says.
pub(super) struct Email {
    /// What the engine goes by.
    pub(super) delivery: ChannelSettings,
    /// What the channel goes by; `None` where it cannot be read, which has been reported.
    pub(super) settings: Option<EmailSettings>,
}

/// Reads `[email]`; `None` where there is none. Mail calls the types of `catalogue` by their names, and shows instants in
/// `zone`.
pub(super) fn read(top: &Section<'_>, sources: &Sources, catalogue: &Catalogue, zone: &TimeZone) -> Option<Email> {
    let item = top.item("email")?;
    item.section(|email| {
        let delivery = read_delivery(email, ChannelSettings::mail());
        let settings = read_settings(email, sources, catalogue, zone, delivery.in_flight_each);
        Some(Email { delivery, settings })
    })
}

fn read_settings(
    email: &Section<'_>,
    sources: &Sources,
    catalogue: &Catalogue,
    zone: &TimeZone,
    connections: usize,
) -> Option<EmailSettings> {
    let smtputf8 = email.optional("smtputf8", boolean).unwrap_or_default();
    let from = email.required("from", |item| located(mailbox)(item).map(Some));
    let envelope_from = email.optional("envelope_from", located(address));
    let senders = from.iter().map(|from| (&from.path, &from.value.address));
    for (path, sender) in senders.chain(envelope_from.iter().map(|sender| (&sender.path, &sender.value))) {
        refuse_utf8(email, path, sender, smtputf8);
    }
    let dkim = email.optional("dkim", |item| item.section(|dkim| read_dkim(dkim, sources)));
    warn_of_alignment(email, from.as_ref(), dkim.as_ref());
    let relay = read_relay(email, sources, connections);
    let rules = email.optional("allowed_recipients", list(0, recipient_rule)).unwrap_or_default();
    let templates = email.optional("templates", |item| templates::read(item, zone));
    let templates = templates.unwrap_or_else(|| Templates::built_in(zone.clone()));
    let list_unsubscribe = email.optional("list_unsubscribe", list_unsubscribe).unwrap_or_default();
    let rate = email.optional("rate", rate);
    let suppress_for = email.optional("suppress_for", duration(Duration::ZERO..=3650 * DAY)).unwrap_or(SUPPRESS_FOR);
    let default_locale = email.optional("default_locale", locale).unwrap_or_else(|| DEFAULT_LOCALE.to_owned());
    // Every key has been asked for: what is missing or wrong hides no other problem.
    let from = from?.value;
    Some(EmailSettings {
        relay: relay?,
        envelope_from: envelope_from.map_or_else(|| from.address.clone(), |sender| sender.value),
        from,
        list_unsubscribe,
        dkim: dkim.map(Arc::new),
        rate,
        allowed_recipients: AllowedRecipients { rules: parsed(&rules), smtputf8 },
        suppress_for,
        templates: Arc::new(templates),
        default_locale,
        type_names: type_names(catalogue),
    })
}

fn refuse_utf8(email: &Section<'_>, path: &str, address: &Address, smtputf8: bool) {
    if address.needs_smtputf8() && !smtputf8 {
        let message = format!("{} has other than ASCII characters in it", Shown(address.as_str()));
        email.reader.error_with(path, message, Some(UTF8_ADVICE.to_owned()));
    }
}

fn type_names(catalogue: &Catalogue) -> HashMap<EventTypeId, String> {
    catalogue.iter().map(|event_type| (event_type.id.clone(), event_type.name.clone())).collect()
}

fn read_relay(email: &Section<'_>, sources: &Sources, connections: usize) -> Option<RelaySettings> {
    const STARTTLS: [(&str, Security); 2] = [("required", Security::StartTls), ("off", Security::None)];
    let relay = email.required("relay", |item| located(relay)(item).map(Some));
    let starttls = email.optional("starttls", located(|item: &Item<'_>| item.one_of(&STARTTLS)));
    let login = read_login(email, sources);
    let helo = email.optional("helo", helo);
    let timeout = email.optional("timeout", duration(SECOND..=Duration::from_mins(2))).unwrap_or(TIMEOUT);
    let Located { value: address, path } = relay?;
    let security = match starttls {
        Some(starttls) if address.implicit_tls => {
            email.reader.error(&starttls.path, "smtps:// is TLS from the first byte: leave starttls out");
            Security::Implicit
        }
        None if address.implicit_tls => Security::Implicit,
        Some(starttls) => starttls.value,
        // Nobody on the way can see or change what is said, and a local relay rarely has a certificate for its name.
        None if address.is_loopback() => Security::None,
        None => Security::StartTls,
    };
    if login.is_some() && security == Security::None && !address.is_loopback() {
        let advice = "use smtps:// or starttls = \"required\"".to_owned();
        email.reader.warning(&path, "the password goes to the relay in the clear", Some(advice));
    }
    Some(RelaySettings { address, security, login, helo, timeout, connections, idle: IDLE })
}

fn read_login(email: &Section<'_>, sources: &Sources) -> Option<Login> {
    let username = email.optional("username", text);
    let password = email.optional("password", password(sources));
    match (email.has("username"), email.has("password")) {
        (true, false) => email.reader.error(&email.path, "username needs password: the relay wants both"),
        (false, true) => email.reader.error(&email.path, "password needs username: the relay wants both"),
        _ => {}
    }
    Some(Login { username: username?, password: password? })
}

fn read_dkim(dkim: &Section<'_>, sources: &Sources) -> Option<Dkim> {
    let domain = dkim.required("domain", dns_name);
    let selector = dkim.required("selector", dns_name);
    let key = dkim.required("key", |item| secret_pem(sources)(item).map(Some));
    let pem = key.filter(|_| !domain.is_empty() && !selector.is_empty())?;
    let read = Dkim::new(&domain, &selector, &pem.bytes);
    read.map_err(|problem| dkim.reader.error(&format!("{}.key", dkim.path), problem)).ok()
}

/// A signature of another domain does not speak for the sender (DMARC, RFC 7489, 3.1.1).
fn warn_of_alignment(email: &Section<'_>, from: Option<&Located<Mailbox>>, dkim: Option<&Dkim>) {
    let (Some(from), Some(dkim)) = (from, dkim) else { return };
    let (sender, signer) = (from.value.address.domain(), dkim.domain().to_lowercase());
    let is_below = |one: &str, other: &str| one.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'));
    if sender != signer && !is_below(sender, &signer) && !is_below(&signer, sender) {
        let message = format!("mail comes from {sender}, but is signed by {signer}: receivers may not believe it");
        email.reader.warning(&format!("{}.dkim", email.path), message, None);
    }
}

fn relay(item: &Item<'_>) -> Option<RelayAddress> {
    let text = text(item)?;
    // What is wrong is not shown: it may have a password in it.
    RelayAddress::parse(&text).or_else(|| {
        item.refuse("must be \"smtp://host:port\" or \"smtps://host:port\"; name and password have keys of their own")
    })
}

fn mailbox(item: &Item<'_>) -> Option<Mailbox> {
    let text = text(item)?;
    Mailbox::parse(&text).or_else(|| {
        item.refuse(format!("must be an address such as \"Tidings <tidings@example.com>\", not {}", Shown(&text)))
    })
}

/// What EHLO says: a domain name or an address literal.
fn helo(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_literal = literal
        .is_some_and(|literal| literal.strip_prefix("IPv6:").unwrap_or(literal).parse::<std::net::IpAddr>().is_ok());
    if is_literal || is_dns_name(&text) {
        return Some(text);
    }
    item.refuse(format!("must be a domain name, or an address such as \"[192.0.2.1]\", not {}", Shown(&text)))
}

fn dns_name(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if is_dns_name(&text) { Some(text) } else { item.refuse(format!("must be a domain name, not {}", Shown(&text))) }
}

fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A language tag.
pub(super) fn locale(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    if is_locale(&text) {
        return Some(text);
    }
    item.refuse(format!("must be a language such as \"en\" or \"fr-CA\", not {}", Shown(&text)))
}

/// The text of a rule that can be read.
fn recipient_rule(item: &Item<'_>) -> Option<String> {
    const FORM: &str = "must be a domain, \"*.\" and a domain, an address, or \"*\"";
    let text = text(item)?;
    match RecipientRule::parse(&text) {
        Some(_) => Some(text),
        None => item.refuse(format!("{FORM}, not {}", Shown(&text))),
    }
}

fn parsed(rules: &[Located<String>]) -> Vec<RecipientRule> {
    rules.iter().filter_map(|rule| RecipientRule::parse(&rule.value)).collect()
}

/// One URI, or an array of them.
fn list_unsubscribe(item: &Item<'_>) -> Option<Vec<String>> {
    if item.as_text().is_some() {
        return unsubscribe_uri(item).map(|uri| vec![uri]);
    }
    Some(list(1, unsubscribe_uri)(item)?.into_iter().map(|uri| uri.value).collect())
}

/// A URI that can stand between `<` and `>` in a header (RFC 2369, 2).
fn unsubscribe_uri(item: &Item<'_>) -> Option<String> {
    let text = text(item)?;
    let is_known =
        ["mailto:", "https://", "http://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    if is_known && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"')) {
        return Some(text);
    }
    item.refuse(format!(
        "must be a URI such as \"mailto:unsubscribe@example.com\" or \"https://…\", not {}",
        Shown(&text)
    ))
}
