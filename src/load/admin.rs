//! What the server says of itself to an admin: its CPU, its memory, its fan-out; and what follows from
//! that, or from the system's account of its process. Asked between the phases of a run, never during
//! one. Called by `run`.

use serde::{Deserialize, Serialize};

use crate::domain::figures::{Load, Percentiles};

use super::http;
use super::process::Usage;
use super::tally::float;
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

/// The server's figures of a run, all its nodes together.
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
    /// From the commit to the last write, as the server saw it; known of an admin alone.
    pub fanout_ms: Option<Percentiles>,
    /// From the hand-over to the commit; known of an admin alone.
    pub store_ms: Option<Percentiles>,
}

/// What was known of the server at one time.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    usage: Usage,
    load: Option<Load>,
}

impl Known {
    /// By the system's account of its processes, by what it said to an admin; none without either.
    #[must_use]
    pub fn of(usage: Option<Usage>, load: Option<Load>) -> Option<Self> {
        let said = load.map(|load| Usage { cpu_s: load.cpu_s, rss_bytes: load.rss_bytes });
        Some(Self { usage: usage.or(said)?, load })
    }
}

/// The three times that one looked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Before the first socket.
    pub empty: Known,
    /// When all were there.
    pub joined: Known,
    /// After the last delivery.
    pub after: Known,
}

impl Asked {
    /// What follows from them.
    #[must_use]
    pub fn figures(&self, sessions: f64, deliveries: f64) -> ServerFigures {
        let (empty, joined, after) = (self.empty.usage, self.joined.usage, self.after.usage);
        let cpu_s = after.cpu_s - joined.cpu_s;
        let grown = float(joined.rss_bytes) - float(empty.rss_bytes);
        ServerFigures {
            cpu_s,
            cpu_per_delivery_us: cpu_s * 1e6 / deliveries.max(1.0),
            cpu_per_join_us: (joined.cpu_s - empty.cpu_s) * 1e6 / sessions.max(1.0),
            rss_empty_bytes: empty.rss_bytes,
            rss_joined_bytes: joined.rss_bytes,
            rss_after_bytes: after.rss_bytes,
            rss_per_session_bytes: grown / sessions.max(1.0),
            fanout_ms: self.after.load.map(|load| load.fanout_ms),
            store_ms: self.after.load.map(|load| load.store_ms),
        }
    }
}
