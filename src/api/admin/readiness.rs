//! Whether the appliance can do its work now.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Tells whether the appliance can do its work; asked at every request, so it must not block.
pub trait Health: Send + Sync + 'static {
    /// What holds now.
    fn readiness(&self) -> Readiness;
}

/// Whether the appliance is ready, and what else is worth knowing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readiness {
    /// Why it is not ready, for people; ready if there is none.
    pub reasons: Vec<String>,
    /// Details that do not make it unready.
    pub details: Map<String, Value>,
}

impl Readiness {
    /// Whether there is no reason against it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The body of `/health/ready`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Self { reasons, details } = self;
        let wire = Wire { details, ready: self.is_ready(), reasons };
        serde_json::to_string(&wire).expect("texts and JSON have a JSON form")
    }
}

/// Whether the appliance can do its work now.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct Wire<'a> {
    /// Details that do not make it unready, by name.
    #[schema(value_type = Object, additional_properties)]
    details: &'a Map<String, Value>,
    /// Whether there is no reason against it.
    ready: bool,
    /// Why it is not ready.
    reasons: &'a [String],
}
