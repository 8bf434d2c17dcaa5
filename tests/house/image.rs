//! The image is built from what `.dockerignore` lets in, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::files::{read, top};

#[test]
fn what_the_image_is_built_from_is_a_whole_package() {
    let context = tempfile::tempdir().expect("a directory");
    let ignored = read(&top().join(".dockerignore")).text;
    for path in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        let copy = context.path().join(path);
        fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        symlink(top().join(path), copy).expect("a link");
    }
    let mut cargo = Command::new(env!("CARGO"));
    let done = cargo.args(["fetch", "--locked", "--offline"]).current_dir(context.path()).output();
    let done = done.expect("cargo is there");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
