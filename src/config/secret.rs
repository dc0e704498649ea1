//! The forms of a secret: a file, a credential of systemd, an environment variable, the value itself, or only its hash.
//!
//! No problem ever shows one: not the value, not what a file or a variable holds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::credential::{instant, read_not_after};
use super::reader::{Item, Section};
use super::sources::{Sources, read_bounded};
use crate::auth::KeptSecret;
use crate::auth::keygen::client_hash;
use crate::base::secret::{SecretHash, SecretString};
use crate::model::target::SigningSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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

/// A client's secret, or only the hash of one.
pub(super) struct ClientSecret {
    /// `None` where only its hash is there.
    pub(super) secret: Option<Secret>,
    pub(super) kept: KeptSecret,
}

/// Reads one of `{ file = … }`, `{ credential = … }`, `{ env = … }`, `{ value = … }` and `{ hash = … }`, each perhaps with
/// `not_after`.
pub(super) fn client_secret(sources: &Sources) -> impl Fn(&Item<'_>) -> Option<ClientSecret> {
    by_form(&["file", "credential", "env", "value", "hash"], |forms| {
        let not_after = read_not_after(forms, sources);
        if forms.has("hash") {
            let hash = forms.optional("hash", hash)?;
            return Some(ClientSecret { secret: None, kept: KeptSecret { hash, not_after } });
        }
        let secret = one_form(forms, sources, SECRET)?;
        let hash = SecretHash::of(&secret.bytes);
        Some(ClientSecret { secret: Some(secret), kept: KeptSecret { hash, not_after } })
    })
}

/// What is wrong is not shown: it may be the secret itself.
fn hash(item: &Item<'_>) -> Option<SecretHash> {
    const FORM: &str =
        "must be the hash of a secret as `tidings keygen --client` shows it: sha256:<64 hexadecimal digits>";
    client_hash(plain_text(item)?).or_else(|| item.refuse(FORM))
}

/// Reads one of `{ file = … }`, `{ credential = … }`, `{ env = … }`, `{ value = … }` that holds a password.
pub(super) fn password(sources: &Sources) -> impl Fn(&Item<'_>) -> Option<SecretString> {
    by_form(&["file", "credential", "env", "value"], |forms| {
        let secret = one_form(forms, sources, SECRET)?;
        // It has been read as text.
        String::from_utf8(secret.bytes.to_vec()).ok().map(SecretString::from)
    })
}

/// Reads one of `{ file = … }`, `{ credential = … }`, `{ env = … }`, `{ value = … }` that holds a secret in PEM.
pub(super) fn secret_pem(sources: &Sources) -> impl Fn(&Item<'_>) -> Option<Secret> {
    by_form(&["file", "credential", "env", "value"], |forms| one_form(forms, sources, PEM))
}

/// Reads one of `{ file = … }`, `{ credential = … }`, `{ env = … }`, `{ value = … }` that holds `whsec_` and a key in base64
/// (Standard Webhooks, symmetric), each perhaps with `not_before` and `not_after`.
pub(super) fn signing_secret(sources: &Sources) -> impl Fn(&Item<'_>) -> Option<SigningSecret> {
    by_form(&["file", "credential", "env", "value"], |forms| {
        let (not_before, not_after) = (forms.optional("not_before", instant), read_not_after(forms, sources));
        let secret = one_form(forms, sources, SECRET)?;
        let Some(key) = signing_key(&secret.bytes) else {
            forms.reader.error(
                &forms.path,
                "must be whsec_ and 24 to 64 bytes in base64, as tidings keygen --webhook shows it",
            );
            return None;
        };
        Some(SigningSecret { key, not_before, not_after })
    })
}

/// The key in `whsec_…`.
fn signing_key(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let encoded = text.strip_prefix(b"whsec_")?;
    let key = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

/// Reads a table that has exactly one of these forms.
fn by_form<T>(
    names: &'static [&'static str],
    read: impl Fn(&Section<'_>) -> Option<T>,
) -> impl Fn(&Item<'_>) -> Option<T> {
    move |item| {
        if item.as_text().is_some() {
            // The text may be the secret: it is not shown.
            let forms = names.iter().filter(|name| **name != "value").map(|name| format!("{{ {name} = \"…\" }}"));
            return item.refuse(format!("must be one of {}", forms.collect::<Vec<_>>().join(", ")));
        }
        item.section(|forms| {
            if names.iter().filter(|form| forms.has(form)).count() == 1 {
                return read(forms);
            }
            // They may stand beside each of them.
            forms.has("not_after");
            forms.has("not_before");
            forms.reader.error(&forms.path, format!("needs exactly one of {}", names.join(", ")));
            None
        })
    }
}

fn one_form(forms: &Section<'_>, sources: &Sources, rule: Rule) -> Option<Secret> {
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
    item.reader.is_secret(&item.path);
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
    if let Some(fault) = fault(&bytes, rule) {
        return item.refuse(fault);
    }
    item.reader.holds(&item.path, &bytes);
    Some(Secret { bytes, in_the_open: false })
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
