//! `[limits]`

use super::credential::{ceiling, rate};
use super::kind::{DAY, SECOND, TIB, count, duration, number, size};
use super::reader::Section;
use crate::auth::AuthLimits;
use crate::engine::ClientLimits;
use crate::store::StoreSettings;

/// `[limits]`
pub(super) struct Limits {
    /// The limits that the store keeps; all else of its settings is as built in.
    pub(super) store: StoreSettings,
    /// How many of what each client may have.
    pub(super) clients: ClientLimits,
    /// How often callers may do what.
    pub(super) auth: AuthLimits,
}

/// Reads `[limits]`.
pub(super) fn read(top: &Section<'_>) -> Limits {
    top.section("limits", |limits| Limits {
        store: of_store(limits),
        clients: ClientLimits {
            subscriptions: limits.required("subscriptions", count(0..=1_000_000)),
            waiting_polls: limits.required("waiting_polls", count(0..=100_000)),
        },
        auth: of_callers(limits),
    })
}

fn of_store(limits: &Section<'_>) -> StoreSettings {
    let waiting = || number(1..=1_000_000_000);
    StoreSettings {
        queue_depth: limits.required("queue_depth", waiting()),
        queue_total: limits.required("queue_total", waiting()),
        disk_reserve: limits.required("disk_reserve", size(0..=1024 * TIB)),
        clock_leap: limits.required("clock_leap", duration(SECOND..=DAY)),
        ..StoreSettings::default()
    }
}

fn of_callers(limits: &Section<'_>) -> AuthLimits {
    let auth_failures = limits.required("auth_failures", |item| rate(item).map(Some));
    AuthLimits {
        request_rate: limits.required("request_rate", ceiling).0,
        token_rate: limits.required("token_rate", ceiling).0,
        auth_failures: auth_failures.unwrap_or(AuthLimits::default().auth_failures),
    }
}
