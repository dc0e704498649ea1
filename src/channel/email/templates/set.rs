//! The templates that there are, which one is taken, and what is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use minijinja::{Environment, Error, Value};

use super::built_in::BuiltIn;
use super::context::{Variables, Wanted, variables};
use super::environment::{environment, innermost, render, words};
use super::inspect::Finding;
use super::locale::chain;
use super::parts::{Files, Key, Part, TemplateFile, keys};

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its subject, one line or not.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
    /// Why it was made of a built-in template, where that is for a fault of another.
    pub fallback: Option<String>,
}

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

    /// The built-in templates alone.
    #[must_use]
    pub fn built_in(zone: TimeZone) -> Self {
        let mut environment = environment(zone.clone());
        for (built_in, part) in BuiltIn::ALL.into_iter().flat_map(|one| Part::ALL.map(|part| (one, part))) {
            let added = environment.add_template(built_in.file(part), built_in.source(part));
            added.expect("the crate's own templates are good: a test renders them");
        }
        Self { environment, zone, known: BTreeMap::new(), files: BTreeSet::new() }
    }

    fn add(&mut self, file: TemplateFile) -> Vec<Finding> {
        let TemplateFile { name, text } = file;
        if let Err(error) = self.environment.add_template_owned(name.clone(), text) {
            return vec![Finding::error(&name, error.line(), words(&error))];
        }
        let mut findings = Vec::new();
        let (keys, part) = keys(&name).unwrap_or((Vec::new(), Part::Text));
        for key in keys {
            if let Some(other) = self.known.entry(key).or_default().put(part, &name) {
                let message = format!("is taken instead of {other}, which says the same language");
                findings.push(Finding::warning(&name, None, message));
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

    /// What a message says. It is always something: what cannot be rendered by its own template is by a built-in one.
    #[must_use]
    pub fn render(&self, wanted: &Wanted<'_>) -> Rendered {
        let context = Value::from_object(self.variables(wanted));
        let built_in = BuiltIn::of(wanted.event_type());
        let own = self.choose(wanted, built_in).unwrap_or(&NOTHING);
        let fault = match self.render_files(own, built_in, &context) {
            Ok(rendered) => return rendered,
            Err(fault) => Some(fault),
        };
        match self.render_files(&NOTHING, BuiltIn::Default, &context) {
            Ok(rendered) => Rendered { fallback: fault, ..rendered },
            // It has no loop without bounds and asks for nothing that is not there; should it fail, the event is told of.
            Err(_) => bare(wanted, fault),
        }
    }

    fn choose(&self, wanted: &Wanted<'_>, built_in: BuiltIn) -> Option<&Files> {
        let locales = chain(wanted.locale, wanted.default_locale);
        let names = wanted.template.into_iter().chain([wanted.event_type(), built_in.name()]);
        let mut keys = names.flat_map(|name| locales.iter().map(|locale| (name.to_owned(), locale.clone())));
        keys.find_map(|key| self.known.get(&key))
    }

    /// Renders `files`, and `built_in` for what they lack. The error says what is wrong, and where.
    fn render_files(&self, files: &Files, built_in: BuiltIn, context: &Value) -> Result<Rendered, String> {
        let of_file = |file: &str| render(&self.environment, file, context).map_err(|error| located(file, &error));
        let part = |file: Option<&str>, part: Part| of_file(file.unwrap_or(built_in.file(part)));
        let text = part(files.text.as_deref(), Part::Text)?;
        let html = match (&files.html, &files.text) {
            (None, Some(_)) => preformatted(&text),
            (html, _) => part(html.as_deref(), Part::Html)?,
        };
        Ok(Rendered { subject: part(files.subject.as_deref(), Part::Subject)?, text, html, fallback: None })
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Templates").field(&self.files).finish()
    }
}

/// A template of which every part is made.
const NOTHING: Files = Files { subject: None, text: None, html: None };

/// What can be said without any template.
fn bare(wanted: &Wanted<'_>, fallback: Option<String>) -> Rendered {
    let subject = wanted.event_type().to_owned();
    let text = format!("{subject}\n\nnotification: {}\n", wanted.message.id);
    let html = preformatted(&text);
    Rendered { subject, text, html, fallback }
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
