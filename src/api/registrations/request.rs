//! The body of a registration that is made or changed.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::{Error, Problem};
use super::event_types::name;
use super::place::{EMAIL, Place, URI, bounded};
use super::settings::RegistrationsSettings;
use crate::api::unknown_members::UnknownMembers;
use crate::model::id::{EventTypeId, MAX_NAME};
use crate::model::json::{Members, check, string};
use crate::model::notification::EndpointKind;

/// A registration that is to be made or changed.
#[derive(ToSchema)]
#[schema(as = RegistrationRequest)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
pub(super) struct Body {
    /// What kind of registration it is; it stays what it is.
    #[schema(rename = "notificationType", pattern = "^(WEBHOOK|EMAIL)$")]
    notification_type: String,
    /// The event types, each once: at least one preferred and all mandatory ones of this kind. A change may leave an
    /// EMAIL registration without any.
    #[schema(rename = "eventTypes")]
    event_types: Vec<String>,
    /// Where the notifications go.
    attributes: Attributes,
}

/// Where the notifications go.
#[derive(ToSchema)]
#[schema(as = Attributes)]
#[expect(dead_code, reason = "only its schema is used")]
struct Attributes {
    /// Of a WEBHOOK registration: the URL that is posted to. Slashes at its end are stripped.
    #[schema(rename = "webhookURI", nullable = false, max_length = 2048)]
    webhook_uri: Option<String>,
    /// Of an EMAIL registration: the address that is mailed to.
    #[schema(nullable = false)]
    email: Option<String>,
}

/// Members of an answer, which a change may have and which change nothing.
const READ_ONLY: [&str; 8] = [
    "integratorId",
    "integratorType",
    "registrationId",
    "subscriberId",
    "webhookURI",
    "email",
    "sharedSecret",
    "sharedSecretExpiry",
];

/// What is asked for, as far as it could be read, and all that is wrong with it so far.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The kind of registration.
    pub(super) kind: Option<EndpointKind>,
    /// The types with their places in the body, each once.
    pub(super) event_types: Option<Vec<(usize, EventTypeId)>>,
    /// Where it goes.
    pub(super) place: Option<Place>,
    /// The names of members that mean nothing and were ignored.
    pub(super) unknown: Vec<String>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

/// Reads a body; `update`: it may have what only answers have. An error, where it is no JSON object at all.
pub(super) fn parse(body: &[u8], update: bool, settings: &RegistrationsSettings) -> Result<Asked, Error> {
    let whole = |message: String| Error::Invalid(vec![Problem { field: None, message }]);
    let raw = check(body).map_err(|e| whole(format!("the body is not acceptable JSON: {e}")))?;
    let Ok(Members(members)) = serde_json::from_str(raw.get()) else {
        return Err(whole("the body must be a JSON object".to_owned()));
    };
    let mut asked = Asked::default();
    let (mut kind, mut event_types, mut attributes) = (None, None, None);
    for (name, value) in members {
        match &*name {
            "notificationType" => kind = Some(value),
            "eventTypes" => event_types = Some(value),
            "attributes" => attributes = Some(value),
            name if update && READ_ONLY.contains(&name) => {}
            _ => asked.unknown.push(name.into_owned()),
        }
    }
    asked.read_kind(kind);
    asked.read_event_types(event_types);
    asked.read_attributes(attributes, settings);
    if settings.unknown_members == UnknownMembers::Refuse {
        let refused = asked.unknown.drain(..).map(|name| Problem::of(name, "is not a member of this request"));
        asked.problems.extend(refused);
    }
    Ok(asked)
}

impl Asked {
    fn wrong(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::of(field, message));
    }

    fn read_kind(&mut self, value: Option<&RawValue>) {
        let Some(value) = value else { return self.wrong("notificationType", "is missing") };
        let text = string(value);
        let kinds = [EndpointKind::Webhook, EndpointKind::Email];
        self.kind = text.and_then(|text| kinds.into_iter().find(|kind| name(*kind) == text));
        if self.kind.is_none() {
            self.wrong("notificationType", "must be WEBHOOK or EMAIL");
        }
    }

    fn read_event_types(&mut self, value: Option<&RawValue>) {
        let Some(value) = value else { return self.wrong("eventTypes", "is missing") };
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
            return self.wrong("eventTypes", "must be an array of strings");
        };
        let mut seen = HashSet::with_capacity(items.len());
        let mut event_types = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match read_event_type(item, &mut seen) {
                Ok(id) => event_types.push((index, id)),
                Err(problem) => self.wrong(format!("eventTypes[{index}]"), problem),
            }
        }
        self.event_types = Some(event_types);
    }

    fn read_attributes(&mut self, value: Option<&RawValue>, settings: &RegistrationsSettings) {
        let Some(value) = value else { return self.wrong("attributes", "is missing") };
        let Ok(Members(members)) = serde_json::from_str(value.get()) else {
            return self.wrong("attributes", "must be an object");
        };
        let (mut uri, mut email) = (None, None);
        for (name, value) in members {
            match &*name {
                "webhookURI" => uri = Some(value),
                "email" => email = Some(value),
                other => self.unknown.push(format!("attributes.{other}")),
            }
        }
        // The member of the other kind means nothing, but has to be what the document says.
        let other = match self.kind {
            Some(EndpointKind::Webhook) => email.map(|value| (EMAIL, required(EMAIL, Some(value)).map(drop))),
            Some(EndpointKind::Email) => {
                uri.map(|value| (URI, required(URI, Some(value)).and_then(|uri| bounded(&uri))))
            }
            _ => None,
        };
        if let Some((member, checked)) = other {
            self.unknown.push(member.to_owned());
            self.problems.extend(checked.err());
        }
        let place = match self.kind {
            Some(EndpointKind::Webhook) => required(URI, uri).and_then(|uri| Place::webhook(&uri, settings)),
            Some(EndpointKind::Email) => required(EMAIL, email).and_then(|email| Place::email(&email)),
            // What it has to be like is not known.
            _ => return,
        };
        match place {
            Ok(place) => self.place = Some(place),
            Err(problem) => self.problems.push(problem),
        }
    }
}

fn required<'a>(field: &str, value: Option<&'a RawValue>) -> Result<Cow<'a, str>, Problem> {
    let value = value.ok_or_else(|| Problem::of(field, "is missing"))?;
    string(value).ok_or_else(|| Problem::of(field, "must be a string"))
}

fn read_event_type<'a>(item: &'a RawValue, seen: &mut HashSet<Cow<'a, str>>) -> Result<EventTypeId, String> {
    let id = string(item).ok_or("must be a string")?;
    if !(1..=MAX_NAME).contains(&id.chars().count()) {
        return Err(format!("must be 1 to {MAX_NAME} characters"));
    }
    let event_type = EventTypeId::new(&id);
    if seen.insert(id) { Ok(event_type) } else { Err(format!("the event type [{event_type}] is there twice")) }
}
