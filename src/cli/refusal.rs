//! What an answer that is no success means for a command.

use std::fmt::Write as _;

use super::client::Answer;
use super::exit::{Exit, Failure};

/// What an answer that is no success means: the exit code by its status, and the server's own words.
#[must_use]
pub(super) fn refused(what: &str, answer: &Answer) -> Failure {
    let exit = match answer.status.as_u16() {
        401 | 403 => Exit::NotAllowed,
        408 | 429 | 503 | 507 => Exit::TryAgain,
        400..=499 => Exit::Usage,
        _ => Exit::Unreachable,
    };
    Failure::new(exit, format!("cannot {what}: {} ({})", words(answer), answer.status.as_u16()))
}

/// The server's explanation: problem+json (RFC 9457), the polling contract's or OAuth's (RFC 6749, 5.2).
fn words(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let member = |name: &str| body.get(name).and_then(serde_json::Value::as_str);
    let first =
        ["detail", "description", "error_description", "title", "message", "error"].into_iter().find_map(member);
    let mut words = first.unwrap_or("the server gives no reason").trim_end_matches('.').to_owned();
    for error in body.get("errors").and_then(serde_json::Value::as_array).into_iter().flatten() {
        let text = |name: &str| error.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        // RFC 6901: the empty pointer is the body as a whole.
        let place = Some(text("pointer")).filter(|pointer| !pointer.is_empty()).unwrap_or("the event");
        // Writing to a String cannot fail.
        let _ = write!(words, "; {place}: {}", text("detail"));
    }
    words
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn a_refusal_carries_the_server_s_words() {
        let answer = |status: u16, body: &'static str| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.into(),
        };
        let body = r#"{"title":"t","detail":"Bad.","errors":[{"pointer":"/type","detail":"missing"},{"pointer":"","detail":"odd"}]}"#;
        let failure = refused("publish", &answer(400, body));
        let text = "cannot publish: Bad; /type: missing; the event: odd (400)";
        assert_eq!((failure.exit, failure.text.as_str()), (Exit::Usage, text));
        assert_eq!(refused("x", &answer(503, "")).exit, Exit::TryAgain);
        assert_eq!(refused("x", &answer(403, "{}")).exit, Exit::NotAllowed);
        assert_eq!(refused("x", &answer(500, "[]")).exit, Exit::Unreachable);
    }
}
