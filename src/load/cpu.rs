//! What a thread of this process has used of the machine, as Linux accounts for it: so that a run
//! can say when the tester was too slow, and not the server. Called by loops.

/// CPU of a thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// It ran, in nanoseconds.
    pub ran_ns: u64,
    /// It could have run, but others did, in nanoseconds.
    pub waited_ns: u64,
}

impl Used {
    /// What was used since then.
    #[must_use]
    pub const fn since(self, then: Self) -> Self {
        Self {
            ran_ns: self.ran_ns.saturating_sub(then.ran_ns),
            waited_ns: self.waited_ns.saturating_sub(then.waited_ns),
        }
    }
}

/// Of the thread that asks; nothing where the system does not say.
#[must_use]
pub fn of_this_thread() -> Used {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    Used { ran_ns: numbers.next().unwrap_or(0), waited_ns: numbers.next().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_has_used_cpu() {
        let before = of_this_thread();
        let mut sum = 0_u64;
        while of_this_thread().since(before).ran_ns < 1_000_000 {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        assert_ne!(sum, 1, "the work is not left out");
    }
}
