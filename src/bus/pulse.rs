//! Whether the bus carries: a node's own heartbeats must come back to it. Pure: time comes from
//! outside, as the time since the start.

use std::time::Duration;

/// A heartbeat goes out this often.
pub const BEAT_EVERY: Duration = Duration::from_millis(200);
/// The bus is down once no heartbeat younger than this has come back.
pub const DOWN_AFTER: Duration = Duration::from_secs(1);
/// A connection that carries nothing for this long is given up and made anew.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(3);
/// The first wait before connecting again, about.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The heartbeats of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    connected: Duration,
    /// When the youngest that came back was sent.
    back: Option<Duration>,
}

impl Pulse {
    /// Connected at `now`; nothing has come back yet.
    #[must_use]
    pub const fn new(now: Duration) -> Self {
        Self { connected: now, back: None }
    }

    /// The heartbeat that was sent at `sent` has come back. One from before the connection came
    /// proves nothing of it.
    pub fn came_back(&mut self, sent: Duration) {
        if sent >= self.connected {
            self.back = self.back.max(Some(sent));
        }
    }

    /// Whether the bus carries.
    #[must_use]
    pub fn is_up(&self, now: Duration) -> bool {
        self.back.is_some_and(|sent| now.saturating_sub(sent) <= DOWN_AFTER)
    }

    /// Whether to connect anew.
    #[must_use]
    pub fn is_lost(&self, now: Duration) -> bool {
        now.saturating_sub(self.back.unwrap_or(self.connected)) > GIVE_UP_AFTER
    }
}

/// How long to wait before the next attempt to connect after `failed` ones in a row. `dice` is
/// between 0 and 1: nodes that lost one Redis together must not come back together.
#[must_use]
pub fn wait(failed: u32, dice: f64) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << failed.min(10));
    doubled.min(LONGEST_WAIT).mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_bus_is_up_while_young_heartbeats_come_back() {
        let mut pulse = Pulse::new(ms(5_000));
        assert!(!pulse.is_up(ms(5_000)));
        pulse.came_back(ms(4_900));
        assert!(!pulse.is_up(ms(5_000)), "one of an earlier connection");
        pulse.came_back(ms(5_200));
        pulse.came_back(ms(5_000));
        assert!(pulse.is_up(ms(6_200)));
        assert!(!pulse.is_up(ms(6_201)));
        pulse.came_back(ms(5_201));
        assert!(!pulse.is_up(ms(9_000)), "it was frozen on its way");
    }

    #[test]
    fn a_connection_that_carries_nothing_is_given_up() {
        let mut pulse = Pulse::new(ms(1_000));
        assert!(!pulse.is_lost(ms(4_000)));
        assert!(pulse.is_lost(ms(4_001)));
        pulse.came_back(ms(2_000));
        assert!(!pulse.is_lost(ms(5_000)));
    }

    #[test]
    fn waits_grow_to_a_second_and_differ() {
        for (failed, dice, expected) in
            [(0, 0.0, 25), (0, 1.0, 50), (2, 0.5, 150), (6, 1.0, 1_000), (99, 0.0, 500)]
        {
            assert_eq!(wait(failed, dice), ms(expected), "{failed} {dice}");
        }
    }
}
