//! A bus that is unreliable on purpose: `drop=5%,delay=50ms,double=2%,seed=7`. Pure; called by
//! `schema` and by whoever throws the dice.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest delay.
const DELAY_MAX_MS: u64 = 60_000;

/// What happens to what comes from other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chaos {
    /// Of 100, how many are lost.
    pub drop_percent: u8,
    /// Of 100, how many of the rest come twice.
    pub double_percent: u8,
    /// Each comes up to this much later, so that their order is shaken, too.
    pub delay: Duration,
    /// The same seed, the same fates.
    pub seed: u64,
}

impl Chaos {
    /// Whether nothing happens at all.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        self.drop_percent == 0 && self.double_percent == 0 && self.delay.is_zero()
    }
}

/// A text that is no [`Chaos`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it may be empty, or some of drop=5%, delay=50ms, double=2% and seed=7, with commas")]
pub struct NotChaos;

impl FromStr for Chaos {
    type Err = NotChaos;

    fn from_str(text: &str) -> Result<Self, NotChaos> {
        let mut chaos = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(NotChaos)?;
            match name {
                "drop" => chaos.drop_percent = percent(value)?,
                "double" => chaos.double_percent = percent(value)?,
                "delay" => chaos.delay = delay(value)?,
                "seed" => chaos.seed = value.parse().map_err(|_| NotChaos)?,
                _ => return Err(NotChaos),
            }
        }
        Ok(chaos)
    }
}

impl TryFrom<String> for Chaos {
    type Error = NotChaos;

    fn try_from(text: String) -> Result<Self, NotChaos> {
        text.parse()
    }
}

impl From<Chaos> for String {
    fn from(chaos: Chaos) -> Self {
        chaos.to_string()
    }
}

impl fmt::Display for Chaos {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_off() {
            return Ok(());
        }
        let Self { drop_percent, double_percent, delay, seed } = self;
        let ms = delay.as_millis();
        write!(out, "drop={drop_percent}%,delay={ms}ms,double={double_percent}%,seed={seed}")
    }
}

fn percent(text: &str) -> Result<u8, NotChaos> {
    let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
    number.filter(|percent| *percent <= 100).ok_or(NotChaos)
}

fn delay(text: &str) -> Result<Duration, NotChaos> {
    let number = text.strip_suffix("ms").and_then(|number| number.parse().ok());
    number.filter(|ms| *ms <= DELAY_MAX_MS).map(Duration::from_millis).ok_or(NotChaos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chaos_is_read_part_by_part_and_written_as_it_is_read() {
        let all = "drop=5%,delay=50ms,double=2%,seed=7";
        let chaos: Chaos = all.parse().unwrap_or_default();
        let delay = Duration::from_millis(50);
        assert_eq!(chaos, Chaos { drop_percent: 5, double_percent: 2, delay, seed: 7 });
        assert_eq!(chaos.to_string(), all);
        assert_eq!("double=2%, drop=5%".parse::<Chaos>().map(|c| c.drop_percent), Ok(5));
        assert!("".parse::<Chaos>().is_ok_and(|chaos| chaos.is_off()));
        assert_eq!(Chaos::default().to_string(), "");
    }

    #[test]
    fn what_is_no_chaos_is_refused() {
        for bad in ["drop", "drop=5", "drop=101%", "delay=50", "delay=1h", "seed=x", "drip=5%"] {
            assert_eq!(bad.parse::<Chaos>(), Err(NotChaos), "{bad}");
        }
    }
}
