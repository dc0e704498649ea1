//! What stands at the root, outside every mount: the token endpoint (contracts/events.md, "Tokens") and the pages
//! that explain problems. Everything else there is a 404 in problem+json.

/// What the root serves.
#[derive(Clone, Debug)]
pub struct RootSettings {
    /// `auth.token_paths`.
    pub token_paths: Vec<String>,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
}
