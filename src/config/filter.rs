//! `filter` of a declared subscription: the form of contracts/management.md, "Create", as TOML.

use std::collections::BTreeMap;

use super::kind::text;
use super::reader::{Item, Shown};
use crate::model::catalogue::Catalogue;
use crate::model::filter::{Clause, Filter};

/// What negates in a filter.
pub(super) const NOT: &str = "__not__";

/// The most alternatives of one filter.
const MAX_CLAUSES: usize = 100;

/// Reads a filter for these event types: it may ask for what all of them declare.
pub(super) fn read(item: &Item<'_>, types: &[&str], catalogue: &Catalogue) -> Option<Filter> {
    let asked = Asked { types, catalogue };
    item.section(|filter| {
        let mine = filter.optional("target", |item| item.one_of(&[("my", true)])).unwrap_or_default();
        let any = filter.optional("attributes", |item| asked.clauses(item));
        if !filter.has("target") && !filter.has("attributes") {
            let advice = "write target = \"my\" or attributes = [{ … }], or leave filter out".to_owned();
            filter.reader.error_with(&filter.path, "asks for nothing", Some(advice));
        }
        Some(Filter { mine, any: any.unwrap_or_default() })
    })
}

/// What may be asked for.
struct Asked<'a> {
    types: &'a [&'a str],
    catalogue: &'a Catalogue,
}

impl Asked<'_> {
    fn clauses(&self, item: &Item<'_>) -> Option<Vec<Clause>> {
        let items = item.items()?;
        if !(1..=MAX_CLAUSES).contains(&items.len()) {
            return item.refuse(format!("must have 1 to {MAX_CLAUSES} entries"));
        }
        Some(items.iter().filter_map(|item| self.clause(item)).collect())
    }

    fn clause(&self, item: &Item<'_>) -> Option<Clause> {
        let members = item.members()?;
        if members.is_empty() {
            return self.refuse_empty(item, "everything");
        }
        let mut clause = Clause::default();
        for (name, member) in &members {
            if *name == NOT {
                clause.not = self.negated(member);
            } else {
                self.add(name, member, &mut clause.all, true);
            }
        }
        Some(clause)
    }

    fn negated(&self, item: &Item<'_>) -> Option<BTreeMap<String, String>> {
        let members = item.members()?;
        if members.is_empty() {
            return self.refuse_empty(item, "nothing");
        }
        let mut values = BTreeMap::new();
        for (name, member) in &members {
            self.add(name, member, &mut values, false);
        }
        Some(values)
    }

    fn refuse_empty<T>(&self, item: &Item<'_>, what: &str) -> Option<T> {
        let named = self.types.first().map(|id| self.attributes(id).join(", ")).filter(|names| !names.is_empty());
        let advice = named.map(|names| format!("name attributes of the event type: {names}"));
        item.reader.error_with(&item.path, format!("must not be empty: it would let {what} through"), advice);
        None
    }

    fn attributes(&self, id: &str) -> &[String] {
        self.catalogue.get(id).map(|t| t.attributes.as_slice()).unwrap_or_default()
    }

    fn add(&self, name: &str, member: &Item<'_>, values: &mut BTreeMap<String, String>, not: bool) {
        let lacks = |id: &&&str| !self.attributes(id).iter().any(|attribute| attribute == name);
        if let Some(id) = self.types.iter().find(lacks) {
            let what = format!("it is none of the attributes of the event type {}", Shown(id));
            let known = self.attributes(id).iter().map(String::as_str).chain(not.then_some(NOT));
            member.refuse_key(&what, known);
        }
        if let Some(value) = value(member) {
            values.insert(name.to_owned(), value);
        }
    }
}

/// Compared as text: `true` is "true".
fn value(item: &Item<'_>) -> Option<String> {
    if item.as_text().is_some() {
        return text(item);
    }
    let value = item.as_bool().map(|value| value.to_string()).or_else(|| item.as_number().map(|n| n.to_string()));
    value.or_else(|| item.refuse_kind("text in quotes, true or false, or a whole number"))
}
