//! The rules of the house, and what a source breaks of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::paths::{Named, paths};

/// One row of the table in `lib.rs`.
pub(crate) struct Layer {
    pub(crate) folder: &'static str,
    pub(crate) may_import: &'static [&'static str],
}

const ALL: [&str; 11] = ["base", "model", "store", "auth", "channel", "engine", "http", "api", "config", "app", "cli"];

/// The table of design.md, "Layers".
pub(crate) const LAYERS: [Layer; 11] = [
    Layer { folder: "base", may_import: &[] },
    Layer { folder: "model", may_import: &["base"] },
    Layer { folder: "store", may_import: &["base", "model"] },
    Layer { folder: "auth", may_import: &["base", "model", "store"] },
    Layer { folder: "channel", may_import: &["base", "model"] },
    Layer { folder: "engine", may_import: &["base", "model", "store", "channel"] },
    Layer { folder: "http", may_import: &["base", "model", "auth"] },
    Layer { folder: "api", may_import: &["base", "model", "auth", "engine", "http"] },
    Layer { folder: "config", may_import: ALL.split_at(8).0 },
    Layer { folder: "app", may_import: ALL.split_at(9).0 },
    Layer { folder: "cli", may_import: ALL.split_at(10).0 },
];

/// Crates that only some layers may name.
const CRATES: [(&str, &[&str]); 10] = [
    ("redb", &["store"]),
    // Outbound HTTP is in base: the errors of its client hold hyper's.
    ("hyper", &["base", "http", "api", "app", "cli"]),
    ("hyper_util", &["http", "app", "cli"]),
    ("http_body", &["http", "app", "cli"]),
    ("http_body_util", &["http", "app", "cli"]),
    ("figment", &["config"]),
    ("toml", &["config"]),
    ("clap", &["cli"]),
    ("utoipa", &["api"]),
    // Everything but the nouns, which are pure.
    ("tokio", &["base", "store", "auth", "channel", "engine", "http", "api", "app", "cli"]),
];

/// The layers that choose the store: all others know its trait only, for there will be a second one.
const ONE_STORE: [&str; 2] = ["app", "cli"];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 5] = ["util", "helpers", "common", "manager", "misc"];

/// The most lines of `main.rs`.
const MAIN_LINES: usize = 30;

/// What the contracts share, where it is more than a file.
const SHARED: [&str; 1] = ["openapi"];

/// The folders of `api/` but for [`SHARED`]: the contracts, which never name one another.
pub(crate) fn contracts<'a>(paths: impl Iterator<Item = &'a Path>) -> BTreeSet<String> {
    let segments = paths.map(|path| path.iter().map(|s| s.to_string_lossy().into_owned()).collect::<Vec<_>>());
    let folders = segments.filter(|s| s.len() > 2 && s[0] == "api").map(|mut s| s.swap_remove(1));
    folders.filter(|folder| !SHARED.contains(&folder.as_str())).collect()
}

/// A file of `src/`.
pub(crate) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    /// Its module, from the root; empty for `lib.rs` and `main.rs`.
    module: Vec<String>,
}

impl<'a> Source<'a> {
    /// `path` is that below `src/`.
    pub(crate) fn new(path: &'a Path, text: &'a str) -> Self {
        let mut module: Vec<_> =
            path.with_extension("").iter().map(|segment| segment.to_string_lossy().into_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        Self { path, text, module }
    }

    /// Everything that breaks a rule, each with file and line.
    pub(crate) fn faults(&self, contracts: &BTreeSet<String>) -> Vec<String> {
        let mut faults = self.of_the_file();
        if let Some(folder) = self.module.first() {
            match LAYERS.iter().find(|layer| layer.folder == folder) {
                Some(layer) => faults.extend(self.of_the_paths(layer, contracts)),
                None => faults.push(self.fault(1, &format!("no such layer: {folder}"))),
            }
        }
        faults
    }

    fn fault(&self, line: usize, what: &str) -> String {
        format!("src/{}:{line}: {what}", self.path.display())
    }

    fn of_the_file(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let lines = self.text.lines().count();
        if self.path == Path::new("main.rs") && lines > MAIN_LINES {
            faults.push(self.fault(lines, &format!("main.rs has at most {MAIN_LINES} lines")));
        }
        if !self.text.starts_with("//!") {
            faults.push(self.fault(1, "the file does not begin with its module documentation (//!)"));
        }
        for name in self.module.iter().filter(|segment| EMPTY_NAMES.contains(&segment.as_str())) {
            faults.push(self.fault(1, &format!("the name {name} says nothing of what is inside")));
        }
        faults
    }

    fn of_the_paths(&self, layer: &Layer, contracts: &BTreeSet<String>) -> Vec<String> {
        let named = paths(&self.module, self.text);
        // `use crate::store::redb;` makes `redb::…` a path of our own.
        let ours: BTreeSet<_> =
            named.iter().filter(|path| path.inside && path.imported).filter_map(|path| path.segments.last()).collect();
        let wrong = |path: &Named| {
            let what = if path.inside {
                self.wrong_inside(layer, contracts, &path.segments)
            } else if !path.imported && path.segments.first().is_some_and(|first| ours.contains(first)) {
                None
            } else {
                wrong_crate(layer, path)
            };
            what.map(|what| self.fault(path.line, &what))
        };
        named.iter().filter_map(wrong).collect()
    }

    fn wrong_inside(&self, layer: &Layer, contracts: &BTreeSet<String>, segments: &[String]) -> Option<String> {
        let target = segments.first()?.as_str();
        match target {
            "*" => return Some("names everything of the crate: name what is meant".to_owned()),
            "as" => return Some("gives the crate another name, which hides what is imported".to_owned()),
            _ => {}
        }
        if target == layer.folder {
            return (target == "api").then(|| self.wrong_contract(contracts, segments)).flatten();
        }
        if !ALL.contains(&target) {
            return Some(format!("there is no such layer: {target}"));
        }
        if segments.len() > 1 && segments[..2] == ["store", "redb"] && !ONE_STORE.contains(&layer.folder) {
            return Some(format!("{} may know the Store trait, not this one store", layer.folder));
        }
        let allowed = if layer.may_import.is_empty() { "nothing".to_owned() } else { layer.may_import.join(", ") };
        let what = || format!("{} may not import {target} (allowed: {allowed})", layer.folder);
        (!layer.may_import.contains(&target)).then(what)
    }

    /// Inside `api/`: whether a contract, or what they share, names a contract.
    fn wrong_contract(&self, contracts: &BTreeSet<String>, segments: &[String]) -> Option<String> {
        let (own, target) = (self.module.get(1)?, segments.get(1)?);
        if target == "*" {
            return Some("names everything of api: name what is meant".to_owned());
        }
        (own != target && contracts.contains(target)).then(|| format!("api/{own} may not import api/{target}"))
    }
}

fn wrong_crate(layer: &Layer, path: &Named) -> Option<String> {
    let (name, allowed) = CRATES.iter().find(|(name, _)| path.segments.first().is_some_and(|s| s == name))?;
    // A lone word that is not imported is a name of our own.
    let foreign = path.segments.len() > 1 || path.imported;
    (foreign && !allowed.contains(&layer.folder)).then(|| format!("{} may not name {name}", layer.folder))
}
