//! The text of an answer, as much of it as is kept for people.

use crate::model::attempt::ANSWER_BYTES;

/// The text of the first [`ANSWER_BYTES`] of a body: what is no UTF-8 in it is shown as such (U+FFFD), and a character
/// that the end cuts in two is left out. `complete`: the body is all there was.
pub(super) fn text(body: &[u8], complete: bool) -> String {
    let cut = body.len() > ANSWER_BYTES || !complete;
    let body = &body[..body.len().min(ANSWER_BYTES)];
    let mut text = String::with_capacity(body.len());
    let mut chunks = body.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let torn = cut && chunks.peek().is_none() && is_beginning(chunk.invalid());
        if !chunk.invalid().is_empty() && !torn {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text.truncate(text.floor_char_boundary(ANSWER_BYTES));
    text
}

/// Whether a character could begin so.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_as_it_is_up_to_its_bound() {
        assert_eq!(text(b"", true), "");
        assert_eq!(text("no: é 日本".as_bytes(), true), "no: é 日本");
        assert_eq!(text(b"a\xffb", true), "a\u{fffd}b");
        assert_eq!(text(&[b'x'; 5000], true).len(), ANSWER_BYTES);
        let whole = "é".repeat(ANSWER_BYTES / 2);
        assert_eq!(text(whole.as_bytes(), true), whole);
        let torn = format!("x{whole}");
        assert_eq!(text(torn.as_bytes(), true), &torn[..ANSWER_BYTES - 1]);
    }

    #[test]
    fn what_is_no_text_does_not_grow_beyond_the_bound() {
        let kept = text(&[0xff; ANSWER_BYTES], true);
        assert_eq!((kept.len(), kept.chars().count()), (ANSWER_BYTES - 1, ANSWER_BYTES / 3));
    }

    #[test]
    fn only_a_cut_leaves_out_half_a_character() {
        let half = &"aé".as_bytes()[..2];
        assert_eq!((text(half, false).as_str(), text(half, true).as_str()), ("a", "a\u{fffd}"));
        assert_eq!(text(b"a\xff", false), "a\u{fffd}");
    }
}
