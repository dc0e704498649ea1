//! The routes, and from request to use case and back.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use prometheus_client::metrics::counter::Counter;
use uuid::Uuid;

use super::create::{Create, Reader, read_end};
use super::error::{Error, NO_NOTIFICATION, NO_SUBSCRIPTION};
use super::given::{Given, json};
use super::openapi::document;
use super::replay::{self, One};
use super::settings::{ManagementScopes, ManagementSettings};
use super::subscription::{Wire, is_changeable, is_readable};
use crate::api::media_type::MediaType;
use crate::api::metrics::ApiMetrics;
use crate::api::openapi::{self, Served};
use crate::api::unknown_members::note_ignored;
use crate::auth::{Caller, Credential, Principal};
use crate::base::clock::Clock;
use crate::engine::Engine;
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};
use crate::model::id::LedgerId;
use crate::model::subscription::{ContractName, Intake, Subscription, SubscriptionDraft};

/// Its name in metrics, logs and the files.
const NAME: &str = "management";

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    List,
    Create,
    Read,
    Change,
    Delete,
    ReplayAll,
    ReplayOne,
    Document,
}

/// The contract's table: routing, scopes, metric labels and the document follow from it.
pub(super) fn routes(scopes: ManagementScopes) -> [Route<Operation>; 8] {
    use Operation::{Change, Create, Delete, List, Read, ReplayAll, ReplayOne};
    let ManagementScopes { read, write, replay } = scopes;
    let reading = |path, operation, label| route(Verb::Get, path, operation, label, read, Trace::None);
    let change =
        |verb, path, operation, label, scope, change| route(verb, path, operation, label, scope, Trace::Change(change));
    [
        reading("/subscriptions", List, "list"),
        change(Verb::Post, "/subscriptions", Create, "subscribe", write, "subscription.create"),
        reading("/subscriptions/{id}", Read, "read"),
        change(Verb::Patch, "/subscriptions/{id}", Change, "change", write, "subscription.update"),
        change(Verb::Delete, "/subscriptions/{id}", Delete, "unsubscribe", write, "subscription.delete"),
        change(Verb::Post, "/notifications/replays", ReplayAll, "replay", replay, "notification.replay"),
        change(Verb::Post, "/notifications/{id}/replays", ReplayOne, "replay_one", replay, "notification.replay"),
        openapi::route(Operation::Document),
    ]
}

const fn route(
    method: Verb,
    path: &'static str,
    operation: Operation,
    label: &'static str,
    scope: &'static str,
    trace: Trace,
) -> Route<Operation> {
    let body = match method {
        Verb::Post | Verb::Patch => BodyRule::Ordinary,
        Verb::Get | Verb::Put | Verb::Delete => BodyRule::None,
    };
    Route { method, path, operation, label, access: Access::Scope(scope), body, trace }
}

/// The management contract over an engine.
pub struct ManagementContract {
    settings: ManagementSettings,
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    table: [Route<Operation>; 8],
    ignored_members: Counter,
    document: Served,
}

/// Who calls, for which parties.
struct Consumer<'a> {
    caller: &'a Caller,
    parties: &'a [String],
}

impl<'a> Consumer<'a> {
    fn of(caller: &'a Principal) -> Result<Self, Error> {
        let caller: &Caller = caller;
        let parties = caller.affiliation.parties.as_slice();
        if parties.is_empty() {
            let detail = "The token names no party: the claim partyId is missing, or the client has no parties.";
            return Err(Error::NotAllowed(detail.to_owned()));
        }
        Ok(Self { caller, parties })
    }

    /// Whether it may replay what is not its own.
    fn is_admin(&self) -> bool {
        self.caller.acts_for_any.contains(NAME)
    }

    /// What it is called where it is kept who asked.
    fn name(&self) -> String {
        match &self.caller.credential {
            Credential::ForeignToken { issuer } => format!("{} of {issuer}", self.caller.client_id),
            Credential::Token | Credential::ApiKey { .. } | Credential::Peer { .. } => {
                self.caller.client_id.to_string()
            }
        }
    }
}

impl ManagementContract {
    /// The contract as `settings` say; days begin and end by `clock`, and what it counts goes to `metrics`.
    #[must_use]
    pub fn new(settings: ManagementSettings, engine: Arc<Engine>, clock: Arc<dyn Clock>, metrics: &ApiMetrics) -> Self {
        let (table, ignored_members) = (routes(settings.scopes), metrics.ignored_members(NAME));
        Self { settings, engine, clock, table, ignored_members, document: Served::default() }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route = self.table.get(route).ok_or(Error::NoSuchPath)?;
        let consumer = || Consumer::of(request.principal.as_ref().ok_or(Error::Unauthenticated)?);
        match route.operation {
            Operation::List => Ok(self.list(&consumer()?)),
            Operation::Create => self.create(request, &consumer()?).await,
            Operation::Read => self.read(request, &consumer()?),
            Operation::Change => self.change(request, &consumer()?).await,
            Operation::Delete => self.delete(request, &consumer()?).await,
            Operation::ReplayAll => self.replay_all(request, &consumer()?).await,
            Operation::ReplayOne => self.replay_one(request, &consumer()?).await,
            Operation::Document => Ok(self.document.answer(|| document(&self.settings))),
        }
    }

