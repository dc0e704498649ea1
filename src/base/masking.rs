//! What must not be read in the log: the last look at a line before it is written.
//!
//! Nothing here is a licence to log a secret: types do not show theirs (`base::secret`), and bodies, event data, queries
//! and headers are never handed to the log. This is the net below, for what comes in through a path, a name or an error's
//! text. Always taken out are
//! - credentials by their form: what follows `Bearer` or `Basic`, JWTs, API keys behind their public part, webhook
//!   secrets (`whsec_…`);
//! - what stands in a URL before its host's `@`, and behind its `?`.
//!
//! Masked, unless `log.personal_data = "show"`: mail addresses (`j***@example.com`) and telephone numbers that show as
//! such, by a `+` or `tel:` (`+***89`). Digits alone are not taken for a number: ids, positions and sizes look the same;
//! who logs a number that has no `+` masks it with [`number`]. Network addresses and ids stay: an operator needs them.

use std::borrow::Cow;
use std::ops::Range;

use super::legible::cut;

/// What becomes of mail addresses and telephone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    /// Only so much is shown that two of them can be told apart by who knows both.
    Mask,
    /// They are shown.
    Show,
}

/// The least digits of a telephone number.
const MIN_DIGITS: usize = 7;

/// The least characters of a credential behind its scheme's name: our own texts say `Bearer …` too.
const MIN_CREDENTIAL: usize = 8;

const HIDDEN: &str = "***";

/// What is found from a place on: where, and what is shown instead.
type Found = (Range<usize>, String);

/// `line` without what must not be read.
///
/// It may be JSON: only characters inside its strings are replaced, and never a part of an escape.
#[must_use]
pub fn masked(line: &str, personal: Personal) -> Cow<'_, str> {
    let always: [fn(&str, usize) -> Option<Found>; 4] = [credential, token, user_info, query];
    let of_people: [fn(&str, usize) -> Option<Found>; 2] = [next_mail, next_number];
    let mut text = Cow::Borrowed(line);
    let chosen = if personal == Personal::Mask { &of_people[..] } else { &[] };
    for find in always.iter().chain(chosen) {
        if let Some(replaced) = replace(&text, find) {
            text = Cow::Owned(replaced);
        }
    }
    text
}

/// A mail address as it is shown: `j***@example.com`.
#[must_use]
pub fn mail(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}{HIDDEN}@{domain}", shown_of(local)),
        None => HIDDEN.to_owned(),
    }
}

/// A telephone number as it is shown: its last two digits.
#[must_use]
pub fn number(number: &str) -> String {
    let digits: Vec<_> = number.chars().filter(char::is_ascii_digit).collect();
    let plus = if number.starts_with('+') { "+" } else { "" };
    let last = if digits.len() >= MIN_DIGITS { digits[digits.len() - 2..].iter().collect() } else { String::new() };
    format!("{plus}{HIDDEN}{last}")
}

/// A panic's words up to the first quote: the standard library's own quote the text that was sliced or parsed.
#[must_use]
pub fn without_data(panic: &str) -> String {
    const MAX: usize = 200;
    let end = panic.find(['"', '\'', '`']);
    let words = cut(&panic[..end.unwrap_or(panic.len())], MAX);
    if end.is_some() { format!("{words}…") } else { words.into_owned() }
}

/// The first character, where it is not the only one.
fn shown_of(local: &str) -> &str {
    let mut places = local.char_indices().map(|(at, _)| at).skip(1);
    places.next().map_or("", |end| &local[..end])
}

fn replace(text: &str, find: impl Fn(&str, usize) -> Option<Found>) -> Option<String> {
    let mut out = String::new();
    let mut from = 0;
    while let Some((range, instead)) = find(text, from) {
        out.push_str(&text[from..range.start]);
        out.push_str(&instead);
        from = range.end;
    }
    if from == 0 {
        return None;
    }
    out.push_str(&text[from..]);
    Some(out)
}

/// Where `needle` is from `from` on, whatever the case of its letters.
fn position(text: &str, needle: &str, from: usize) -> Option<usize> {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    let found = text.get(from..)?.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle));
    found.map(|at| from + at)
}

/// How far characters for which `belongs` holds go on from `from`.
fn end_of(text: &str, from: usize, belongs: impl Fn(char) -> bool) -> usize {
    text[from..].find(|c| !belongs(c)).map_or(text.len(), |length| from + length)
}

/// RFC 9110, 11.2, and what joins the parts of our keys.
const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=')
}

