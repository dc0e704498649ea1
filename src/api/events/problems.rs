//! All that is wrong with the events of a request.

use super::form::Context;
use crate::api::problem::{FieldError, Problem};
use crate::engine::Objection;
use crate::model::event::EventDraft;

/// Problems that are listed; further ones are counted.
const MAX_LISTED: usize = 1000;

/// The events of a request, or what is wrong with them.
pub(super) type Read = Result<Vec<EventDraft>, Problems>;

/// What is wrong, and which problem it makes.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// Each with its place in the body.
    pub fields: Vec<FieldError>,
    /// How many more there are.
    pub unlisted: usize,
    kind: Kind,
}

/// The gravest kind decides the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Nobody may publish it, whatever else it is like.
    #[default]
    Forbidden,
    Invalid,
    MediaType,
    TooLarge,
}

impl Problems {
    /// Notes that what stands at `pointer` is invalid.
    pub(super) fn invalid(&mut self, pointer: String, detail: impl Into<String>) {
        self.add(Kind::Invalid, pointer, detail.into());
    }

    /// Notes that what stands at `pointer` is not of a media type that is taken.
    pub(super) fn media_type(&mut self, pointer: String, detail: impl Into<String>) {
        self.add(Kind::MediaType, pointer, detail.into());
    }

    /// Notes that what stands at `pointer` is larger than `limit` bytes.
    pub(super) fn too_large(&mut self, pointer: String, limit: usize) {
        self.add(Kind::TooLarge, pointer, format!("is larger than {limit} bytes, which is the limit of one event"));
    }

    /// Notes what the catalogue has against the event at `pointer`.
    pub(super) fn objection(&mut self, pointer: &str, objection: Objection) {
        let member = match objection {
            Objection::BuiltIn | Objection::Unknown => "type",
            Objection::NoAudience => "audience",
        };
        let kind = match objection {
            Objection::BuiltIn => Kind::Forbidden,
            Objection::Unknown | Objection::NoAudience => Kind::Invalid,
        };
        self.add(kind, format!("{pointer}/{member}"), objection.to_string());
    }

    fn add(&mut self, kind: Kind, pointer: String, detail: String) {
        self.kind = self.kind.max(kind);
        if self.fields.len() < MAX_LISTED {
            self.fields.push(FieldError { pointer, detail });
        } else {
            self.unlisted += 1;
        }
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.fields.len() + self.unlisted
    }

    /// Which problem they make.
    pub(super) const fn problem(&self) -> Problem {
        match self.kind {
            Kind::Forbidden => Problem::Forbidden,
            Kind::Invalid => Problem::InvalidRequest,
            Kind::MediaType => Problem::UnsupportedMediaType,
            Kind::TooLarge => Problem::BodyTooLarge,
        }
    }

    /// The drafts if there are no problems. If there are, what the catalogue has against the other events is added,
    /// so that a caller sees all at once.
    pub(super) fn or(mut self, drafts: Vec<Option<EventDraft>>, context: &Context<'_>) -> Read {
        if self.is_empty() {
            return Ok(drafts.into_iter().flatten().collect());
        }
        for (index, draft) in drafts.iter().enumerate() {
            let Some(draft) = draft else { continue };
            for objection in context.engine.objections(draft.event_type.as_str(), draft.audience.is_some()) {
                self.objection(&context.form.pointer(index), objection);
            }
        }
        Err(self)
    }
}
