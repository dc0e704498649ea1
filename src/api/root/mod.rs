//! What stands at the root, outside every mount: the token endpoint (contracts/events.md, "Tokens") with its
//! revocation, metadata and public keys, the public keys of webhooks, and the pages that explain problems. Everything else there is a 404 in problem+json.
//!
//! The token endpoint speaks RFC 6749: its own answers, errors too, are in the form of section 5, while what the server
//! refuses before the endpoint is asked (404, 405, 413, …) is problem+json like all else at the root.

mod answer;
mod contract;
mod credentials;
mod metadata;
mod openapi;
mod parameters;
mod settings;
#[cfg(test)]
mod tests;
mod token;

pub use contract::RootContract;
pub use openapi::document;
pub use settings::RootSettings;
