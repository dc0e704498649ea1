//! The sources, laid over one another by figment: defaults < main file < `conf.d` in name order < environment < flags.
//!
//! Tables merge, the lists of [`LISTS`] add up, everything else is replaced by the later source.

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::document;
use super::places::{LISTS, Origin, Places, Shape, join_key};
use super::problem::{Place, Problem, Severity};
use super::sources::{self, Files, Sources};

/// What the sources say together.
pub(super) struct Layered {
    pub(super) values: Dict,
    pub(super) places: Places,
    pub(super) files: Files,
    pub(super) problems: Vec<Problem>,
    /// Whether all files could be read: if not, what seems to be missing may stand in one that could not.
    pub(super) complete: bool,
}

/// Reads all sources and lays them over one another.
pub(super) fn assemble(sources: &Sources) -> Layered {
    let (mut files, mut problems, mut places) = (Files::default(), Vec::new(), Places::default());
    let texts = sources::read_all(sources, &mut files, &mut problems);
    let mut figment = lay("built-in defaults", built_in(&mut places), Figment::new());
    for text in &texts {
        match document::read(&text.file, &text.content, &mut places) {
            Ok(values) => figment = lay(&text.file.display().to_string(), values, figment),
            Err(errors) => problems.extend(errors),
        }
    }
    let complete = problems.is_empty();
    for assignment in assignments(sources) {
        figment = assignment.lay(figment, &mut places, &mut problems);
    }
    problems.extend_from_slice(places.conflicts());
    Layered { values: values_of(&figment), places, files, problems, complete }
}

/// The defaults without any source.
pub(super) fn built_in_alone() -> (Dict, Places) {
    let mut places = Places::default();
    (built_in(&mut places), places)
}

fn values_of(figment: &Figment) -> Dict {
    // Every layer is a table in memory: there is nothing to fail.
    figment.find_value("").ok().and_then(Value::into_dict).unwrap_or_default()
}

/// The defaults stand in a file of the crate, so that they are read and checked as an operator's are.
fn built_in(places: &mut Places) -> Dict {
    let mut unused = Places::default();
    let values = document::read("defaults.toml".as_ref(), include_str!("defaults.toml"), &mut unused);
    let values = values.expect("the crate's own file is TOML: a unit test reads it");
    places.note_built_in(&unused);
    values
}

/// One layer of figment.
struct Layer<'a> {
    name: &'a str,
    values: Dict,
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.to_owned())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Lays `values` over what is there: its lists are appended, all else is merged.
fn lay(name: &str, values: Dict, figment: Figment) -> Figment {
    let (lists, rest) = split("", values);
    figment.merge(Layer { name, values: rest }).admerge(Layer { name, values: lists })
}

/// The lists of the table at `path` and of those in it, each in its tables; and the rest of it.
fn split(path: &str, values: Dict) -> (Dict, Dict) {
    let (mut lists, mut rest) = (Dict::new(), Dict::new());
    for (key, value) in values {
        let path = join_key(path, &key);
        match value {
            value if LISTS.contains(&path.as_str()) => {
                lists.insert(key, value);
            }
            Value::Dict(tag, table) if LISTS.iter().any(|list| is_above(&path, list)) => {
                let (inner_lists, inner_rest) = split(&path, table);
                if !inner_lists.is_empty() {
                    lists.insert(key.clone(), Value::Dict(tag, inner_lists));
                }
                rest.insert(key, Value::Dict(tag, inner_rest));
            }
            value => {
                rest.insert(key, value);
            }
        }
    }
    (lists, rest)
}

/// Whether the table at `path` has what stands at `below` in it.
fn is_above(path: &str, below: &str) -> bool {
    below.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
}

/// A key that the environment or a flag sets.
struct Assignment<'a> {
    keys: Vec<String>,
    text: &'a str,
    place: Place,
}

fn assignments(sources: &Sources) -> Vec<Assignment<'_>> {
    if sources.alone {
        return Vec::new();
    }
    let mut variables: Vec<_> = sources.environment.iter().filter_map(|(n, v)| Assignment::of_variable(n, v)).collect();
    // Their order in a process is arbitrary, that of what is told about them should not be.
    variables.sort_by(|a, b| a.keys.cmp(&b.keys));
    variables.extend(sources.flags.iter().map(|flag| Assignment {
        keys: flag.key.split('.').map(str::to_owned).collect(),
        text: &flag.value,
        place: Place::Flag { flag: flag.name.to_owned() },
    }));
    variables
}

impl<'a> Assignment<'a> {
    fn of_variable(name: &str, text: &'a str) -> Option<Self> {
        let keys = name.strip_prefix("TIDINGS__")?.split("__").map(str::to_lowercase).collect();
        Some(Self { keys, text, place: Place::Environment { variable: name.to_owned() } })
    }

    fn lay(self, figment: Figment, places: &mut Places, problems: &mut Vec<Problem>) -> Figment {
        let path = self.keys.join(".");
        if let Some(list) = LISTS.into_iter().find(|list| path == *list || is_above(list, &path)) {
            problems.push(self.refusal(list));
            return figment;
        }
        let mut path = String::new();
        for (depth, key) in self.keys.iter().enumerate() {
            path = join_key(&path, key);
            let shape = if depth + 1 < self.keys.len() { Shape::Table } else { Shape::Plain };
            // A table has other sources besides: it keeps its place.
            if shape == Shape::Plain || places.find_exactly(&path).is_none_or(|o| o.shape != Shape::Table) {
                places.note(&path, Origin { key: self.place.clone(), value: self.place.clone(), shape }, true);
            }
        }
        figment.merge(Layer { name: &self.place.to_string(), values: self.nested() })
    }

    fn refusal(&self, list: &str) -> Problem {
        let key = list.to_owned();
        let message = format!("the entries of [[{key}]] can be declared in files only");
        Problem { severity: Severity::Error, place: self.place.clone(), key, message, suggestion: None }
    }

    /// The value in its tables. Text stays text, for the reader knows what the key wants to be; only an array is
    /// told by its bracket.
    fn nested(&self) -> Dict {
        let array = self.text.trim_start().starts_with('[').then(|| document::read_array(self.text)).flatten();
        let mut value = array.unwrap_or_else(|| Value::from(self.text));
        for key in self.keys[1..].iter().rev() {
            value = Value::from(Dict::from([(key.clone(), value)]));
        }
        Dict::from([(self.keys[0].clone(), value)])
    }
}
