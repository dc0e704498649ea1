//! Making, changing and deleting registrations, and new secrets.

use hyper::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::contract::{RegistrationsContract, not_stored};
use super::error::{Error, Problem, What};
use super::event_types::{self, name};
use super::place::{Place, URI};
use super::registration::{Wire, subscriber_of, webhook_of};
use super::request::{self, Asked};
use super::subscriber;
use crate::api::media_type::MediaType;
use crate::api::unknown_members::note_ignored;
use crate::auth::Principal;
use crate::base::clock::Timestamp;
use crate::base::outbound::Destination;
use crate::http::contract::{Request, Response};
use crate::model::id::EventTypeId;
use crate::model::notification::EndpointKind;
use crate::model::owners::Owners;
use crate::model::subscription::{ContractName, Subscription, SubscriptionDraft};
use crate::model::target::{SigningSecret, Target, WebhookTarget};

/// The egress policy of a client that has none of its own.
const DEFAULT_EGRESS: &str = "default";

/// The most secrets that are valid at one time.
pub(super) const MAX_SECRETS: usize = 8;

/// A new secret.
#[derive(Serialize, ToSchema)]
#[schema(as = NewSecret)]
#[serde(rename_all = "camelCase")]
struct Rotated<'a> {
    /// The secret, as Standard Webhooks writes it.
    #[schema(pattern = "^whsec_")]
    shared_secret: &'a str,
    /// When it ends.
    #[schema(format = DateTime)]
    expiry: String,
}

/// The shape of a rotation's answer.
pub(super) fn rotated_shape() -> crate::api::openapi::Shape {
    crate::api::openapi::Shape::of::<Rotated<'_>>()
}

/// What is to be, with nothing wrong in it.
struct Checked {
    event_types: Vec<EventTypeId>,
    place: Place,
    egress: String,
}

impl RegistrationsContract {
    pub(super) async fn create(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let asked = self.read(request, false)?;
        let Checked { event_types, place, egress } = self.check(asked, None, &subscriber, caller).await?;
        let mut target = place.target(&egress);
        if let Target::Webhook(webhook) = &mut target {
            webhook.secrets = vec![self.new_secret(self.engine.now())];
        }
        let id = self.engine.new_subscription_id();
        let draft = SubscriptionDraft {
            holders: vec![subscriber.clone()],
            created_by: caller.subject.clone(),
            owners: owners(caller, &subscriber),
            endpoints: vec![target],
            ..SubscriptionDraft::new(id, ContractName::Registrations, caller.client_id.clone(), event_types)
        };
        let made = self.engine.make_unless(draft, || self.refuse_twice(&subscriber, &place, None)).await?;
        let settings = self.engine.settings();
        let status = StatusCode::from_u16(self.settings.created_status).unwrap_or(StatusCode::CREATED);
        let body = Wire::of(&made, &settings, true).json();
        Ok(not_stored(Response::json(status, body)).about(made.id.as_str()))
    }

    pub(super) async fn update(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let there = self.own(request.param("registrationId"), &subscriber)?;
        let asked = self.read(request, true)?;
        let Checked { event_types, place, egress } = self.check(asked, Some(&there), &subscriber, caller).await?;
        let changed = self
            .engine
            .change(ContractName::Registrations, there.id.as_str(), |now| {
                self.refuse_twice(&subscriber, &place, Some(now))?;
                let mut target = place.target(&egress);
                if let (Target::Webhook(new), Some(old)) = (&mut target, webhook_of(now)) {
                    *new = WebhookTarget { url: new.url.clone(), egress: new.egress.clone(), ..old.clone() };
                }
                Ok::<_, Error>(SubscriptionDraft { event_types, endpoints: vec![target], ..now.to_draft() })
            })
            .await?;
        let settings = self.engine.settings();
        Ok(not_stored(Response::json(StatusCode::OK, self.wire(&changed, &settings).json())))
    }

