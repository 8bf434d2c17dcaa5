//! The shape of each file: it says what it is, and it is short.

use super::files::{File, files, none};

const EVERYWHERE: &[&str] = &["src", "entity/src", "migration/src", "tests", "benches"];

/// Most lines of a file.
const LINES_MAX: usize = 400;

fn all() -> Vec<File> {
    let all = files(EVERYWHERE, ".rs");
    assert!(all.len() > 30, "only {} files were found", all.len());
    all
}

#[test]
fn every_file_says_what_it_is_in_its_first_line() {
    let silent = |file: &File| !file.text.starts_with("//! ");
    let silent: Vec<String> = all().into_iter().filter(silent).map(|file| file.path).collect();
    none(&silent, "files without //! on their first line");
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long = |file: File| {
        let lines = file.text.lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines}", file.path))
    };
    none(&all().into_iter().filter_map(long).collect::<Vec<_>>(), "files that are too long");
}

#[test]
fn no_file_is_named_for_nothing_in_particular() {
    let empty = ["utils", "util", "helpers", "helper", "manager", "common", "data", "misc"];
    let vague = |file: &File| {
        file.path.split('/').any(|part| empty.contains(&part.trim_end_matches(".rs")))
    };
    let vague: Vec<String> = all().into_iter().filter(vague).map(|file| file.path).collect();
    none(&vague, "names that say nothing");
}

#[test]
fn nothing_is_left_to_be_done() {
    let mut faults = Vec::new();
    for file in all().iter().filter(|file| !file.path.starts_with("tests/house/")) {
        let code = super::imports::code(&file.text);
        for word in ["todo!", "unimplemented!", "dbg!", "(being built)"] {
            if code.contains(word) || (word.starts_with('(') && file.text.contains(word)) {
                faults.push(format!("{}: {word}", file.path));
            }
        }
    }
    none(&faults, "unfinished");
}
