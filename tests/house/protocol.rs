//! The page on `hubbub.v1` against the code: every close, every error and every frame has its row
//! there, and no row is of something that is not.

use hubbub::protocol::close;
use hubbub::protocol::native::{ErrorCode, FRAMES, REQUESTS};

use super::files::{none, read, top};

/// The cells of each row of the first table under a heading, without the head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = read(&top().join("docs/PROTOCOL.md")).text;
    rows(&page, heading)
}

fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let below = page.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with("## "));
    let lines = section.skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// What stands in one list alone, and what stands twice in the page.
fn differences(page: &[String], code: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, row) in page.iter().enumerate() {
        if !code.contains(row) {
            faults.push(format!("{row} is in the page alone"));
        }
        if page[..at].contains(row) {
            faults.push(format!("{row} is in the page twice"));
        }
    }
    let missing = code.iter().filter(|row| !page.contains(row));
    faults.extend(missing.map(|row| format!("{row} is in the code alone")));
    faults
}

fn agree(heading: &str, code: impl IntoIterator<Item = &'static str>) {
    let page: Vec<String> = table(heading).into_iter().map(|mut row| row.swap_remove(0)).collect();
    let code: Vec<String> = code.into_iter().map(|name| format!("`{name}`")).collect();
    none(&differences(&page, &code), &format!("docs/PROTOCOL.md, {heading}"));
}

#[test]
fn every_request_is_in_the_page() {
    agree("## What a client sends", REQUESTS.iter().copied());
}

#[test]
fn every_frame_of_the_servers_is_in_the_page() {
    agree("## What the server says", FRAMES.iter().copied());
}

#[test]
fn every_error_is_in_the_page() {
    agree("## Errors", ErrorCode::ALL.iter().map(|code| code.as_str()));
}

#[test]
fn every_close_is_in_the_page_with_what_comes_next() {
    let rows = table("## When it closes");
    let page: Vec<String> = rows
        .iter()
        .map(|row| {
            let next = row.last().and_then(|next| next.split([',', ':']).next());
            format!("{} {}", row[0], next.unwrap_or_default())
        })
        .collect();
    let mut code: Vec<String> = close::ALL
        .iter()
        .map(|close| format!("{} {}", close.native, close.band().as_str()))
        .collect();
    code.sort();
    code.dedup();
    none(&differences(&page, &code), "docs/PROTOCOL.md, ## When it closes");
}

#[test]
fn a_table_is_read_under_its_heading_alone() {
    let page =
        "## A\n\n|x|y|\n|---|---|\n| `a` | b |\n\n| `no` | no |\n## B\n\n## C\n|x|\n|---|\n|d|\n";
    assert_eq!(rows(page, "## A"), [["`a`", "b"]]);
    assert!(rows(page, "## B").is_empty());
    assert_eq!(rows(page, "## C"), [["d"]]);
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(differences(&list(&["a", "b", "b"]), &list(&["b", "c"])).len(), 3);
}
