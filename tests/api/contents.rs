//! Holds `docs/TESTS.md` to the tests that are there, both ways: a name in the page is a test, and
//! no file of tests is missing from it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/TESTS.md");
    fs::read_to_string(path).expect("docs/TESTS.md")
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
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let names = named(&page());
    assert!(names.len() > 100, "{} names", names.len());
    for (file, test) in names {
        let source = fs::read_to_string(here.join(&file).with_extension("rs"));
        let source = source.unwrap_or_else(|why| panic!("{file}::{test}: {why}"));
        assert!(source.contains(&format!("fn {test}(")), "{file}::{test} is in no source");
    }
}

#[test]
fn every_file_of_tests_stands_in_the_page() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let page = page();
    for entry in fs::read_dir(here).expect("tests/api") {
        let path = entry.expect("an entry").path();
        let file = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        assert!(file == "main" || page.contains(&format!("`{file}::")), "{file} is not named");
    }
}
