//! Lengths of time as people write them: `50ms`, `1.5s`, `2m`. Pure. Used by scenarios, faults and
//! expectations.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u64);

/// Units, the longer names first where one ends with another.
const UNITS: &[(&str, f64)] =
    &[("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 60e6), ("h", 3_600e6)];

/// Longest that is read: a week.
const LONGEST: f64 = 7.0 * 24.0 * 3_600e6;

impl Span {
    /// From whole milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// From whole seconds.
    #[must_use]
    pub const fn secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }

    /// In microseconds.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// In seconds.
    #[must_use]
    pub const fn as_secs(self) -> f64 {
        Duration::from_micros(self.0).as_secs_f64()
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no length of time: write 500ms, 10s or 2m");
        let unit = UNITS.iter().find(|(unit, _)| text.trim().ends_with(unit)).ok_or_else(wrong)?;
        let number = text.trim().trim_end_matches(unit.0).trim();
        let micros = number.parse::<f64>().map_err(|_| wrong())? * unit.1;
        if !(0.0..=LONGEST).contains(&micros) {
            return Err(wrong());
        }
        Ok(Self(whole(micros)))
    }
}

/// The nearest whole number; the caller saw to its range.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a week")]
fn whole(micros: f64) -> u64 {
    micros.round() as u64
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us % 1_000 != 0 => write!(out, "{us}us"),
            us if us % 1_000_000 != 0 || us == 0 => write!(out, "{}ms", us / 1_000),
            us => write!(out, "{}s", us / 1_000_000),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit_and_not_without() {
        for (text, micros) in
            [("50ms", 50_000), ("1.5s", 1_500_000), ("2m", 120_000_000), ("7us", 7), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Span(micros)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "NaNs", "9999999h", "1 day"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert_eq!(Span::secs(90).to_string(), "90s");
        assert_eq!(Span::millis(1_500).to_string(), "1500ms");
    }
}
