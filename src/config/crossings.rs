//! What two sections say that does not go together, though each is right alone: all of it warnings.
//!
//! - Scopes and contracts that are good for nothing, because what asks for them is switched off.
//! - Schedules that go on for longer than the ttl of what they are for.

use std::time::Duration;

use super::kind::show_whole_duration;
use super::places::join_key;
use super::problem::Place;
use super::reader::{Located, Section, Shown};
use crate::auth::scope;
use crate::model::notification::{ByKind, EndpointKind};
use crate::model::pattern::stands_for;

/// The contracts that are served.
#[derive(Clone, Copy)]
pub(super) struct Served {
    pub(super) polling: bool,
    pub(super) events: bool,
}

impl Served {
    /// Why nothing asks for a scope; `None` if something does, or if it is not known.
    fn nothing_asks_for(self, scope: &str) -> Option<&'static str> {
        match scope {
            scope::ADMINISTRATOR if !self.polling => Some("api.polling.enabled is false"),
            scope::PUBLISH if !self.events => Some("api.events.enabled is false"),
            scope::CONSUMER if !self.polling && !self.events => {
                Some("api.polling.enabled and api.events.enabled are false")
            }
            _ => None,
        }
    }

    /// Whether tokens can be shown to a contract.
    fn serves(self, contract: &str) -> bool {
        // The operator half of the events contract is there in any case.
        contract == "events" || contract == "polling" && self.polling
    }

    /// Warns of scopes, or patterns of them, that nothing which is served asks for.
    pub(super) fn check_scopes<'a>(self, top: &Section<'_>, scopes: impl IntoIterator<Item = &'a Located<String>>) {
        for Located { value, path } in scopes {
            let mut known = scope::ALL.iter().filter(|scope| stands_for(value, scope)).peekable();
            let Some(first) = known.peek().and_then(|scope| self.nothing_asks_for(scope)) else { continue };
            if known.all(|scope| self.nothing_asks_for(scope).is_some()) {
                let message = format!("the scope {} is good for nothing: {first}", Shown(value));
                top.reader.warning(path, message, Some("enable the contract, or leave the scope out".to_owned()));
            }
        }
    }

    /// Warns of contracts that are named and not served.
    pub(super) fn check_contracts<'a>(
        self,
        top: &Section<'_>,
        contracts: impl IntoIterator<Item = &'a Located<String>>,
    ) {
        for Located { value, path } in contracts.into_iter().filter(|contract| !self.serves(&contract.value)) {
            top.reader.warning(path, format!("the contract {} is not served", Shown(value)), None);
        }
    }
}

/// How long the notifications of an event type live, where it says so itself.
pub(super) type OwnTtl = Located<ByKind<Option<Duration>>>;

/// Warns of ttls that end before `schedule` of the endpoints of `kind` does, which stands in the section `of`: the general
/// one, or else those of `types`, which are told as one.
pub(super) fn check_schedule(
    top: &Section<'_>,
    (of, kind, schedule): (&str, EndpointKind, &[Duration]),
    general: &ByKind<Duration>,
    types: &[OwnTtl],
) {
    let key = kind.as_str();
    let whole: Duration = schedule.iter().sum();
    let general = *general.get(kind);
    let advice = || Some(format!("shorten {of}.schedule, or lengthen the ttl"));
    if !general.is_zero() && general < whole {
        let (ttl, schedule_path) = (format!("events.ttl.{key}"), format!("{of}.schedule"));
        // Whichever somebody has written.
        let path = if top.reader.place(&ttl) == (Place::BuiltIn {}) { schedule_path } else { ttl };
        return top.reader.warning(&path, told(of, key, schedule, general), advice());
    }
    let mut cutting = types.iter().filter_map(|own| {
        let ttl = (*own.value.get(kind)).filter(|ttl| *ttl < whole)?;
        Some((join_key(&join_key(&own.path, "ttl"), key), ttl))
    });
    if let Some((path, ttl)) = cutting.next() {
        let others = match cutting.count() {
            0 => String::new(),
            others => format!("; so it is with {others} other event types"),
        };
        top.reader.warning(&path, told(of, key, schedule, ttl) + &others, advice());
    }
}

fn told(of: &str, key: &str, schedule: &[Duration], ttl: Duration) -> String {
    let (whole, made) = (show_whole_duration(schedule.iter().sum()), attempts_before(schedule, ttl));
    let (ttl, all) = (show_whole_duration(ttl), schedule.len() + 1);
    format!(
        "what waits for {key} ends after {ttl}, and {of}.schedule goes on for {whole}: {made} of its {all} attempts are made"
    )
}

/// How many attempts there are before what they are for has ended.
fn attempts_before(schedule: &[Duration], ttl: Duration) -> usize {
    let mut after = Duration::ZERO;
    let made = schedule.iter().take_while(|pause| {
        after += **pause;
        after < ttl
    });
    1 + made.count()
}
