//! What a loop counts: histograms of times, sums of what happened, and a slice of both for each
//! short stretch of the run. Plain values; loops fill them, `run` adds them up.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// Times in microseconds, to three digits.
pub type Times = Histogram<u64>;

/// An empty one.
#[must_use]
pub fn times() -> Times {
    // Three digits are within what the library takes; it grows with what it is given.
    let mut times = Histogram::new(3).unwrap_or_else(|_| unreachable!("1 to 5 digits"));
    times.auto(true);
    times
}

/// As a number that can be divided.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures for people: 15 digits are enough")]
pub const fn float(number: u64) -> f64 {
    number as f64
}

/// Sums over the run.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages sent.
    pub sent: u64,
    /// Among them late ones.
    pub late: u64,
    /// Messages that were due while their sender was away or could not write.
    pub skipped: u64,
    /// Messages that the server refused, by its word for it.
    pub errors: BTreeMap<String, u64>,
    /// Deliveries, whatever became of them.
    pub deliveries: u64,
    /// Of messages that nobody sent in that room.
    pub strange: u64,
    /// Of another run's, or of somebody else's.
    pub foreign: u64,
    /// Frames of `hubbub.v1` whose `seq` was not the next.
    pub seq_jumps: u64,
    /// Bytes that came.
    pub bytes_in: u64,
    /// Bytes that were written.
    pub bytes_out: u64,
    /// Sockets opened, again and again ones too.
    pub opened: u64,
    /// Connections that failed before a socket was open.
    pub failed: u64,
    /// Sockets that came back into their room.
    pub reconnects: u64,
    /// Times that a reader was told that it lags.
    pub lags: u64,
    /// Tokens renewed.
    pub renewed: u64,
    /// Closes that the server chose, by code; 1006: without a word.
    pub closes: BTreeMap<u16, u64>,
    /// Upgrades refused, by status.
    pub refusals: BTreeMap<u16, u64>,
}

impl Counts {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.sent, other.sent),
            (&mut self.late, other.late),
            (&mut self.skipped, other.skipped),
            (&mut self.deliveries, other.deliveries),
            (&mut self.strange, other.strange),
            (&mut self.foreign, other.foreign),
            (&mut self.seq_jumps, other.seq_jumps),
            (&mut self.bytes_in, other.bytes_in),
            (&mut self.bytes_out, other.bytes_out),
            (&mut self.opened, other.opened),
            (&mut self.failed, other.failed),
            (&mut self.reconnects, other.reconnects),
            (&mut self.lags, other.lags),
            (&mut self.renewed, other.renewed),
        ] {
            *mine += theirs;
        }
        for (word, count) in &other.errors {
            *self.errors.entry(word.clone()).or_default() += count;
        }
        for (mine, theirs) in
            [(&mut self.closes, &other.closes), (&mut self.refusals, &other.refusals)]
        {
            for (code, count) in theirs {
                *mine.entry(*code).or_default() += count;
            }
        }
    }
}

/// A short stretch of the run.
#[derive(Debug)]
pub struct Slice {
    /// Messages sent.
    pub sent: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Sockets that are in their room at its end.
    pub sessions: u64,
    /// From due to delivered.
    pub delivery: Times,
}

impl Slice {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { sent: 0, deliveries: 0, sessions: 0, delivery: times() }
    }
}

impl Default for Slice {
    fn default() -> Self {
        Self::new()
    }
}

/// Times over the whole run.
#[derive(Debug)]
pub struct Spans {
    /// From the connect to the open socket.
    pub connect: Times,
    /// From the connect to being in the room.
    pub join: Times,
    /// From due to `ok`; on plain sockets, which have none, to the sender's own copy.
    pub ok: Times,
    /// From due to delivered, to sockets that nothing was done to.
    pub delivery: Times,
    /// The same to those that faults were done to.
    pub under_fault: Times,
    /// From due to sent: the tester's own delay.
    pub lag: Times,
}

impl Spans {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            connect: times(),
            join: times(),
            ok: times(),
            delivery: times(),
            under_fault: times(),
            lag: times(),
        }
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.connect, &other.connect),
            (&mut self.join, &other.join),
            (&mut self.ok, &other.ok),
            (&mut self.delivery, &other.delivery),
            (&mut self.under_fault, &other.under_fault),
            (&mut self.lag, &other.lag),
        ] {
            merge(mine, theirs);
        }
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds one histogram to another.
pub fn merge(mine: &mut Times, theirs: &Times) {
    // Both grow by themselves: there is nothing that does not fit.
    let _ = mine.add(theirs);
}

/// Counts one.
pub fn record(times: &mut Times, micros: u64) {
    // It grows with what it is given: there is nothing that does not fit.
    let _ = times.record(micros);
}
