//! Random edits of the sample: nothing panics, and every problem has a place.

use proptest::prelude::*;
use tidings::config::{Place, Severity, load};

use crate::site::{SAMPLE, Site};

/// One change to a text, at a place given in thousandths of its length.
#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, String),
    Delete(usize, usize),
    Repeat(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let piece = prop_oneof!["[\\[\\]{}=.,\"'#\n -]{1,3}", "\\PC{1,4}", "[a-z]{1,8}", "[0-9]{1,30}"];
    prop_oneof![
        (0..1000_usize, piece).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (0..1000_usize, 1..20_usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (0..1000_usize, 1..80_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn apply(text: &str, edit: &Edit) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (Edit::Insert(at, _) | Edit::Delete(at, _) | Edit::Repeat(at, _)) = edit;
    let (before, after) = chars.split_at(chars.len() * at / 1000);
    let cut = |length: &usize| (*length).min(after.len());
    let (middle, after) = match edit {
        Edit::Insert(_, piece) => (piece.chars().collect(), after),
        Edit::Delete(_, length) => (Vec::new(), &after[cut(length)..]),
        Edit::Repeat(_, length) => (after[..cut(length)].to_vec(), after),
    };
    before.iter().copied().chain(middle).chain(after.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_problem_has_a_place(edits in proptest::collection::vec(edit(), 1..6)) {
        let text = edits.iter().fold(SAMPLE.to_owned(), |text, edit| apply(&text, edit));
        let site = Site::new(&text);
        if let Err(problems) = load(&site.sources) {
            prop_assert!(problems.problems.iter().any(|problem| problem.severity == Severity::Error));
            for problem in &problems.problems {
                let built_in = matches!(problem.place, Place::BuiltIn {});
                prop_assert!(!built_in || problem.message.contains("server.max_body"), "{}", problem);
            }
        }
    }
}
