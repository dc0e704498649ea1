//! What the server refuses at the root, in problem+json (RFC 9457).

use crate::api::problem::{self, Problem};
use crate::http::contract::{Refusal, Response};

/// The answer to `refusal`.
pub(super) fn answer(public_url: &str, refusal: &Refusal) -> Response {
    let (problem, detail) = describe(refusal);
    problem::answer(public_url, problem, &detail, &[])
}

fn describe(refusal: &Refusal) -> (Problem, String) {
    match refusal {
        Refusal::NoSuchPath => (
            Problem::NotFound,
            "Nothing is served under this path: see the mounts and token paths of the configuration.".to_owned(),
        ),
        Refusal::MethodNotAllowed { allow } => (Problem::MethodNotAllowed, format!("This path takes {allow}.")),
        Refusal::Unauthenticated { detail } => (Problem::Unauthenticated, detail.clone()),
        Refusal::Forbidden { scope } => (Problem::Forbidden, format!("The scope `{scope}` is needed.")),
        Refusal::BodyTooLarge { limit } => {
            (Problem::BodyTooLarge, format!("The body is larger than {limit} bytes, the limit of `server.max_body`."))
        }
        Refusal::BadRequest { detail } => (Problem::InvalidRequest, detail.clone()),
        Refusal::BodyTimeout { seconds } => {
            (Problem::BodyTimeout, format!("The body did not arrive within {seconds} seconds: send it again."))
        }
        Refusal::Unavailable { detail } => (Problem::Unavailable, detail.clone()),
        Refusal::Internal => (
            Problem::Internal,
            "The server failed; its log has the reason under this answer's X-Request-Id.".to_owned(),
        ),
    }
}
