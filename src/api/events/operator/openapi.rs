//! The operator half, as the documents describe it.

use hyper::StatusCode;
use serde_json::json;
use utoipa::openapi::Object;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use super::acting::{DryRun, LIMIT as BULK_LIMIT, WireBulk};
use super::error::{no_event, no_notification, no_subscription};
use super::event::Told;
use super::filter::MAX_REASON;
use super::given::no_json;
use super::looking::{LIMIT, MAX_LIMIT};
use super::notification::{Notification, Page as Notifications};
use super::outcome::Outcome;
use super::routes::Operation;
use super::samples::{EVENT, NOTIFICATION, notification, pushed, shown, subscription};
use super::story::Story;
use super::subscription::{Page as Subscriptions, Purged, Subscription};
use crate::api::events::error::Error;
use crate::api::events::problems::Problems;
use crate::api::openapi::{Description, Shape, path, query};
use crate::engine::{ActError, NotDone, UnsubscribeError};
use crate::http::contract::Response;
use crate::model::id::MAX_NAME;
use crate::model::notification::{EndpointKind, State};

/// What the document says of an operator's operation; problems are explained at `public_url`.
pub(in crate::api::events) fn describe(operation: Operation, public_url: &str) -> Description {
    let part = Part { public_url };
    match operation {
        Operation::List => part.list(),
        Operation::Story => part.story(),
        Operation::Event => part.event(),
        Operation::Subscriptions => part.subscriptions(),
        Operation::Subscription => part.subscription(),
        Operation::Retry => part.retry(),
        Operation::Cancel => part.cancel(),
        Operation::CancelAll => part.cancel_all(),
        Operation::ReplayAll => part.replay_all(),
        Operation::Pause => part.pause(),
        Operation::Resume => part.resume(),
        Operation::Delete => part.delete(),
        Operation::Purge => part.purge(),
    }
}

/// The descriptions of this part.
pub(super) struct Part<'a> {
    pub(super) public_url: &'a str,
}

