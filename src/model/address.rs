//! E-mail addresses.

use email_address::{EmailAddress, Options};

/// An address such as `ops@example.com` (RFC 5321, section 4.1.2; also with UTF-8 in it, RFC 6531), without a name for
/// people and without brackets. Normalised: its domain is in lower case, so that two ways to write one are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// The address in `text`, `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let options = Options::default().without_display_text().without_domain_literal();
        let is_plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        let address = EmailAddress::parse_with_options(text, options).ok().filter(|_| is_plain)?;
        Some(Self(format!("{}@{}", address.local_part(), address.domain().to_lowercase())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// What stands behind it.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Whether a relay must know SMTPUTF8 to take mail for it.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.0.is_ascii()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        for (text, normal) in [
            ("ops@example.com", "ops@example.com"),
            ("Ops@EXAMPLE.com", "Ops@example.com"),
            ("a.b+c@h", "a.b+c@h"),
            ("jörg@example.com", "jörg@example.com"),
        ] {
            assert_eq!(Address::parse(text).unwrap().as_str(), normal);
        }
        assert!(Address::parse("jörg@example.com").unwrap().needs_smtputf8());
    }

    #[test]
    fn what_is_no_address_or_would_break_a_header_is_none() {
        for text in [
            "",
            "ops",
            "@h",
            "ops@",
            "a b@h",
            "Ops <ops@h>",
            "<ops@h>",
            "a@h\r\nBcc: b@h",
            "a@h\n",
            "a@[127.0.0.1]",
            "a@b@h",
            "a@h>",
            "\u{7f}@h",
            "a@h h",
        ] {
            assert_eq!(Address::parse(text), None, "{text:?}");
        }
    }
}
