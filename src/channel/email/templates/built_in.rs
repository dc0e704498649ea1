//! The templates that there are without any file: one for any event, one for what the appliance tells of itself.

use super::parts::Part;
use crate::model::condition::is_own;

/// A built-in template, and the name under which files take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuiltIn {
    /// For what has no template of its own.
    Default,
    /// For conditions that need a person (`tidings.*`).
    Condition,
}

impl BuiltIn {
    pub(super) const ALL: [Self; 2] = [Self::Default, Self::Condition];

    /// The one for events of this type.
    pub(super) fn of(event_type: &str) -> Self {
        if is_own(event_type) { Self::Condition } else { Self::Default }
    }

    /// What files are called that are taken instead of it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Condition => "tidings",
        }
    }

    /// A name that no file can have.
    pub(super) const fn file(self, part: Part) -> &'static str {
        match (self, part) {
            (Self::Default, Part::Subject) => "/default.subject",
            (Self::Default, Part::Text) => "/default.txt",
            (Self::Default, Part::Html) => "/default.html",
            (Self::Condition, Part::Subject) => "/tidings.subject",
            (Self::Condition, Part::Text) => "/tidings.txt",
            (Self::Condition, Part::Html) => "/tidings.html",
        }
    }

    /// Its text.
    pub(super) const fn source(self, part: Part) -> &'static str {
        match (self, part) {
            (Self::Default, Part::Subject) => include_str!("built_in/default.subject"),
            (Self::Default, Part::Text) => include_str!("built_in/default.txt"),
            (Self::Default, Part::Html) => include_str!("built_in/default.html"),
            (Self::Condition, Part::Subject) => include_str!("built_in/condition.subject"),
            (Self::Condition, Part::Text) => include_str!("built_in/condition.txt"),
            (Self::Condition, Part::Html) => include_str!("built_in/condition.html"),
        }
    }
}
