//! Text → settings: all problems at once, with file, line and column.

use std::path::PathBuf;

use crate::api::events::EventsSettings;
use crate::api::polling::PollingSettings;
use crate::api::root::RootSettings;
use crate::auth::AuthSettings;
use crate::engine::EngineSettings;
use crate::http::settings::ServerSettings;
use crate::store::StoreSettings;

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// journald's where stderr is connected to it, else text.
    Auto,
    /// Lines with a priority prefix, as journald reads them from stderr (sd-daemon(3)).
    Journald,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `[log]`
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// Its form.
    pub format: LogFormat,
    /// The least severe level that is shown.
    pub level: tracing::Level,
}

/// All that the files say, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `data_dir`
    pub data_dir: PathBuf,
    /// `[server]`
    pub server: ServerSettings,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// `[admin]`, with the server's limits.
    pub admin: ServerSettings,
    /// `[api.polling]`; `None` where it is not enabled.
    pub polling: Option<PollingSettings>,
    /// `[api.events]`; `None` where it is not enabled.
    pub events: Option<EventsSettings>,
    /// `auth.token_paths`.
    pub root: RootSettings,
    /// `[auth]`, `[[clients]]`
    pub auth: AuthSettings,
    /// `[events]`, `[[event_types]]`, `[[subscriptions]]`
    pub engine: EngineSettings,
    /// `[events]`, `[limits]`
    pub store: StoreSettings,
    /// `[log]`
    pub log: LogSettings,
    /// The `curl` lines of a sample configuration: set where a client's secret stands in the file as `value`, so
    /// that it is no secret, and the client can publish and poll a declared subscription.
    pub sample: Option<Sample>,
}

/// What is needed to show somebody how to try a sample configuration.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The client.
    pub client_id: String,
    /// The sample's secret, as it stands in the file for all to see.
    pub secret: String,
    /// The declared subscription.
    pub subscription: String,
    /// One of its event types.
    pub event_type: String,
}
