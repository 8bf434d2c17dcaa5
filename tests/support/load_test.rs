//! `hubbub load` as a developer runs it: flags in, a report as JSON out.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::Setup;
use super::server::run;

/// Longest that one is waited for.
const END: Duration = Duration::from_mins(1);

/// What a load test came to.
#[derive(Debug)]
pub struct LoadTest {
    /// The exit code.
    pub status: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it said meanwhile.
    pub err: String,
}

impl LoadTest {
    /// Runs it with these flags, cut at white space, in an empty folder.
    pub async fn run(flags: &str) -> Self {
        Self::run_in(&Setup::direct(), flags).await
    }

    /// Runs it in this set-up's folder.
    pub async fn run_in(setup: &Setup, flags: &str) -> Self {
        let args: Vec<&str> = ["load"].into_iter().chain(flags.split_whitespace()).collect();
        let done = run(setup, &args, "").await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { status: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// The same, ended by Ctrl-C once it says that it is that far.
    pub async fn interrupt(flags: &str, phase: &str) -> Self {
        let setup = Setup::direct();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hubbub"))
            .arg("load")
            .args(flags.split_whitespace())
            .env_clear()
            .current_dir(setup.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let pid = child.id().expect("it runs").to_string();
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut err = String::new();
        let said = async {
            while let Some(line) = lines.next_line().await.expect("UTF-8") {
                let is_there = line.starts_with(phase);
                err += &(line + "\n");
                if is_there {
                    let sent = Command::new("kill").args(["-INT", &pid]).status().await;
                    assert!(sent.expect("kill is there").success(), "it runs");
                }
            }
        };
        timeout(END, said).await.expect("it ends");
        let done = child.wait_with_output().await.expect("its output");
        let out = String::from_utf8(done.stdout).expect("UTF-8");
        Self { status: done.status.code(), out, err }
    }

    /// The report, when all that was expected was kept.
    pub fn report(&self) -> Value {
        assert_eq!(self.status, Some(0), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).expect("JSON")
    }

    /// The one line that it ended with, when it measured nothing.
    pub fn refused(&self, status: i32) -> &str {
        assert_eq!(self.status, Some(status), "{}{}", self.out, self.err);
        assert_eq!(self.out, "", "nothing was measured");
        self.err.trim_end().lines().last().unwrap_or_default()
    }
}
