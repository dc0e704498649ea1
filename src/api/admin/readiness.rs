//! Whether the appliance can do its work now.

use serde_json::{Map, Value};

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
    pub fn to_json(&self) -> Value {
        serde_json::json!({"ready": self.is_ready(), "reasons": self.reasons, "details": self.details})
    }
}
