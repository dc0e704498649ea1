//! Samples of the Prometheus text format 0.0.4, as far as our own metrics use it.

use std::collections::BTreeMap;

use serde::Serialize;

/// One sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Sample {
    name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// Its value.
    pub(super) value: f64,
}

impl Sample {
    /// The value of a label; empty if it has none of that name.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// All samples of an exposition.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Samples(Vec<Sample>);

impl Samples {
    /// The samples in `text`; lines that are none are left out.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(parse_line).collect())
    }

    /// The value of the sample `name`, `None` if there is none.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.named(name).next().map(|sample| sample.value)
    }

    /// The samples called `name`.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }
}

/// `name value` or `name{label="value",…} value`.
fn parse_line(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    Some(Sample { name: name.to_owned(), labels, value: rest.trim().parse().ok()? })
}

/// The labels up to the closing brace, and what follows it.
fn parse_labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = parse_value(after)?;
        labels.insert(name.to_owned(), value);
        rest = after;
    }
}

/// A label's value up to its closing quote, and what follows it.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let samples = Samples::parse("# HELP a b\na 1.5\nb{x=\"1 } \\\"\\\\\\n\",y=\"é\"} 2\n\nbroken{x=\"\nc{} 3\n");
        assert_eq!(samples.0.len(), 3);
        assert_eq!(samples.value("a"), Some(1.5));
        let b = samples.named("b").next().unwrap();
        assert_eq!((b.label("x"), b.label("y"), b.value), ("1 } \"\\\n", "é", 2.0));
        assert_eq!(samples.value("c"), Some(3.0));
        assert_eq!(samples.value("d"), None);
    }
}
