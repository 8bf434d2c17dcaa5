//! Throws the dice of a bus that is unreliable on purpose. Pure: the same seed gives the same
//! fates, one after the other. Called by the subscriber for whatever comes from other nodes.

use std::time::Duration;

use crate::config::Chaos;

/// Dice with their settings.
#[derive(Debug)]
pub struct Dice {
    chaos: Chaos,
    rng: fastrand::Rng,
}

impl Dice {
    /// None when nothing is to happen.
    #[must_use]
    pub fn new(chaos: Chaos) -> Option<Self> {
        (!chaos.is_off()).then(|| Self { chaos, rng: fastrand::Rng::with_seed(chaos.seed) })
    }

    /// What becomes of the next one: when each of its copies comes, of which there may be none.
    pub fn throw(&mut self) -> Vec<Duration> {
        let is_lost = self.rng.u8(..100) < self.chaos.drop_percent;
        let is_double = self.rng.u8(..100) < self.chaos.double_percent;
        let copies = if is_lost { 0 } else { 1 + usize::from(is_double) };
        (0..copies).map(|_| self.chaos.delay.mul_f64(self.rng.f64())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_follow_the_seed_and_the_percentages() {
        let chaos: Chaos = "drop=5%,delay=50ms,double=2%,seed=7".parse().unwrap_or_default();
        let fates = |chaos: Chaos| -> Vec<Vec<Duration>> {
            let mut dice = Dice::new(chaos).into_iter();
            let mut dice = dice.next();
            (0..10_000).filter_map(|_| dice.as_mut().map(Dice::throw)).collect()
        };
        let first = fates(chaos);
        assert_eq!(first, fates(chaos));
        assert_ne!(first, fates(Chaos { seed: 8, ..chaos }));
        let of = |copies| first.iter().filter(|fate| fate.len() == copies).count();
        assert!((400..600).contains(&of(0)), "{}", of(0));
        assert!((130..250).contains(&of(2)), "{}", of(2));
        assert!(first.iter().flatten().all(|delay| *delay <= chaos.delay));
        assert!(Dice::new(Chaos::default()).is_none());
    }
}