    pub(super) async fn delete(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let there = self.own(request.param("registrationId"), &subscriber)?;
        self.engine.unsubscribe(ContractName::Registrations, there.id.as_str()).await?;
        Ok(Response::empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn rotate(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let there = self.own(request.param("registrationId"), &subscriber)?;
        let overlap = self.overlap(request)?;
        let now = self.engine.now();
        let new = self.new_secret(now);
        let (text, expiry) = (new.to_text(), new.not_after.unwrap_or(Timestamp::MAX));
        self.engine
            .change(ContractName::Registrations, there.id.as_str(), |there| {
                let webhook = webhook_of(there).ok_or_else(no_secret)?;
                let secrets = rotated(&webhook.secrets, new, now, now.plus(overlap))?;
                let webhook = WebhookTarget { secrets, ..webhook.clone() };
                Ok::<_, Error>(SubscriptionDraft { endpoints: vec![Target::Webhook(webhook)], ..there.to_draft() })
            })
            .await?;
        let body = Zeroizing::new(
            serde_json::to_vec(&Rotated { shared_secret: &text, expiry: expiry.to_rfc3339_seconds() })
                .expect("strings always have a JSON form"),
        );
        Ok(not_stored(Response::json(StatusCode::OK, body.to_vec())))
    }

    /// `?overlap=`: for how many seconds the old secret goes on to sign; as long as the files say, where it is not there.
    fn overlap(&self, request: &Request) -> Result<std::time::Duration, Error> {
        let longest = self.settings.rotation_overlap;
        let Some(text) = request.query_value("overlap") else { return Ok(longest) };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let seconds = if digits { text.parse().ok() } else { None };
        let overlap = seconds.map(std::time::Duration::from_secs).filter(|overlap| *overlap <= longest);
        overlap.ok_or_else(|| {
            let message = format!("must be a whole number of seconds from 0 to {}", longest.as_secs());
            Error::Invalid(vec![Problem::of("overlap", message)])
        })
    }

    fn new_secret(&self, now: Timestamp) -> SigningSecret {
        let not_after = Some(now.plus(self.settings.secret_lifetime));
        SigningSecret { key: self.engine.new_secret(), not_before: Some(now), not_after }
    }

    fn read(&self, request: &Request, update: bool) -> Result<Asked, Error> {
        if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
            return Err(Error::MediaType);
        }
        let asked = request::parse(&request.body, update, &self.settings)?;
        note_ignored(&asked.unknown, &self.ignored_members, &request.id);
        Ok(asked)
    }

    /// What is asked for, or all that is wrong with it. `there` is what is to be changed.
    async fn check(
        &self,
        asked: Asked,
        there: Option<&Subscription>,
        subscriber: &str,
        caller: &Principal,
    ) -> Result<Checked, Error> {
        let Asked { kind, event_types, place, unknown: _, mut problems } = asked;
        let settings = self.engine.settings();
        if let (Some(kind), Some(is)) = (kind, there.and_then(|there| there.endpoints.first()))
            && kind != is.kind()
        {
            let message = format!("cannot be changed: the registration is of the type {}", name(is.kind()));
            problems.push(Problem::of("notificationType", message));
        }
        if let (Some(kind), Some(types)) = (kind, &event_types) {
            problems.extend(event_types::check(types, kind, there.is_some(), &settings.catalogue));
        }
        let profile = settings.profiles.get(&caller.client_id);
        let egress = profile.and_then(|profile| profile.egress.as_deref()).unwrap_or(DEFAULT_EGRESS);
        if let Some(place) = &place {
            let domains = match place.kind() {
                EndpointKind::Webhook => self.engine.webhook_domains(subscriber).await?,
                EndpointKind::Poll | EndpointKind::Email => Vec::new(),
            };
            problems.extend(place.refuse(egress, &domains, &self.engine));
        }
        match (event_types, place) {
            (Some(types), Some(place)) if problems.is_empty() => {
                let event_types = types.into_iter().map(|(_, id)| id).collect();
                Ok(Checked { event_types, place, egress: egress.to_owned() })
            }
            _ => Err(Error::Invalid(problems)),
        }
    }

    /// Refuses a URL that another registration of the subscriber has.
    fn refuse_twice(&self, subscriber: &str, place: &Place, but: Option<&Subscription>) -> Result<(), Error> {
        let Place::Webhook(url, to) = place else { return Ok(()) };
        let is_taken = |other: &Subscription| {
            subscriber_of(other) == Some(subscriber)
                && but.is_none_or(|but| but.id != other.id)
                && webhook_of(other).is_some_and(|webhook| Destination::parse(&webhook.url).as_ref() == Ok(to))
        };
        if self.engine.subscriptions_in(ContractName::Registrations).iter().any(|other| is_taken(other)) {
            let message = format!("the subscriber has a registration with the URL {url} already: change that one");
            return Err(Error::Conflict(Problem::of(URI, message)));
        }
        Ok(())
    }

    /// The registration with this id, as it is shown, if it is for `subscriber`.
    pub(super) fn own(&self, id: &str, subscriber: &str) -> Result<std::sync::Arc<Subscription>, Error> {
        let found = self.find(id).filter(|found| subscriber_of(found) == Some(subscriber));
        found.ok_or(Error::NotFound(What::Registration))
    }

    fn find(&self, id: &str) -> Option<std::sync::Arc<Subscription>> {
        let asked = uuid::Uuid::try_parse(id).ok().filter(|_| id.len() == 36)?;
        let made = self.engine.subscription_in(ContractName::Registrations, &asked.hyphenated().to_string());
        made.or_else(|| {
            let all = self.engine.subscriptions_in(ContractName::Registrations);
            all.into_iter().find(|registration| registration.id.to_uuid() == asked)
        })
    }
}

/// Who decides what the registration may see, where that is not the caller as the files or its token name it: the
/// subscriber that an administrator acts for.
fn owners(caller: &Principal, subscriber: &str) -> Option<Owners> {
    let is_own = caller.affiliation.subscriber.as_deref() == Some(subscriber);
    if is_own { caller.owners.clone() } else { Some(Owners::new([subscriber.to_owned()])) }
}

fn no_secret() -> Error {
    Error::Conflict(Problem { field: None, message: "An EMAIL registration has no secret.".to_owned() })
}

/// The secrets after a rotation at `now`: the old ones sign until `until` at the latest, the new one stands last.
fn rotated(
    old: &[SigningSecret],
    new: SigningSecret,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<SigningSecret>, Error> {
    let shortened = |secret: &SigningSecret| SigningSecret {
        not_after: Some(secret.not_after.map_or(until, |end| end.min(until))),
        ..secret.clone()
    };
    let mut secrets: Vec<_> = old.iter().map(shortened).filter(|secret| secret.is_valid(now)).collect();
    if secrets.len() >= MAX_SECRETS {
        let message = format!(
            "{MAX_SECRETS} secrets are valid at present, which is the limit: wait until one has ended, or end them with \
             ?overlap=0."
        );
        return Err(Error::Limit(message));
    }
    secrets.push(new);
    Ok(secrets)
}
