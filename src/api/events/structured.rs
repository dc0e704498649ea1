//! Events as JSON: one `CloudEvent`, a batch of them, or the plain form.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::attributes::{Attributes, Value};
use super::form::Context;
use super::problems::Problems;
use crate::model::event::EventDraft;
use crate::model::json::{MAX_DEPTH, Members, RawJson, check_depth};

/// The most events in a batch.
pub(super) const MAX_EVENTS: usize = 1000;

/// The one event of `body`.
pub(super) fn read_one(body: &Bytes, context: &Context<'_>, problems: &mut Problems) -> Option<EventDraft> {
    // The envelope is one level around the data, which counts on its own.
    let raw = checked(body, MAX_DEPTH + 1, problems)?;
    read_event(body, raw, context, 0, problems)
}

/// The events of the batch `body`, in order; `None` where something is wrong.
pub(super) fn read_batch(body: &Bytes, context: &Context<'_>, problems: &mut Problems) -> Vec<Option<EventDraft>> {
    let Some(raw) = checked(body, MAX_DEPTH + 2, problems) else { return Vec::new() };
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        Ok(events) if (1..=MAX_EVENTS).contains(&events.len()) => events
            .into_iter()
            .enumerate()
            .map(|(index, event)| read_event(body, event, context, index, problems))
            .collect(),
        Ok(events) => {
            problems.invalid(String::new(), format!("has {} events; a batch has 1 to {MAX_EVENTS}", events.len()));
            Vec::new()
        }
        Err(_) => {
            problems.invalid(String::new(), "must be an array of events");
            Vec::new()
        }
    }
}

fn checked<'a>(body: &'a Bytes, max_depth: usize, problems: &mut Problems) -> Option<&'a RawValue> {
    check_depth(body, max_depth)
        .map_err(|error| problems.invalid(String::new(), format!("is not acceptable JSON: {error}")))
        .ok()
}

fn read_event(
    body: &Bytes,
    raw: &RawValue,
    context: &Context<'_>,
    index: usize,
    problems: &mut Problems,
) -> Option<EventDraft> {
    let pointer = context.form.pointer(index);
    if raw.get().len() > context.max_event {
        problems.too_large(pointer, context.max_event);
        return None;
    }
    let Ok(Members(members)) = serde_json::from_str(raw.get()) else {
        problems.invalid(pointer, "must be a JSON object");
        return None;
    };
    let mut attributes = Attributes::new(context, pointer, problems);
    let mut data = None;
    for (name, value) in members {
        match &*name {
            "data" => data = Some(RawJson::part_of(body, value)),
            "data_base64" => problems.media_type(attributes.pointer_to("data_base64"), "data must be JSON, in `data`"),
            _ => attributes.set(&name, Value::Member(body, value), problems),
        }
    }
    attributes.finish(data, problems)
}
