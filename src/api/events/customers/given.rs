//! The body of a customer, read member by member to say all that is wrong.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::api::events::error::Error;
use crate::api::events::problems::Problems;
use crate::auth::Principal;
use crate::base::outbound::Destination;
use crate::engine::Engine;
use crate::model::address::Address;
use crate::model::holder::{customer_client, customer_subscription};
use crate::model::id::{ClientId, MAX_NAME, is_name};
use crate::model::json::{Members, check, string};
use crate::model::notification::EndpointKind;
use crate::model::profile::{Hours, Profile};
use crate::model::subscription::{ContractName, SubscriptionDraft};
use crate::model::target::{EmailTarget, Role, SigningSecret, Target, WebhookTarget};

/// How many keys a customer has at most.
pub(super) const MAX_KEYS: usize = 32;
/// The egress policy of who has no other.
const DEFAULT_POLICY: &str = "default";

/// RFC 6901, 3.
pub(super) fn pointer(path: &[&str]) -> String {
    path.iter().flat_map(|name| ["/".to_owned(), name.replace('~', "~0").replace('/', "~1")]).collect()
}

/// What the members say, as far as they are well.
#[derive(Default)]
struct Given {
    profile: Profile,
    email: Option<Address>,
    webhook: Option<WebhookTarget>,
    poll: Option<ClientId>,
    problems: Problems,
}

/// The customer that `body` says, or all that is wrong with it.
pub(super) fn read(body: &[u8], id: &str, caller: &Principal, engine: &Engine) -> Result<SubscriptionDraft, Error> {
    let mut given = Given::default();
    match check(body).map(|raw| serde_json::from_str::<Members<'_>>(raw.get())) {
        Err(error) => given.problems.invalid(String::new(), format!("the body is not acceptable JSON: {error}")),
        Ok(Err(_)) => given.problems.invalid(String::new(), "the body must be a JSON object"),
        Ok(Ok(Members(members))) => {
            for (name, value) in &members {
                let read = given.member(name, value, id, caller, engine);
                given.note(&[name], read);
            }
            let missing = |wanted: &&&str| members.iter().all(|(name, _)| name != **wanted);
            for name in ["keys", "channels"].iter().filter(missing) {
                given.problems.invalid(pointer(&[name]), "is missing");
            }
        }
    }
    given.draft(id, caller)
}

impl Given {
    fn note(&mut self, path: &[&str], read: Result<(), String>) {
        if let Err(detail) = read {
            self.problems.invalid(pointer(path), detail);
        }
    }

    fn member(
        &mut self,
        name: &str,
        value: &RawValue,
        id: &str,
        caller: &Principal,
        engine: &Engine,
    ) -> Result<(), String> {
        match name {
            "id" => return if text(value)? == id { Ok(()) } else { Err("is not the id of the path".to_owned()) },
            "keys" => self.keys(value)?,
            "channels" => self.profile.channels = channels(value)?,
            "email" => self.email = Some(email(value, engine)?),
            "webhook" => self.webhook(value, caller, engine)?,
            "poll" => self.poll(value, engine)?,
            "locale" => self.profile.locale = Some(locale(value)?),
            "time_zone" => self.profile.time_zone = Some(time_zone(value)?),
            "hours" => self.profile.hours = Some(hours(value)?),
            "organisation" => {
                if Some(&*text(value)?) != caller.affiliation.organisation.as_deref() {
                    return Err("is not the organisation of the caller".to_owned());
                }
            }
            _ => return Err("is not a member of this request".to_owned()),
        }
        Ok(())
    }

    fn keys(&mut self, value: &RawValue) -> Result<(), String> {
        let Members(members) = object(value)?;
        if !(1..=MAX_KEYS).contains(&members.len()) {
            return Err(format!("must have 1 to {MAX_KEYS} members: by one of them the customer is found"));
        }
        let mut keys = BTreeMap::new();
        for (name, value) in members {
            let key = text(value).and_then(|text| {
                let fits = (1..=MAX_NAME).contains(&text.chars().count());
                if fits { Ok(text) } else { Err(format!("must be 1 to {MAX_NAME} characters")) }
            });
            match key {
                Ok(text) => drop(keys.insert(name.into_owned(), text.into_owned())),
                Err(detail) => self.problems.invalid(pointer(&["keys", &name]), detail),
            }
        }
        self.profile.keys = keys;
        Ok(())
    }

    /// A webhook goes where the webhooks of the calling client may go.
    fn webhook(&mut self, value: &RawValue, caller: &Principal, engine: &Engine) -> Result<(), String> {
        let Members(members) = object(value)?;
        let (mut url, mut secrets) = (None, Vec::new());
        for (name, value) in members {
            let read = match &*name {
                "url" => self::url(value).map(|text| url = Some(text)),
                "secrets" => self::secrets(value).map(|read| secrets = read),
                _ => Err("is not a member of a webhook".to_owned()),
            };
            self.note(&["webhook", &name], read);
        }
        let Some(url) = url else {
            if self.problems.is_empty() {
                self.problems.invalid(pointer(&["webhook", "url"]), "is missing");
            }
            return Ok(());
        };
        let settings = engine.settings();
        let policy = settings.profiles.get(&caller.client_id).and_then(|profile| profile.egress.as_deref());
        // Without a secret it is signed with the appliance's own key.
        let asymmetric = secrets.is_empty();
        let target = WebhookTarget::new(&url, policy.unwrap_or(DEFAULT_POLICY));
        self.webhook = Some(WebhookTarget { secrets, asymmetric, ..target });
        Ok(())
    }

