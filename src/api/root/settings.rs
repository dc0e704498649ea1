//! `auth.token_paths` and what the root needs to know of the server.

/// What the root serves.
#[derive(Clone, Debug)]
pub struct RootSettings {
    /// `auth.token_paths`.
    pub token_paths: Vec<String>,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// Whether a client shows who it is by a TLS client certificate.
    pub certificates: bool,
}
