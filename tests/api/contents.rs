//! Holds `docs/TESTS.md` to the tests that are there, both ways: a name in the page is a test, and
//! no file of tests is missing from it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where the tests are that the page names; no file is called the same in both.
const FOLDERS: [&str; 2] = ["tests/api", "tests/pages"];
/// Files there that hold none.
const NO_TESTS: [&str; 3] = ["main", "browser", "page"];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(top().join("docs/TESTS.md")).expect("docs/TESTS.md")
}

/// What stands in backticks as `file::test`.
fn named(page: &str) -> BTreeSet<(String, String)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|word| word.split_once("::"))
        .filter(|(file, _)| *file != "file")
        .map(|(file, test)| (file.to_owned(), test.to_owned()))
        .collect()
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let names = named(&page());
    assert!(names.len() > 100, "{} names", names.len());
    for (file, test) in names {
        let mut sources = FOLDERS.iter().filter_map(|folder| {
            fs::read_to_string(top().join(folder).join(&file).with_extension("rs")).ok()
        });
        let source = sources.next().unwrap_or_else(|| panic!("{file}::{test}: no such file"));
        assert!(source.contains(&format!("fn {test}(")), "{file}::{test} is in no source");
    }
}

#[test]
fn every_file_of_tests_stands_in_the_page() {
    let page = page();
    for folder in FOLDERS {
        for entry in fs::read_dir(top().join(folder)).expect("a folder of tests") {
            let path = entry.expect("an entry").path();
            let is_source = path.extension().is_some_and(|end| end == "rs");
            let file = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let is_named = NO_TESTS.contains(&file) || page.contains(&format!("`{file}::"));
            assert!(!is_source || is_named, "{file} is not named");
        }
    }
}