    fn poll(&mut self, value: &RawValue, engine: &Engine) -> Result<(), String> {
        let Members(members) = object(value)?;
        let [(name, client)] = &members[..] else { return Err("must have the member client_id alone".to_owned()) };
        if name != "client_id" {
            return Err("must have the member client_id alone".to_owned());
        }
        let client = text(client)?;
        let known = is_name(&client).then(|| ClientId::new(&client)).filter(|client| engine.settings().knows(client));
        self.poll = Some(known.ok_or("names a client that there is not")?);
        Ok(())
    }

    fn draft(self, id: &str, caller: &Principal) -> Result<SubscriptionDraft, Error> {
        let Self { profile, email, webhook, poll, mut problems } = self;
        let organisation = caller.affiliation.organisation.clone();
        let mail = |address: Address| {
            let locale = profile.locale.clone();
            let address = address.as_str().to_owned();
            Target::Email(EmailTarget { address, role: Role::Subscriber, template: None, locale })
        };
        let client = poll.clone().unwrap_or_else(|| customer_client(id));
        let endpoints: Vec<_> = (email.map(mail).into_iter())
            .chain(webhook.map(Target::Webhook))
            .chain(poll.map(|_| Target::Poll))
            .collect();
        let is_there = |kind: &EndpointKind| endpoints.iter().any(|target| target.kind() == *kind);
        if problems.is_empty() && !profile.channels.iter().any(is_there) {
            problems.invalid(pointer(&["channels"]), "names no channel that the customer has an address for");
        }
        if !problems.is_empty() {
            return Err(Error::listing(problems));
        }
        let subscription = customer_subscription(organisation.as_deref(), id);
        Ok(SubscriptionDraft {
            organisation,
            profile: Some(profile),
            created_by: caller.subject.clone(),
            endpoints,
            ..SubscriptionDraft::new(subscription, ContractName::Trigger, client, Vec::new())
        })
    }
}

fn object(value: &RawValue) -> Result<Members<'_>, String> {
    serde_json::from_str(value.get()).map_err(|_| "must be an object".to_owned())
}

fn text(value: &RawValue) -> Result<Cow<'_, str>, String> {
    string(value).ok_or_else(|| "must be a string".to_owned())
}

fn texts(value: &RawValue) -> Result<Vec<String>, String> {
    serde_json::from_str(value.get()).map_err(|_| "must be an array of strings".to_owned())
}

fn channels(value: &RawValue) -> Result<Vec<EndpointKind>, String> {
    let names = texts(value)?;
    let kind = |name: &String| EndpointKind::ALL.into_iter().find(|kind| kind.as_str() == name);
    let kinds: Option<Vec<_>> = names.iter().map(kind).collect();
    let once = |kinds: &Vec<EndpointKind>| (1..kinds.len()).all(|n| !kinds[..n].contains(&kinds[n]));
    let fits = |kinds: &Vec<EndpointKind>| !kinds.is_empty() && once(kinds);
    kinds.filter(fits).ok_or_else(|| "must be at least one of email, webhook and poll, each once".to_owned())
}

fn email(value: &RawValue, engine: &Engine) -> Result<Address, String> {
    let address = Address::parse(&text(value)?).ok_or("must be an address such as \"jane@example.com\"")?;
    engine.allowed_recipients().check(&address).map_err(|refusal| refusal.to_string())?;
    Ok(address)
}

fn url(value: &RawValue) -> Result<String, String> {
    let url = text(value)?;
    Destination::parse(&url).map_err(|error| error.to_string())?;
    Ok(url.into_owned())
}

fn secrets(value: &RawValue) -> Result<Vec<SigningSecret>, String> {
    let key = |text: String| {
        let key = Zeroizing::new(STANDARD.decode(text.strip_prefix("whsec_")?).ok()?);
        let fits = (24..=64).contains(&key.len());
        fits.then_some(SigningSecret { key, not_before: None, not_after: None })
    };
    let keys: Option<Vec<_>> = texts(value)?.into_iter().map(key).collect();
    let keys = keys.filter(|keys| (1..=2).contains(&keys.len()));
    keys.ok_or_else(|| "must be one or two of whsec_ and 24 to 64 bytes in base64".to_owned())
}

/// A language tag such as `fr-CA`: letters first, then parts of letters and digits.
fn locale(value: &RawValue) -> Result<String, String> {
    let tag = text(value)?;
    let mut parts = tag.split(['-', '_']);
    let is_language =
        parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphabetic()));
    let is_tag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let fits = is_language && parts.all(is_tag);
    if fits { Ok(tag.into_owned()) } else { Err("must be a language such as \"en\" or \"fr-CA\"".to_owned()) }
}

fn time_zone(value: &RawValue) -> Result<String, String> {
    let name = text(value)?;
    match TimeZone::get(&name) {
        Ok(_) => Ok(name.into_owned()),
        Err(_) => Err("must be an IANA time zone such as \"America/Toronto\"".to_owned()),
    }
}

fn hours(value: &RawValue) -> Result<Hours, String> {
    let form = || "must be two times of a day such as [\"08:00\", \"20:00\"]".to_owned();
    let texts = texts(value)?;
    let [from, to] = &texts[..] else { return Err(form()) };
    let (from, to) = minute(from).filter(|from| *from < 1440).zip(minute(to)).ok_or_else(form)?;
    if from == to {
        return Err("begin and end at once: leave it out where all hours are meant".to_owned());
    }
    Ok(Hours { from, to })
}

/// Minutes since midnight of `08:00`, up to 24:00.
fn minute(text: &str) -> Option<u16> {
    let two =
        |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u16>().ok())?;
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (two(hour)?, two(minute)?);
    (minute < 60).then_some(hour * 60 + minute).filter(|minutes| *minutes <= 1440)
}
