//! `hubbub.js` and the page's plain modules under Node: `tests/pages/js/*.test.mjs`, with a real server
//! that is started anew when a test there asks for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::page::server;

/// All tests of one file.
const RUN: Duration = Duration::from_mins(4);

/// Where the tests that Node runs are, with the packages of their lock file.
pub fn packages() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/js");
        let is_there = |name: &str| place.join("node_modules").join(name).exists();
        if !is_there("axe-core") || !is_there("ws") {
            let done = Command::new("npm").args(["ci", "--silent"]).current_dir(&place).status();
            assert!(done.is_ok_and(|done| done.success()), "npm ci in tests/pages/js");
        }
        place
    })
}

async fn run(file: &str) {
    let mut server = Some(server().await);
    let at = server.as_ref().map(super::support::Server::origin).unwrap_or_default();
    let mut node = tokio::process::Command::new("node")
        .args(["--test-reporter=tap", "--test-timeout=60000", file])
        .current_dir(packages())
        .env("HUBBUB_AT", at)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node: apt-get install nodejs");
    let mut stdin = node.stdin.take().expect("piped");
    let mut lines = BufReader::new(node.stdout.take().expect("piped")).lines();
    let mut said = String::new();
    let read = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            if line.trim_start_matches("# ") == "please restart" {
                let old = server.take().expect("a server");
                server = Some(old.restart().await);
                stdin.write_all(b"done\n").await.expect("node reads");
            }
            said.push_str(&line);
            said.push('\n');
        }
        node.wait().await.expect("an end")
    };
    let ended = timeout(RUN, read).await;
    assert!(ended.is_ok_and(|ended| ended.success()), "{said}");
    assert!(said.contains("\n# fail 0\n") && !said.contains("\n# pass 0\n"), "{said}");
}

#[tokio::test]
async fn hubbub_js_keeps_its_promises_over_restarts_and_lost_networks() {
    run("hubbub.test.mjs").await;
}

#[tokio::test]
async fn the_timeline_puts_events_in_order() {
    run("timeline.test.mjs").await;
}
