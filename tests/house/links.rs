//! Links in the pages for people lead to files that are there.

use super::files::{File, files, none, read, top};

/// `README.md`, `CHANGELOG.md` and everything in `docs/`.
fn pages() -> Vec<File> {
    let mut pages = files(&["docs"], ".md");
    for name in ["README.md", "CHANGELOG.md"] {
        pages.push(read(&top().join(name)));
    }
    pages
}

/// Targets of `[text](target)` and `![text](target)`, outside of code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // What stands between backticks is code: every second piece.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for part in prose.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                found.push(target.split_whitespace().next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut faults = Vec::new();
    for page in pages() {
        let folder = top().join(&page.path).parent().map(ToOwned::to_owned).unwrap_or_default();
        for target in targets(&page.text) {
            let file = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !outside && !file.is_empty() && !folder.join(file).exists() {
                faults.push(format!("{}: {target}", page.path));
            }
        }
    }
    none(&faults, "links to files that are not there");
}

#[test]
fn links_are_found_where_they_are_links() {
    let text = "see [a](docs/a.md) and ![b](b.png \"B\"), not `[c](c.md)`\n```\n[d](d.md)\n```\n";
    assert_eq!(targets(text), ["docs/a.md", "b.png"]);
}
