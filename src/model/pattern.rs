//! Patterns for names: the name itself, or with a `*` at the end every name that begins so.

/// Whether `text` is what `pattern` stands for: itself, or with a `*` at its end every text that begins so.
#[must_use]
pub fn stands_for(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => pattern == text,
    }
}

/// Whether there is a text that both patterns stand for.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    let least = |pattern: &str| pattern.strip_suffix('*').unwrap_or(pattern).to_owned();
    // The shortest text of the longer one decides: what begins with it begins with the shorter one's too.
    stands_for(one, &least(other)) || stands_for(other, &least(one))
}

/// A list of patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<String>);

impl Patterns {
    /// The list of `patterns`.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        Self(patterns.into_iter().collect())
    }

    /// Whether one of them stands for `text`.
    #[must_use]
    pub fn stand_for(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| stands_for(pattern, text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_at_the_end_stands_for_any_rest() {
        for (pattern, text, right) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*", "ab", true),
            ("a*", "b", false),
            ("*", "", true),
            ("*", "x", true),
            ("", "", true),
            ("", "x", false),
            ("a*b", "a*b", true),
            ("a*b", "axb", false),
        ] {
            assert_eq!(stands_for(pattern, text), right, "{pattern} {text}");
        }
        assert!(Patterns::new(["a".to_owned(), "b*".to_owned()]).stand_for("bc"));
        assert!(!Patterns::default().stand_for(""));
    }

    proptest! {
        #[test]
        fn patterns_overlap_if_and_only_if_a_text_is_in_both(one in "[ab]{0,3}\\*?", other in "[ab]{0,3}\\*?") {
            let texts = (0..=4).flat_map(|length| (0..1_u32 << length).map(move |bits| {
                (0..length).map(|bit| if bits >> bit & 1 == 0 { 'a' } else { 'b' }).collect::<String>()
            }));
            let both = texts.into_iter().any(|text| stands_for(&one, &text) && stands_for(&other, &text));
            prop_assert_eq!(overlap(&one, &other), both, "{} {}", one, other);
        }
    }
}
