//! `[api.*]` and `auth.token_paths`: which contracts are served, and where.
//!
//! What is wrong with a contract that is switched off is said too: it would be wrong once it is switched on.

mod events;
mod management;
mod mounts;
mod polling;
mod recipients;
mod registrations;
mod trigger;

use self::mounts::Mount;
use super::crossings::Served;
use super::kind::{boolean, list};
use super::reader::{Located, Section};
use super::server::Servers;
use crate::api::events::{EventsSettings, OperatorSettings};
use crate::api::management::ManagementSettings;
use crate::api::polling::{PollingSettings, UnknownMembers};
use crate::api::recipients::RecipientsSettings;
use crate::api::registrations::RegistrationsSettings;
use crate::api::root::RootSettings;
use crate::api::trigger::TriggerSettings;
use crate::auth::scope;

/// What the readers of contracts have in common.
struct Common<'a> {
    servers: &'a Servers,
    /// The first of `auth.token_paths`.
    token_path: String,
}

/// One contract as it is read: its settings where it is enabled, and where it would be.
struct Read<T> {
    settings: T,
    enabled: bool,
    mount: Mount,
}

impl<T> Read<T> {
    /// `settings` are made for the mount.
    fn new(section: &Section<'_>, settings: impl FnOnce(String) -> T) -> Self {
        let enabled = section.required("enabled", boolean);
        let mount = mounts::read(section);
        Self { settings: settings(mount.value.clone()), enabled, mount }
    }

    fn enabled(self) -> Option<T> {
        self.enabled.then_some(self.settings)
    }
}

/// The contracts.
pub(super) struct Contracts {
    pub(super) polling: Option<PollingSettings>,
    pub(super) events: Option<EventsSettings>,
    /// The operator half on the admin listener: there too where the contract is not enabled.
    pub(super) operator: OperatorSettings,
    pub(super) registrations: Option<RegistrationsSettings>,
    pub(super) management: Option<ManagementSettings>,
    pub(super) recipients: Option<RecipientsSettings>,
    pub(super) trigger: Option<TriggerSettings>,
    pub(super) root: RootSettings,
    /// What holds of contracts where entries are checked against them, whether they are enabled or not.
    pub(super) rules: Rules,
    /// Which are served, and who asks for which scope.
    pub(super) served: Served,
}

/// What holds of contracts for the entries that the files declare.
pub(super) struct Rules {
    /// As it would be, were it enabled.
    pub(super) registrations: RegistrationsSettings,
    /// Likewise.
    pub(super) management: ManagementSettings,
    /// Likewise.
    pub(super) trigger: TriggerSettings,
    /// The claim that names the group, for issuers that do not say (`api.recipients.group_claim`).
    pub(super) group_claim: String,
}

/// Reads the sections of `[api]`; `token_paths` is that of `[auth]`.
pub(super) fn read(top: &Section<'_>, servers: &Servers, token_paths: Vec<Located<String>>) -> Contracts {
    // Without one the list has been refused.
    let token_path = token_paths.first().map(|path| path.value.clone()).unwrap_or_default();
    let common = Common { servers, token_path };
    let sections = top.section("api", |api| Sections {
        polling: api.section("polling", |section| polling::read(section, &common)),
        events: api.section("events", |section| events::read(section, &common)),
        registrations: api.section("registrations", |section| registrations::read(section, &common)),
        management: api.section("management", |section| management::read(section, &common)),
        recipients: api.section("recipients", |section| recipients::read(section, &common)),
        trigger: api.section("trigger", |section| trigger::read(section, &common)),
    });
    sections.check_paths(top, &token_paths);
    let public_url = servers.public_url.clone();
    let token_paths = token_paths.into_iter().map(|path| path.value).collect();
    // Which clients have certificates is known later.
    let root = RootSettings { token_paths, public_url, certificates: false };
    sections.into_contracts(root, common)
}

struct Sections {
    polling: Read<PollingSettings>,
    events: Read<EventsSettings>,
    registrations: Read<RegistrationsSettings>,
    management: Read<ManagementSettings>,
    recipients: Read<(RecipientsSettings, String)>,
    trigger: Read<(TriggerSettings, Vec<Located<String>>)>,
}

impl Sections {
    fn check_paths(&self, top: &Section<'_>, token_paths: &[Located<String>]) {
        let Self { polling, events, registrations, management, recipients, trigger } = self;
        let all = [
            (polling.enabled, &polling.mount),
            (events.enabled, &events.mount),
            (registrations.enabled, &registrations.mount),
            (management.enabled, &management.mount),
            (recipients.enabled, &recipients.mount),
            (trigger.enabled, &trigger.mount),
        ];
        let mounts: Vec<_> = all.into_iter().filter(|(enabled, _)| *enabled).map(|(_, mount)| mount.clone()).collect();
        let aliases = if trigger.enabled { trigger.settings.1.as_slice() } else { &[] };
        mounts::check(top, &mounts, aliases);
        mounts::check_admin(top, &events.mount);
        mounts::check_token_paths(top, token_paths, &mounts, aliases);
    }

    fn into_contracts(self, root: RootSettings, common: Common<'_>) -> Contracts {
        let Self { polling, events, registrations, management, recipients, trigger } = self;
        let operator = OperatorSettings {
            mount: events.mount.value.clone(),
            public_url: root.public_url.clone(),
            token_path: common.token_path,
        };
        let served = Served::new(
            &[
                ("polling", polling.enabled, vec![scope::ADMINISTRATOR, scope::CONSUMER]),
                ("events", events.enabled, vec![scope::PUBLISH, scope::CONSUMER]),
                ("registrations", registrations.enabled, registrations::SCOPES.to_vec()),
                ("management", management.enabled, management::scopes(management.settings.scopes)),
                ("recipients", recipients.enabled, recipients::scopes(recipients.settings.0.scopes)),
                ("trigger", trigger.enabled, vec![scope::TRIGGER]),
            ],
            // The operator half of the events contract is there in any case.
            &[scope::OPERATE, scope::CUSTOMERS],
        );
        let rules = Rules {
            registrations: registrations.settings.clone(),
            management: management.settings.clone(),
            trigger: trigger.settings.0.clone(),
            group_claim: recipients.settings.1.clone(),
        };
        Contracts {
            polling: polling.enabled(),
            events: events.enabled(),
            operator,
            registrations: registrations.enabled(),
            management: management.enabled(),
            recipients: recipients.enabled().map(|(settings, _)| settings),
            trigger: trigger.enabled().map(|(settings, _)| settings),
            root,
            rules,
            served,
        }
    }
}

/// `unknown_members`
fn unknown_members(section: &Section<'_>) -> UnknownMembers {
    section.choice("unknown_members", &[("ignore", UnknownMembers::Ignore), ("refuse", UnknownMembers::Refuse)])
}

/// Reads `auth.token_paths`.
pub(super) fn read_token_paths(auth: &Section<'_>) -> Vec<Located<String>> {
    auth.required("token_paths", list(1, mounts::path))
}
