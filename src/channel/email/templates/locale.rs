//! Language tags (RFC 5646), as far as finding a template needs them.

/// Whether `text` is a language tag such as `en`, `fr-CA` or `zh-Hant-TW`; `_` for `-` will do.
#[must_use]
pub fn is_locale(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let is_language = |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic());
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    parts.next().is_some_and(is_language) && parts.all(is_subtag)
}

/// The form in which two tags that mean one are the same.
pub(super) fn normal(locale: &str) -> String {
    locale.replace('_', "-").to_ascii_lowercase()
}

/// Where to look, in this order: `locale` and what it can be shortened to, `default` likewise, and last where no language
/// is said.
pub(super) fn chain(locale: Option<&str>, default: &str) -> Vec<Option<String>> {
    let tags = locale.into_iter().chain([default]).flat_map(shortened).map(Some);
    tags.chain([None]).collect()
}

fn shortened(locale: &str) -> Vec<String> {
    let locale = normal(locale);
    let ends = locale.match_indices('-').map(|(at, _)| at).chain([locale.len()]);
    ends.map(|end| locale[..end].to_owned()).rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_known_by_their_form() {
        for good in ["en", "fr-CA", "fr_ca", "zh-Hant-TW", "gsw", "de-1996"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "e", "english", "en-", "-en", "en--US", "en US", "301", "é", "en-abcdefghi"] {
            assert!(!is_locale(bad), "{bad}");
        }
    }

    #[test]
    fn a_language_is_looked_for_from_exact_to_any() {
        let shown = |locale, default| {
            chain(locale, default).into_iter().map(|tag| tag.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(Some("fr-CA"), "en"), "fr-ca fr en -");
        assert_eq!(shown(Some("zh_Hant_TW"), "en-GB"), "zh-hant-tw zh-hant zh en-gb en -");
        assert_eq!(shown(None, "en"), "en -");
    }
}
