//! What a run found, as plain values: the one list of figures that the table, the JSON, the page and
//! the expectations all read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::admin::ServerFigures;
use super::order::Verdict;
use super::scenario::Scenario;
use super::tally::{Counts, Times, float};

/// Percentiles of a time, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many were counted.
    pub count: u64,
    /// Half took no longer.
    pub p50: f64,
    /// 90 of 100 took no longer.
    pub p90: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// 999 of 1,000 took no longer.
    #[serde(rename = "p99.9")]
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

impl Percentiles {
    /// Of a histogram of microseconds.
    #[must_use]
    pub fn of(times: &Times) -> Self {
        let at = |quantile: f64| float(times.value_at_quantile(quantile)) / 1e3;
        if times.is_empty() {
            return Self::default();
        }
        Self {
            count: times.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: float(times.max()) / 1e3,
        }
    }
}

/// A stretch of the run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// When it ended, in seconds from the first message.
    pub at_s: f64,
    /// Messages sent a second.
    pub sent_per_s: f64,
    /// Deliveries a second.
    pub deliveries_per_s: f64,
    /// Sockets in their rooms.
    pub sessions: u64,
    /// From due to delivered, in milliseconds.
    pub p50: f64,
    /// The same.
    pub p99: f64,
    /// The same.
    pub max: f64,
}

/// How the tester itself did.
#[derive(Clone, Debug, Serialize)]
pub struct Tester {
    /// From due to sent, in milliseconds: its own delay, which is part of every latency above.
    pub lag_ms: Percentiles,
    /// The busiest thread's share of a core.
    pub cpu_share: f64,
    /// The share of time that it could have run and others did.
    pub waited_share: f64,
    /// Its CPU for each delivery, in microseconds.
    pub cpu_per_delivery_us: f64,
    /// Why what was measured may be the tester and not the server; nothing when it kept up.
    pub bottleneck: Vec<String>,
}

/// A run, as it was.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When it began.
    pub at: String,
    /// Of the program.
    pub version: &'static str,
    /// What was asked for.
    pub scenario: Scenario,
    /// Sockets that were in their room, ever and at the end.
    pub joined: u64,
    /// The same, at the end.
    pub sessions: u64,
    /// From the first connect until all were in, in seconds.
    pub ramp_s: f64,
    /// From the first message to the last delivery, in seconds.
    pub ran_s: f64,
    /// Seconds after which somebody ended it, before its time; none when it ran to its end.
    pub cut_s: Option<f64>,
    /// From the connect to the open socket.
    pub connect_ms: Percentiles,
    /// From the connect to being in the room.
    pub join_ms: Percentiles,
    /// From due to `ok`; on plain sockets to the sender's own copy.
    pub ok_ms: Percentiles,
    /// From due to delivered.
    pub delivery_ms: Percentiles,
    /// The same, of sockets that faults were done to.
    pub under_fault_ms: Percentiles,
    /// Messages sent.
    pub sent: u64,
    /// Sent later than allowed after they were due.
    pub late: u64,
    /// Due while their sender was away.
    pub skipped: u64,
    /// Messages sent a second.
    pub sent_per_s: f64,
    /// Deliveries a second.
    pub deliveries_per_s: f64,
    /// Received ÷ expected.
    pub reach: f64,
    /// What the books say.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Deliveries of messages that nobody sent in that room.
    pub strange: u64,
    /// Frames of `hubbub.v1` whose `seq` was not the next.
    pub seq_jumps: u64,
    /// Frames on plain sockets that were not this run's.
    pub foreign: u64,
    /// Bytes that came.
    pub bytes_in: u64,
    /// Bytes that went out.
    pub bytes_out: u64,
    /// Connections that failed.
    pub failed: u64,
    /// Sockets that came back.
    pub reconnects: u64,
    /// Readers that were told they lag.
    pub lags: u64,
    /// Tokens renewed.
    pub renewed: u64,
    /// Closes that the server chose, by code.
    pub closes: BTreeMap<u16, u64>,
    /// Upgrades refused, by status; 0 for no right answer.
    pub refusals: BTreeMap<u16, u64>,
    /// Messages that the server refused, by its word.
    pub errors: BTreeMap<String, u64>,
    /// How the tester did.
    pub tester: Tester,
    /// The server's own figures, where an admin asked.
    pub server: Option<ServerFigures>,
    /// The run over time.
    pub over_time: Vec<Point>,
    /// Percentile and milliseconds, for the plot.
    pub curve: Vec<(f64, f64)>,
}

/// How a figure is read from a report.
pub type Figure = fn(&Report) -> f64;

/// Every figure that can be expected, with what it is.
pub const FIGURES: &[(&str, Figure)] = &[
    ("p50", |report| report.delivery_ms.p50),
    ("p90", |report| report.delivery_ms.p90),
    ("p99", |report| report.delivery_ms.p99),
    ("p99.9", |report| report.delivery_ms.p999),
    ("max", |report| report.delivery_ms.max),
    ("ok.p50", |report| report.ok_ms.p50),
    ("ok.p99", |report| report.ok_ms.p99),
    ("connect.p99", |report| report.connect_ms.p99),
    ("join.p50", |report| report.join_ms.p50),
    ("join.p99", |report| report.join_ms.p99),
    ("reach", |report| report.reach),
    ("gaps", |report| float(report.verdict.gaps)),
    ("doubles", |report| float(report.verdict.doubles)),
    ("disorders", |report| float(report.verdict.disorders)),
    ("strange", |report| float(report.strange)),
    ("seq_jumps", |report| float(report.seq_jumps)),
    ("sent", |report| float(report.sent)),
    ("late", |report| float(report.late)),
    ("skipped", |report| float(report.skipped)),
    ("received", |report| float(report.verdict.received)),
    ("sent_per_s", |report| report.sent_per_s),
    ("deliveries_per_s", |report| report.deliveries_per_s),
    ("joined", |report| float(report.joined)),
    ("failed", |report| float(report.failed)),
    ("reconnects", |report| float(report.reconnects)),
    ("closes", |report| float(report.closes.values().sum())),
    ("errors", |report| float(report.errors.values().sum())),
    ("bottlenecks", |report| float(report.tester.bottleneck.len() as u64)),
];

impl Report {
    /// Fills in the sums.
    pub(super) fn count(&mut self, counts: Counts) {
        self.sent = counts.sent;
        self.late = counts.late;
        self.skipped = counts.skipped;
        self.strange = counts.strange;
        self.foreign = counts.foreign;
        self.seq_jumps = counts.seq_jumps;
        self.bytes_in = counts.bytes_in;
        self.bytes_out = counts.bytes_out;
        self.failed = counts.failed;
        self.reconnects = counts.reconnects;
        self.lags = counts.lags;
        self.renewed = counts.renewed;
        self.closes = counts.closes;
        self.refusals = counts.refusals;
        self.errors = counts.errors;
    }
}
