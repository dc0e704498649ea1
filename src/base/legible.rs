//! What outsiders wrote, made fit to stand in one line: nobody forges a line or moves a terminal's cursor through a
//! header, a path or an id.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether `c` could end a line, move a cursor or turn the reading direction.
#[must_use]
pub fn is_disruptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with what is disruptive in it shown as `\uXXXX`, which is legal inside JSON strings too, the only place where
/// JSON could hold it.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_disruptive(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// `text` if it has at most `max` characters, else so many of them and `…`.
#[must_use]
pub fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_disrupts_is_escaped_and_nothing_else() {
        assert_eq!(
            escaped("a\r\n<0>forged \u{1b}[2J \u{9b}1m\u{202e}x"),
            "a\\u000d\\u000a<0>forged \\u001b[2J \\u009b1m\\u202ex"
        );
        assert_eq!(escaped("é 日本 \"ok\""), "é 日本 \"ok\"");
        let json: serde_json::Value = serde_json::from_str(&escaped("{\"a\":\"x\u{7f}\"}")).unwrap();
        assert_eq!(json["a"], "x\u{7f}");
    }

    #[test]
    fn only_what_is_too_long_is_cut() {
        assert_eq!(cut("éé", 2), "éé");
        assert_eq!(cut("ééé", 2), "éé…");
        assert_eq!(cut("", 0), "");
    }
}
