//! The rows of the table: what each does, which figures it shows, and what is to be reached. One list.

use serde_json::Value;

/// A figure of a run.
pub struct Figure {
    /// Its name, with the unit.
    pub name: &'static str,
    /// How it is read from the report.
    pub of: fn(&Value) -> f64,
    /// What is to be reached.
    pub to_reach: &'static str,
}

/// A piece of work.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Flags of `hubbub load`.
    pub flags: &'static str,
    /// Rooms that are live before, one socket in each; they are joined then.
    pub live_rooms: usize,
    /// What is shown.
    pub figures: &'static [Figure],
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

const fn cpu(to_reach: &'static str) -> Figure {
    Figure {
        name: "CPU µs/delivery",
        of: |report| number(&report["server"]["cpu_per_delivery_us"]),
        to_reach,
    }
}

const fn rate(to_reach: &'static str) -> Figure {
    Figure { name: "deliveries/s", of: |report| number(&report["deliveries_per_s"]), to_reach }
}

const IDLE: &[Figure] = &[
    Figure {
        name: "RSS KiB/socket",
        of: |report| number(&report["server"]["rss_per_session_bytes"]) / 1024.0,
        to_reach: "<= 2.0 KiB",
    },
    Figure {
        name: "CPU % of a core",
        of: |report| 100.0 * number(&report["server"]["cpu_s"]) / number(&report["ran_s"]),
        to_reach: "about 0",
    },
];
const P50: Figure = Figure {
    name: "p50 ms",
    of: |report| number(&report["delivery_ms"]["p50"]),
    to_reach: "b + 1 ms",
};
const P99: Figure = Figure {
    name: "p99 ms",
    of: |report| number(&report["delivery_ms"]["p99"]),
    to_reach: "b + 10 ms",
};
const STORM: &[Figure] = &[
    Figure {
        name: "joins/s",
        of: |report| number(&report["joined"]) / number(&report["ramp_s"]),
        to_reach: ">= 15,000/s",
    },
    Figure {
        name: "CPU µs/join",
        of: |report| number(&report["server"]["cpu_per_join_us"]),
        to_reach: "<= 30 µs",
    },
];
const FLAT: &[Figure] = &[cpu("flat within 25 %")];

macro_rules! rows {
    ($($name:literal, $flags:literal, $live:literal, $figures:expr;)*) => {
        /// All of them.
        pub const ROWS: &[Row] = &[$(Row {
            name: $name, flags: $flags, live_rooms: $live, figures: $figures,
        }),*];
    };
}

rows! {
    "W1", "--members 1000 --senders 10 --rate 50", 0, &[cpu("<= 1.15 b")];
    "W1-max", "--members 1000 --senders 10 --rate max", 0, &[rate(">= 0.9 a"), cpu("")];
    "W2", "--rooms 200 --members 10 --senders 10 --rate 1000", 0, &[cpu("<= 1.5 b"), P50, P99];
    "W2-max", "--rooms 200 --members 10 --senders 10 --rate max", 0, &[rate(">= 0.75 b"), cpu("")];
    "idle-5000", "--rooms 50 --members 100 --senders 0 --rate 0", 0, IDLE;
    "idle-10000", "--rooms 100 --members 100 --senders 0 --rate 0", 0, IDLE;
    "storm", "--rooms 50 --members 100 --senders 0 --rate 0 --duration 1s", 50, STORM;
    "growth-W1-100", "--members 100 --senders 10 --rate 50", 0, FLAT;
    "growth-W1-1000", "--members 1000 --senders 10 --rate 50", 0, FLAT;
    "growth-W1-5000", "--members 5000 --senders 10 --rate 50", 0, FLAT;
    "growth-W2-10", "--rooms 10 --members 10 --senders 10 --rate 1000", 0, FLAT;
    "growth-W2-100", "--rooms 100 --members 10 --senders 10 --rate 1000", 0, FLAT;
    "growth-W2-1000", "--rooms 1000 --members 10 --senders 10 --rate 1000", 0, FLAT;
}
