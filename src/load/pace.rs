//! When messages are due and whose turn it is: fixed before the first one is sent, whatever the server
//! does. Pure.

use super::scenario::{Rate, Scenario};

/// The schedule of one thread's rooms.
#[derive(Debug)]
pub struct Pace {
    start_us: u64,
    end_us: u64,
    interval_us: f64,
    rooms: u32,
    senders: u32,
    /// Messages that were due until now.
    due: u64,
    /// Turns given, bursts included.
    turns: u64,
}

impl Pace {
    /// Of `rooms` of the scenario's rooms, from `start_us` on; `phase` (0 to 1) sets threads apart.
    #[must_use]
    pub fn new(scenario: &Scenario, rooms: u32, phase: f64, start_us: u64) -> Self {
        let rate = match scenario.rate {
            Rate::PerSecond(rate) if scenario.senders > 0 => rate,
            // Each sends again when the last one is back.
            _ => 0.0,
        };
        let all = f64::from(u32::try_from(scenario.rooms).unwrap_or(u32::MAX));
        let interval_us = 1e6 / (rate * f64::from(rooms) / all);
        let offset = if interval_us.is_finite() { interval_us * phase } else { 0.0 };
        Self {
            start_us: start_us + micros(offset),
            end_us: start_us + scenario.duration.micros(),
            interval_us,
            rooms,
            senders: u32::try_from(scenario.senders).unwrap_or(u32::MAX),
            due: 0,
            turns: 0,
        }
    }

    /// When the next message is due; none when it is not due any more.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let due = self.start_us + micros(super::tally::float(self.due) * self.interval_us);
        (self.interval_us.is_finite() && due < self.end_us).then_some(due)
    }

    /// The run's end.
    #[must_use]
    pub const fn end_us(&self) -> u64 {
        self.end_us
    }

    /// Ends the run then, unless it ends before.
    pub fn cut(&mut self, at_us: u64) {
        self.end_us = self.end_us.min(at_us);
    }

    /// Takes the next message off the schedule, when it is due by now.
    pub fn take(&mut self, now_us: u64) -> Option<u64> {
        let due = self.next_due().filter(|due| *due <= now_us)?;
        self.due += 1;
        Some(due)
    }

    /// Whose turn it is: a room, and a sender in it.
    pub fn turn(&mut self) -> (u32, u32) {
        let turn = self.turns;
        self.turns += 1;
        let (rooms, senders) = (u64::from(self.rooms.max(1)), u64::from(self.senders.max(1)));
        let small = |number: u64| u32::try_from(number).unwrap_or(0);
        (small(turn % rooms), small(turn / rooms % senders))
    }
}

/// Whole microseconds of a run's length.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a week")]
fn micros(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::span::Span;

    #[test]
    fn what_is_due_is_due_whatever_happened_before() {
        let scenario = Scenario {
            rooms: 2,
            senders: 2,
            rate: Rate::PerSecond(100.0),
            duration: Span::millis(50),
            ..Scenario::default()
        };
        let mut pace = Pace::new(&scenario, 2, 0.0, 1_000);
        assert_eq!(pace.take(999), None);
        let due: Vec<u64> = std::iter::from_fn(|| pace.take(1_000_000)).collect();
        assert_eq!(due, [1_000, 11_000, 21_000, 31_000, 41_000]);
        let turns: Vec<_> = (0..5).map(|_| pace.turn()).collect();
        assert_eq!(turns, [(0, 0), (1, 0), (0, 1), (1, 1), (0, 0)]);
        let mut cut = Pace::new(&scenario, 2, 0.0, 1_000);
        cut.cut(21_000);
        assert_eq!((cut.take(11_000), cut.end_us()), (Some(1_000), 21_000));
        assert_eq!((cut.take(1_000_000), cut.take(1_000_000)), (Some(11_000), None));
        cut.cut(u64::MAX);
        assert_eq!(cut.end_us(), 21_000, "it is not made longer");
        // A thread that has one of the two rooms sends half.
        let half = Pace::new(&scenario, 1, 0.5, 0);
        assert_eq!(half.next_due(), Some(10_000));
        let still = Scenario { rate: Rate::PerSecond(0.0), ..scenario };
        assert_eq!(Pace::new(&still, 2, 0.0, 0).next_due(), None);
    }
}
