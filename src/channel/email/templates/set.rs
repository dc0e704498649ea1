//! The templates that there are, which one is taken, and what is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use minijinja::{Environment, Error, Value};

use super::context::{Variables, Wanted, variables};
use super::environment::{environment, innermost, render, words};
use super::inspect::Finding;
use super::locale::{chain, is_locale, normal};

/// The name of the template for what has none of its own.
const DEFAULT: &str = "default";

/// The parts of a template: what its files' names end in, and the built-in file. The names of those cannot be a file's.
const PARTS: [(&str, &str, &str); 3] = [
    (".subject", "/default.subject", include_str!("default.subject")),
    (".txt", "/default.txt", include_str!("default.txt")),
    (".html", "/default.html", include_str!("default.html")),
];

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
        PARTS.iter().any(|(end, _, _)| name.strip_suffix(end).is_some_and(|stem| !stem.is_empty()))
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its subject, one line or not.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
    /// Why it was made of the built-in template, where that is for a fault of another.
    pub fallback: Option<String>,
}

/// Name and language of a template.
type Key = (String, Option<String>);

/// The files of a template: subject, text, HTML.
#[derive(Clone, Debug, Default)]
struct Files([Option<String>; 3]);

/// All templates.
pub struct Templates {
    environment: Environment<'static>,
    zone: TimeZone,
    known: BTreeMap<Key, Files>,
    /// The files that are good, in the order of their names.
    files: BTreeSet<String>,
}

impl Templates {
    /// The templates of these files; instants are shown in `zone`. Files with faults are told of, and left out.
    #[must_use]
    pub fn new(files: Vec<TemplateFile>, zone: TimeZone) -> (Self, Vec<Finding>) {
        let mut templates = Self::built_in(zone);
        let findings = files.into_iter().flat_map(|file| templates.add(file)).collect();
        (templates, findings)
    }

    /// The built-in template alone.
    #[must_use]
    pub fn built_in(zone: TimeZone) -> Self {
        let mut environment = environment(zone.clone());
        for (_, name, text) in PARTS {
            environment.add_template(name, text).expect("the crate's own templates are good: a unit test renders them");
        }
        Self { environment, zone, known: BTreeMap::new(), files: BTreeSet::new() }
    }

    fn add(&mut self, file: TemplateFile) -> Vec<Finding> {
        let TemplateFile { name, text } = file;
        if let Err(error) = self.environment.add_template_owned(name.clone(), text) {
            return vec![Finding::error(&name, error.line(), words(&error))];
        }
        let mut findings = Vec::new();
        let part = PARTS.iter().position(|(end, _, _)| name.ends_with(end));
        for (key, part) in keys(&name).into_iter().zip(std::iter::repeat(part)) {
            let Some(part) = part else { continue };
            if let Some(other) = self.known.entry(key).or_default().0[part].replace(name.clone()) {
                findings.push(Finding::warning(
                    &name,
                    None,
                    format!("is taken instead of {other}, which says the same language"),
                ));
            }
        }
        self.files.insert(name);
        findings
    }

    /// Whether there is a template with this name, in whatever language.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.known.keys().any(|(known, _)| known == name)
    }

    /// The names of all templates, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<_> = self.known.keys().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names.into_iter()
    }

    pub(super) const fn environment(&self) -> &Environment<'static> {
        &self.environment
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    pub(super) fn variables(&self, wanted: &Wanted<'_>) -> Variables {
        variables(wanted, &self.zone)
    }

    /// What a message says. It is always something: what cannot be rendered by its own template is by the built-in one.
    #[must_use]
    pub fn render(&self, wanted: &Wanted<'_>) -> Rendered {
        let context = Value::from_object(self.variables(wanted));
        let own = self.choose(wanted).map(|files| self.render_files(files, &context));
        match own {
            Some(Ok(rendered)) => rendered,
            Some(Err(fault)) => Rendered { fallback: Some(fault), ..self.render_built_in(wanted, &context) },
            None => self.render_built_in(wanted, &context),
        }
    }

    fn choose(&self, wanted: &Wanted<'_>) -> Option<&Files> {
        let event_type = wanted.message.event.draft.event_type.as_str();
        let locales = chain(wanted.locale, wanted.default_locale);
        let names = wanted.template.into_iter().chain([event_type, DEFAULT]);
        let mut keys = names.flat_map(|name| locales.iter().map(|locale| (name.to_owned(), locale.clone())));
        keys.find_map(|key| self.known.get(&key))
    }

    /// The error says what is wrong, and where.
    fn render_files(&self, files: &Files, context: &Value) -> Result<Rendered, String> {
        let [subject, text, html] = &files.0;
        let part = |file: &Option<String>, part: usize| {
            let name = file.as_deref().unwrap_or(PARTS[part].1);
            render(&self.environment, name, context).map_err(|error| located(name, &error))
        };
        let html_of_text = |rendered: &str| if text.is_some() { Ok(preformatted(rendered)) } else { part(html, 2) };
        let rendered_text = part(text, 1)?;
        let html = if html.is_some() { part(html, 2)? } else { html_of_text(&rendered_text)? };
        Ok(Rendered { subject: part(subject, 0)?, text: rendered_text, html, fallback: None })
    }

    fn render_built_in(&self, wanted: &Wanted<'_>, context: &Value) -> Rendered {
        self.render_files(&Files::default(), context).unwrap_or_else(|fault| {
            // It has no loop without bounds and asks for nothing that is not there; should it fail, the event is told of.
            let subject = wanted.message.event.draft.event_type.to_string();
            let text = format!("{subject}\n\nnotification: {}\n", wanted.message.id);
            let html = preformatted(&text);
            Rendered { subject, text, html, fallback: Some(fault) }
        })
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Templates").field(&self.files).finish()
    }
}

/// Under which names and languages a file is found. `a.en.txt` is the template `a` in English, and `a.en` in whatever
/// language: what has dots in its id has them in its files' names too.
fn keys(file: &str) -> Vec<Key> {
    let stem = PARTS.iter().find_map(|(end, _, _)| file.strip_suffix(end)).unwrap_or(file);
    if stem.starts_with('_') {
        return Vec::new();
    }
    let in_language = stem.rsplit_once('.').filter(|(name, locale)| !name.is_empty() && is_locale(locale));
    let in_language = in_language.map(|(name, locale)| (name.to_owned(), Some(normal(locale))));
    [(stem.to_owned(), None)].into_iter().chain(in_language).collect()
}

/// What is wrong with the file, or one that it includes, and where.
fn located(file: &str, error: &Error) -> String {
    let (inner, words) = (innermost(error), words(error));
    match (inner.name().unwrap_or(file), inner.line()) {
        (name, Some(line)) => format!("{name}:{line}: {words}"),
        (name, None) => format!("{name}: {words}"),
    }
}

/// Text as HTML, with its lines.
fn preformatted(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 200);
    html.push_str("<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"></head>\n<body>\n");
    html.push_str("<pre style=\"font-family:sans-serif;white-space:pre-wrap\">");
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html.push_str("</pre>\n</body>\n</html>\n");
    html
}
