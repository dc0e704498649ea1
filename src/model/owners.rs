//! Owners and audience: who may see an event (design.md, "Nouns").

use std::collections::BTreeSet;

/// The parties, subscriber and group of a client; or the owners that an event is for (its audience).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners(BTreeSet<String>);

impl Owners {
    /// The owners in `names`.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Parses the comma-separated form of the `audience` attribute: blanks around a name and empty names are dropped.
    /// `None` if no name is left.
    #[must_use]
    pub fn parse_audience(text: &str) -> Option<Self> {
        let names: BTreeSet<_> = text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
        (!names.is_empty()).then_some(Self(names))
    }

    /// Whether the two share an owner.
    #[must_use]
    pub fn shares_with(&self, other: &Self) -> bool {
        let (few, many) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        few.0.iter().any(|owner| many.0.contains(owner))
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, owner: &str) -> bool {
        self.0.contains(owner)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The comma-separated form, in order.
    #[must_use]
    pub fn to_audience(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }
}

/// Whether an event with this audience may reach a subscription with these owners: without an audience it may.
#[must_use]
pub fn may_see(audience: Option<&Owners>, owners: &Owners) -> bool {
    audience.is_none_or(|audience| audience.shares_with(owners))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(names: &[&str]) -> Owners {
        Owners::new(names.iter().map(|&n| n.to_owned()))
    }

    #[test]
    fn an_audience_reaches_only_those_that_share_an_owner() {
        let audience = Owners::parse_audience(" 1001, 1002 ,,1001").unwrap();
        assert_eq!(audience, owners(&["1001", "1002"]));
        assert!(may_see(Some(&audience), &owners(&["1002", "7"])));
        assert!(!may_see(Some(&audience), &owners(&["100"])));
        assert!(!may_see(Some(&audience), &Owners::default()));
        assert!(may_see(None, &Owners::default()));
        assert_eq!(Owners::parse_audience(" , "), None);
    }
}
