//! The `Prefer` header (RFC 7240), of which `wait` means something here.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName};

use crate::api::media_type::is_token;

/// Says which preference was applied (RFC 7240, 3).
pub(super) const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the caller is willing to wait, at most `max`; `None` if it does not say so, or not as RFC 7240, 4.3 wants
/// it: then the preference is ignored. Of several `wait` the first counts (section 2).
pub(super) fn wait(headers: &HeaderMap, max: Duration) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok()).flat_map(preferences);
    let (_, value) = preferences.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("wait"))?;
    let value = value.trim();
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Digits that do not fit are more than any limit.
    let seconds = value.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).min(max))
}

/// The preferences of one header: names with their values, unquoted; parameters are left out, what is malformed too.
fn preferences(header: &str) -> Vec<(&str, String)> {
    split(header, b',').into_iter().filter_map(|one| preference(split(one, b';').first()?)).collect()
}

fn preference(text: &str) -> Option<(&str, String)> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let name = name.trim();
    is_token(name).then(|| (name, unquote(value.trim())))
}

/// Splits at `separator` where it does not stand inside a quoted string.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The text of a quoted string (RFC 9110, 5.6.4), or the text itself.
fn unquote(text: &str) -> String {
    let Some(inside) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else { return text.to_owned() };
    let mut escaped = false;
    inside
        .chars()
        .filter(|&c| {
            escaped = c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn seconds(values: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", HeaderValue::from_str(value).unwrap());
        }
        wait(&headers, Duration::from_mins(1)).map(|d| d.as_secs())
    }

    #[test]
    fn wait_is_found_in_all_the_forms_of_rfc_7240() {
        for form in [
            &["wait=10"][..],
            &["WAIT = 10"],
            &["wait=\"10\""],
            &["wait=\"1\\0\""],
            &["respond-async, wait=10"],
            &["respond-async", "wait=10; foo=bar"],
            &["foo=\"a, wait=3; \\\" b\"; x=\"wait=4\", wait=10"],
            &[",, wait=10 ,"],
            &["wait=10, wait=20", "wait=30"],
            &["bad name=1, wait=10"],
        ] {
            assert_eq!(seconds(form), Some(10), "{form:?}");
        }
    }

    #[test]
    fn both_sides_of_the_limits() {
        assert_eq!(seconds(&["wait=0"]), Some(0));
        assert_eq!(seconds(&["wait=1"]), Some(1));
        assert_eq!(seconds(&["wait=60"]), Some(60));
        assert_eq!(seconds(&["wait=61"]), Some(60));
        assert_eq!(seconds(&["wait=99999999999999999999999"]), Some(60));
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        for form in [
            &[][..],
            &[""],
            &["wait"],
            &["wait=-1"],
            &["wait=1.5"],
            &["wait=ten, wait=10"],
            &["foo; wait=10"],
            &["foo=\"wait=10"],
            &["waiting=10"],
        ] {
            assert_eq!(seconds(form), None, "{form:?}");
        }
    }
}
