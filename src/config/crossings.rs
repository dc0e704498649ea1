//! What two sections say that does not go together, though each is right alone: all of it warnings.
//!
//! - Scopes and contracts that are good for nothing, because what asks for them is switched off.
//! - Schedules that go on for longer than the ttl of what they are for.

use std::collections::BTreeSet;
use std::time::Duration;

use super::kind::show_whole_duration;
use super::places::join_key;
use super::problem::Place;
use super::reader::{Located, Section, Shown, nearest};
use crate::model::notification::{ByKind, EndpointKind};
use crate::model::pattern::stands_for;

/// Which contracts are served, and which scopes they ask for.
pub(super) struct Served {
    /// Each contract by name, and whether it is served.
    contracts: Vec<(&'static str, bool)>,
    /// Scopes, each with the contracts that ask for it; `None`: something that is served in any case does.
    scopes: Vec<(&'static str, Option<&'static str>)>,
}

impl Served {
    /// Contracts with what they ask for, and what is asked for `always`.
    pub(super) fn new(contracts: &[(&'static str, bool, Vec<&'static str>)], always: &[&'static str]) -> Self {
        let of = |(name, _, scopes): &(&'static str, bool, Vec<&'static str>)| {
            let name = *name;
            scopes.clone().into_iter().map(move |scope| (scope, Some(name)))
        };
        Self {
            contracts: contracts.iter().map(|(name, served, _)| (*name, *served)).collect(),
            scopes: always.iter().map(|scope| (*scope, None)).chain(contracts.iter().flat_map(of)).collect(),
        }
    }

    /// Whether a contract is served; the operator half of the events contract is there in any case, and so is what
    /// the admin listener has besides.
    pub(super) fn serves(&self, contract: &str) -> bool {
        matches!(contract, "events" | "admin") || self.is_on(contract)
    }

    fn is_on(&self, contract: &str) -> bool {
        self.contracts.iter().any(|(name, served)| *name == contract && *served)
    }

    /// Why nothing asks for what `scope`, which may be a pattern, stands for; `None` if something does.
    fn nothing_asks_for(&self, scope: &str) -> Option<String> {
        let asking = self.scopes.iter().filter(|(known, _)| stands_for(scope, known));
        let asking: Option<BTreeSet<&str>> = asking.map(|(_, contract)| *contract).collect();
        let asking = asking?;
        if asking.iter().any(|contract| self.is_on(contract)) {
            return None;
        }
        let keys: Vec<_> = asking.iter().map(|contract| format!("api.{contract}.enabled")).collect();
        Some(format!("{} {} false", keys.join(" and "), if keys.len() == 1 { "is" } else { "are" }))
    }

    /// Warns of scopes, or patterns of them, that nothing asks for, or nothing that is served.
    pub(super) fn check_scopes<'a>(&self, top: &Section<'_>, scopes: impl IntoIterator<Item = &'a Located<String>>) {
        for Located { value, path } in scopes {
            let known = || self.scopes.iter().map(|(scope, _)| *scope);
            if !known().any(|scope| stands_for(value, scope)) {
                let message = format!("this release gives no meaning to the scope {}", Shown(value));
                top.reader.warning(path, message, nearest(value, known()));
            } else if let Some(why) = self.nothing_asks_for(value) {
                let message = format!("the scope {} is good for nothing: {why}", Shown(value));
                top.reader.warning(path, message, Some("enable the contract, or leave the scope out".to_owned()));
            }
        }
    }

    /// Warns of contracts that are named and not served.
    pub(super) fn check_contracts<'a>(
        &self,
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
