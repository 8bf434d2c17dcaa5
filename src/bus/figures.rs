//! How much the bus carried and how much it left out, for metrics and tests.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages published; one however many nodes listen. Heartbeats are not among them.
    pub published: u64,
    /// Their bytes.
    pub published_bytes: u64,
    /// Messages left out because too many waited, or the bus was down.
    pub lost: u64,
    /// Messages that came, heartbeats and own ones among them.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Messages that came and were left out because too many waited to be read or forwarded.
    pub lagged: u64,
    /// Messages of a kind that this version does not know.
    pub unknown: u64,
}

/// The same while they are counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    published: AtomicU64,
    published_bytes: AtomicU64,
    lost: AtomicU64,
    received: AtomicU64,
    received_bytes: AtomicU64,
    lagged: AtomicU64,
    unknown: AtomicU64,
}

fn add(count: &AtomicU64, n: usize) {
    count.fetch_add(n as u64, Ordering::Relaxed);
}

impl Counts {
    pub fn published(&self, messages: usize, bytes: usize) {
        add(&self.published, messages);
        add(&self.published_bytes, bytes);
    }

    pub fn lost(&self, messages: usize) {
        add(&self.lost, messages);
    }

    pub fn received(&self, bytes: usize) {
        add(&self.received, 1);
        add(&self.received_bytes, bytes);
    }

    pub fn lagged(&self) {
        add(&self.lagged, 1);
    }

    pub fn unknown(&self) {
        add(&self.unknown, 1);
    }

    pub fn read(&self) -> Figures {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            published: of(&self.published),
            published_bytes: of(&self.published_bytes),
            lost: of(&self.lost),
            received: of(&self.received),
            received_bytes: of(&self.received_bytes),
            lagged: of(&self.lagged),
            unknown: of(&self.unknown),
        }
    }
}
