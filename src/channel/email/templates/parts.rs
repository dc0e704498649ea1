//! The parts of a template, and the files that they are in.

use super::locale::{is_locale, normal};

/// What a template makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Subject,
    Text,
    Html,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    /// What the names of its files end in.
    const fn end(self) -> &'static str {
        match self {
            Self::Subject => ".subject",
            Self::Text => ".txt",
            Self::Html => ".html",
        }
    }
}

/// Name and language of a template.
pub(super) type Key = (String, Option<String>);

/// The files of a template, where it has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    pub(super) subject: Option<String>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
}

impl Files {
    /// Puts `file` in the place of this part; gives back what was there.
    pub(super) fn put(&mut self, part: Part, file: &str) -> Option<String> {
        let place = match part {
            Part::Subject => &mut self.subject,
            Part::Text => &mut self.text,
            Part::Html => &mut self.html,
        };
        place.replace(file.to_owned())
    }
}

/// A file of the templates' folder.
#[derive(Clone, Debug)]
pub struct TemplateFile {
    /// Its name, without the folder.
    pub name: String,
    /// What it holds.
    pub text: String,
}

impl TemplateFile {
    /// Whether a file with this name is a template, or a part of some.
    #[must_use]
    pub fn is_one(name: &str) -> bool {
        split(name).is_some()
    }
}

/// What stands before the end of the file's name, and the part that the end stands for.
fn split(file: &str) -> Option<(&str, Part)> {
    let stem = |part: Part| file.strip_suffix(part.end()).filter(|stem| !stem.is_empty()).map(|stem| (stem, part));
    Part::ALL.into_iter().find_map(stem)
}

/// Under which names and languages a file is found, and the part that it is; none where it is only there for others.
/// `a.en.txt` is the text of the template `a` in English, and of `a.en` in whatever language: what has dots in its id has
/// them in its files' names too.
pub(super) fn keys(file: &str) -> Option<(Vec<Key>, Part)> {
    let (stem, part) = split(file).filter(|(stem, _)| !stem.starts_with('_'))?;
    let in_language = stem.rsplit_once('.').filter(|(name, locale)| !name.is_empty() && is_locale(locale));
    let in_language = in_language.map(|(name, locale)| (name.to_owned(), Some(normal(locale))));
    Some(([(stem.to_owned(), None)].into_iter().chain(in_language).collect(), part))
}
