//! Imports point down only, and what belongs to one layer is named in no other.

use super::files::{File, files, none};
use super::imports::paths;

/// The layers from the words up. Those that share a rank do not see one another.
const RANKS: &[&[&str]] = &[
    &["domain"],
    &["config"],
    &["protocol"],
    &["telemetry"],
    &["store", "bus"],
    &["auth"],
    &["rooms"],
    &["stats"],
    &["session", "http", "web", "load"],
    &["app"],
    &["cli"],
    &["main"],
];

/// Arrows across one rank that are meant, each with its reason.
const ACROSS: &[(&str, &str, &str)] = &[("http", "web", "http sends the page's files")];

fn rank(layer: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&layer))
}

/// `src/store/rows.rs` and `src/cli.rs` belong to `store` and `cli`.
fn layer(file: &File) -> &str {
    let path = file.path.strip_prefix("src/").unwrap_or(&file.path);
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// The layers of this crate that a file names.
fn named(file: &File) -> Vec<String> {
    let below = |path: Vec<String>| match path.first().map(String::as_str) {
        Some("crate" | "hubbub") => path.into_iter().nth(1),
        // From a layer's own top file `super` is the crate.
        Some("super") if file.path.matches('/').count() == 2 && file.path.ends_with("/mod.rs") => {
            path.into_iter().nth(1)
        }
        _ => None,
    };
    paths(&file.text).into_iter().filter_map(below).filter(|name| rank(name).is_some()).collect()
}

#[test]
fn every_folder_of_the_source_has_its_rank() {
    for file in files(&["src"], ".rs") {
        let layer = layer(&file);
        assert!(layer == "lib" || rank(layer).is_some(), "{} belongs to no layer", file.path);
    }
}

#[test]
fn imports_point_down_only() {
    let mut faults = Vec::new();
    for file in files(&["src"], ".rs") {
        let from = layer(&file).to_owned();
        let Some(height) = rank(&from) else { continue };
        for to in named(&file) {
            let meant = ACROSS.iter().any(|(a, b, _)| *a == from && *b == to);
            if to != from && !meant && rank(&to).is_some_and(|rank| rank >= height) {
                faults.push(format!("{} names {to}", file.path));
            }
        }
    }
    none(&faults, "an arrow that runs up");
}

#[test]
fn the_load_tester_knows_the_words_and_nothing_of_the_server() {
    let mut faults = Vec::new();
    for file in files(&["src/load"], ".rs") {
        for name in named(&file) {
            if !["load", "protocol", "domain"].contains(&name.as_str()) {
                faults.push(format!("{} names {name}", file.path));
            }
        }
    }
    none(&faults, "the load tester sees the server from outside");
}

/// Files that are plain functions over plain values.
fn is_pure(file: &File) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    ["domain", "protocol"].contains(&layer(file))
        || ["state.rs", "door.rs", "presence.rs", "share.rs", "envelope.rs", "pulse.rs", "dice.rs"]
            .contains(&name)
}

#[test]
fn pure_files_know_no_actor_no_database_and_no_runtime() {
    let mut faults = Vec::new();
    for file in files(&["src"], ".rs").into_iter().filter(is_pure) {
        for path in paths(&file.text) {
            let outside = ["actix", "actix_web", "actix_http", "actix_rt", "sea_orm", "tokio"];
            if path.len() > 1 && outside.contains(&path[0].as_str()) {
                faults.push(format!("{} names {}", file.path, path.join("::")));
            }
        }
    }
    none(&faults, "a pure file that is not");
}

/// The files of `src` that name a crate.
fn users_of(crate_name: &str) -> Vec<String> {
    let names =
        |file: &File| paths(&file.text).iter().any(|path| path.len() > 1 && path[0] == crate_name);
    files(&["src"], ".rs").into_iter().filter(names).map(|file| file.path).collect()
}

#[test]
fn the_deprecated_engine_is_one_file() {
    let users = users_of("actix_web_actors");
    assert!(users.len() <= 1, "actix_web_actors is imported in {users:?}");
}

#[test]
fn the_database_is_known_to_the_store_alone() {
    for name in ["entity", "migration", "sea_orm"] {
        let strangers: Vec<String> =
            users_of(name).into_iter().filter(|path| !path.starts_with("src/store/")).collect();
        none(&strangers, &format!("{name} is named outside the store"));
    }
}

#[test]
fn redis_is_known_to_one_file() {
    assert_eq!(users_of("redis"), ["src/bus/redis_wire.rs"]);
}

#[test]
fn rusqlite_is_known_to_one_file() {
    assert_eq!(users_of("rusqlite"), ["src/store/writer/short_way.rs"]);
}

#[test]
fn the_environment_is_read_in_one_place_and_stdout_written_in_one() {
    let mut faults = Vec::new();
    for file in files(&["src"], ".rs") {
        let reads = |path: &Vec<String>| {
            path.windows(2).any(|two| two[0] == "env" && two[1].starts_with("var"))
        };
        if file.path != "src/config/load.rs" && paths(&file.text).iter().any(reads) {
            faults.push(format!("{} reads the environment", file.path));
        }
        for print in ["println!", "print!"] {
            if super::imports::code(&file.text).contains(print) {
                faults.push(format!("{} prints", file.path));
            }
        }
    }
    none(&faults, "the environment is config's, what is said is cli's and telemetry's");
}
