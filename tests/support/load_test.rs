//! `hubbub load` as a developer runs it: flags in, a report as JSON out.

use serde_json::Value;

use super::Setup;
use super::server::run;

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
