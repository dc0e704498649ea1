//! Reads the merged values, key by key, and collects every problem on the way instead of stopping at the first.
//!
//! A [`Section`] is a table, an [`Item`] one value. A section knows the keys that it was asked for: what else stands
//! in it is unknown, and refused. After a problem a harmless value is given, so that reading goes on; the settings
//! made of it are thrown away.

mod members;

use std::cell::RefCell;
use std::fmt;

use figment::value::{Dict, Empty, Value};

use super::effective::{Notes, Typed};
use super::places::{Places, join_index, join_key};
use super::problem::{Place, Problem, Severity};

/// A value and the path that it stands at, for what is checked once all is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) path: String,
}

/// Where the values stand, the problems that were found in them, and what else reading them has shown.
pub(super) struct Reader<'a> {
    places: &'a Places,
    complete: bool,
    problems: RefCell<Vec<Problem>>,
    notes: RefCell<Notes>,
}

impl<'a> Reader<'a> {
    /// `complete`: no file is missing, so that what is not there is not elsewhere either.
    pub(super) fn new(places: &'a Places, complete: bool) -> Self {
        Self { places, complete, problems: RefCell::default(), notes: RefCell::default() }
    }

    /// The same; which keys are asked for is noted too.
    pub(super) fn noting_keys(places: &'a Places) -> Self {
        Self { notes: RefCell::new(Notes::with_keys()), ..Self::new(places, true) }
    }

    pub(super) fn finish(self) -> (Vec<Problem>, Notes) {
        (self.problems.into_inner(), self.notes.into_inner())
    }

    /// What the value at `path` names has this content: a secret, a certificate, a template. Whatever is read besides the
    /// configuration files is noted, so that its change is one of the configuration.
    pub(super) fn holds(&self, path: &str, content: &[u8]) {
        self.notes.borrow_mut().hold(path, content);
    }

    /// The text at `path` is a secret itself, and never shown.
    pub(super) fn is_secret(&self, path: &str) {
        self.notes.borrow_mut().open(path);
    }

    /// The value at `path` cannot be taken.
    pub(super) fn error(&self, path: &str, message: impl Into<String>) {
        self.push(Severity::Error, self.place(path), path, message.into(), None);
    }

    /// The value at `path` cannot be taken; `suggestion` says what to do.
    pub(super) fn error_with(&self, path: &str, message: impl Into<String>, suggestion: Option<String>) {
        self.push(Severity::Error, self.place(path), path, message.into(), suggestion);
    }

    /// Something that `path` needs is in none of the sources. Not reported while a file could not be read: it may
    /// stand there.
    pub(super) fn missing_elsewhere(&self, path: &str, message: impl Into<String>, suggestion: Option<String>) {
        if self.complete {
            self.error_with(path, message, suggestion);
        }
    }

    /// The value at `path` is taken, but somebody should look at it.
    pub(super) fn warning(&self, path: &str, message: impl Into<String>, suggestion: Option<String>) {
        self.push(Severity::Warning, self.place(path), path, message.into(), suggestion);
    }

    /// Something is wrong with what a value names, at a place of its own.
    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Where the value at `path` stands.
    pub(super) fn place(&self, path: &str) -> Place {
        self.places.find(path).map_or(Place::BuiltIn {}, |origin| origin.value.clone())
    }

    fn key_place(&self, path: &str) -> Place {
        self.places.find(path).map_or(Place::BuiltIn {}, |origin| origin.key.clone())
    }

    fn push(&self, severity: Severity, place: Place, path: &str, message: String, suggestion: Option<String>) {
        let key = path.to_owned();
        self.problems.borrow_mut().push(Problem { severity, place, key, message, suggestion });
    }
}

/// A table that is being read.
pub(super) struct Section<'r> {
    pub(super) reader: &'r Reader<'r>,
    pub(super) path: String,
    /// `None` where something else stands in its place, which has been reported.
    values: Option<&'r Dict>,
    known: RefCell<Vec<&'static str>>,
}

impl<'r> Section<'r> {
    /// Reads the whole of `values` with `read`.
    pub(super) fn root<T>(reader: &'r Reader<'r>, values: &'r Dict, read: impl FnOnce(&Self) -> T) -> T {
        Self::with(reader, String::new(), Some(values), read)
    }

    fn with<T>(reader: &'r Reader<'r>, path: String, values: Option<&'r Dict>, read: impl FnOnce(&Self) -> T) -> T {
        let section = Self { reader, path, values, known: RefCell::default() };
        let out = read(&section);
        section.refuse_unknown_keys();
        out
    }

    /// The value of `key`, if there is one.
    pub(super) fn item(&self, key: &'static str) -> Option<Item<'r>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        let value = self.values?.get(key)?;
        Some(Item { reader: self.reader, path: join_key(&self.path, key), value })
    }

