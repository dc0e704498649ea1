//! The forms of a secret: a file, a credential of systemd, an environment variable, or the value itself.
//!
//! No problem ever shows one: not the value, not what a file or a variable holds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::reader::{Item, Section};
use super::sources::{Sources, read_bounded};

/// What a secret has to be.
#[derive(Clone, Copy)]
struct Rule {
    /// The most bytes.
    max: u64,
    /// Whether it may have several lines.
    lines: bool,
}

/// What a client sends as its secret.
const SECRET: Rule = Rule { max: 4096, lines: false };
/// A private key with its certificates, in PEM.
const PEM: Rule = Rule { max: 64 * 1024, lines: true };

/// A secret that has been read; wiped when it is dropped.
pub(super) struct Secret {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether it stands in the configuration itself, for all to see who may read that.
    pub(super) in_the_open: bool,
}

/// Reads one of `{ file = … }`, `{ credential = … }`, `{ env = … }`, `{ value = … }`.
pub(super) fn secret(sources: &Sources) -> impl Fn(&Item<'_>) -> Option<Secret> {
    by_rule(sources, SECRET)
}

/// The same for a secret in PEM.
pub(super) fn secret_pem(sources: &Sources) -> impl Fn(&Item<'_>) -> Option<Secret> {
    by_rule(sources, PEM)
}

fn by_rule(sources: &Sources, rule: Rule) -> impl Fn(&Item<'_>) -> Option<Secret> {
    move |item| {
        if item.as_text().is_some() {
            // The text may be the secret: it is not shown.
            return item.refuse("must be one of { file = \"…\" }, { credential = \"…\" }, { env = \"…\" }");
        }
        item.section(|forms| one_form(forms, sources, rule))
    }
}

fn one_form(forms: &Section<'_>, sources: &Sources, rule: Rule) -> Option<Secret> {
    let given = ["file", "credential", "env", "value"].into_iter().filter(|form| forms.has(form)).count();
    if given != 1 {
        let what = "needs exactly one of file, credential, env and value";
        forms.reader.error(&forms.path, what);
        return None;
    }
    let checked = |item: &Item<'_>, read| checked(item, read, rule);
    None.or_else(|| forms.optional("file", |item| checked(item, from_file(plain_text(item)?.as_ref(), rule))))
        .or_else(|| {
            forms.optional("credential", |item| checked(item, from_credential(plain_text(item)?, sources, rule)))
        })
        .or_else(|| forms.optional("env", |item| checked(item, from_variable(plain_text(item)?, sources))))
        .or_else(|| forms.optional("value", |item| in_the_open(item, rule)))
}

fn plain_text<'r>(item: &Item<'r>) -> Option<&'r str> {
    item.as_text().or_else(|| item.refuse_kind("text in quotes"))
}

fn in_the_open(item: &Item<'_>, rule: Rule) -> Option<Secret> {
    let secret = checked(item, Ok(Zeroizing::new(plain_text(item)?.into())), rule)?;
    let advice = "move it to a file of mode 0640 and write { file = \"…\" }".to_owned();
    item.reader.warning(&item.path, "the secret stands in the configuration for all to read", Some(advice));
    Some(Secret { in_the_open: true, ..secret })
}

fn checked(item: &Item<'_>, read: Result<Zeroizing<Vec<u8>>, String>, rule: Rule) -> Option<Secret> {
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(message) => return item.refuse(message),
    };
    match fault(&bytes, rule) {
        Some(fault) => item.refuse(fault),
        None => Some(Secret { bytes, in_the_open: false }),
    }
}

/// Why nobody could use it as a secret.
fn fault(bytes: &[u8], rule: Rule) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Some("the secret is not UTF-8 text".to_owned()) };
    if text.is_empty() {
        Some("the secret is empty".to_owned())
    } else if text.len() as u64 > rule.max {
        Some(format!("the secret is larger than {} bytes", rule.max))
    } else if !rule.lines && text.chars().any(char::is_control) {
        Some("the secret has a line end or another control character in it".to_owned())
    } else {
        None
    }
}

/// The content of `file` without one line end at its end.
fn from_file(file: &Path, rule: Rule) -> Result<Zeroizing<Vec<u8>>, String> {
    let mode = fs::metadata(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    if mode.is_file() && mode.permissions().mode() & 0o007 != 0 {
        let file = file.display();
        return Err(format!("{file} can be read or changed by everybody on this machine; run: chmod o-rwx {file}"));
    }
    content_of(file, rule)
}

fn content_of(file: &Path, rule: Rule) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = read_bounded(file, rule.max + 2).map_err(|problem| format!("{} {problem}", file.display()))?;
    let mut bytes = Zeroizing::new(bytes);
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// systemd guards the directory of credentials: the mode of the files in it says nothing.
fn from_credential(name: &str, sources: &Sources, rule: Rule) -> Result<Zeroizing<Vec<u8>>, String> {
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err("must be the name of a credential, as LoadCredential= has it before the colon".to_owned());
    }
    let directory = sources.credentials.as_deref().ok_or(
        "there are no credentials: CREDENTIALS_DIRECTORY is not set, so this was not started by a systemd unit \
         with LoadCredential=",
    )?;
    content_of(&directory.join(name), rule)
}

fn from_variable(name: &str, sources: &Sources) -> Result<Zeroizing<Vec<u8>>, String> {
    let value = sources.variable(name);
    value.map(|value| Zeroizing::new(value.into())).ok_or_else(|| format!("the environment variable {name} is not set"))
}
