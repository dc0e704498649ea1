//! What stands in for data that is not known yet, when a template is tried without a sample.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

/// A value that has every member, is a list of one, is true, and prints as the path that led to it.
#[derive(Debug)]
pub(super) struct StandIn(String);

impl StandIn {
    /// The value of the variable `name`.
    pub(super) fn value(name: &str) -> Value {
        Value::from_object(Self(name.to_owned()))
    }
}

impl Object for StandIn {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Self::value(&match key.as_str() {
            Some(name) => format!("{}.{name}", self.0),
            None => format!("{}[{key}]", self.0),
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(vec![Self::value(&format!("{}[0]", self.0))])
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