    /// Whether `key` is there.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.item(key).is_some()
    }

    /// The value of `key`; `None` if it is not there or cannot be taken.
    pub(super) fn optional<T>(&self, key: &'static str, kind: impl Fn(&Item<'r>) -> Option<T>) -> Option<T> {
        self.item(key).and_then(|item| kind(&item))
    }

    /// The value of `key`, which has to be there.
    pub(super) fn required<T: Default>(&self, key: &'static str, kind: impl Fn(&Item<'r>) -> Option<T>) -> T {
        let item = self.item(key);
        if item.is_none() {
            self.missing(key);
        }
        item.and_then(|item| kind(&item)).unwrap_or_default()
    }

    /// The choice that `key` names, which has to be there.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> T {
        let named = self.required(key, |item| item.one_of(choices).map(Some));
        named.unwrap_or(choices[0].1)
    }

    /// The table at `key`, read with `read`; an empty one where there is none.
    pub(super) fn section<T>(&self, key: &'static str, read: impl FnOnce(&Section<'r>) -> T) -> T {
        let path = join_key(&self.path, key);
        let values = self.item(key).and_then(|item| item.table());
        Self::with(self.reader, path, values, read)
    }

    /// The entries of the list at `key`, each read with `read`; none where there is no list.
    pub(super) fn list<T>(&self, key: &'static str, read: impl Fn(&Section<'r>) -> T) -> Vec<T> {
        let items = self.item(key).and_then(|item| item.items()).unwrap_or_default();
        let tables = items.into_iter().filter_map(|item| item.table().map(|table| (item.path, table)));
        tables.map(|(path, table)| Self::with(self.reader, path, Some(table), &read)).collect()
    }

    /// Says that `key` is not there though it has to be.
    pub(super) fn missing(&self, key: &str) {
        if self.values.is_some() && !self.reader.places.in_conflict(&self.path) {
            self.reader.error(&self.path, format!("the required key {key} is missing"));
        }
    }

    fn refuse_unknown_keys(self) {
        let known = self.known.into_inner();
        self.reader.notes.borrow_mut().ask(&self.path, &known);
        for key in self.values.into_iter().flat_map(Dict::keys).filter(|key| !known.contains(&key.as_str())) {
            let path = join_key(&self.path, key);
            let place = self.reader.key_place(&path);
            let suggestion = nearest(key, known.iter().copied()).or_else(|| list_of(&known));
            self.reader.push(Severity::Error, place, &path, "unknown key".to_owned(), suggestion);
        }
    }
}

/// "did you mean …?", if one of `known` is near to `word`.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let word = word.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&word, &known.to_lowercase());
    let (distance, best) = known.into_iter().map(|k| (distance(k), k)).min()?;
    let near = distance <= 1 + best.chars().count() / 4 && distance < best.chars().count();
    near.then(|| format!("did you mean {best}?"))
}

fn list_of(known: &[&'static str]) -> Option<String> {
    (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")))
}

/// A value that is being read.
pub(super) struct Item<'r> {
    pub(super) reader: &'r Reader<'r>,
    pub(super) path: String,
    value: &'r Value,
}

impl<'r> Item<'r> {
    /// Says what is wrong with it.
    pub(super) fn refuse<T>(&self, message: impl Into<String>) -> Option<T> {
        self.reader.error(&self.path, message);
        None
    }

    /// Says that `what` is needed, and what kind of value stands here instead.
    pub(super) fn refuse_kind<T>(&self, what: &str) -> Option<T> {
        self.refuse(format!("must be {what}, not {}", kind_name(self.value)))
    }

    /// The text, where it is one.
    pub(super) fn as_text(&self) -> Option<&'r str> {
        self.value.as_str()
    }

    /// The whole number, where it is one that is not negative, also one that the environment holds as text.
    pub(super) fn as_number(&self) -> Option<u64> {
        match self.typed_text() {
            Some(text) => text.parse().ok().inspect(|number| self.taken_as(Typed::Number(*number))),
            None => self.value.to_u128().and_then(|number| u64::try_from(number).ok()),
        }
    }

    /// The truth value, where it is one, also one that the environment holds as text.
    pub(super) fn as_bool(&self) -> Option<bool> {
        match self.typed_text() {
            Some(text) => text.parse().ok().inspect(|value| self.taken_as(Typed::Bool(*value))),
            None => self.value.to_bool(),
        }
    }

    fn taken_as(&self, typed: Typed) {
        self.reader.notes.borrow_mut().typed(&self.path, typed);
    }

    /// Text that stands for a value of any type, for its source has no types.
    fn typed_text(&self) -> Option<&'r str> {
        let untyped = matches!(self.reader.place(&self.path), Place::Environment { .. } | Place::Flag { .. });
        self.value.as_str().filter(|_| untyped).map(str::trim)
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.as_dict().is_some()
    }

    /// The table; reported where it is something else.
    pub(super) fn table(&self) -> Option<&'r Dict> {
        self.value.as_dict().or_else(|| self.refuse_kind("a table"))
    }

    /// The items of the array; reported where it is something else.
    pub(super) fn items(&self) -> Option<Vec<Item<'r>>> {
        let Some(values) = self.value.as_array() else { return self.refuse_kind("an array such as [\"…\"]") };
        let item = |(index, value)| Item { reader: self.reader, path: join_index(&self.path, index), value };
        Some(values.iter().enumerate().map(item).collect())
    }

    /// Reads the table that stands here with `read`.
    pub(super) fn section<T>(&self, read: impl FnOnce(&Section<'r>) -> Option<T>) -> Option<T> {
        Section::with(self.reader, self.path.clone(), Some(self.table()?), read)
    }

    /// The choice that the text names.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let expected = || names().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" or ");
        let Some(text) = self.as_text() else { return self.refuse_kind(&expected()) };
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let message = format!("must be {}, not {}", expected(), Shown(text));
            self.reader.error_with(&self.path, message, nearest(text, names()));
        }
        found
    }
}

/// A value's text in a message: quoted, and cut where it is long.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX: usize = 80;
        match self.0.char_indices().nth(MAX) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
        }
    }
}

fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(_, number) if number.to_f64().is_some() => "a fraction or too large a number",
        Value::Num(_, number) if number.to_i128().is_some() => "a negative number",
        Value::Num(..) => "a number",
        Value::Empty(_, Empty::None) => "null",
        Value::Empty(_, Empty::Unit) => "a date",
        Value::Dict(..) => "a table",
        Value::Array(..) => "an array",
    }
}
