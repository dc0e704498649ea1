//! What is told of configurations: the wire's types, which the commands read too.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The configuration that runs, and the one on disk.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Configuration)]
pub struct ConfigurationReport {
    /// Hex SHA-256 of what runs: of values and contents, not of the names of files or the order in them.
    pub digest: String,
    /// Since when it runs (RFC 3339).
    pub since: String,
    /// `files`, or `last-good` while the files were bad at the start and the last good configuration runs.
    pub source: String,
    /// What the files say now.
    pub disk: DiskReport,
    /// The keys that are others on disk and wait for a restart.
    pub restart: Vec<String>,
    /// The last reload; absent before the first.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reload: Option<LastReloadReport>,
}

/// What the files say now.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Disk)]
pub struct DiskReport {
    /// Its digest; absent if the files cannot be used.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What is wrong with the files, and what somebody should look at.
    pub problems: Vec<ProblemReport>,
}

/// How a reload ended.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = LastReload)]
pub struct LastReloadReport {
    /// When (RFC 3339).
    pub at: String,
    /// What it came from: `command`, `signal` or `change` (of a file).
    pub by: String,
    /// Whether it was done; if not, nothing was changed.
    pub successful: bool,
    /// What stood in its way.
    pub problems: Vec<ProblemReport>,
}

/// A problem of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[schema(as = ConfigurationProblem)]
pub struct ProblemReport {
    /// `error`, or `warning` where the configuration can be used all the same.
    pub severity: String,
    /// File, line and column, or the environment variable or flag; empty where it stands nowhere.
    pub place: String,
    /// The path of the key; empty where none is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl ProblemReport {
    /// What is wrong, where it stands in no file.
    #[must_use]
    pub fn of(message: String) -> Self {
        Self { severity: "error".to_owned(), message, ..Self::default() }
    }

    /// Whether the configuration cannot be used because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

impl std::fmt::Display for ProblemReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { severity, place, key, message, suggestion } = self;
        let warning = if severity == "warning" { "warning" } else { "" };
        for part in [place.as_str(), warning, key].into_iter().filter(|part| !part.is_empty()) {
            write!(f, "{part}: ")?;
        }
        f.write_str(message)?;
        suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, "; {suggestion}"))
    }
}

/// What a reload would change.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanReport {
    /// The digest of what runs, or of what ran last.
    pub running: String,
    /// The digest of what the files say.
    pub disk: String,
    /// Entries and sections that are not the same.
    pub differences: Vec<DifferenceReport>,
    /// The keys among them that wait for a restart.
    pub restart: Vec<String>,
    /// Subscriptions made through an API that would be held, because the files no longer name their clients.
    pub held: Vec<HeldReport>,
    /// Those that would be released, because the files name their clients again.
    pub released: Vec<HeldReport>,
    /// What would happen to the declared subscriptions in the store.
    pub subscriptions: SubscriptionCounts,
    /// What somebody should look at.
    pub warnings: Vec<ProblemReport>,
}

impl PlanReport {
    /// Whether a reload would change anything.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.differences.is_empty() || self.subscriptions != SubscriptionCounts::default()
    }
}

/// An entry of a list, or a section, that is not the same.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Difference)]
pub struct DifferenceReport {
    /// `added`, `changed` or `removed`.
    pub kind: String,
    /// The list (`subscriptions`) or the section (`server`); empty for keys outside of sections.
    pub section: String,
    /// Which entry of the list.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its keys that are not the same.
    pub fields: Vec<FieldReport>,
    /// Where it stands.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Whether it waits for a restart.
    pub restart: bool,
    /// Of a subscription that is removed, or goes to another client: how many notifications wait in it.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Of a subscription that is removed: what becomes of them (`drain`, `fail` or `drop`).
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_remove: Option<String>,
}

/// A key that is not the same; secrets are masked.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = FieldDifference)]
pub struct FieldReport {
    /// Its path below the entry or section.
    pub key: String,
    /// What it was; absent if it was not there.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is; absent if it is not there.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// A subscription that would be held or released.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = HeldSubscription)]
pub struct HeldReport {
    /// Its id.
    pub id: String,
    /// The client that it is for.
    pub client: String,
    /// How many notifications wait in it.
    pub waiting: u64,
}

/// How many subscriptions the store has otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[schema(as = SubscriptionChanges)]
pub struct SubscriptionCounts {
    /// Declared ones that are new.
    pub created: usize,
    /// Declared ones that are changed, or declared again.
    pub updated: usize,
    /// No longer declared: they take in nothing more, and what waits is still delivered or expires.
    pub drained: usize,
    /// No longer declared, and what waited has failed.
    pub failed: usize,
    /// No longer declared and gone: what waited was cancelled, or nothing did.
    pub dropped: usize,
    /// Made through an API, and held because the files no longer name the client.
    pub held: usize,
    /// Released because the files name the client again.
    pub released: usize,
    /// Registrations made through an API that get types which are mandatory now.
    pub extended: usize,
}

/// What a reload has changed.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Reload)]
pub struct ReloadReport {
    /// Whether the files said anything else than what ran already.
    pub changed: bool,
    /// The digest of what runs now.
    pub digest: String,
    /// How many entries and sections were changed.
    pub differences: usize,
    /// The keys that are others on disk and wait for a restart; all else is applied.
    pub restart: Vec<String>,
    /// What has become of the subscriptions.
    pub subscriptions: SubscriptionCounts,
    /// What somebody should look at.
    pub warnings: Vec<ProblemReport>,
}
