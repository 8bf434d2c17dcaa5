//! Numbers that look random and are the same for the same seed: what fails once fails again.

/// A source of them (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// From this seed on.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to just under this.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    /// One of these; none of none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let number = u64::try_from(all.len()).expect("few enough");
        (number > 0).then(|| &all[usize::try_from(self.below(number)).expect("a place")])
    }
}
