//! The layers of the crate's documentation, enforced: reads `src/` and refuses what points upwards or aside.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod check;
mod paths;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

use check::Source;

/// All of `src/`, as (path below it, text).
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    found
}

#[test]
fn the_sources_keep_to_the_layers() {
    let sources = sources();
    assert!(sources.len() > 20, "found only {} files", sources.len());
    let contracts = check::contracts(sources.iter().map(|(path, _)| path.as_path()));
    let faults: Vec<_> = sources.iter().flat_map(|(path, text)| Source::new(path, text).faults(&contracts)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_table_is_the_one_of_the_documentation() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let rows: Vec<_> =
        rows.map(|row| (row.split('`').next().unwrap(), row.rsplit('|').nth(1).unwrap().trim())).collect();
    let table: Vec<_> = check::LAYERS.iter().map(|layer| layer.folder).collect();
    assert_eq!(rows.iter().map(|(folder, _)| *folder).collect::<Vec<_>>(), table);
    for (index, (folder, allowed)) in rows.iter().enumerate() {
        let expected: Vec<_> = match *allowed {
            "–" => Vec::new(),
            all if all.starts_with("all above") => table[..index].to_vec(),
            list => list.split(", ").collect(),
        };
        assert_eq!(check::LAYERS[index].may_import, expected, "{folder}");
    }
}

/// What is wrong with `text` as the file `path`, in a house whose contracts are polling, events and admin.
fn faults(path: &str, text: &str) -> Vec<String> {
    let contracts = ["polling", "events", "admin"].map(str::to_owned);
    Source::new(Path::new(path), &format!("//! Documentation.\n{text}")).faults(&contracts.into())
}

#[test]
fn what_points_downwards_is_let_through() {
    for (path, text) in [
        ("auth/token.rs", "use crate::store::Store;\nuse super::scope;\n// use crate::api::problem;"),
        ("auth/token.rs", "fn f() { let s = \"crate::api::x\"; let r = r#\"crate::\"api\"#; let c = '\"'; }"),
        ("auth/mod.rs", "mod tests { use super::*; use crate::auth::scope; }"),
        ("auth/token.rs", "mod tests { use super::*; mod deep { use super::super::Token; } }"),
        ("auth/token.rs", "/* use crate::api; /* nested */ use crate::cli; */ fn f<'a>(x: &'a str) {}"),
        ("api/polling/mod.rs", "use crate::api::problem::Problem; use super::problem; use crate::engine::X;"),
        ("api/polling/wire.rs", "use super::super::problem::body; use super::routes;"),
        ("store/redb/mod.rs", "use redb::Database; use crate::{base::clock, model::{id, event::Event}};"),
        ("http/server.rs", "use hyper::Request; use http::Uri;"),
        ("cli/verify.rs", "use crate::store::redb::{self, Report}; fn f() { redb::verify() }"),
        ("engine/mod.rs", "fn f(toml: u8) -> u8 { if toml > 1 { redb } else { x.redb } }"),
        ("main.rs", "fn main() { tidings::cli::run() }"),
    ] {
        assert_eq!(faults(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn what_points_upwards_or_aside_is_found() {
    for (path, text, what) in [
        ("base/clock.rs", "use crate::model::id;", "base may not import model"),
        ("model/id.rs", "fn f() -> crate::store::Position { todo!() }", "model may not import store"),
        ("engine/poll.rs", "use crate::{\n    base::clock,\n    http::contract,\n};", "engine may not import http"),
        ("engine/poll.rs", "use crate::{base::{clock, stop}, model, auth as a};", "engine may not import auth"),
        ("channel/mod.rs", "use super::store::Store;", "channel may not import store"),
        ("channel/mail.rs", "use super::super::store::Store;", "channel may not import store"),
        ("channel/mail.rs", "mod tests { use super::super::super::engine::X; }", "channel may not import engine"),
        ("auth/mod.rs", "mod a { mod b { use super::super::super::api; } }", "auth may not import api"),
        ("auth/mod.rs", "#[cfg(test)]\nuse r#crate::api;", "auth may not import api"),
        ("store/mod.rs", "use crate :: /* here */ engine :: X;", "store may not import engine"),
        ("store/mod.rs", "use crate::*;", "names everything"),
        ("store/mod.rs", "use crate as house;", "another name"),
        ("store/mod.rs", "use super::*;", "names everything"),
        ("store/mod.rs", "use crate::nowhere::X;", "no such layer"),
        ("api/polling/mod.rs", "use crate::api::events::X;", "api/polling may not import api/events"),
        ("api/polling/mod.rs", "use crate::api::{problem, events};", "api/polling may not import api/events"),
        ("api/polling/wire.rs", "use super::super::{problem, admin::X};", "api/polling may not import api/admin"),
        ("api/polling/wire.rs", "use crate::api::*;", "names everything"),
        ("api/problem.rs", "use super::polling::X;", "api/problem may not import api/polling"),
        ("api/polling/mod.rs", "use crate::store::Store;", "api may not import store"),
        ("engine/mod.rs", "fn f(e: redb::Error) {}", "engine may not name redb"),
        ("engine/mod.rs", "use ::redb::Error;", "engine may not name redb"),
        ("engine/mod.rs", "use crate::store::redb::RedbStore;", "not this one store"),
        ("engine/mod.rs", "mod tests { use super::super::store::{redb as r}; }", "may know the Store trait"),
        ("engine/mod.rs", "extern crate redb;", "engine may not name redb"),
        ("engine/mod.rs", "use redb as database;", "engine may not name redb"),
        ("engine/mod.rs", "use {std::fmt, redb};", "engine may not name redb"),
        ("auth/mod.rs", "use {hyper::StatusCode, std::fmt};", "auth may not name hyper"),
        ("engine/mod.rs", "use hyper_util::rt::TokioIo;", "engine may not name hyper_util"),
        ("model/mod.rs", "use tokio::sync::Mutex;", "model may not name tokio"),
        ("engine/util.rs", "", "says nothing"),
        ("engine/helpers/mod.rs", "", "says nothing"),
        ("engine/common/x.rs", "", "says nothing"),
        ("queue/mod.rs", "", "no such layer"),
        ("loose.rs", "", "no such layer"),
    ] {
        let found = faults(path, text);
        assert!(found.len() == 1 && found[0].contains(what), "{path}: {text}: {found:?}");
    }
}

#[test]
fn main_is_a_page_and_files_say_what_they_are() {
    assert!(faults("main.rs", &"\n".repeat(29)).is_empty());
    assert!(faults("main.rs", &"\n".repeat(30))[0].contains("at most 30 lines"));
    let undocumented = Source::new(Path::new("base/x.rs"), "fn f() {}").faults(&[].into());
    assert!(undocumented[0].contains("module documentation"), "{undocumented:?}");
}

#[test]
fn a_fault_says_where() {
    assert_eq!(
        faults("base/clock.rs", "\nuse crate::model::id;"),
        ["src/base/clock.rs:3: base may not import model (allowed: nothing)"]
    );
}
