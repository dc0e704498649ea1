//! The operator half of the contract: look and act (contracts/events.md, "Look and act").
//!
//! It is served twice: with the rest of the contract, and alone on the admin listener ([`OperatorContract`]), where a
//! process on this machine needs no token, and where credentials and suppressed addresses are looked at, keys
//! replaced and a doubtful clock accepted besides. Whoever may call it sees and does everything, whoever that belongs to.
//!
//! What is asked for is read strictly: an unknown parameter or member is refused, because a filter that was misspelt
//! would mean more than was meant. All that is wrong is said at once.

mod acting;
mod attempt;
mod clock;
mod contract;
mod credentials;
mod cursor;
mod endpoint;
mod error;
mod event;
mod filter;
mod given;
mod looking;
mod notification;
mod openapi;
mod outcome;
mod routes;
mod samples;
mod story;
mod subscription;
mod suppressions;

pub(super) use self::clock::describe as describe_clock;
pub(super) use self::contract::{Alone, table_alone};
pub use self::contract::{LateCaretaker, LateEngine, OperatorContract, OperatorSettings};
pub(super) use self::credentials::describe as describe_credentials;
pub(super) use self::openapi::describe;
pub(super) use self::routes::{Operation, ROUTES};
pub(super) use self::suppressions::describe as describe_suppressions;

use super::error::Error;
use crate::auth::{Credential, Principal};
use crate::engine::Engine;
use crate::http::contract::{Request, Response};

/// Answers a request of the operator.
pub(super) async fn call(
    operation: Operation,
    request: &Request,
    caller: &Principal,
    engine: &Engine,
) -> Result<Response, Error> {
    match operation {
        Operation::List => looking::list(request, engine).await,
        Operation::Story => looking::story(request, engine).await,
        Operation::Event => looking::event(request, engine).await,
        Operation::Subscriptions => looking::subscriptions(request, engine),
        Operation::Subscription => looking::subscription(request, engine),
        Operation::Retry => acting::retry(request, &asker(caller), engine).await,
        Operation::Cancel => acting::cancel(request, &asker(caller), engine).await,
        Operation::CancelAll => acting::cancel_all(request, asker(caller), engine).await,
        Operation::ReplayAll => acting::replay_all(request, asker(caller), engine).await,
        Operation::Pause => acting::pause(request, engine).await,
        Operation::Resume => acting::resume(request, engine).await,
        Operation::Delete => acting::delete(request, engine).await,
        Operation::Purge => acting::purge(request, engine).await,
    }
}

/// Who asks, as the story of a notification names them.
fn asker(caller: &Principal) -> String {
    match &caller.credential {
        Credential::ForeignToken { issuer } => format!("{} of {issuer}", caller.client_id),
        Credential::Token | Credential::ApiKey { .. } | Credential::Peer { .. } => caller.client_id.to_string(),
    }
}
