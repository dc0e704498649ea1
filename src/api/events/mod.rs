//! The events contract: publishing (contracts/events.md).

/// `[api.events]`
#[derive(Clone, Debug)]
pub struct EventsSettings {
    /// Where it is mounted, without a slash at the end.
    pub mount: String,
    /// The largest batch in bytes.
    pub max_batch: usize,
    /// The largest single event in bytes: `server.max_body`.
    pub max_event: usize,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
}
