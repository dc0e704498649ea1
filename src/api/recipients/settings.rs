//! What the contract is told by the files.

/// `[api.recipients]`
#[derive(Clone, Debug)]
pub struct RecipientsSettings {
    /// Where it is mounted, without a slash at the end.
    pub mount: String,
    /// What callers need.
    pub scopes: RecipientsScopes,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// The path at which callers get their tokens: the first of `auth.token_paths`.
    pub token_path: String,
}

/// The scopes of the contract (`scopes = { read, write }`); `None`: any token will do, as published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecipientsScopes {
    /// To read the table.
    pub read: Option<&'static str>,
    /// To change it.
    pub write: Option<&'static str>,
}
