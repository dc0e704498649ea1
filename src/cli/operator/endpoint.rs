//! An endpoint as the operator half tells of it.

use std::fmt::Write as _;

use serde::Deserialize;

/// The members that the commands show.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    kind: String,
    target: Option<String>,
    role: Option<String>,
    policy: Option<String>,
    ordering: Option<String>,
    state: String,
    reason: Option<String>,
    since: Option<String>,
    next_probe: Option<String>,
    failures: u32,
    failing_since: Option<String>,
    last_fault: Option<String>,
    last_success: Option<String>,
    ramping: bool,
    quiet_until: Option<String>,
    down: Option<Down>,
    pub(super) waiting: u64,
    pub(super) held: u64,
    pub(super) in_flight: u64,
}

#[derive(Debug, Deserialize)]
struct Down {
    since: String,
    fault: String,
}

impl Endpoint {
    /// For example `webhook https://10.0.0.7/hook (policy plant)`.
    pub(super) fn name(&self) -> String {
        let mut out = self.kind.clone();
        let mut add = |text: String| out.push_str(&text);
        self.target.iter().for_each(|target| add(format!(" {target}")));
        self.policy.iter().for_each(|policy| add(format!(" (policy {policy})")));
        self.ordering.iter().filter(|ordering| *ordering == "strict").for_each(|_| add(" in strict order".to_owned()));
        self.role.iter().filter(|role| *role == "contact").for_each(|_| add(" as a contact".to_owned()));
        out
    }

    /// Why nothing is sent to it, for example `webhook https://10.0.0.7/hook circuit-open since 2026-…`; `None` where it is
    /// not held for its own sake.
    pub(super) fn held_because(&self) -> Option<String> {
        let target = self.target.as_deref().unwrap_or_default();
        Some(format!("{} {target} {} since {}", self.kind, self.reason.as_ref()?, self.since.as_ref()?))
    }

    /// How it is doing, a line each.
    pub(super) fn doing(&self) -> Vec<String> {
        let mut lines = vec![self.standing()];
        if self.failures > 0 {
            let since = self.failing_since.as_deref().unwrap_or("some time");
            let last = self.last_fault.as_deref().unwrap_or("not known");
            lines.push(format!("{} failures in a row since {since}, the last one: {last}", self.failures));
        }
        lines.extend(self.last_success.as_ref().map(|at| format!("it last took something at {at}")));
        let down = |down: &Down| format!("what it goes through has not worked since {}: {}", down.since, down.fault);
        lines.extend(self.down.as_ref().map(down));
        lines
    }

    /// For example `held (circuit-open since 2026-…), next tried at 2026-…`.
    fn standing(&self) -> String {
        let mut out = self.state.clone();
        // Writing to a String cannot fail.
        if let (Some(reason), Some(since)) = (&self.reason, &self.since) {
            let _ = write!(out, " ({reason} since {since})");
        }
        if let Some(at) = &self.next_probe {
            let _ = write!(out, ", next tried at {at}");
        }
        if self.ramping {
            out.push_str(", sent to slowly at first");
        }
        if let Some(until) = &self.quiet_until {
            let _ = write!(out, ", wants nothing before {until}");
        }
        out
    }

    /// For example `3 waiting, 0 held, 1 in flight`.
    pub(super) fn queue(&self) -> String {
        format!("{} waiting, {} held, {} in flight", self.waiting, self.held, self.in_flight)
    }
}
