//! What the contracts say of each route: who may call it, what it names and whose that has to be, and how to call it so
//! that nothing comes of it. Written down from their documents, not from the code.

use tidings::http::contract::Access;

use self::Body::{Form, Json};
use self::Object::{Anybodys, NotAnothers, Own};
use crate::objects::Owner;
use crate::objects::Thing::{self, Address, Client, Event, Kept, Managed, Notification, Polled, Registration, Sent};
use crate::served::Target;
use crate::stage::REGISTRATION;

/// One route, or those of one label.
#[derive(Debug)]
pub(crate) struct Rule {
    /// `*` for every contract.
    pub(crate) contract: &'static str,
    pub(crate) label: &'static str,
    /// Who may call it.
    pub(crate) access: Access,
    pub(crate) object: Object,
    /// The body of a harmless call.
    pub(crate) body: Body,
}

/// What the path of a route names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// Nothing that is anybody's.
    None,
    /// Something of the caller's own; another's is as one that does not exist (contracts/README.md).
    Own(Thing),
    /// The same, where the call would end it or would go well but once: its own is not tried.
    NotAnothers(Thing),
    /// Something, whosever it is.
    Anybodys(Thing),
}

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    None,
    Form(&'static str),
    Json(&'static str),
}

impl Object {
    pub(crate) const fn thing(self) -> Option<Thing> {
        match self {
            Self::None => None,
            Self::Own(thing) | Self::NotAnothers(thing) | Self::Anybodys(thing) => Some(thing),
        }
    }

    /// Whose things a matrix has to try.
    pub(crate) const fn owners(self) -> &'static [Owner] {
        match self {
            Self::None => &[Owner::Nobody],
            Self::NotAnothers(_) => &[Owner::Other, Owner::Nobody],
            Self::Own(_) | Self::Anybodys(_) => &Owner::ALL,
        }
    }
}

/// The rule of a route.
pub(crate) fn rule(target: &Target) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.label == target.route.label && ["*", target.contract].contains(&rule.contract))
}

const ANYONE: Access = Access::Public;
const ADMINISTRATOR: Access = Access::Scope("notification:consent:administrator");
const CONSUMER: Access = Access::Scope("notification:consent:consumer");
const PUBLISHER: Access = Access::ScopeOrKey("events:publish");
const READER: Access = Access::Scope("notifications:read");
const WRITER: Access = Access::Scope("notifications:write");
const REPLAYER: Access = Access::Scope("notifications:replay");
const OPERATOR: Access = Access::Scope("notifications:operate");

/// No contract takes it for a body.
const BROKEN: Body = Json("{\"broken\": ");
const DRY_RUN: Body = Json("{\"dryRun\": true}");
const NOTHING: Body = Body::None;

