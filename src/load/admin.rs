//! What the server says of itself to an admin: its CPU, its memory, its fan-out. Asked between the
//! phases of a run, never during one. Called by `run`.

use serde::{Deserialize, Serialize};

use crate::domain::figures::{Load, Percentiles};

use super::http;
use super::target::Target;

#[derive(Deserialize)]
struct Stats {
    totals: Load,
}

/// Asks.
///
/// # Errors
/// What the server said instead.
pub fn ask(target: &Target, token: &str) -> Result<Load, String> {
    let stats: Stats = http::ask(target, "/api/admin/stats/", Some(token), None)
        .and_then(|answer| answer.json())
        .map_err(|why| {
            format!(
                "the server's own figures: {why} (--admin-token takes an access token of an \
                 account made with `hubbub user create --superuser`)"
            )
        })?;
    Ok(stats.totals)
}

/// The server's own figures of a run, all its nodes together.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerFigures {
    /// CPU seconds while messages were sent and delivered.
    pub cpu_s: f64,
    /// The same for each delivery that came, in microseconds.
    pub cpu_per_delivery_us: f64,
    /// CPU for each socket that came, from the first connect to the last join, in microseconds.
    pub cpu_per_join_us: f64,
    /// Resident memory before anybody came, in bytes.
    pub rss_empty_bytes: u64,
    /// When all were there.
    pub rss_joined_bytes: u64,
    /// After the run.
    pub rss_after_bytes: u64,
    /// What each socket added, in bytes.
    pub rss_per_session_bytes: f64,
    /// From the commit to the last write, as the server saw it.
    pub fanout_ms: Percentiles,
    /// From the hand-over to the commit.
    pub store_ms: Percentiles,
}

/// The three times that the server was asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Before the first socket.
    pub empty: Load,
    /// When all were there.
    pub joined: Load,
    /// After the last delivery.
    pub after: Load,
}

impl Asked {
    /// What follows from them.
    #[must_use]
    pub fn figures(&self, sessions: f64, deliveries: f64) -> ServerFigures {
        let cpu_s = self.after.cpu_s - self.joined.cpu_s;
        let bytes = |load: &Load| super::tally::float(load.rss_bytes);
        let grown = bytes(&self.joined) - bytes(&self.empty);
        ServerFigures {
            cpu_s,
            cpu_per_delivery_us: cpu_s * 1e6 / deliveries.max(1.0),
            cpu_per_join_us: (self.joined.cpu_s - self.empty.cpu_s) * 1e6 / sessions.max(1.0),
            rss_empty_bytes: self.empty.rss_bytes,
            rss_joined_bytes: self.joined.rss_bytes,
            rss_after_bytes: self.after.rss_bytes,
            rss_per_session_bytes: grown / sessions.max(1.0),
            fanout_ms: self.after.fanout_ms,
            store_ms: self.after.store_ms,
        }
    }
}
