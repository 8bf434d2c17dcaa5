//! What the Writer counts of itself. Filled by its lanes, read by the statistics at any time.
//! Must not be a reason to wait: everything here is counted once a commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::reach::Reach;
use crate::domain::figures::Durations;

/// A snapshot of what the Writer did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterFigures {
    /// Transactions that stored something.
    pub commits: u64,
    /// Events stored.
    pub rows: u64,
    /// Attempts that the database refused or lost and that were made again.
    pub retries: u64,
    /// Accepted and not yet answered.
    pub waiting: u64,
    /// From the hand-over to the commit, of each stored event.
    pub store_time: Durations,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    rows: AtomicU64,
    retries: AtomicU64,
    store_time: Mutex<Durations>,
    pub(super) reach: Reach,
}

impl Counters {
    /// A commit that stored events, each this many microseconds after its hand-over.
    pub(super) fn committed(&self, micros: impl Iterator<Item = u64>) {
        let mut rows = 0;
        let mut durations = self.store_time.lock().unwrap_or_else(PoisonError::into_inner);
        for micros in micros {
            rows += 1;
            durations.record(micros);
        }
        drop(durations);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt that is made again.
    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// As they are now.
    pub(super) fn snapshot(&self, waiting: u64) -> WriterFigures {
        WriterFigures {
            commits: self.commits.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            waiting,
            store_time: *self.store_time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
