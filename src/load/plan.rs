//! What `run` and its loops share: the plan they all follow, what a loop tells meanwhile, and what it
//! hands over at its end. Plain values.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::cpu::Used;
use super::order::Verdict;
use super::scenario::Scenario;
use super::tag::Tags;
use super::tally::{Counts, Slice, Spans, float};
use super::target::Target;

/// What all loops of a run know.
#[derive(Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The servers.
    pub targets: Vec<Target>,
    /// The run's tags.
    pub tags: Tags,
    /// What the rooms' names begin with.
    pub prefix: String,
    /// `Sec-WebSocket-Key`, and the answer to it.
    pub key: (String, Vec<u8>),
    /// When the run's clock began.
    pub epoch: Instant,
    /// Length of a slice, in microseconds.
    pub slice_us: u64,
    /// Microseconds at which messages begin; 0 until all loops are ready.
    pub start_us: AtomicU64,
    /// Messages end then, whatever the scenario says; `u64::MAX` until somebody cuts the run short.
    pub cut_us: AtomicU64,
    /// The sockets are to be closed.
    pub stop: AtomicBool,
    /// Sockets in their rooms, for those who watch.
    pub joined: AtomicU64,
}

impl Plan {
    /// How long messages had been sent when somebody cut the run short, in seconds.
    #[must_use]
    pub fn cut_s(&self) -> Option<f64> {
        let (start, cut) =
            (self.start_us.load(Ordering::Acquire), self.cut_us.load(Ordering::Acquire));
        (cut < u64::MAX).then(|| float(cut.saturating_sub(start)) / 1e6)
    }
}

/// What a loop tells while it runs.
#[derive(Debug)]
pub enum Told {
    /// Its sockets are in, or will never be.
    Ready,
    /// A slice is over: which, and what was in it.
    Slice(u64, Slice),
    /// All has come, or was waited for long enough.
    Settled,
}

/// What a loop found.
#[derive(Debug)]
pub struct Part {
    /// Sums.
    pub counts: Counts,
    /// Times.
    pub spans: Spans,
    /// What its rooms' books say.
    pub verdict: Verdict,
    /// Sockets that were in their room at the end.
    pub sessions: u64,
    /// Sockets that were ever in.
    pub joined: u64,
    /// When the last of them came in, at the ramp, in microseconds of the run's clock.
    pub ramped_us: u64,
    /// Its CPU while messages were sent.
    pub used: Used,
    /// How long that was, in microseconds.
    pub ran_us: u64,
}
