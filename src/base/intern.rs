//! Text of the configuration that lives as long as the program.

use std::collections::HashSet;

use parking_lot::Mutex;

static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// The text, for as long as the program runs. Each is kept once and never freed: for what the configuration names, such as
/// scopes, and never for what callers send.
#[must_use]
pub fn intern(text: &str) -> &'static str {
    let mut names = NAMES.lock();
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(text) {
        return known;
    }
    let kept: &'static str = Box::leak(text.into());
    names.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_kept_once() {
        let first = intern("notifications:read");
        assert!(std::ptr::eq(first, intern(&String::from("notifications:read"))));
        assert_eq!(intern("other"), "other");
    }
}