pub(crate) const RULES: &[Rule] = &[
    // contracts/README.md: the OpenAPI document of each contract, without authentication.
    of("*", "openapi", ANYONE, Object::None, NOTHING),
    // contracts/events.md, "Tokens": at the root. Clients show themselves in the request.
    of("root", "token", ANYONE, Object::None, Form("")),
    of("root", "revoke", ANYONE, Object::None, Form("")),
    of("root", "keys", ANYONE, Object::None, NOTHING),
    // Standard Webhooks, asymmetric: receivers have no credential.
    of("root", "webhook_keys", ANYONE, Object::None, NOTHING),
    of("root", "metadata", ANYONE, Object::None, NOTHING),
    // contracts/events.md: the `type` URLs resolve to an explanation.
    of("root", "problem", ANYONE, Object::None, NOTHING),
    // design.md, "Configuration": TCP serves health and metrics without a token.
    of("admin", "health_live", ANYONE, Object::None, NOTHING),
    of("admin", "health_ready", ANYONE, Object::None, NOTHING),
    of("admin", "metrics", ANYONE, Object::None, NOTHING),
    // design.md, "Command line": `status`, `plan`, `reload`; and "Configuration": on TCP all else with the operator's scope.
    of("admin", "configuration", OPERATOR, Object::None, NOTHING),
    of("admin", "plan", OPERATOR, Object::None, NOTHING),
    of("admin", "reload", OPERATOR, Object::None, BROKEN),
    // contracts/polling.md, the table of operations.
    of("polling", "subscribe", ADMINISTRATOR, Object::None, BROKEN),
    of("polling", "read", CONSUMER, Own(Polled), NOTHING),
    of("polling", "unsubscribe", ADMINISTRATOR, Anybodys(Kept), NOTHING),
    of("polling", "poll", CONSUMER, Own(Polled), NOTHING),
    // contracts/registrations.md, the table of operations.
    of("registrations", "create", Access::Scope("create:notification_registrations"), Object::None, BROKEN),
    of("registrations", "list", Access::Scope("view:notification_registrations"), Object::None, NOTHING),
    of(
        "registrations",
        "update",
        Access::Scope("edit:notification_registrations"),
        Own(Registration),
        Json(REGISTRATION),
    ),
    of(
        "registrations",
        "delete",
        Access::Scope("delete:notification_registrations"),
        NotAnothers(Registration),
        NOTHING,
    ),
    of(
        "registrations",
        "rotate",
        Access::Scope("create:notification_registrations_secret_rotation"),
        Own(Registration),
        NOTHING,
    ),
    of("registrations", "notifications", Access::Scope("view:notifications"), Object::None, NOTHING),
    of("registrations", "retry", Access::Scope("create:notification_retry"), NotAnothers(Sent), NOTHING),
    of("registrations", "add_domain", Access::Scope("create:webhook_domains"), Object::None, BROKEN),
    of("registrations", "domains", Access::Scope("create:webhook_domains"), Object::None, NOTHING),
    of("registrations", "remove_domain", Access::Scope("create:webhook_domains"), Object::None, NOTHING),
    // contracts/management.md, the table of operations.
    of("management", "list", READER, Object::None, NOTHING),
    of("management", "subscribe", WRITER, Object::None, BROKEN),
    of("management", "read", READER, Own(Managed), NOTHING),
    of("management", "change", WRITER, Own(Managed), Json("{\"expiresOn\": \"2027-12-01\"}")),
    of("management", "unsubscribe", WRITER, NotAnothers(Managed), NOTHING),
    of("management", "replay", REPLAYER, Object::None, Json("{\"limit\": 1, \"dryRun\": true}")),
    of("management", "replay_one", REPLAYER, NotAnothers(Notification), NOTHING),
    // contracts/events.md, "Publish" and "Poll safely".
    of("events", "publish", PUBLISHER, Object::None, BROKEN),
    of("events", "lease", CONSUMER, Own(Polled), Json("{\"returnImmediately\": true, \"maxEvents\": 0}")),
    // contracts/recipients.md: any token, as published, of somebody who belongs to a group.
    of("recipients", "read", Access::Token, Object::None, NOTHING),
    of("recipients", "configure", Access::Token, Object::None, BROKEN),
    // contracts/trigger.md: a key with the scope, and nothing else.
    of("trigger", "notify", Access::Key("trigger"), Object::None, BROKEN),
    // contracts/events.md, "Look and act": customers are an organisation's (tests/trigger/customers.rs).
    of("events", "put_customer", Access::Scope("customers:write"), Object::None, BROKEN),
    of("events", "customer", Access::Scope("customers:write"), Object::None, NOTHING),
    of("events", "erase_customer", Access::Scope("customers:write"), Object::None, NOTHING),
    // contracts/events.md, "Look and act". What is declared cannot be deleted, and what waits is held and let go.
    of("events", "notifications", OPERATOR, Object::None, NOTHING),
    of("events", "story", OPERATOR, Anybodys(Notification), NOTHING),
    of("events", "retry", OPERATOR, Anybodys(Notification), DRY_RUN),
    of("events", "cancel", OPERATOR, Anybodys(Notification), DRY_RUN),
    of("events", "cancellations", OPERATOR, Object::None, DRY_RUN),
    of("events", "replays", OPERATOR, Object::None, DRY_RUN),
    of("events", "event", OPERATOR, Anybodys(Event), NOTHING),
    of("events", "subscriptions", OPERATOR, Object::None, NOTHING),
    of("events", "subscription", OPERATOR, Anybodys(Kept), NOTHING),
    of("events", "pause", OPERATOR, Anybodys(Kept), NOTHING),
    of("events", "resume", OPERATOR, Anybodys(Kept), NOTHING),
    of("events", "delete_subscription", OPERATOR, Anybodys(Kept), NOTHING),
    // design.md, "Command line": `purge --client`, `status`, `rotate-keys`, `clock accept`, with the operator's scope.
    of("events", "purge", OPERATOR, Anybodys(Client), DRY_RUN),
    of("events", "credentials", OPERATOR, Object::None, NOTHING),
    of("events", "rotate_keys", OPERATOR, Object::None, BROKEN),
    of("events", "rotate_webhook_keys", OPERATOR, Object::None, BROKEN),
    of("events", "clock", OPERATOR, Object::None, NOTHING),
    of("events", "accept_clock", OPERATOR, Object::None, BROKEN),
    of("events", "suppressions", OPERATOR, Object::None, NOTHING),
    of("events", "lift_suppression", OPERATOR, Anybodys(Address), BROKEN),
];

const fn of(contract: &'static str, label: &'static str, access: Access, object: Object, body: Body) -> Rule {
    Rule { contract, label, access, object, body }
}
