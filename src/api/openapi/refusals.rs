//! What the server refuses before a contract is asked: the same for all contracts, each in its own words.

use super::description::{Outcome, Sample};
use crate::api::problem::{self, Problem};
use crate::http::contract::{Access, Refusal, Response, Route};

/// On which routes a refusal can be met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    /// On all.
    Every,
    /// On those that ask for a credential.
    Guarded,
    /// On those whose path has parameters.
    Parametrised,
    /// On none that a document names: another path or another method.
    None,
}

/// A refusal as it is answered, and where it can be met.
pub(super) struct Refused {
    on: On,
    pub(super) outcome: Outcome,
}

impl Refused {
    /// Whether it can be met on `route`.
    pub(super) fn is_met<Operation>(&self, route: &Route<Operation>) -> bool {
        match self.on {
            On::Every => true,
            On::Guarded => route.access != Access::Public,
            On::Parametrised => route.path.contains('{'),
            On::None => false,
        }
    }
}

/// All refusals as `refuse` answers them. What is said of a request whose contract cannot be told is a problem of the
/// root at `public_url`, whatever the contract's own errors look like.
pub(super) fn all(public_url: &str, refuse: &dyn Fn(&Refusal) -> Response) -> Vec<Refused> {
    let own = samples().into_iter().map(|refusal| {
        let (on, name, when) = explain(&refusal);
        let response = Sample::of(&refuse(&refusal));
        Refused { on, outcome: Outcome { name, when: when.to_owned(), response, shape: None, shared: true } }
    });
    own.chain(unaddressed(public_url)).collect()
}

/// One of each kind. One that is missing here is missing in the documents: [`explain`] names them all.
fn samples() -> [Refusal; 11] {
    let detail = |text: &str| text.to_owned();
    [
        Refusal::BadRequest { detail: detail("the request has more than one Host header") },
        Refusal::Unauthenticated {
            detail: detail("there is no credential: send `Authorization: Bearer …` with a token"),
        },
        Refusal::Forbidden { scope: "some:scope" },
        Refusal::NotAllowed { detail: detail("the credential is not good from this address") },
        Refusal::NoSuchPath,
        Refusal::MethodNotAllowed { allow: detail("GET, DELETE") },
        Refusal::BodyTimeout { seconds: 30 },
        Refusal::BodyTooLarge { limit: 262_144 },
        Refusal::TooManyRequests { detail: detail("more requests than the client may send"), retry_after: 1 },
        Refusal::Internal,
        Refusal::Unavailable { detail: detail("the server is stopping") },
    ]
}

const fn explain(refusal: &Refusal) -> (On, &'static str, &'static str) {
    match refusal {
        Refusal::BadRequest { .. } => {
            (On::Every, "bad-request", "A header is bad, or the body did not arrive as it was announced.")
        }
        Refusal::Unauthenticated { .. } => {
            (On::Guarded, "unauthenticated", "There is no credential, or one that is no good (any more).")
        }
        Refusal::Forbidden { .. } => (On::Guarded, "forbidden", "The credential does not have the scope."),
        Refusal::NotAllowed { .. } => {
            (On::Guarded, "not-allowed", "The credential is not good for this contract, or not from this address.")
        }
        Refusal::NoSuchPath => {
            (On::Parametrised, "no-such-path", "A parameter of the path is empty or not percent-encoded UTF-8.")
        }
        Refusal::MethodNotAllowed { .. } => (On::None, "method-not-allowed", "The path has other methods."),
        Refusal::BodyTimeout { .. } => (On::Every, "body-timeout", "The body did not arrive in time."),
        Refusal::BodyTooLarge { .. } => (On::Every, "body-too-large", "The body is too large."),
        Refusal::TooManyRequests { .. } => {
            (On::Guarded, "too-many-requests", "Too many requests: try again after `Retry-After` seconds.")
        }
        Refusal::Internal => {
            (On::Every, "internal", "The server failed; its log has the reason under the `X-Request-Id`.")
        }
        Refusal::Unavailable { .. } => {
            (On::Every, "unavailable", "It cannot be done now: try again after `Retry-After` seconds.")
        }
    }
}

/// What is said on a connection before there is a request whose contract could be told.
fn unaddressed(public_url: &str) -> impl Iterator<Item = Refused> {
    let unreadable = (
        Problem::InvalidRequest,
        "unreadable-head",
        "The request's head cannot be read, so that nobody can tell which contract it is for.",
        "the request's head is larger than 65536 bytes or has more than 100 headers",
    );
    let no_room = (
        Problem::Unavailable,
        "no-room",
        "There are too many connections.",
        "there are too many connections; try again later",
    );
    [unreadable, no_room].into_iter().map(move |(problem, name, when, detail)| {
        let response = Sample::of(&problem::answer(public_url, problem, detail, &[]));
        Refused { on: On::Every, outcome: Outcome { name, when: when.to_owned(), response, shape: None, shared: true } }
    })
}
