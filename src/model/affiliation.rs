//! Whom a caller belongs to, in the words of the contracts.

use super::owners::Owners;

/// Whom a caller belongs to: what the files say of a client, or what an external issuer's token claims within its bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affiliation {
    /// Its parties (management), in order, each once.
    pub parties: Vec<String>,
    /// The subscriber that it is (registrations).
    pub subscriber: Option<String>,
    /// Its groups (recipients); a client of the files has at most one.
    pub groups: Vec<String>,
    /// Its organisation (management, trigger).
    pub organisation: Option<String>,
}

impl Affiliation {
    /// The owners that it comes to: whoever shares one of them may see what is for it. An organisation is none.
    #[must_use]
    pub fn owners(&self) -> Owners {
        let Self { parties, subscriber, groups, organisation: _ } = self;
        Owners::new(parties.iter().chain(subscriber).chain(groups).cloned())
    }
}
