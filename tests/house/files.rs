//! The files of the repository, read. Used by every check here.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub struct File {
    /// Path from the repository's top, with `/`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// The repository's top.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `folders` whose name ends so, sorted.
pub fn files(folders: &[&str], end: &str) -> Vec<File> {
    let mut found = Vec::new();
    for folder in folders {
        walk(&top().join(folder), end, &mut found);
    }
    found.sort();
    found.into_iter().map(|path| read(&path)).collect()
}

/// One file.
pub fn read(path: &Path) -> File {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let path = path.strip_prefix(top()).unwrap_or(path).to_string_lossy().replace('\\', "/");
    File { path, text }
}

fn walk(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
}

/// Fails with all that was found, not with the first.
pub fn none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
