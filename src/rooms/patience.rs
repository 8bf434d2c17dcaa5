//! When a socket is pinged, and when it is too slow or gone. Pure; the Shard sweeps and acts.

use std::time::Duration;

use crate::config::SessionSettings;

/// What the sweep makes of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is to be done.
    Fine,
    /// Quiet for an interval: ask whether it is there.
    Ping,
    /// Quiet for two: it is gone.
    Silent,
    /// It does not read what waits for it.
    Slow,
}

/// When a socket is pinged, and when it is too slow or gone (SECURITY, *Handshake*).
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    ping_every: Duration,
    /// Bytes that may wait for a socket.
    pub max_pending_bytes: usize,
    max_pending_for: Duration,
}

impl Patience {
    /// As set.
    #[must_use]
    pub fn new(limits: &SessionSettings) -> Self {
        Self {
            ping_every: Duration::from_secs(limits.ping_interval_s),
            max_pending_bytes: limits.max_pending_bytes,
            max_pending_for: Duration::from_secs(limits.max_pending_s),
        }
    }

    /// `quiet_for` since bytes last came; `waiting_for` since something waits all the time; `step`
    /// since the sweep before, so that each silence meets exactly one ping, late sweeps or not.
    #[must_use]
    pub fn judge(
        &self,
        quiet_for: Duration,
        waiting_for: Option<Duration>,
        step: Duration,
    ) -> Verdict {
        let in_this_step = |at: Duration| quiet_for >= at && quiet_for < at + step;
        if waiting_for.is_some_and(|waiting| waiting >= self.max_pending_for) {
            Verdict::Slow
        } else if quiet_for >= self.ping_every * 2 {
            Verdict::Silent
        } else if in_this_step(self.ping_every) {
            Verdict::Ping
        } else {
            Verdict::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_pinged_once_an_interval_and_closed_after_two() {
        let patience = Patience {
            ping_every: Duration::from_secs(20),
            max_pending_bytes: 1,
            max_pending_for: Duration::from_secs(30),
        };
        let judge = |quiet: f64, waiting: Option<u64>| {
            patience.judge(
                Duration::from_secs_f64(quiet),
                waiting.map(Duration::from_secs),
                Duration::from_secs(1),
            )
        };
        assert_eq!(judge(19.9, None), Verdict::Fine);
        assert_eq!(judge(20.4, None), Verdict::Ping);
        assert_eq!(judge(21.4, None), Verdict::Fine);
        assert_eq!(judge(40.0, None), Verdict::Silent);
        assert_eq!(judge(1.0, Some(29)), Verdict::Fine);
        assert_eq!(judge(1.0, Some(30)), Verdict::Slow);
    }
}
