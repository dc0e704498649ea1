//! The few keys that count when the rest of the files cannot be used, read as well as can be.

use std::fmt::Write as _;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::document;
use super::load::defaults;
use super::sources::{self, Files, Sources};
use crate::http::settings::ListenAddress;

/// What bad files say all the same. A key that cannot be read has its default.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// `data_dir`: where the last good configuration is.
    pub data_dir: PathBuf,
    /// Whether that is to run (`on_bad_configuration`).
    pub last_good: bool,
    /// `admin.listen`: where an appliance that runs already may be asked.
    pub admin: Vec<ListenAddress>,
}

/// Reads them. No problem is told: [`super::load`] tells them all.
#[must_use]
pub fn fallback(sources: &Sources) -> Fallback {
    let settings = defaults();
    let mut found = Fallback { data_dir: settings.data_dir, last_good: true, admin: settings.admin.listen };
    for text in sources::read_all(sources, &mut Files::default(), &mut Vec::new()) {
        let toml = if document::is_json(&text.file) { as_toml(&text.content) } else { text.content };
        found.take(DeTable::parse_recoverable(&toml).0.get_ref());
    }
    let variable = |name: &str| sources.environment.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let mut text = String::new();
    for (name, key, quoted) in [
        ("TIDINGS__DATA_DIR", "data_dir", true),
        ("TIDINGS__ON_BAD_CONFIGURATION", "on_bad_configuration", true),
        ("TIDINGS__ADMIN__LISTEN", "admin.listen", false),
    ] {
        if let Some(value) = variable(name) {
            let value = if quoted { toml::Value::from(value).to_string() } else { value.to_owned() };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    found.take(DeTable::parse_recoverable(&text).0.get_ref());
    found
}

impl Fallback {
    fn take(&mut self, table: &DeTable<'_>) {
        if let Some(path) = text(table, "data_dir") {
            self.data_dir = path.into();
        }
        match text(table, "on_bad_configuration") {
            Some("refuse") => self.last_good = false,
            Some("last-good") => self.last_good = true,
            _ => {}
        }
        let admin = table.get("admin").and_then(|admin| admin.get_ref().as_table());
        let listen = admin.and_then(|admin| admin.get("listen")?.get_ref().as_array());
        let addresses = listen.into_iter().flatten().map(|item| item.get_ref().as_str().and_then(ListenAddress::parse));
        if let Some(addresses) = addresses.collect::<Option<Vec<_>>>()
            && !addresses.is_empty()
        {
            self.admin = addresses;
        }
    }
}

/// What is in JSON, as TOML; empty if it cannot be read: of JSON with a mistake in its form nothing can be saved.
fn as_toml(json: &str) -> String {
    let json = json.strip_prefix('\u{feff}').unwrap_or(json);
    let root: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let mut text = String::new();
    for (key, pointer) in [
        ("data_dir", "/data_dir"),
        ("on_bad_configuration", "/on_bad_configuration"),
        ("admin.listen", "/admin/listen"),
    ] {
        // Null, which TOML does not have, says nothing here.
        if let Some(value) = root.pointer(pointer).and_then(|value| toml::Value::try_from(value).ok()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text
}

fn text<'a>(table: &'a DeTable<'_>, key: &str) -> Option<&'a str> {
    table.get(key).and_then(|value| DeValue::as_str(value.get_ref())).filter(|text| !text.is_empty())
}
