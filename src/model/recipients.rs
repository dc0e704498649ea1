//! Which addresses callers of an API may name: `email.allowed_recipients`. What the files name is not bound by it.

use super::address::Address;

/// What one entry of `email.allowed_recipients` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientRule {
    /// `*`: every address.
    Any,
    /// `example.com`: every address of this domain, not of those below it.
    Domain(String),
    /// `*.example.com`: every address of the domains below this one.
    Below(String),
    /// `ops@example.com`: this address.
    Address(Address),
}

impl RecipientRule {
    /// Reads an entry; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A domain is what can stand behind an @.
        let domain = |text: &str| {
            let address = Address::parse(&format!("x@{text}")).filter(|_| !text.contains('*'));
            address.map(|address| address.domain().to_owned())
        };
        if text == "*" {
            Some(Self::Any)
        } else if text.contains('@') {
            Address::parse(text).map(Self::Address)
        } else if let Some(below) = text.strip_prefix("*.") {
            domain(below).map(Self::Below)
        } else {
            domain(text).map(Self::Domain)
        }
    }

    fn stands_for(&self, address: &Address) -> bool {
        match self {
            Self::Any => true,
            Self::Domain(domain) => address.domain() == domain,
            Self::Below(domain) => {
                address.domain().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            Self::Address(one) => one == address,
        }
    }
}

/// Which addresses may be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedRecipients {
    /// One of these must stand for it; none: no address may be named.
    pub rules: Vec<RecipientRule>,
    /// Whether an address may have other than ASCII characters: the relay is said to offer SMTPUTF8.
    pub smtputf8: bool,
}

/// Why an address may not be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientRefusal {
    /// No rule stands for it.
    #[error("mail to this address is not allowed here")]
    NotAllowed,
    /// The relay could not take mail for it.
    #[error("addresses with other than ASCII characters cannot be mailed to here")]
    NeedsSmtpUtf8,
}

impl AllowedRecipients {
    /// Whether a caller of an API may name `address`.
    pub fn check(&self, address: &Address) -> Result<(), RecipientRefusal> {
        if !self.rules.iter().any(|rule| rule.stands_for(address)) {
            return Err(RecipientRefusal::NotAllowed);
        }
        self.check_form(address)
    }

    /// Whether mail can go to `address` at all; that holds for what the files name, too.
    pub fn check_form(&self, address: &Address) -> Result<(), RecipientRefusal> {
        if address.needs_smtputf8() && !self.smtputf8 { Err(RecipientRefusal::NeedsSmtpUtf8) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rules: &[&str]) -> AllowedRecipients {
        let rules = rules.iter().map(|rule| RecipientRule::parse(rule).unwrap()).collect();
        AllowedRecipients { rules, smtputf8: false }
    }

    fn check(rules: &[&str], address: &str) -> Result<(), RecipientRefusal> {
        allowed(rules).check(&Address::parse(address).unwrap())
    }

    #[test]
    fn a_rule_stands_for_what_it_says_and_no_more() {
        for (rules, address) in [
            (&["*"][..], "a@anywhere.test"),
            (&["example.com"], "a@EXAMPLE.com"),
            (&["other.test", "Example.com"], "a@example.com"),
            (&["*.example.com"], "a@b.c.example.com"),
            (&["ops@example.com"], "ops@example.com"),
        ] {
            assert_eq!(check(rules, address), Ok(()), "{rules:?} {address}");
        }
        for (rules, address) in [
            (&[][..], "a@example.com"),
            (&["example.com"], "a@b.example.com"),
            (&["example.com"], "a@notexample.com"),
            (&["example.com"], "a@example.com.evil.test"),
            (&["*.example.com"], "a@example.com"),
            (&["*.example.com"], "a@notexample.com"),
            (&["ops@example.com"], "Ops@example.com"),
            (&["ops@example.com"], "dev@example.com"),
        ] {
            assert_eq!(check(rules, address), Err(RecipientRefusal::NotAllowed), "{rules:?} {address}");
        }
    }

    #[test]
    fn other_than_ascii_needs_a_relay_that_takes_it() {
        let jane = Address::parse("jané@example.com").unwrap();
        assert_eq!(allowed(&["*"]).check(&jane), Err(RecipientRefusal::NeedsSmtpUtf8));
        assert_eq!(AllowedRecipients { smtputf8: true, ..allowed(&["*"]) }.check(&jane), Ok(()));
        assert_eq!(allowed(&[]).check(&jane), Err(RecipientRefusal::NotAllowed));
    }

    #[test]
    fn what_is_no_rule_is_none() {
        for bad in ["", "@example.com", "a b", "**", "*@example.com ", "*.", "example.com/", "a@b@c", "ex*mple.com"] {
            assert_eq!(RecipientRule::parse(bad), None, "{bad:?}");
        }
    }
}
