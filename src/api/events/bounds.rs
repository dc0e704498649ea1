//! What the caller may publish: the bounds of its client or key, for every event of a request.

use super::error::Error;
use super::form::Form;
use crate::api::problem::FieldError;
use crate::auth::{Outside, PublishBounds};
use crate::model::event::EventDraft;

/// Problems that are listed; those of further events are left out.
const MAX_LISTED: usize = 1000;

/// Refuses the events if one of them lies outside of `bounds`.
pub(super) fn check(form: Form, drafts: &[EventDraft], bounds: Option<&PublishBounds>) -> Result<(), Error> {
    let Some(bounds) = bounds else { return Ok(()) };
    let outside = drafts.iter().enumerate().flat_map(|(index, draft)| {
        let outside = bounds.outside(draft.event_type.as_str(), &draft.source, draft.audience.as_ref());
        outside.into_iter().map(move |outside| field_error(&form.pointer(index), &outside))
    });
    let errors: Vec<_> = outside.take(MAX_LISTED).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::out_of_bounds(errors)) }
}

fn field_error(event: &str, outside: &Outside) -> FieldError {
    let (member, detail) = match outside {
        Outside::Type => ("type", "is none of the types that the credential may publish".to_owned()),
        Outside::Source => ("source", "is none of the sources that the credential may publish for".to_owned()),
        Outside::Unaddressed => {
            ("audience", "is required, for the credential may publish to some owners only".to_owned())
        }
        Outside::Owner(owner) => ("audience", format!("names {owner:?}, to whom the credential may not publish")),
    };
    FieldError { pointer: format!("{event}/{member}"), detail }
}