impl Part<'_> {
    fn list(&self) -> Description {
        let page = json!({"notifications": [notification("consumed")], "cursor": "AAAAAAAAAAEAAAAB"});
        let found = Description::new(
            "List notifications",
            "Oldest first. A call reads a bounded part of the history, so that a page may be short, or empty, and \
             still have a cursor to go on with.",
        );
        let found =
            filter().into_iter().fold(found, |found, (name, text, schema)| found.parameter(query(name, text, schema)));
        let found = self.paged(found);
        found.answers("page", "The notifications.", Shape::of::<Notifications>(), &shown(&page))
    }

    fn story(&self) -> Description {
        let mut story = notification("consumed");
        story["why"] = json!({
            "words": ["the subscription crm-accounts lists the type 301"],
            "client": "crm", "typeListed": true, "owners": ["1001"], "shared": [],
        });
        story["attempts"] = json!([
            {"at": "2018-01-23T04:57:00.000Z", "client": "crm", "requestId": "a1b2-1-1", "confirmed": true},
        ]);
        story["rounds"] = json!([]);
        story["next"] = json!({"words": "nothing: it has ended", "what": "none", "repeatable": true});
        let told = Description::new(
            "Tell the story of a notification",
            "Why it matched, where it goes and how that is doing, each time that it was handed out or sent, each round that \
             somebody asked for, and what happens next and when.",
        );
        let told = told.answers("story", "What became of what is polled.", Shape::of::<Story>(), &shown(&story));
        let told = told.answers("pushed", "What became of what is sent.", Shape::of::<Story>(), &shown(&pushed()));
        self.of_notification(self.strict(told))
    }

    fn event(&self) -> Description {
        let event = json!({
            "id": EVENT, "accepted": "2018-01-23T04:56:22.123Z", "publisher": "crm", "type": "301",
            "producerId": "e-1", "source": "/crm", "data": {"user": {"id": "42"}},
            "notifications": [notification("consumed")], "more": false,
        });
        let told = Description::new("Show an event", "What its producer told, and what became of it.")
            .parameter(path("id", "The event's id.", text_of_path(), EVENT))
            .answers("event", "The event.", Shape::of::<Told<'_>>(), &shown(&event))
            .fails("no-such-event", "There is no such event (any more).", &self.fault(&no_event()));
        self.strict(told)
    }

    fn subscriptions(&self) -> Description {
        let page = json!({"subscriptions": [subscription(false)]});
        let found = Description::new("List subscriptions", "Of all contracts and clients, in the order of their ids.")
            .parameter(query("client", "Those of this client.", name(MAX_NAME)))
            .parameter(query(
                "held",
                "Those that are held, or have an endpoint that is, or are not.",
                ObjectBuilder::new().schema_type(Type::Boolean),
            ));
        let found = self.paged(found);
        found.answers("page", "The subscriptions.", Shape::of::<Subscriptions>(), &shown(&page))
    }

    fn subscription(&self) -> Description {
        let told = Description::new("Show a subscription", "Of whichever contract and client, with all its sums.");
        self.of_subscription(self.strict(told), false)
    }

    fn retry(&self) -> Description {
        let asked = Description::new(
            "Retry a notification",
            "Begins a new round of one that has ended: the same id, a new deadline. Refused where its event has \
             expired or its body has gone.",
        );
        self.act_on_one(asked, "queued", NotDone::BodyGone)
    }

    fn cancel(&self) -> Description {
        let asked = Description::new("Cancel a notification", "Ends one that waits, is leased or is held.");
        self.act_on_one(asked, "cancelled", NotDone::Ended)
    }

    fn cancel_all(&self) -> Description {
        self.act_on_all("Cancel notifications", "Ends those that a filter means and that have not ended.", "queued")
    }

    fn replay_all(&self) -> Description {
        let text = "Begins a new round of those that a filter means and that have ended; cancelled ones only where \
                    `state` names them.";
        self.act_on_all("Replay notifications", text, "failed")
    }

    fn pause(&self) -> Description {
        let text = "Nothing of it is handed out until it is resumed; deadlines go on.";
        let asked = Description::new("Pause a subscription", text);
        self.of_subscription(self.with_body(asked), true)
    }

    fn resume(&self) -> Description {
        let text = "What was held is handed out again, in order, unless it is held for another reason too.";
        let asked = Description::new("Resume a subscription", text);
        self.of_subscription(self.with_body(asked), false)
    }

    fn delete(&self) -> Description {
        let declared = UnsubscribeError::Declared("crm-accounts".into()).into();
        let text = "Ends one that was made through an API; what waits for it is cancelled.";
        let asked = Description::new("Delete a subscription", text)
            .parameter(subscription_id())
            .ends("It has been deleted.", StatusCode::NO_CONTENT)
            .fails("no-such-subscription", "There is no such subscription.", &self.fault(&no_subscription()))
            .fails("declared", "The configuration declares it.", &self.fault(&declared));
        self.with_body(asked)
    }

    fn purge(&self) -> Description {
        let purged = json!({
            "dryRun": false, "client": "crm", "ended": 1, "waiting": 0, "subscriptions": ["crm-accounts"],
        });
        let text = "Ends all subscriptions of a client that were made through an API. A client that has none is no \
                    error.";
        let asked = Description::new("Purge a client", text)
            .parameter(path("id", "The client's id.", text_of_path(), "crm"))
            .may_take("application/json", Shape::of::<DryRun>(), &[("dry run", json!({"dryRun": true}))])
            .answers("purged", "What was ended.", Shape::of::<Purged>(), &shown(&purged));
        self.with_body(asked)
    }

    /// A list with `cursor` and `limit`.
    pub(super) fn paged(&self, description: Description) -> Description {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MAX_LIMIT as u64));
        let description = description
            .parameter(query("cursor", "Where to go on, as an answer has said.", text()))
            .parameter(query("limit", "The most of one page.", limit.default(Some(LIMIT.into()))));
        self.strict(description)
    }

    fn act_on_one(&self, description: Description, state: &str, not_done: NotDone) -> Description {
        let wrong = ActError::NotDone(not_done).into();
        let description = description
            .may_take("application/json", Shape::of::<DryRun>(), &[("dry run", json!({"dryRun": true}))])
            .answers(
                "done",
                "The notification as it is now.",
                Shape::of::<Notification>(),
                &shown(&notification(state)),
            )
            .fails("wrong-state", "Its state does not allow this.", &self.fault(&wrong));
        self.of_notification(self.with_body(description))
    }

    fn act_on_all(&self, summary: &'static str, text: &str, state: &str) -> Description {
        let outcome = json!({
            "dryRun": true, "matched": 3, "done": 2, "refused": {"event-expired": 1}, "notifications": [NOTIFICATION],
        });
        let asked = json!({"state": state, "type": "301", "limit": BULK_LIMIT, "dryRun": true});
        let description = Description::new(summary, text)
            .takes("application/json", Shape::of::<WireBulk>(), &[("dry run", asked)])
            .answers("done", "What was done, or would be.", Shape::of::<Outcome>(), &shown(&outcome));
        self.with_body(description)
    }

    fn of_notification(&self, description: Description) -> Description {
        let id = path("id", "The notification's id.", text_of_path(), NOTIFICATION);
        let gone = self.fault(&no_notification());
        description.parameter(id).fails("no-such-notification", "There is no such notification (any more).", &gone)
    }

    fn of_subscription(&self, description: Description, held: bool) -> Description {
        description
            .parameter(subscription_id())
            .answers(
                "subscription",
                "The subscription as it is now.",
                Shape::of::<Subscription>(),
                &shown(&subscription(held)),
            )
            .fails("no-such-subscription", "There is no such subscription.", &self.fault(&no_subscription()))
    }

    /// One that takes a body.
    pub(super) fn with_body(&self, description: Description) -> Description {
        let text = "There is a body that is not said to be `application/json`.";
        self.strict(description).fails("media-type", text, &self.fault(&no_json()))
    }

    /// One that refuses what it does not know.
    pub(super) fn strict(&self, description: Description) -> Description {
        let mut problems = Problems::default();
        problems.invalid("/limits".to_owned(), "is not a parameter of this request");
        let invalid = self.fault(&Error::listing(problems));
        description.fails("invalid", "A parameter or member is not valid, or is unknown.", &invalid)
    }

    /// The answer with this error.
    pub(super) fn fault(&self, error: &Error) -> Response {
        error.answer(self.public_url, "")
    }
}

/// The parameters that say which notifications are meant.
fn filter() -> [(&'static str, &'static str, ObjectBuilder); 6] {
    let instant = || text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    [
        ("state", "Those in this state.", states()),
        ("reason", "Those with this reason.", name(MAX_REASON)),
        ("type", "Those of events of this type.", name(MAX_NAME)),
        ("subscription", "Those of this subscription.", name(MAX_NAME)),
        ("from", "Those whose event was accepted at this instant or later.", instant()),
        ("to", "Those whose event was accepted before this instant.", instant()),
    ]
}

fn subscription_id() -> Parameter {
    path("id", "The subscription's id.", text_of_path(), "crm-accounts")
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn text_of_path() -> ObjectBuilder {
    text().min_length(Some(1))
}

fn name(most: usize) -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(most))
}

fn states() -> ObjectBuilder {
    text().enum_values(Some(State::ALL.map(State::as_str)))
}

/// The state of a notification.
pub(super) fn state() -> Object {
    states().description(Some("The state of the notification.")).build()
}

/// How a notification is served.
pub(super) fn kind() -> Object {
    let kinds = text().enum_values(Some(EndpointKind::ALL.map(EndpointKind::as_str)));
    kinds.description(Some("How it is served.")).build()
}
