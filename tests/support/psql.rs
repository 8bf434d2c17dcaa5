//! SQL on a test's own `PostgreSQL`, for what no client can bring about.

use std::process::Command;

/// Runs it; what it printed.
pub fn psql(url: &str, sql: &str) -> String {
    let options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
    let done = Command::new("psql").arg(url).args(options).args(["-c", sql]).output();
    let done = done.expect("psql is there");
    assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}
