//! What a client or key may publish: `publish = { types, sources, audience }`.

use crate::model::owners::Owners;
use crate::model::pattern::stands_for;

/// The bounds of what may be published. An empty list bounds nothing; an entry that ends in `*` stands for every text
/// that begins with what is before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishBounds {
    /// Event types.
    pub types: Vec<String>,
    /// Sources.
    pub sources: Vec<String>,
    /// Owners that an event may be addressed to; where there are any, an event must be addressed.
    pub audience: Vec<String>,
}

/// How an event lies outside of the bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Its type is none of those.
    Type,
    /// Its source is none of those.
    Source,
    /// It is not addressed, and so for everybody.
    Unaddressed,
    /// It is addressed to this owner, who is none of those.
    Owner(String),
}

impl PublishBounds {
    /// All that lies outside in an event of this type and source, which is addressed to `audience`.
    #[must_use]
    pub fn outside(&self, event_type: &str, source: &str, audience: Option<&Owners>) -> Vec<Outside> {
        let Self { types, sources, audience: owners } = self;
        let mut outside = Vec::new();
        if !holds(types, event_type) {
            outside.push(Outside::Type);
        }
        if !holds(sources, source) {
            outside.push(Outside::Source);
        }
        match audience {
            Some(audience) => {
                let foreign = audience.iter().filter(|owner| !holds(owners, owner));
                outside.extend(foreign.map(|owner| Outside::Owner(owner.to_owned())));
            }
            None if owners.is_empty() => {}
            None => outside.push(Outside::Unaddressed),
        }
        outside
    }
}

/// Whether one of the patterns stands for `text`; without any, everything is.
fn holds(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| stands_for(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(types: &[&str], sources: &[&str], audience: &[&str]) -> PublishBounds {
        let [types, sources, audience] =
            [types, sources, audience].map(|list| list.iter().map(|&text| text.to_owned()).collect());
        PublishBounds { types, sources, audience }
    }

    #[test]
    fn what_is_named_is_inside_and_nothing_else() {
        let audience = |names: &str| Owners::parse_audience(names).unwrap();
        let types = bounds(&["30*", "special"], &[], &[]);
        for (event_type, inside) in [("301", true), ("30", true), ("special", true), ("31", false), ("specials", false)]
        {
            assert_eq!(types.outside(event_type, "/any", None).is_empty(), inside, "{event_type}");
        }
        assert_eq!(bounds(&[], &["/crm/*"], &[]).outside("1", "/erp", None), [Outside::Source]);
        assert_eq!(bounds(&[], &["/crm/*"], &[]).outside("1", "/crm/a", Some(&audience("1"))), []);
        let owners = bounds(&["2"], &[], &["1001", "2*"]);
        assert_eq!(owners.outside("2", "/", None), [Outside::Unaddressed]);
        assert_eq!(owners.outside("2", "/", Some(&audience("1001,200"))), []);
        let outside = [Outside::Type, Outside::Owner("1002".to_owned())];
        assert_eq!(owners.outside("1", "/", Some(&audience("1001,1002"))), outside);
        assert_eq!(PublishBounds::default().outside("1", "/", None), []);
    }
}