    fn list(&self, consumer: &Consumer<'_>) -> Response {
        let now = self.clock.now();
        let mut all = self.engine.subscriptions_in(ContractName::Management);
        all.retain(|subscription| is_readable(subscription, consumer.parties, now));
        all.sort_unstable_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let shown: Vec<_> = all.iter().map(|subscription| Wire::of(subscription, &self.settings)).collect();
        let body = serde_json::to_vec(&shown).expect("strings and lists always have a JSON form");
        not_stored(Response::json(StatusCode::OK, body))
    }

    async fn create(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Response, Error> {
        let body = json_body(request)?;
        let Consumer { caller, parties } = consumer;
        let reader =
            Reader { settings: &self.settings, engine: &self.engine, client: &caller.client_id, now: self.clock.now() };
        let Create { event_type, filter, expires_at, endpoints, unknown } = reader.read(body)?;
        note_ignored(&unknown, &self.ignored_members, &request.id);
        let mut holders = parties.to_vec();
        holders.sort_unstable();
        holders.dedup();
        let id = self.engine.new_subscription_id();
        let draft = SubscriptionDraft {
            filter,
            expires_at: Some(expires_at),
            holders,
            organisation: caller.affiliation.organisation.clone(),
            created_by: caller.subject.clone(),
            owners: caller.owners.clone(),
            endpoints,
            ..SubscriptionDraft::new(id, ContractName::Management, caller.client_id.clone(), vec![event_type])
        };
        let made = self.engine.make(draft).await?;
        let location =
            format!("{}{}/subscriptions/{}", self.settings.public_url, self.settings.mount, made.id.as_str());
        let location = HeaderValue::try_from(location)
            .map_err(|_| Error::Internal("server.public_url does not fit into a header".to_owned()))?;
        let answer = Response::json(StatusCode::CREATED, Wire::of(&made, &self.settings).json());
        Ok(not_stored(answer).header(LOCATION, location).about(made.id.as_str()))
    }

    fn read(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Response, Error> {
        let subscription = self.readable(request, consumer)?;
        Ok(self.shown(&subscription))
    }

    async fn change(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Response, Error> {
        let body = json_body(request)?;
        let subscription = self.changeable(request, consumer)?;
        let (expires_at, unknown) = self.read_change(body)?;
        note_ignored(&unknown, &self.ignored_members, &request.id);
        let now = self.clock.now();
        let change = |subscription: &Subscription| {
            let has_ended =
                subscription.intake == Intake::Ended || subscription.expires_at.is_some_and(|end| end <= now);
            if has_ended {
                return Err(Error::Conflict("The subscription has ended; make a new one.".to_owned()));
            }
            Ok(SubscriptionDraft { expires_at: Some(expires_at), ..subscription.to_draft() })
        };
        let changed = self.engine.change(ContractName::Management, subscription.id.as_str(), change).await?;
        Ok(self.shown(&changed).about(changed.id.as_str()))
    }

    /// The new end, and the names of members that mean nothing. What a subscription has besides may be there, as it was
    /// answered.
    fn read_change(&self, body: &[u8]) -> Result<(crate::base::clock::Timestamp, Vec<String>), Error> {
        const READ_ONLY: [&str; 8] = [
            "id",
            "eventType",
            "filters",
            "contactEmails",
            "clientId",
            "organisation",
            "partyIds",
            "notificationChannels",
        ];
        let mut given = Given::default();
        let members = given.members("", json(body)?);
        let is_object = members.is_some();
        let (mut end, mut is_there) = (None, false);
        for (name, value) in members.unwrap_or_default() {
            if name == "expiresOn" {
                is_there = true;
                end = read_end(&mut given, value, &self.settings, self.clock.now());
            } else if !READ_ONLY.contains(&&*name) {
                given.unknown("", &name);
            }
        }
        if is_object && !is_there {
            given.refuse("", "must have expiresOn, the one member that can be changed");
        }
        let unknown = given.finish(self.settings.unknown_members)?;
        let end = end.ok_or_else(|| Error::Internal("a change without an end was let through".to_owned()))?;
        Ok((end, unknown))
    }

    async fn delete(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Response, Error> {
        let subscription = self.changeable(request, consumer)?;
        self.engine.unsubscribe(ContractName::Management, subscription.id.as_str()).await?;
        Ok(Response::empty(StatusCode::NO_CONTENT))
    }

    async fn replay_all(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Response, Error> {
        let body = json_body(request)?;
        let settings = self.engine.settings();
        let asked = replay::read(body, consumer.caller, &self.settings, &settings.catalogue)?;
        note_ignored(&asked.unknown, &self.ignored_members, &request.id);
        let own = &consumer.caller.affiliation.organisation;
        if !consumer.is_admin() && (asked.client_id != consumer.caller.client_id || asked.organisation != *own) {
            let detail =
                "clientId and organisation must be those of the token: those of others are for administrators.";
            return Err(Error::NotAllowed(detail.to_owned()));
        }
        let among = self.replayable(consumer, |subscription| {
            let is_of = |organisation: &String| subscription.organisation.as_ref() == Some(organisation);
            subscription.client_id == asked.client_id && asked.organisation.as_ref().is_none_or(is_of)
        });
        let id = self.new_id();
        let done = match asked.replay(format!("{} (replay {id})", consumer.name())) {
            Some(replay) => self.engine.replay(&replay, &among).await?,
            None => crate::engine::Replayed::default(),
        };
        let (status, dry) = if asked.dry_run { (StatusCode::OK, " (dry run)") } else { (StatusCode::ACCEPTED, "") };
        let count = if asked.dry_run { done.matched } else { done.queued.len() };
        let answer = not_stored(Response::json(status, asked.answer(id, &done).json()));
        Ok(answer.about(format!("{count} notifications{dry}")))
    }

    async fn replay_one(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Response, Error> {
        let id = Uuid::try_parse(request.param("id")).ok().ok_or(NO_NOTIFICATION)?;
        let notification = LedgerId::parse(&id.to_string()).ok_or(NO_NOTIFICATION)?;
        let among = self.replayable(consumer, |_| true);
        let replay = self.new_id();
        self.engine.replay_one(notification, &format!("{} (replay {replay})", consumer.name()), &among).await?;
        let answer = Response::json(StatusCode::ACCEPTED, One::of(notification, replay).json());
        Ok(not_stored(answer).about(id.to_string()))
    }

    /// The subscriptions whose notifications a consumer may replay, of those that are `meant`.
    fn replayable(&self, consumer: &Consumer<'_>, meant: impl Fn(&Subscription) -> bool) -> Vec<Arc<Subscription>> {
        let mut all = self.engine.subscriptions_in(ContractName::Management);
        all.retain(|subscription| {
            meant(subscription) && (consumer.is_admin() || is_changeable(subscription, consumer.parties))
        });
        all
    }

    fn new_id(&self) -> Uuid {
        self.engine.new_subscription_id().to_uuid()
    }

    /// The subscription in the path; one that the files declare is known by the UUID that is made of its id.
    fn readable(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Arc<Subscription>, Error> {
        let id = Uuid::try_parse(request.param("id")).map_err(|_| NO_SUBSCRIPTION)?;
        let by_name = self.engine.subscription_in(ContractName::Management, &id.to_string());
        let found = by_name.or_else(|| {
            let all = self.engine.subscriptions_in(ContractName::Management);
            all.into_iter().find(|subscription| subscription.id.to_uuid() == id)
        });
        found.filter(|found| is_readable(found, consumer.parties, self.clock.now())).ok_or(NO_SUBSCRIPTION)
    }

    fn changeable(&self, request: &Request, consumer: &Consumer<'_>) -> Result<Arc<Subscription>, Error> {
        let subscription = self.readable(request, consumer)?;
        if is_changeable(&subscription, consumer.parties) { Ok(subscription) } else { Err(NO_SUBSCRIPTION) }
    }

    fn shown(&self, subscription: &Subscription) -> Response {
        not_stored(Response::json(StatusCode::OK, Wire::of(subscription, &self.settings).json()))
    }
}

fn json_body(request: &Request) -> Result<&[u8], Error> {
    if MediaType::of(&request.headers).is_some_and(|media_type| media_type.is("application/json")) {
        Ok(&request.body)
    } else {
        Err(Error::MediaType)
    }
}

/// What a caller gets is for it alone.
pub(super) fn not_stored(response: Response) -> Response {
    response.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

#[async_trait]
impl Contract for ManagementContract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn mount(&self) -> &str {
        &self.settings.mount
    }

    fn routes(&self) -> Vec<Route<()>> {
        self.table.into_iter().map(Route::without_operation).collect()
    }

    /// No route has a large body.
    fn max_body(&self) -> usize {
        0
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        self.dispatch(route, &request).await.unwrap_or_else(|error| error.answer(&request.id))
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        Error::from(refusal).answer(request_id)
    }
}
