//! The version of a table (RFC 9110, 8.8.3), which follows from what it says, and the condition that names one.

use hyper::header::{HeaderMap, HeaderValue, IF_MATCH};

use crate::base::secret::{sha256, to_hex};

/// How many bytes of the hash make a tag.
const BYTES: usize = 16;

/// The tag of the table with this JSON.
pub(super) fn of(body: &[u8]) -> String {
    format!("\"{}\"", to_hex(&sha256(body)[..BYTES]))
}

/// Whether a change of what has the tag `current` is wanted: there is no `If-Match`, or it names that (RFC 9110, 13.1.1).
/// A weak tag names nothing, nor does what is no tag.
pub(super) fn is_wanted(headers: &HeaderMap, current: &str) -> bool {
    let mut conditions = headers.get_all(IF_MATCH).iter().peekable();
    conditions.peek().is_none() || conditions.any(|condition| names(condition, current))
}

fn names(condition: &HeaderValue, current: &str) -> bool {
    // Our tags have no comma, so a list can be split at each.
    let text = condition.to_str().unwrap_or_default();
    text.split(',').map(str::trim).any(|tag| tag == "*" || tag == current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_a_version_any_or_none() {
        let tag = of(b"{}");
        assert_eq!(tag.len(), 2 * BYTES + 2);
        let wanted = |conditions: &[&str]| {
            let headers = conditions.iter().map(|text| (IF_MATCH, HeaderValue::from_str(text).unwrap())).collect();
            is_wanted(&headers, &tag)
        };
        assert!(wanted(&[]) && wanted(&[&tag]) && wanted(&["*"]) && wanted(&[&format!("\"x\" ,{tag}")]));
        assert!(wanted(&["\"x\"", &tag]));
        for other in ["\"x\"", "", "x", &format!("W/{tag}"), tag.trim_matches('"')] {
            assert!(!wanted(&[other]), "{other}");
        }
        assert_ne!(tag, of(b"{ }"));
    }
}
