//! The engine that renders, and its bounds.

use std::error::Error as _;
use std::io;

use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};

use super::context::localtime;

/// How much work a rendering may take: about one for each instruction, each item of a list and each 64 bytes.
const FUEL: u64 = 500_000;

/// How deep templates may include others.
const DEPTH: usize = 32;

/// The most bytes that one file may make.
pub(super) const MAX_OUTPUT: usize = 512 * 1024;

/// An environment without templates.
pub(super) fn environment(zone: TimeZone) -> Environment<'static> {
    let mut environment = Environment::new();
    // A line that has only a tag on it leaves no line behind.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.unwrap_or_default());
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_auto_escape_callback(|name| {
        if name.strip_suffix(".html").is_some() { AutoEscape::Html } else { AutoEscape::None }
    });
    environment.set_formatter(
        |out, state, value| {
            if value.is_none() { Ok(()) } else { escape_formatter(out, state, value) }
        },
    );
    environment.add_filter("localtime", move |value: Value| localtime(&value, &zone));
    environment
}

/// Renders the file `name`.
pub(super) fn render(environment: &Environment<'_>, name: &str, context: &Value) -> Result<String, Error> {
    let mut output = Bounded::default();
    environment.get_template(name)?.render_captured_to(context.clone(), &mut output)?;
    // What is rendered is made of whole strings.
    Ok(String::from_utf8_lossy(&output.0).into_owned())
}

/// Takes no more than [`MAX_OUTPUT`] bytes.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("more than {MAX_OUTPUT} bytes came of it")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is at the bottom of `error`: an include only says that it failed.
pub(super) fn innermost(error: &Error) -> &Error {
    let mut error = error;
    while let Some(inner) = error.source().and_then(|source| source.downcast_ref::<Error>()) {
        error = inner;
    }
    error
}

/// What is wrong, in words, without the place.
pub(super) fn words(error: &Error) -> String {
    let error = innermost(error);
    match (error.kind(), error.detail(), error.source()) {
        (ErrorKind::OutOfFuel, _, _) => "it takes too much work (is a loop too long?)".to_owned(),
        (ErrorKind::WriteFailure, _, Some(source)) => source.to_string(),
        (kind, Some(detail), _) => format!("{kind}: {detail}"),
        (kind, None, _) => kind.to_string(),
    }
}
