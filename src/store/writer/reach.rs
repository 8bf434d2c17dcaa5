//! Whether the database can be reached, as the lanes find out. While it can't, what is new is
//! refused at once instead of waiting for a time-out; what was taken is tried on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A connection that is lost and made anew takes less; a database that starts again more.
const AWAY_AFTER: Duration = Duration::from_millis(500);

/// See the file.
#[derive(Debug)]
pub(super) struct Reach {
    base: Instant,
    /// Microseconds from `base` to the first failure since it was last reached; 0: none.
    failing: AtomicU64,
}

impl Default for Reach {
    fn default() -> Self {
        Self { base: Instant::now(), failing: AtomicU64::new(0) }
    }
}

impl Reach {
    /// An attempt found nobody there.
    pub fn failed(&self) {
        let now = u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        // Only the first failure counts, whichever lane's.
        let _ = self.failing.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// It answered; or nobody tries any more, and the next one who comes has to find out.
    pub fn clear(&self) {
        self.failing.store(0, Ordering::Relaxed);
    }

    /// Whether it has not been there for a while, and somebody still tries.
    pub fn is_away(&self) -> bool {
        match self.failing.load(Ordering::Relaxed) {
            0 => false,
            since => self.base.elapsed() >= Duration::from_micros(since) + AWAY_AFTER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn away_is_a_failure_that_lasts() {
        let long_ago = Instant::now().checked_sub(2 * AWAY_AFTER).unwrap_or_else(Instant::now);
        let reach = Reach { base: long_ago, failing: AtomicU64::new(0) };
        assert!(!reach.is_away());
        reach.failing.store(1, Ordering::Relaxed);
        reach.failed();
        assert!(reach.is_away(), "the first failure counts");
        reach.clear();
        assert!(!reach.is_away());
        reach.failed();
        assert!(!reach.is_away(), "not yet");
    }
}