/// What a URL goes on with: neither a blank nor a quote. Escapes belong to it, so that they do not hide what follows.
const fn is_of_url(c: char) -> bool {
    !c.is_ascii_whitespace() && !c.is_ascii_control() && !matches!(c, '"' | '\'' | '`' | '<' | '>')
}

/// `Bearer …`, `Basic …`
fn credential(text: &str, from: usize) -> Option<Found> {
    let next = |scheme: &'static str| {
        let mut from = from;
        loop {
            let start = position(text, scheme, from)? + scheme.len();
            let end = end_of(text, start, is_token);
            if end - start >= MIN_CREDENTIAL {
                return Some((start..end, HIDDEN.to_owned()));
            }
            from = start;
        }
    };
    first_of([next("bearer "), next("basic "), next("bearer%20"), next("basic%20")])
}

/// JWTs, API keys, webhook secrets.
fn token(text: &str, from: usize) -> Option<Found> {
    let next = |prefix: &'static str, shown: usize| {
        let mut from = from;
        loop {
            let start = from + text[from..].find(prefix)?;
            let end = end_of(text, start, is_token);
            let hidden = start + shown;
            let word = start > 0 && text[..start].ends_with(|c: char| c.is_ascii_alphanumeric());
            if !word && end >= hidden + MIN_CREDENTIAL {
                return Some((hidden..end, HIDDEN.to_owned()));
            }
            from = start + prefix.len();
        }
    };
    first_of([next("eyJ", 0), next("tdg_", "tdg_".len() + 9), next("whsec_", "whsec_".len())])
}

/// What stands before the `@` of a URL's authority (RFC 3986, 3.2).
fn user_info(text: &str, from: usize) -> Option<Found> {
    let mut from = from;
    loop {
        let start = from + text[from..].find("://")? + 3;
        let end = end_of(text, start, |c| is_of_url(c) && !matches!(c, '/' | '?' | '#'));
        if let Some(at) = text[start..end].rfind('@') {
            return Some((start..start + at, HIDDEN.to_owned()));
        }
        from = start;
    }
}

/// What stands behind the `?` of a URL.
fn query(text: &str, from: usize) -> Option<Found> {
    let mut from = from;
    loop {
        let start = from + text[from..].find("://")? + 3;
        let end = end_of(text, start, is_of_url);
        // A backslash at the end is that of the quote that follows.
        let end = start + text[start..end].trim_end_matches('\\').len();
        if let Some(at) = text[start..end].find('?') {
            return Some((start + at + 1..end, HIDDEN.to_owned()));
        }
        from = start;
    }
}

fn next_mail(text: &str, from: usize) -> Option<Found> {
    let mut search = from;
    loop {
        let at = |sign: &str| text[search..].find(sign).map(|at| (search + at, sign.len()));
        let (at, length) = [at("@"), at("%40")].into_iter().flatten().min()?;
        let start = start_of_local(text, from, at);
        let end = end_of(text, at + length, |c| c.is_alphanumeric() || matches!(c, '.' | '-'));
        let domain = &text[at + length..end];
        if start < at && domain.starts_with(char::is_alphanumeric) {
            let shown = shown_of(&text[start..at]);
            return Some((start..at, format!("{shown}{HIDDEN}")));
        }
        search = at + length;
    }
}

/// Where the local part begins that ends before `at`.
fn start_of_local(text: &str, from: usize, at: usize) -> usize {
    let belongs = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '!' | '#' | '$' | '&');
    let start = text[from..at].rfind(|c| !belongs(c)).map_or(from, |before| {
        let before = from + before;
        before + text[before..].chars().next().map_or(1, char::len_utf8)
    });
    // The letters of an escape are not a part of it.
    if text[..start].ends_with('\\') { start + escape_length(&text[start..at]) } else { start }
}

/// How long the rest of an escape is whose backslash has been seen.
fn escape_length(text: &str) -> usize {
    let digits =
        text.strip_prefix('u').map_or(0, |rest| rest.chars().take(4).take_while(char::is_ascii_hexdigit).count());
    if digits == 4 { 5 } else { text.chars().next().map_or(0, char::len_utf8) }
}

fn next_number(text: &str, from: usize) -> Option<Found> {
    let mut search = from;
    loop {
        let at = |sign: &str| position(text, sign, search).map(|at| (at, sign.len()));
        let (at, length) = [at("+"), at("%2b"), at("tel:")].into_iter().flatten().min()?;
        let start = at + length;
        let word = text[..at].ends_with(|c: char| c.is_alphanumeric());
        let end = end_of(text, start, |c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')'));
        let end = start + text[start..end].trim_end_matches(|c: char| !c.is_ascii_digit()).len();
        let digits = text[start..end].chars().filter(char::is_ascii_digit).count();
        if !word && digits >= MIN_DIGITS {
            return Some((start..end, number(&text[start..end])));
        }
        search = start;
    }
}

