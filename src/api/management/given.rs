//! What a body says, read member by member, so that all that is wrong is said at once, each with its place.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::value::RawValue;

use super::error::Error;
use crate::api::unknown_members::UnknownMembers;
use crate::model::json::{Members, check, string};

/// The most entries of a list.
pub(super) const MAX_ITEMS: usize = 100;

/// What is wrong with a body, and which of its members mean nothing.
#[derive(Debug, Default)]
pub(super) struct Given {
    problems: Vec<String>,
    unknown: Vec<String>,
}

/// A member's name and its value.
pub(super) type Member<'a> = (Cow<'a, str>, &'a RawValue);

/// The JSON of a body.
pub(super) fn json(body: &[u8]) -> Result<&RawValue, Error> {
    check(body).map_err(|error| Error::Invalid(vec![format!("the body is not acceptable JSON: {error}")]))
}

impl Given {
    /// Takes note of what is wrong at `path`.
    pub(super) fn refuse(&mut self, path: &str, what: impl Display) {
        self.problems.push(if path.is_empty() { format!("the body {what}") } else { format!("{path}: {what}") });
    }

    /// Takes note of a member that means nothing.
    pub(super) fn unknown(&mut self, path: &str, name: &str) {
        self.unknown.push(join(path, name));
    }

    /// The members of an object.
    pub(super) fn members<'a>(&mut self, path: &str, value: &'a RawValue) -> Option<Vec<Member<'a>>> {
        let Ok(Members(members)) = serde_json::from_str(value.get()) else {
            self.refuse(path, "must be an object");
            return None;
        };
        Some(members)
    }

    /// The entries of a list, with their places.
    pub(super) fn items<'a>(&mut self, path: &str, value: &'a RawValue) -> Vec<(String, &'a RawValue)> {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
            self.refuse(path, "must be an array");
            return Vec::new();
        };
        if items.len() > MAX_ITEMS {
            self.refuse(path, format!("must have at most {MAX_ITEMS} entries"));
            return Vec::new();
        }
        items.into_iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
    }

    /// The same, of which there has to be one.
    pub(super) fn some_items<'a>(
        &mut self,
        path: &str,
        value: &'a RawValue,
        what: &str,
    ) -> Vec<(String, &'a RawValue)> {
        let before = self.problems.len();
        let items = self.items(path, value);
        if items.is_empty() && self.problems.len() == before {
            self.refuse(path, format!("must have at least one {what}"));
        }
        items
    }

    /// A string.
    pub(super) fn text<'a>(&mut self, path: &str, value: &'a RawValue) -> Option<Cow<'a, str>> {
        let text = string(value);
        if text.is_none() {
            self.refuse(path, "must be a string");
        }
        text
    }

    /// One of these strings.
    pub(super) fn one_of<T: Copy>(&mut self, path: &str, value: &RawValue, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(path, value)?;
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, chosen)| *chosen);
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.refuse(path, format!("must be {}", names.join(" or ")));
        }
        chosen
    }

    /// Says that a member is missing.
    pub(super) fn missing(&mut self, path: &str) {
        self.refuse(path, "is missing");
    }

    /// The members that mean nothing, if nothing is wrong.
    pub(super) fn finish(mut self, unknown_members: UnknownMembers) -> Result<Vec<String>, Error> {
        if unknown_members == UnknownMembers::Refuse {
            self.problems.extend(self.unknown.iter().map(|name| format!("{name}: is not a member of this request")));
        }
        if self.problems.is_empty() { Ok(self.unknown) } else { Err(Error::Invalid(self.problems)) }
    }
}

/// The place of the member `name` of what is at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