fn first_of<const N: usize>(found: [Option<Found>; N]) -> Option<Found> {
    found.into_iter().flatten().min_by_key(|(range, _)| range.start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        for (line, expected) in [
            ("Authorization: Bearer abc.def-ghi/jk==", "Authorization: Bearer ***"),
            ("authorization=\"basic Y3JtOnNlY3JldA==\" next", "authorization=\"basic ***\" next"),
            ("send `Authorization: Bearer …` with a token", "send `Authorization: Bearer …` with a token"),
            ("the basic form", "the basic form"),
            ("token=eyJhbGciOiJFUzI1NiJ9.e30.abc_def-1 x", "token=*** x"),
            ("key tdg_ab12cd34_S3cretS3cret!", "key tdg_ab12cd34_***!"),
            ("key tdg_ab12cd34 and whsec_MfKQ9r8GKYqr", "key tdg_ab12cd34 and whsec_***"),
            ("of https://jane:hunter2@example.com:8443/a?b=c&d=e, then", "of https://***@example.com:8443/a?***, then"),
            ("http://[::1]:8420/a/b", "http://[::1]:8420/a/b"),
            ("http://a@b@c/", "http://***@c/"),
        ] {
            for personal in [Personal::Mask, Personal::Show] {
                let line = line.replace(", then", " then");
                assert_eq!(masked(&line, personal), expected.replace(", then", " then"), "{personal:?}");
            }
        }
    }

    #[test]
    fn people_are_shown_only_where_the_operator_wants_it() {
        for (line, expected) in [
            ("to=jane.doe+x@example.com failed", "to=j***@example.com failed"),
            ("path=\"/a/jane%40example.com\"", "path=\"/a/j***%40example.com\""),
            ("<é@example.com>, bob@host", "<***@example.com>, b***@host"),
            ("{\"to\":\"\\u001bjane@a.example\"}", "{\"to\":\"\\u001bj***@a.example\"}"),
            ("{\"to\":\"x\\njane@a.example\"}", "{\"to\":\"x\\nj***@a.example\"}"),
            ("an @ alone, a@ and @b", "an @ alone, a@ and @b"),
            ("to +33 6 12-34 (56) 78.", "to +***78."),
            ("path=\"/c/%2B33612345678\"", "path=\"/c/%2B***78\""),
            ("tel:0612345678", "tel:***78"),
            ("2026-11-22T10:00:00+01:00 1+1234567 +123456", "2026-11-22T10:00:00+01:00 1+1234567 +123456"),
            ("position 123456789012", "position 123456789012"),
            ("peer=10.0.0.1:51234 client_id=crm", "peer=10.0.0.1:51234 client_id=crm"),
        ] {
            assert_eq!(masked(line, Personal::Mask), expected);
            assert_eq!(masked(line, Personal::Show), line);
        }
    }

    #[test]
    fn one_of_them_can_be_masked_by_itself() {
        assert_eq!(mail("jane@example.com"), "j***@example.com");
        assert_eq!(mail("j@example.com"), "***@example.com");
        assert_eq!(mail("no address"), "***");
        assert_eq!(number("+33612345678"), "+***78");
        assert_eq!(number("0612345678"), "***78");
        assert_eq!(number("123"), "***");
    }

    #[test]
    fn a_panic_does_not_quote_data() {
        let text = "jané's secret".to_owned();
        let panic = std::panic::catch_unwind(|| text[4..].to_owned()).unwrap_err();
        let words = without_data(panic.downcast_ref::<String>().unwrap());
        assert!(!words.contains("secret"), "{words}");
        assert_eq!(without_data("index out of bounds"), "index out of bounds");
    }

    proptest! {
        #[test]
        fn any_line_is_looked_at_without_harm(line in "(\\PC|[@+%:/?\\\\ \"=]|://|tel:|%40|Bearer |eyJ|tdg_){0,40}") {
            let shown = masked(&line, Personal::Show).into_owned();
            prop_assert!(masked(&line, Personal::Mask).len() <= 8 * (shown.len() + 1));
        }

        #[test]
        fn json_stays_json(text in "(\\PC|[@+\\n\\\\\u{1b}\" ]|://|[a-z]@[a-z]|Bearer abcdefgh|\\+1234567){0,20}") {
            let line = serde_json::json!({"a": text, "b@c": text}).to_string();
            let masked = masked(&line, Personal::Mask);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{masked}");
        }
    }
}
